//! How the room wakes a thread that waits elsewhere.

use std::fmt;
use std::sync::Arc;

/// Interrupts a transport's wait. Any thread may call it; it must not block.
///
/// The room calls it at most once between two [`Attachment::pull`](crate::transport::Attachment::pull)s,
/// however much happens.
///
/// ```
/// let (sender, receiver) = crossbeam_channel::bounded(1);
/// let waker = chat_core::Waker::new(move || {
///     let _ = sender.try_send(()); // full: a wake is already on its way
/// });
/// waker.wake();
/// assert_eq!(receiver.try_recv(), Ok(()));
/// ```
#[derive(Clone)]
pub struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// Wakes by calling `wake`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Interrupts the wait.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}
