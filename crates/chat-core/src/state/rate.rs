//! The rate limit of one member, kept as a single number.
//!
//! The generic cell rate algorithm (ITU-T I.371): instead of a count of tokens and the time of
//! the last refill it keeps the *theoretical arrival time* of the next message at the steady
//! rate. A message is within the limit while that time is at most one burst ahead of now.

use std::time::Duration;

use crate::config::Rate;

/// Theoretical arrival time of the next message, as nanoseconds since the room began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimit(u64);

impl RateLimit {
    /// Counts one message said `now` after the room began. If the member is over its rate limit,
    /// returns when it will be within the limit again (also since the room began).
    pub(crate) fn count(&mut self, rate: Rate, now: Duration) -> Option<Duration> {
        let now = nanos(now);
        let step = 1_000_000_000 / u64::from(rate.per_second.get());
        let burst = step.saturating_mul(u64::from(rate.burst.get()));
        self.0 = self.0.max(now).saturating_add(step);
        (self.0 > now.saturating_add(burst)).then(|| Duration::from_nanos(self.0 - burst))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    const RATE: Rate = Rate { burst: NonZeroU32::new(3).unwrap(), per_second: NonZeroU32::new(10).unwrap() };

    #[test]
    fn a_burst_passes_and_the_message_after_it_waits() {
        let mut pace = RateLimit::default();
        let now = Duration::from_secs(5);
        for _ in 0..3 {
            assert_eq!(pace.count(RATE, now), None);
        }
        assert_eq!(pace.count(RATE, now), Some(now + Duration::from_millis(100)));
    }

    #[test]
    fn the_steady_rate_never_waits() {
        let mut pace = RateLimit::default();
        for i in 0..1_000 {
            assert_eq!(pace.count(RATE, Duration::from_millis(100 * i)), None);
        }
    }

    #[test]
    fn a_pause_earns_one_burst_and_not_more() {
        let mut pace = RateLimit::default();
        pace.count(RATE, Duration::ZERO);
        let later = Duration::from_secs(3_600);
        let waits = (0..10).filter(|_| pace.count(RATE, later).is_some()).count();
        assert_eq!(waits, 7);
    }
}
