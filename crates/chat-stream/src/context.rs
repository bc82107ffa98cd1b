//! What a connection works with, besides itself.

use std::time::Instant;

use chat_core::Attachment;

use crate::logs::Logs;

#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) attachment: &'a Attachment,
    pub(crate) logs: &'a mut Logs,
    pub(crate) now: Instant,
    /// Bytes that may still be said before the members must be served. Beyond it, members could lag.
    pub(crate) room_left: usize,
}
