//! The timers of a transport's peers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Timers of a transport's peers, at most one per peer, to the millisecond.
///
/// Postponing a deadline costs nothing. This matters because most deadlines move with every byte that a peer takes
/// or sends. The peer stays listed under the old deadline; when that passes, the caller sees that the true one is
/// later, and lists the peer again. The place where a peer is listed, a [`Listed`], is kept with the peer.
///
/// Listing and taking cost O(log peers). An entry takes 8 bytes.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use chat_core::transport::{Deadlines, Listed};
///
/// # #[expect(clippy::disallowed_methods)]
/// let now = Instant::now();
/// let (mut deadlines, mut listed) = (Deadlines::default(), Listed::default());
/// deadlines.list(7, &mut listed, now + Duration::from_secs(1));
/// deadlines.list(7, &mut listed, now + Duration::from_secs(60)); // put off
/// assert_eq!(deadlines.next(), Some(now + Duration::from_secs(1)));
/// // A second later the caller looks at peer 7, and lists it again: its true deadline is later.
/// assert_eq!(deadlines.pop_due(now + Duration::from_secs(1)), Some(7));
/// assert_eq!(deadlines.pop_due(now + Duration::from_secs(1)), None);
/// ```
#[derive(Debug, Default)]
pub struct Deadlines {
    /// The first deadline that was listed. The others are counted from there.
    origin: Option<Instant>,
    /// Deadline and key in one number, the deadline in the upper bits.
    entries: BTreeSet<u64>,
}

/// Where a peer stands among the [`Deadlines`]; by default it is not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed(u64);

/// Bits of a number that are the key: 67 million peers, which do not fit into the memory of one thread.
const KEY_BITS: u32 = 26;
/// The tick of the origin: deadlines may be up to 12 days before it, and 8 years after it.
const ORIGIN_TICK: u64 = 1 << 30;
const TICK_MAX: u64 = (1 << (u64::BITS - KEY_BITS)) - 1;

impl Deadlines {
    /// Lists peer `key` under `deadline`, unless it is listed under an earlier one already.
    ///
    /// # Panics
    ///
    /// If `key` is 2^26 or more.
    pub fn list(&mut self, key: usize, listed: &mut Listed, deadline: Instant) {
        assert!(key < 1 << KEY_BITS, "2^26 peers do not fit into memory");
        let origin = *self.origin.get_or_insert(deadline);
        let entry = tick_after(origin, deadline) << KEY_BITS | key as u64;
        if *listed == Listed::default() || entry < listed.0 {
            self.remove(listed);
            self.entries.insert(entry);
            *listed = Listed(entry);
        }
    }

    /// Takes out the peer that is `listed` there.
    pub fn remove(&mut self, listed: &mut Listed) {
        self.entries.remove(&std::mem::take(listed).0);
    }

    /// The earliest deadline listed.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let (origin, tick) = (self.origin?, self.entries.first()? >> KEY_BITS);
        Some(match tick.checked_sub(ORIGIN_TICK) {
            Some(after) => origin + Duration::from_millis(after),
            None => origin - Duration::from_millis(ORIGIN_TICK - tick),
        })
    }

    /// Takes a peer whose listed deadline has passed. It is not listed any more: reset its `listed` to the default, and
    /// list it again if it has another deadline.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        self.next().filter(|&next| next <= now)?;
        let entry = self.entries.pop_first()?;
        usize::try_from(entry & ((1 << KEY_BITS) - 1)).ok()
    }
}

/// The first tick that is not before `deadline`.
fn tick_after(origin: Instant, deadline: Instant) -> u64 {
    let millis = |millis: u128| u64::try_from(millis).unwrap_or(u64::MAX);
    match deadline.checked_duration_since(origin) {
        Some(after) => millis(after.as_nanos().div_ceil(1_000_000)).saturating_add(ORIGIN_TICK).min(TICK_MAX),
        None => ORIGIN_TICK.saturating_sub(millis((origin - deadline).as_nanos() / 1_000_000)).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods)] // any moment will do
    fn now() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_earliest_comes_first_and_never_before_its_time() {
        let (now, mut deadlines) = (now(), Deadlines::default());
        let micros = [10_000_000, 200_300, 200_200, 0, 60_000_000, 1];
        let mut listed = [Listed::default(); 6];
        for (key, &after) in micros.iter().enumerate() {
            deadlines.list(key, &mut listed[key], now + Duration::from_micros(after));
        }
        deadlines.remove(&mut listed[3]);
        let mut order = Vec::new();
        while let Some(next) = deadlines.next() {
            let key = deadlines.pop_due(next).unwrap();
            let late = next - (now + Duration::from_micros(micros[key]));
            assert!(late < Duration::from_millis(1), "{late:?}");
            order.push(key);
        }
        assert_eq!(order, [5, 1, 2, 0, 4]);
    }

    #[test]
    fn an_earlier_deadline_replaces_a_later_one() {
        let (now, mut deadlines, mut listed) = (now(), Deadlines::default(), Listed::default());
        for seconds in [10, 1, 5] {
            deadlines.list(3, &mut listed, now + Duration::from_secs(seconds));
        }
        assert_eq!(deadlines.next(), Some(now + Duration::from_secs(1)));
        deadlines.remove(&mut listed);
        assert_eq!((deadlines.next(), listed), (None, Listed::default()));
    }
}
