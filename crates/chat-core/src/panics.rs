//! Panics of what an embedder has supplied.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what an embedder has supplied: a peer must not be able to end the room by making it panic. `None` if it panics.
pub(crate) fn survived<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // It may panic again when it is dropped, and what comes of that, too.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                mem::forget(again);
            }
            None
        }
    }
}
