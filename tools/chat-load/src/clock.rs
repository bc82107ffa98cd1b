//! Reads the time, and waits.

use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program does")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits until a moment of a schedule.
#[expect(clippy::disallowed_methods, reason = "keeps a rate, or asks again what nobody announces")]
pub(crate) fn wait_until(moment: Instant) {
    std::thread::sleep(moment.saturating_duration_since(now()));
}

pub(crate) fn pause(duration: Duration) {
    wait_until(now() + duration);
}
