//! Readers of the room that are not members: they are kept among the local members, which read in the same way, but
//! nobody sees them.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use chat_proto::Entry;

use super::{State, Wakes};
use crate::sync::Mutex;
use crate::waker::Waker;

/// The entries of a room that is gone which an observer has not read.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// The room has left it here; until then it is still on its way.
    pub(crate) is_left: bool,
    pub(crate) missed: u64,
    /// The last one first.
    pub(crate) entries: Vec<Arc<Entry>>,
}

impl State {
    pub(crate) fn observe(&mut self, waker: Waker, rest: Arc<Mutex<Rest>>, now: Instant) -> (usize, Wakes) {
        // Many rooms have one observer and nobody else in this process.
        if self.locals.capacity() == 0 {
            self.locals.reserve_exact(1);
        }
        let name = "observer".parse().expect("invariant: it is a name");
        let (place, _, wakes) = self.add_local(name, waker, Some(rest), now);
        (place, wakes)
    }

    /// The room goes: each observer gets what it has not heard.
    pub(crate) fn leave_the_rest(&mut self) -> Wakes {
        let mut wakes = Wakes::default();
        let log = &self.log;
        for local in self.locals.iter_mut().flatten() {
            let Some(rest) = &local.rest else { continue };
            let reader = &mut local.reader;
            let mut rest = rest.lock().unwrap_or_else(PoisonError::into_inner);
            rest.is_left = true;
            if reader.position <= log.tail() {
                rest.missed = log.evicted_seq().saturating_sub(reader.seq);
            }
            rest.entries = log.from(reader.position.max(log.tail())).cloned().collect();
            rest.entries.reverse();
            wakes.0.extend(reader.wake());
        }
        wakes
    }
}
