//! Time that passes only when told to, and calls that a stopped process does not end.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chat_core::{Clock, UnixClock};

/// A clock that stands still until it is set. Clones show the same time.
///
/// ```
/// use std::time::Duration;
///
/// let time = chat_testkit::VirtualTime::default();
/// let began = time.now();
/// time.advance_to(began + Duration::from_secs(3600));
/// assert_eq!(time.now() - began, Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug)]
pub struct VirtualTime {
    began: Instant,
    passed_ns: Arc<AtomicU64>,
}

impl Default for VirtualTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other first instant; nothing depends on which it is"
    )]
    fn default() -> Self {
        Self { began: Instant::now(), passed_ns: Arc::default() }
    }
}

impl VirtualTime {
    /// The current time of the clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.began + self.passed()
    }

    /// How much time has passed since the clock was made.
    #[must_use]
    pub fn passed(&self) -> Duration {
        Duration::from_nanos(self.passed_ns.load(Ordering::Relaxed))
    }

    /// Sets the clock. A time in the past changes nothing: the clock never goes back.
    pub fn advance_to(&self, to: Instant) {
        let passed = to.saturating_duration_since(self.began).as_nanos();
        self.passed_ns.fetch_max(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// This clock for the [`World`](chat_core::World) of a [`Room`](chat_core::Room).
    #[must_use]
    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Box::new(move || time.now())
    }

    /// The same time as a wall clock that began in 1970.
    #[must_use]
    pub fn unix_clock(&self) -> UnixClock {
        let time = self.clone();
        Box::new(move || u64::try_from(time.passed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// Makes a call until no signal interrupts it. A read that has a timeout ends with [`ErrorKind::Interrupted`] if the
/// process was stopped and goes on.
///
/// # Errors
///
/// Those of the call.
///
/// ```
/// use std::io::Error;
///
/// let mut results = [Err(Error::from(std::io::ErrorKind::Interrupted)), Ok(3)].into_iter();
/// assert_eq!(chat_testkit::uninterrupted(|| results.next().unwrap()).unwrap(), 3);
/// ```
pub fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
