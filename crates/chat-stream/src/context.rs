//! The environment of a connection.

use std::time::Instant;

use chat_core::limits::ENTRY_OVERHEAD_BYTES;
use chat_core::transport::{Feed, FeedId, Feeds};
use chat_proto::Text;

#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) feeds: &'a mut Feeds,
    /// The peer's room. A connection that moves changes it.
    pub(crate) at: FeedId,
    /// The peer's place among those of this thread.
    pub(crate) key: usize,
    pub(crate) now: Instant,
    /// Bytes that may still be said before the members must be served. Beyond it, members could lag.
    pub(crate) room_left: usize,
    /// Bytes that the unfinished line of this peer may take.
    pub(crate) line_left: usize,
}

impl Context<'_> {
    /// The feed of the peer's room.
    pub(crate) fn feed(&self) -> &Feed {
        self.feeds.feed(self.at)
    }

    pub(crate) fn feed_mut(&mut self) -> &mut Feed {
        self.feeds.feed_mut(self.at)
    }

    /// Counts a message that was said.
    pub(crate) fn count_heard(&mut self, text: &Text) {
        self.room_left = self.room_left.saturating_sub(ENTRY_OVERHEAD_BYTES + text.as_str().len());
    }
}
