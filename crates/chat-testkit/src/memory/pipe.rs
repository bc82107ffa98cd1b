//! The two directions between a peer and its transport, in place of a socket and its buffers.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chat_core::Waker;
use chat_stream::{Speaks, Stream};

/// How many bytes may be unread each way. Sockets of common systems hold about as many.
pub(super) const UNREAD_BYTES_MAX: usize = 64 * 1024;

/// A connection. The transport has one end of it, and the peer has the other.
#[derive(Debug)]
pub(super) struct Pipe {
    state: Mutex<State>,
    /// Signals changes that the peer may wait for.
    moved: Condvar,
    /// Wakes the transport.
    bell: Waker,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) to_room: VecDeque<u8>,
    pub(super) to_peer: VecDeque<u8>,
    /// How many bytes for the peer may be unread.
    pub(super) to_peer_max: usize,
    pub(super) peer: Peer,
    /// The transport has ended its side, or is gone.
    pub(super) is_closed: bool,
}

/// The state of a peer, as its transport sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Here,
    /// It has closed its end. The bytes that it sent before must still be read.
    Ended,
    /// It has vanished without a goodbye, and its last bytes are lost.
    Vanished,
}

impl Pipe {
    pub(super) fn new(bell: Waker) -> Arc<Self> {
        let state = State {
            to_room: VecDeque::new(),
            to_peer: VecDeque::new(),
            to_peer_max: UNREAD_BYTES_MAX,
            peer: Peer::Here,
            is_closed: false,
        };
        Arc::new(Self { state: Mutex::new(state), moved: Condvar::new(), bell })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic does not leave the state half changed, so a poisoned lock is safe to use.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs an act of the peer, and wakes the transport.
    pub(super) fn act<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let done = act(&mut self.state());
        self.bell.wake();
        done
    }

    /// Tries `attempt` for the peer until it succeeds or `deadline` has passed. It tries again whenever the transport
    /// has done something.
    pub(super) fn attempt_by<T>(
        &self,
        deadline: Instant,
        mut attempt: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(done) = attempt(&mut state) {
                return Some(done);
            }
            self.bell.wake(); // the attempt may have made room for more
            let left = deadline.checked_duration_since(now())?;
            (state, _) = self.moved.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The transport's end. It behaves like a non-blocking socket. Dropping it closes it.
#[derive(Debug)]
pub(super) struct RoomEnd(pub(super) Arc<Pipe>);

impl Read for RoomEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        match (state.peer, state.to_room.is_empty()) {
            (Peer::Vanished, _) => return Err(ErrorKind::ConnectionReset.into()),
            (Peer::Here, true) if !state.is_closed => return Err(ErrorKind::WouldBlock.into()),
            (_, true) => return Ok(0), // a peer sends nothing more to a transport that has ended its side
            (Peer::Here | Peer::Ended, false) => {}
        }
        let count = state.to_room.read(buffer)?;
        self.0.moved.notify_all();
        Ok(count)
    }
}

impl Write for RoomEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.peer != Peer::Here {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = state.to_peer_max.saturating_sub(state.to_peer.len());
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = state.to_peer.write(&bytes[..bytes.len().min(room)])?;
        self.0.moved.notify_all();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for RoomEnd {
    fn speaks(&self) -> Speaks {
        Speaks::Plain
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.state().is_closed = true;
        self.0.moved.notify_all();
        Ok(())
    }
}

impl Drop for RoomEnd {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.moved.notify_all();
    }
}

#[expect(clippy::disallowed_methods, reason = "a peer waits in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
