//! The in-memory transport as a medium of the conformance kit.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Instant;

use chat_core::Room;
use chat_testkit::conformance::{Heard, Medium, Peer, Promises};
use chat_testkit::{MemoryDoor, MemoryPeer, MemoryTransport};

/// A medium whose peers all have the same IP address. It is not a loopback address, so the room's rate limit and its
/// other limits apply.
pub(crate) struct Memory;

/// The next peer's port.
static PORT: AtomicU16 = AtomicU16::new(1);

pub(crate) struct Member(MemoryPeer);

impl Medium for Memory {
    type Transport = MemoryTransport;
    type Address = MemoryDoor;
    type Peer = Member;

    fn promises(&self) -> Promises {
        Promises::default().with_echo(false)
    }

    fn open(&self, room: &Room) -> (MemoryTransport, MemoryDoor) {
        MemoryTransport::new(room)
    }

    fn connect(&self, door: &MemoryDoor) -> Member {
        let port = PORT.fetch_add(1, Ordering::Relaxed);
        Member(door.connect_from(SocketAddr::from(([192, 0, 2, 1], port))))
    }
}

impl Peer for Member {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        self.0.say_by(line, deadline)
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        match self.0.hear_by(deadline) {
            Some(line) => Some(Heard::from_line(&line)),
            None => self.0.is_closed().then_some(Heard::End),
        }
    }

    fn end(self) {}

    fn vanish(self) {
        self.0.vanish();
    }
}
