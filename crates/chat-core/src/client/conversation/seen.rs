//! What happened after the last message: a room that resumes a session tells it again.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_proto::{Entry, Event};

/// Entries that are remembered. If more happen between two messages, a resumed client is told of some twice.
const SEEN_MAX: usize = 256;

/// The entries after the last message, which have no number of their own: a session goes on after a message.
#[derive(Debug, Default)]
pub(super) struct Seen(VecDeque<Arc<Entry>>);

impl Seen {
    /// Whether the room has told this entry before. From now on it has.
    pub(super) fn is_again(&mut self, entry: &Arc<Entry>) -> bool {
        if let Event::Said { .. } = entry.event {
            self.0.clear();
            return false;
        }
        if self.0.contains(entry) {
            return true;
        }
        if self.0.len() == SEEN_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Arc::clone(entry));
        false
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
