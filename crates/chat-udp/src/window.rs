//! How many bytes may be on their way at once (RFC 5681).

use crate::limits::{WINDOW_BYTES_INITIAL, WINDOW_BYTES_MAX, WINDOW_BYTES_MIN};
use chat_proto::limits::DATAGRAM_BYTES_MAX;

/// A congestion window: doubles in each round trip up to the threshold, then grows by a datagram, and
/// halves when something is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    bytes: u32,
    threshold: u32,
    /// It was full since the last acknowledgement; an unused window does not grow.
    was_full: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self { bytes: small(WINDOW_BYTES_INITIAL), threshold: small(WINDOW_BYTES_MAX), was_full: false }
    }
}

impl Window {
    /// Whether another datagram may go out while `in_flight` bytes are on their way.
    pub(crate) fn has_room(&mut self, in_flight: usize) -> bool {
        let has_room = in_flight < self.bytes as usize;
        self.was_full |= !has_room;
        has_room
    }

    /// This many bytes have arrived.
    pub(crate) fn arrived(&mut self, bytes: usize) {
        if !std::mem::take(&mut self.was_full) {
            return;
        }
        let window = self.bytes as usize;
        let growth = if self.bytes < self.threshold { bytes } else { DATAGRAM_BYTES_MAX * bytes / window };
        self.bytes = small((window + growth).min(WINDOW_BYTES_MAX));
    }

    /// A datagram was lost; call this once per window.
    pub(crate) fn lost(&mut self) {
        self.threshold = (self.bytes / 2).max(small(WINDOW_BYTES_MIN));
        self.bytes = self.threshold;
    }

    /// No answer arrived at all: send one datagram at a time (RFC 5681, section 3.1).
    pub(crate) fn timed_out(&mut self) {
        self.threshold = (self.bytes / 2).max(small(WINDOW_BYTES_MIN));
        self.bytes = small(DATAGRAM_BYTES_MAX);
    }
}

/// Of a window or less. A session has no bytes to waste.
fn small(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_in_use_doubles_then_creeps_and_halves_on_loss() {
        let mut window = Window::default();
        let full = |window: &mut Window| {
            let mut in_flight = 0;
            while window.has_room(in_flight) {
                in_flight += 100;
            }
            in_flight
        };
        let first = full(&mut window);
        assert_eq!(first, WINDOW_BYTES_INITIAL);
        window.arrived(first);
        assert_eq!(full(&mut window), 2 * WINDOW_BYTES_INITIAL);
        window.lost();
        assert_eq!(full(&mut window), WINDOW_BYTES_INITIAL);
        window.arrived(WINDOW_BYTES_INITIAL);
        assert_eq!(full(&mut window), WINDOW_BYTES_INITIAL + DATAGRAM_BYTES_MAX);
        window.timed_out();
        assert_eq!(full(&mut window), DATAGRAM_BYTES_MAX);
        window.arrived(DATAGRAM_BYTES_MAX);
        for _ in 0..1_000 {
            window.lost();
        }
        assert_eq!(full(&mut window), WINDOW_BYTES_MIN);
        for _ in 0..100_000 {
            full(&mut window);
            window.arrived(WINDOW_BYTES_MAX);
        }
        assert!(full(&mut window) <= WINDOW_BYTES_MAX + 100);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut window = Window::default();
        for _ in 0..1_000 {
            assert!(window.has_room(0));
            window.arrived(100);
        }
        assert!(!window.has_room(WINDOW_BYTES_INITIAL));
    }
}
