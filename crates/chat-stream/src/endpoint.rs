//! One I/O thread's peers, without the poll: who is there, who is to be served, and when.
//!
//! A turn: read who has something to say and hand it to the room; pull what the room has to say, encode it
//! once; write to every member that is behind and whose socket takes it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use chat_core::{Attachment, Deadlines, Room, Turn, Update, Waker};
use slab::Slab;

use crate::connection::Connection;
use crate::context::Context;
use crate::held::Held;
use crate::limits::{HEARD_BYTES_PER_FANOUT, LEAVING_MAX, READ_BYTES_PER_TURN};
use crate::logs::Logs;
use crate::peer::Peer;
use crate::stream::{Readiness, Stream};
use crate::token;

/// A room on one I/O thread over any stream of bytes, without a poll: **hand it the connections that come, tell it what
/// they are ready for, call it when it was woken or its deadline has come**.
///
/// `TcpTransport` of chat-tcp does that with sockets; a simulator does it with streams of its own
/// and virtual time. The order within a turn:
///
/// 1. [`adopt`](Self::adopt) for each new connection, [`ready`](Self::ready) for each event;
/// 2. [`turn`](Self::turn), which does the reading and writing;
/// 3. wait for an event, for the waker, or until [`deadline`](Self::deadline) at most.
///
/// Once a turn says that the room is closing: [`drain`](Self::drain), then turns until
/// [`is_drained`](Self::is_drained) or the time is up.
///
/// ```
/// use std::io::{self, Read, Write};
///
/// use chat_core::{Room, RoomConfig, Turn, Waker};
/// use chat_stream::{Endpoint, Stream};
///
/// /// Says one line and takes everything.
/// struct Peer(&'static [u8]);
/// # impl Read for Peer {
/// #     fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
/// #         if self.0.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.0.read(buffer) }
/// #     }
/// # }
/// # impl Write for Peer {
/// #     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> { Ok(bytes.len()) }
/// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
/// # }
/// # impl Stream for Peer {
/// #     fn shutdown_write(&mut self) -> io::Result<()> { Ok(()) }
/// # }
/// // impl Read, Write and Stream for Peer ...
///
/// # #[expect(clippy::disallowed_methods)]
/// let now = std::time::Instant::now();
/// let room = Room::new(RoomConfig::default());
/// let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
/// endpoint.adopt(Peer(b"hello\n"), "192.0.2.1:4000".parse()?, now);
/// assert_eq!(endpoint.turn(now), Turn::Open);
/// assert_eq!(room.stats().messages, 1);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Endpoint<S> {
    attachment: Attachment,
    update: Update,
    logs: Logs,
    /// Each in a place of its own: a table of them would have to move, and leave holes, to grow.
    peers: Slab<Box<Peer<S>>>,
    /// Peers that were never members.
    refused: usize,
    /// Of the newest peer.
    generation: u16,
    /// Who has an event to be handled, or bytes left from his last turn.
    queue: VecDeque<usize>,
    deadlines: Deadlines,
    /// Bytes that may be said before everyone is served.
    heard_bytes_max: usize,
    /// The logs have grown since everyone was served.
    grown: bool,
    /// The room is closing.
    closing: Option<Instant>,
    draining: bool,
    buffer: Box<[u8]>,
}

impl<S: Stream> Endpoint<S> {
    /// An endpoint for `room` without peers, which calls `waker` when it is to have a [`turn`](Self::turn).
    /// With `announce`, plain members are told who joins and who leaves.
    #[must_use]
    pub fn new(room: &Room, waker: Waker, announce: bool) -> Self {
        let attachment = room.attach(waker);
        let log_bytes_max = room.config().log_bytes_max;
        Self {
            attachment,
            update: Update::default(),
            logs: Logs::new(log_bytes_max, announce),
            peers: Slab::new(),
            refused: 0,
            generation: 0,
            queue: VecDeque::new(),
            deadlines: Deadlines::default(),
            heard_bytes_max: HEARD_BYTES_PER_FANOUT.min(log_bytes_max / 4),
            grown: false,
            closing: None,
            draining: false,
            buffer: vec![0; READ_BYTES_PER_TURN].into(),
        }
    }

    // ---- peers in ------------------------------------------------------------------------------

    /// What the events of the peer who is adopted next are to be reported under.
    #[must_use]
    pub fn next_token(&self) -> usize {
        token::of(self.peers.vacant_key(), self.generation.wrapping_add(1))
    }

    /// Takes in the connection of the peer at `address`; he is read from and written to in the next turn. If
    /// the room does not want him he is told why, as long as there are not too many such.
    pub fn adopt(&mut self, stream: S, address: SocketAddr, now: Instant) {
        self.generation = self.generation.wrapping_add(1);
        let joined = self.attachment.join(address, now);
        self.pull(now);
        let mut cx = Context {
            attachment: &self.attachment,
            logs: &mut self.logs,
            now,
            room_left: self.heard_bytes_max,
        };
        let connection = match joined {
            Ok(joined) => Connection::new(joined, &mut cx),
            Err(_) if self.refused >= LEAVING_MAX => return,
            Err(error) => {
                tracing::debug!(peer = %address, %error, "connection refused");
                self.refused += 1;
                Connection::refused(error, &mut cx)
            }
        };
        let key = self.peers.insert(Box::new(Peer::new(stream, connection, self.generation)));
        self.queue.push_back(key);
    }

