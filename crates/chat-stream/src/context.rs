//! What a connection works with, besides itself.

use std::time::Instant;

use chat_core::Feed;

#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) feed: &'a mut Feed,
    /// The peer's place among those of this thread.
    pub(crate) key: usize,
    pub(crate) now: Instant,
    /// Bytes that may still be said before the members must be served. Beyond it, members could lag.
    pub(crate) room_left: usize,
}
