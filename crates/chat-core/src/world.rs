//! The clocks and the randomness of a room.

use std::fmt;
use std::time::{Instant, SystemTime};

/// Returns the time; a simulator has its own.
pub type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// Returns the time of the wall clock, in milliseconds of Unix time. It may jump.
pub type UnixClock = Box<dyn Fn() -> u64 + Send + Sync>;

/// The clocks and the randomness of a room. [`Room::new`](crate::Room::new) takes the real ones.
pub struct World {
    /// Tells the time.
    pub clock: Clock,
    /// Tells the time of the wall clock.
    pub unix_clock: UnixClock,
    /// The seed of the room's epoch and session keys. It must be unpredictable if peers
    /// are not trusted.
    pub seed: [u8; 32],
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    /// The real world: the system's clocks, and a seed from the system's source of randomness.
    ///
    /// # Panics
    ///
    /// If the system has no randomness, so that secrets would be predictable.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where a room meets the real clocks")]
    pub fn real() -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the system has a source of randomness");
        Self {
            clock: Box::new(Instant::now),
            unix_clock: Box::new(|| {
                let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
            }),
            seed,
        }
    }
}
