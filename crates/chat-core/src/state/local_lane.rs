//! Items that the room has for one member of this process.

use std::collections::VecDeque;

use chat_proto::limits::DIRECT_ITEMS_MAX;
use chat_proto::{DirectItem, Text};

use super::{State, Wakes};
use crate::error::TellError;

/// The items that a local member has not heard, at most [`DIRECT_ITEMS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct LocalLane {
    items: VecDeque<DirectItem>,
    /// How many results of its own messages found no room.
    untold: u64,
}

impl LocalLane {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.untold == 0
    }

    fn push(&mut self, item: DirectItem) -> Result<(), TellError> {
        if self.items.len() >= DIRECT_ITEMS_MAX {
            return Err(TellError::Full);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// The item that the member hears next.
    pub(super) fn pop(&mut self) -> Option<DirectItem> {
        if self.is_empty() {
            return None;
        }
        Some(self.items.pop_front().unwrap_or_else(|| {
            let untold = std::mem::take(&mut self.untold);
            let text = format!("You were not told what became of {untold} more of your messages");
            DirectItem::Notice { text: Text::lossy(&text) }
        }))
    }
}

impl State {
    /// Puts an item into a local member's lane.
    pub(super) fn tell_local(&mut self, place: usize, item: DirectItem) -> Result<Wakes, TellError> {
        let (local, _) = self.local_mut(place);
        local.direct.push(item)?;
        Ok(Wakes(local.reader.wake().into_iter().collect()))
    }

    /// As [`tell_local`](Self::tell_local), for the result of a message of its own. If its lane is full, it learns
    /// later how many results were left out.
    pub(super) fn tell_local_of_its_own(&mut self, place: usize, item: DirectItem) -> Wakes {
        self.tell_local(place, item).unwrap_or_else(|_| {
            self.local_mut(place).0.direct.untold += 1;
            Wakes::default()
        })
    }
}
