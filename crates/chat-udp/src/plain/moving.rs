//! Where a plain peer goes, and what it says there.

use chat_core::transport::PendingRoom;
use chat_proto::limits::PLAIN_DATAGRAM_BYTES_MAX;

/// A room that a plain member goes to, once it is open and the member has everything of the one that it is in.
#[derive(Debug)]
pub(crate) struct Goal {
    room: PendingRoom,
    /// The bytes that it has sent after the command, to be said there. At most as many as one datagram holds.
    rest: Vec<u8>,
    /// The newest message of the room that it leaves, when it gave the command.
    head: u64,
}

impl Goal {
    pub(crate) fn new(room: PendingRoom, rest: &[u8]) -> Self {
        Self { room, rest: rest.to_vec(), head: 0 }
    }

    pub(crate) fn leave_after(&mut self, head: u64) {
        self.head = head;
    }

    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    pub(crate) fn room(&self) -> &PendingRoom {
        &self.room
    }

    pub(crate) fn into_rest(self) -> Vec<u8> {
        self.rest
    }

    /// Keeps another datagram, and returns whether it fits. Each is a message, even if no line break ends it.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> bool {
        if self.rest.len() + "\n".len() + bytes.len() > PLAIN_DATAGRAM_BYTES_MAX {
            return false;
        }
        if self.rest.last().is_some_and(|&last| last != b'\n') {
            self.rest.push(b'\n');
        }
        self.rest.extend_from_slice(bytes);
        true
    }
}
