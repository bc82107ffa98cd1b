//! Interrupts the threads of a run: at each system call, and when one thread wakes another.

use std::cell::RefCell;
use std::rc::Weak;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_core::Waker;

/// Lets other threads run in the middle of a thread's turn.
pub(super) trait Interrupt {
    fn interrupt(&self);
}

thread_local! {
    /// The threads of the run that is played on this real thread. A waker must be `Send`, so it cannot hold them.
    static RUNNING: RefCell<Option<Weak<dyn Interrupt>>> = const { RefCell::new(None) };
}

/// Sets the threads that are interrupted from now on.
pub(super) fn interrupts(threads: Weak<dyn Interrupt>) {
    RUNNING.set(Some(threads));
}

/// A waker that marks a thread as woken. The thread that calls the waker may be interrupted at that point.
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