    /// Notes what the peer with this token is ready for. An event may outlive its peer, whose place another
    /// one has by now: then it is ignored.
    pub fn ready(&mut self, token: usize, readiness: Readiness) {
        let (key, generation) = token::place(token);
        let peer = self.peers.get_mut(key).filter(|peer| peer.is_of(generation));
        if peer.is_some_and(|peer| peer.on_event(readiness)) {
            self.queue.push_back(key);
        }
    }

    /// How many connections there are, those among them that are about to end.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// What the members cost at this moment. O(peers).
    #[must_use]
    pub fn held(&self) -> Held {
        Held::of(&self.logs, self.peers.iter().map(|(_, peer)| &**peer))
    }

    // ---- a turn --------------------------------------------------------------------------------

    /// Serves whoever is ready, and everyone if there is anything new in the room.
    pub fn turn(&mut self, now: Instant) -> Turn {
        let read = self.read_queue(now);
        let due = self.expire(now);
        if self.draining || !self.fan_out(now) {
            self.flush(read.into_iter().chain(due), now);
        }
        self.closing.map_or(Turn::Open, |deadline| Turn::Closing { deadline })
    }

    /// When the next turn is due, if neither an event nor the waker asks for one before; `now` if this one
    /// has left something to do.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if !self.queue.is_empty() {
            return Some(now);
        }
        let pull_by = self.update.pull_by.filter(|_| !self.draining);
        [self.deadlines.next(), pull_by].into_iter().flatten().min()
    }

    /// The room is closing: from now on nothing more is heard from the members, and they leave once they
    /// have what they are owed.
    pub fn drain(&mut self, now: Instant) {
        self.pull(now);
        let mut cx = Context {
            attachment: &self.attachment,
            logs: &mut self.logs,
            now,
            room_left: self.heard_bytes_max,
        };
        self.peers.iter_mut().for_each(|(_, peer)| peer.connection.drain(&mut cx));
        self.draining = true;
        self.flush_all(now);
    }

    /// Whether everyone has what he was owed, and is gone.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.draining && self.peers.is_empty()
    }

    // ---- bytes in ------------------------------------------------------------------------------

    /// Reads from everyone in the queue, each his share, and serves all members in between if much
    /// has come. Returns who was there.
    fn read_queue(&mut self, now: Instant) -> Vec<usize> {
        let mut served = Vec::new();
        let mut room_left = self.heard_bytes_max;
        for _ in 0..self.queue.len() {
            let Some(key) = self.queue.pop_front() else { break };
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.dequeued();
            served.push(key);
            let mut cx = Context { attachment: &self.attachment, logs: &mut self.logs, now, room_left };
            peer.read(&mut self.buffer, &mut cx);
            room_left = cx.room_left;
            if peer.connection.awaits_greeting() {
                self.greet(key, now);
            }
            if room_left == 0 {
                room_left = self.heard_bytes_max;
                self.fan_out(now);
            }
        }
        served
    }

    fn greet(&mut self, key: usize, now: Instant) {
        self.pull(now);
        let mut cx = Context {
            attachment: &self.attachment,
            logs: &mut self.logs,
            now,
            room_left: self.heard_bytes_max,
        };
        self.peers[key].connection.greet(&mut cx);
    }

    fn expire(&mut self, now: Instant) -> Vec<usize> {
        let mut due = Vec::new();
        let mut cx = Context {
            attachment: &self.attachment,
            logs: &mut self.logs,
            now,
            room_left: self.heard_bytes_max,
        };
        while let Some(key) = self.deadlines.pop_due(now) {
            self.peers[key].on_deadline(&mut cx);
            due.push(key);
        }
        due
    }

    // ---- bytes out -----------------------------------------------------------------------------

    /// Takes what is new in the room into the logs, and tells those who must leave.
    fn pull(&mut self, now: Instant) {
        self.attachment.pull(&mut self.update);
        self.closing = self.update.closing;
        self.grown |= !self.update.entries.is_empty() || self.update.missed_up_to.is_some();
        self.logs.append(&self.update);
        for (member, reason) in self.update.dismissed.drain(..) {
            let peer = self.peers.iter_mut().find(|(_, peer)| peer.connection.member() == Some(member));
            if let Some((_, peer)) = peer {
                peer.connection.dismiss(&reason, now);
                self.grown = true; // has him flushed with the others
            }
        }
    }

    /// Pulls, and serves everyone if there is anything new.
    fn fan_out(&mut self, now: Instant) -> bool {
        self.pull(now);
        if !std::mem::take(&mut self.grown) {
            return false;
        }
        self.flush_all(now);
        true
    }

    fn flush_all(&mut self, now: Instant) {
        let mut cx = Context {
            attachment: &self.attachment,
            logs: &mut self.logs,
            now,
            room_left: self.heard_bytes_max,
        };
        let mut done = Vec::new();
        for (key, peer) in &mut self.peers {
            peer.flush(&mut cx);
            if !peer.settle(key, &mut self.deadlines, &mut self.queue) {
                done.push(key);
            }
        }
        done.into_iter().for_each(|key| self.remove(key));
    }

    fn flush(&mut self, keys: impl IntoIterator<Item = usize>, now: Instant) {
        for key in keys {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            let mut cx = Context {
                attachment: &self.attachment,
                logs: &mut self.logs,
                now,
                room_left: self.heard_bytes_max,
            };
            peer.flush(&mut cx);
            if !peer.settle(key, &mut self.deadlines, &mut self.queue) {
                self.remove(key);
            }
        }
    }

    fn remove(&mut self, key: usize) {
        let peer = self.peers.remove(key);
        self.refused -= usize::from(peer.connection.was_refused());
    }
}
