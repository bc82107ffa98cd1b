//! Where the threads of a run are interrupted: at each system call, and when one wakes another.

use std::cell::RefCell;
use std::rc::Weak;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_core::Waker;

/// Lets others run in the middle of what a thread does.
pub(super) trait Interrupt {
    fn interrupt(&self);
}

thread_local! {
    /// The threads of the run that is played here. A waker must be `Send`, and so can hold none of them.
    static RUNNING: RefCell<Option<Weak<dyn Interrupt>>> = const { RefCell::new(None) };
}

/// From now on these threads are interrupted.
pub(super) fn interrupts(threads: Weak<dyn Interrupt>) {
    RUNNING.set(Some(threads));
}

/// Marks a thread as woken. The one that wakes it may be interrupted then.
pub(super) fn waker(woken: &Arc<AtomicBool>) -> Waker {
    let woken = Arc::clone(woken);
    Waker::new(move || {
        woken.store(true, Ordering::Relaxed);
        let running = RUNNING.with_borrow(|running| running.as_ref().and_then(Weak::upgrade));
        if let Some(threads) = running {
            threads.interrupt();
        }
    })
}
