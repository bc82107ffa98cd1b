//! The side of the peers: where they connect, and what they can do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chat_core::Waker;
use crossbeam_channel::Sender;

use super::pipe::{Peer, Pipe, RoomEnd, State, UNREAD_BYTES_MAX};

/// A peer that has connected and is not in the endpoint yet.
pub(super) type Arrival = (RoomEnd, SocketAddr);

/// The place where peers connect to a [`MemoryTransport`](super::MemoryTransport). Clones lead to the same transport.
#[derive(Clone, Debug)]
pub struct MemoryDoor {
    arrivals: Sender<Arrival>,
    bell: Waker,
    connected: Arc<AtomicU64>,
}

impl MemoryDoor {
    pub(super) fn new(arrivals: Sender<Arrival>, bell: Waker) -> Self {
        Self { arrivals, bell, connected: Arc::default() }
    }

    /// Connects a peer from an address of its own, `198.18.x.x`. This is not a loopback address, so the room's rate
    /// limit and its limits per address apply. The peer is a member after the transport's next turn.
    #[must_use]
    pub fn connect(&self) -> MemoryPeer {
        let number = self.connected.fetch_add(1, Ordering::Relaxed);
        let [.., high, low] = number.to_be_bytes();
        self.connect_from(SocketAddr::new(IpAddr::from([198, 18, high, low]), 5555))
    }

    /// Connects a peer from `address`. If the transport is gone, or too many peers wait already, the peer finds its
    /// connection closed.
    #[must_use]
    pub fn connect_from(&self, address: SocketAddr) -> MemoryPeer {
        let pipe = Pipe::new(self.bell.clone());
        // If this fails, the transport's end of the pipe is dropped, which closes the connection.
        let _closed = self.arrivals.try_send((RoomEnd(Arc::clone(&pipe)), address));
        self.bell.wake();
        MemoryPeer { pipe, address, line: Vec::new() }
    }
}

/// A peer that says and hears as many lines as a test wants.
///
/// Dropping it closes its connection: it leaves by its own choice.
#[derive(Debug)]
pub struct MemoryPeer {
    pipe: Arc<Pipe>,
    address: SocketAddr,
    /// The beginning of a line that is not complete yet.
    line: Vec<u8>,
}

impl MemoryPeer {
    /// Its address, the author of its messages.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a line and adds the line break. Returns false and sends nothing if more than 64 KiB would then be unread,
    /// or if the room has closed the connection. Bytes stay unread while the transport has no turn or has paused
    /// reading.
    #[must_use]
    pub fn say(&self, line: &[u8]) -> bool {
        self.pipe.act(|state| say(state, line)).unwrap_or(false)
    }

    /// Like [`say`](Self::say), but waits for free space until `deadline`. Use this if the transport runs on another
    /// thread.
    #[must_use]
    pub fn say_by(&self, line: &[u8], deadline: Instant) -> bool {
        let said = self.pipe.attempt_by(deadline, |state| say(state, line)).unwrap_or(false);
        self.pipe.act(|_| said)
    }

    /// The next line that has arrived, without its line break.
    pub fn hear(&mut self) -> Option<String> {
        let Self { pipe, line, .. } = self;
        pipe.act(|state| hear(state, line))
    }

    /// Like [`hear`](Self::hear), but waits until `deadline`, or until the room has closed the connection. Use this if
    /// the transport runs on another thread.
    pub fn hear_by(&mut self, deadline: Instant) -> Option<String> {
        let Self { pipe, line, .. } = self;
        let heard = pipe.attempt_by(deadline, |state| match hear(state, line) {
            Some(line) => Some(Some(line)),
            None => state.is_closed.then_some(None),
        });
        pipe.act(|_| heard).flatten()
    }

    /// Whether the room has closed the connection and everything before that was heard.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let state = self.pipe.state();
        state.is_closed && state.to_peer.is_empty()
    }

    /// Sets how many bytes for the peer may be unread before its connection takes no more. At first this is 64 KiB.
    /// With 0 the peer is stalled. With a few bytes, the transport can write a line only in pieces, and a further piece
    /// only after the peer has [heard](Self::hear) the one before.
    pub fn set_unread_max(&self, bytes: usize) {
        self.pipe.act(|state| state.to_peer_max = bytes);
    }

    /// Vanishes without a goodbye. The transport finds the connection broken, and bytes that it had not read are lost.
    pub fn vanish(self) {
        self.pipe.act(|state| state.peer = Peer::Vanished);
    }
}

impl Drop for MemoryPeer {
    fn drop(&mut self) {
        self.pipe.act(|state| {
            if state.peer == Peer::Here {
                state.peer = Peer::Ended;
            }
        });
    }
}

/// Whether the line was sent. `None` if there is no space for it.
fn say(state: &mut State, line: &[u8]) -> Option<bool> {
    if state.is_closed {
        return Some(false);
    }
    let fits = state.to_room.is_empty() || state.to_room.len() + line.len() < UNREAD_BYTES_MAX;
    fits.then(|| {
        state.to_room.extend(line);
        state.to_room.push_back(b'\n');
        true
    })
}

/// Takes the bytes that have arrived, up to the end of a line.
fn hear(state: &mut State, line: &mut Vec<u8>) -> Option<String> {
    while let Some(byte) = state.to_peer.pop_front() {
        if byte == b'\n' {
            return Some(String::from_utf8_lossy(&std::mem::take(line)).into_owned());
        }
        line.push(byte);
    }
    None
}
