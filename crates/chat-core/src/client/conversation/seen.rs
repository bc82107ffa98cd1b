//! The joins and leaves after the last message: a room that resumes a session sends them again.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_proto::{Entry, Event};

use crate::limits::SEEN_MAX;

/// The entries after the last message, which have no number of their own: a session goes on after a message.
#[derive(Debug, Default)]
pub(super) struct Seen {
    entries: VecDeque<Arc<Entry>>,
    /// The session has gone on, and the room has sent nothing new since then.
    is_told_again: bool,
}

impl Seen {
    /// Whether the room sends an entry again because the session has gone on. It sends nothing twice otherwise, even if
    /// two entries are alike. Records the entry.
    pub(super) fn is_again(&mut self, entry: &Arc<Entry>) -> bool {
        if let Event::Said { .. } = entry.event {
            self.forget();
            return false;
        }
        self.is_told_again &= self.entries.contains(entry);
        if self.is_told_again {
            return true;
        }
        if self.entries.len() == SEEN_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(Arc::clone(entry));
        false
    }

    /// If the session goes on, the entries after the last message may come again.
    pub(super) fn welcomed(&mut self, resumed: bool) {
        if !resumed {
            self.forget();
        }
        self.is_told_again = resumed;
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
