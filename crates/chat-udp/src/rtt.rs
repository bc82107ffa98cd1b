//! The round-trip time of a path, and so how long to wait for an answer (RFC 6298).

use std::time::Duration;

use crate::limits::{ACK_DELAY, RTO_BACKED_OFF_MAX, RTO_INITIAL, RTO_VARIATION_MIN};

/// Smoothed round-trip time, its variation, and how often in a row no answer came.
///
/// In microseconds of 32 bits, more than an hour: there is one of these per member.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rtt {
    smoothed_us: u32,
    variation_us: u32,
    is_measured: bool,
    backed_off: u8,
}

impl Rtt {
    /// Adds a measurement; it must be of a datagram that was sent only once (Karn's algorithm).
    pub(crate) fn measure(&mut self, sample: Duration) {
        let (smoothed, variation) = match self.measured() {
            None => (sample, sample / 2),
            Some((smoothed, variation)) => {
                let variation = (variation * 3 + smoothed.abs_diff(sample)) / 4;
                ((smoothed * 7 + sample) / 8, variation)
            }
        };
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        (self.smoothed_us, self.variation_us) = (micros(smoothed), micros(variation));
        self.is_measured = true;
    }

    /// The smoothed round-trip time, as far as it is known.
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.measured().map(|(smoothed, _)| smoothed)
    }

    /// Smoothed time and variation; none before the first measurement.
    fn measured(&self) -> Option<(Duration, Duration)> {
        let micros = |time: u32| Duration::from_micros(time.into());
        self.is_measured.then(|| (micros(self.smoothed_us), micros(self.variation_us)))
    }

    /// How long to wait for an answer, the other end's delay included.
    pub(crate) fn timeout(&self) -> Duration {
        let once = self.timeout_once();
        let doubled = once.saturating_mul(1 << self.backed_off.min(16));
        doubled.min(RTO_BACKED_OFF_MAX.max(once))
    }

    /// The same, without the doubling for missing answers.
    pub(crate) fn timeout_once(&self) -> Duration {
        self.measured().map_or(RTO_INITIAL, |(smoothed, variation)| {
            smoothed + (variation * 4).max(RTO_VARIATION_MIN) + ACK_DELAY
        })
    }

    /// No answer arrived in time.
    pub(crate) fn back_off(&mut self) {
        self.backed_off = self.backed_off.saturating_add(1);
    }

    /// An answer arrived.
    pub(crate) fn answered(&mut self) {
        self.backed_off = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_timeout_begins_with_a_second_and_follows_the_path() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.timeout(), 1000 * MS);
        rtt.measure(100 * MS);
        assert_eq!(rtt.timeout(), (100 + 4 * 50 + 25) * MS);
        for _ in 0..100 {
            rtt.measure(100 * MS);
        }
        assert!(rtt.timeout() <= (100 + 11 + 25) * MS, "{:?}", rtt.timeout());
    }

    #[test]
    fn the_timeout_doubles_while_no_answer_comes_and_has_an_end() {
        let mut rtt = Rtt::default();
        rtt.back_off();
        assert_eq!(rtt.timeout(), 2000 * MS);
        (0..255).for_each(|_| rtt.back_off());
        assert_eq!(rtt.timeout(), RTO_BACKED_OFF_MAX);
        rtt.measure(4000 * MS);
        assert_eq!(rtt.timeout(), (4000 + 4 * 2000 + 25) * MS, "never less than the path takes");
        rtt.answered();
        assert_eq!(rtt.timeout(), rtt.timeout_once());
    }
}
