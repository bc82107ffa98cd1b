//! One I/O thread's peers, without the poll: all peers, the queue of those to serve, and their deadlines.
//!
//! A turn: read from the ready peers and say their messages in the room; pull the room's updates and encode
//! them once; write to every member that is behind and whose stream takes bytes.

mod adopting;
mod draining;
pub(crate) mod memory;
pub(crate) mod newcomers;
pub(crate) mod token;

use std::collections::VecDeque;
use std::time::Instant;

use chat_core::transport::{Deadlines, Dismissed, FeedId, Feeds, Places, Told, Turn};
use chat_core::{Rooms, Waker};

use crate::context::Context;
use crate::endpoint::memory::Held;
use crate::endpoint::newcomers::Newcomers;
use crate::incoming::Offer;
use crate::limits::{
    BEYOND_MEMBERS_MAX, HEARD_BYTES_PER_FANOUT, READ_BYTES_PER_TURN, UNFINISHED_LINES_BYTES_MAX,
};
use crate::peer::Peer;
use crate::stream::{Readiness, Stream};
#[cfg(feature = "web")]
use crate::web::Web;

/// The rooms of a server on one I/O thread over any stream of bytes, without a poll: **hand it the new connections,
/// tell it what they are ready for, call it when it was woken or its deadline has passed**.
///
/// `TcpTransport` of chat-tcp does that with sockets; a simulator does it with streams of its own
/// and virtual time. The order within a turn:
///
/// 1. [`adopt`](Self::adopt) for each new connection, [`ready`](Self::ready) for each event;
/// 2. [`turn`](Self::turn), which does the reading and writing;
/// 3. wait for an event, for the waker, or until [`deadline`](Self::deadline) at most.
///
/// Once the room is closing, adopt no one more, and go on until a turn is [`Done`](Turn::Done).
///
/// ```
/// use std::io::{self, Read, Write};
///
/// use chat_core::{Room, RoomConfig, Waker};
/// use chat_core::transport::Turn;
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
    feeds: Feeds,
    peers: Places<Peer<S>>,
    /// Peers at once, including those that are not members.
    peers_max: usize,
    /// The peers that are not members yet.
    newcomers: Newcomers,
    newcomers_per_address_max: usize,
    limits_loopback: bool,
    /// How browsers are served, if they are.
    offer: Offer,
    /// Bytes of lines that plain peers have begun and not ended, as far as the peers have counted them.
    unfinished: usize,
    /// The generation of the newest peer.
    generation: u16,
    /// Peers with an unhandled event, or with bytes left from their last turn.
    queue: VecDeque<usize>,
    /// Peers that did something in this turn and so may have output.
    touched: Vec<usize>,
    deadlines: Deadlines,
    /// Bytes that may be said before everyone is served.
    heard_bytes_max: usize,
    draining: bool,
    buffer: Box<[u8]>,
}

impl<S: Stream> Endpoint<S> {
    /// An endpoint for the rooms of a server, or for a single room, without peers. It calls `waker` when it needs a
    /// [`turn`](Self::turn). With `announce`, plain members are told of joins and leaves.
    #[must_use]
    pub fn new(rooms: impl Into<Rooms>, waker: Waker, announce: bool) -> Self {
        let feeds = Feeds::new(rooms, waker, announce);
        let config = feeds.feed(FeedId::FIRST).config();
        Self {
            peers: Places::default(),
            peers_max: config.members_max().saturating_add(BEYOND_MEMBERS_MAX),
            newcomers: Newcomers::default(),
            newcomers_per_address_max: config.members_per_address_max(),
            limits_loopback: config.limit_loopback(),
            offer: Offer::default(),
            unfinished: 0,
            generation: 0,
            queue: VecDeque::new(),
            touched: Vec::new(),
            deadlines: Deadlines::default(),
            heard_bytes_max: HEARD_BYTES_PER_FANOUT.min(config.log_bytes_max() / 4),
            draining: false,
            buffer: vec![0; READ_BYTES_PER_TURN].into(),
            feeds,
        }
    }

    /// Sets the tag of the transport, which distinguishes members that would be shown alike. Default `tcp`; see
    /// [`Attachment::with_tag`](chat_core::transport::Attachment::with_tag).
    #[must_use]
    pub fn with_tag(mut self, tag: &'static str) -> Self {
        self.feeds = self.feeds.with_tag(tag);
        self
    }

    /// Serves browsers, too.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn with_web(mut self, web: Web) -> Self {
        self.offer = Some(web);
        self
    }

    // ---- peers in ------------------------------------------------------------------------------

    /// The token under which to report events of the next adopted peer.
    #[must_use]
    pub fn next_token(&self) -> usize {
        token::of(self.peers.next_key(), self.generation.wrapping_add(1))
    }

    /// Records what the peer with this token is ready for. An event may outlive its peer, and another peer may have
    /// its place by now: then it is ignored, and false is returned.
    pub fn ready(&mut self, token: usize, readiness: Readiness) -> bool {
        let (key, generation) = token::place(token);
        let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.is_of(generation)) else { return false };
        if peer.on_event(readiness) {
            self.queue.push_back(key);
        }
        true
    }

    /// How many connections there are, including those that are about to end.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// The memory that the members cost now. O(peers).
    #[must_use]
    pub fn held(&self) -> Held {
        Held::of(&self.feeds, self.peers.iter().map(|(_, peer)| peer))
    }

    // ---- a turn --------------------------------------------------------------------------------

    /// Serves the peers that are ready, and all members of the rooms in which there is anything new. Once the first
    /// room is closing, input from members is ignored, and they leave once they have their pending output; when the
    /// time for that is up, they are cut off.
    pub fn turn(&mut self, now: Instant) -> Turn {
        self.read_queue(now);
        if self.deadlines.next().is_some_and(|deadline| deadline <= now) {
            // Earlier messages come first: one of them may be the answer that a peer waits for.
            self.serve(now);
            self.expire(now);
        }
        self.serve(now);
        let Some(deadline) = self.feeds.feed(FeedId::FIRST).closing() else { return Turn::Open };
        if !self.draining {
            self.drain(now);
        }
        if deadline <= now && !self.peers.is_empty() {
            let peers = self.peers.len();
            tracing::warn!(peers, "cut off peers that did not take what they were owed in time");
            self.cut_off(now);
        }
        if self.peers.is_empty() { Turn::Done } else { Turn::Closing }
    }

    /// When the next turn is due, if neither an event nor the waker asks for one before; `now` if this one
    /// has left work to do.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if !self.queue.is_empty() || self.feeds.is_marked() {
            return Some(now);
        }
        let first = self.feeds.feed(FeedId::FIRST);
        let pull_by = if self.draining { first.closing() } else { self.feeds.pull_by() };
        [self.deadlines.next(), pull_by].into_iter().flatten().min()
    }

    // ---- bytes in ------------------------------------------------------------------------------

    /// Reads from every peer in the queue, each its share, and serves all members in between if many messages
    /// have arrived.
    fn read_queue(&mut self, now: Instant) {
        let mut room_left = self.heard_bytes_max;
        for _ in 0..self.queue.len() {
            let Some(key) = self.queue.pop_front() else { break };
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.dequeued();
            let was_closed = peer.connection.is_handshaking();
            self.touched.push(key);
            let line_left = UNFINISHED_LINES_BYTES_MAX.saturating_sub(self.unfinished - peer.unfinished());
            let mut cx = Context { feeds: &mut self.feeds, at: peer.at(), key, now, room_left, line_left };
            peer.read(&mut self.buffer, &mut cx);
            let at = cx.at;
            room_left = cx.room_left;
            peer.count_unfinished(&mut self.unfinished);
            let opened = self.peers[key].connection.newcomer_address().filter(|_| was_closed);
            self.after(key, at, now);
            if let Some(address) = opened {
                self.count_newcomer(key, address, now);
            }
            if room_left == 0 {
                room_left = self.heard_bytes_max;
                self.serve(now);
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.deadlines.pop_due(now) {
            let peer = &mut self.peers[key];
            let (feeds, at) = (&mut self.feeds, peer.at());
            let mut cx = Context { feeds, at, key, now, room_left: self.heard_bytes_max, line_left: 0 };
            peer.on_deadline(&mut cx);
            let at = cx.at;
            peer.count_unfinished(&mut self.unfinished);
            self.touched.push(key);
            self.after(key, at, now);
        }
    }

    /// A peer may have joined, spoken or left, which does not wake its own thread.
    fn after(&mut self, key: usize, at: FeedId, now: Instant) {
        self.place(key, at);
        self.feeds.mark(at);
        self.tell_peers(at, now);
    }

    /// Lists a peer among the members of its room: it may have joined, moved or left.
    fn place(&mut self, key: usize, at: FeedId) {
        let peer = &mut self.peers[key];
        let room = peer.connection.member().map(|_| at);
        let before = std::mem::replace(&mut peer.connection.room, room);
        if before != room {
            if let Some(before) = before {
                self.feeds.mark(before);
                self.feeds.remove_member(before, key);
            }
            if let Some(room) = room {
                self.feeds.add_member(room, key);
                self.feeds.mark(room);
            }
        }
        if room.is_none() {
            self.feeds.close_if_empty(at); // it could not join there
        }
    }

    // ---- bytes out -----------------------------------------------------------------------------

    /// Pulls the updates of the rooms that have any into the logs, and delivers the items for single members.
    fn pull(&mut self, now: Instant) -> Vec<FeedId> {
        let pulled = self.feeds.pull(now);
        pulled.iter().for_each(|&feed| self.tell_peers(feed, now));
        while let Some(key) = self.feeds.take_opened() {
            self.touched.push(key);
        }
        let peers = &self.peers;
        self.feeds.survey(|key| peers.get(key).map(|peer| peer.connection.seq()));
        pulled
    }

    fn tell_peers(&mut self, feed: FeedId, now: Instant) {
        if !self.feeds.is_open(feed) {
            return;
        }
        let began_unix_ms = self.feeds.feed(feed).began_unix_ms();
        while let Some(Told { key, member, direct }) = self.feeds.feed_mut(feed).take_told() {
            if let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.is_member(feed, member)) {
                peer.connection.tell(direct, began_unix_ms, now);
                self.touched.push(key);
            }
        }
        while let Some(caught_up) = self.feeds.feed_mut(feed).take_caught_up() {
            let (key, member) = (caught_up.key, caught_up.member);
            if let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.is_member(feed, member)) {
                let feeds = &mut self.feeds;
                let mut cx = Context { feeds, at: feed, key, now, room_left: 0, line_left: 0 };
                peer.connection.catch_up(caught_up, &mut cx);
                self.touched.push(key);
            }
        }
        while let Some(Dismissed { key, member, reason }) = self.feeds.feed_mut(feed).take_dismissed() {
            if let Some(peer) = self.peers.get_mut(key).filter(|peer| peer.is_member(feed, member)) {
                peer.connection.dismiss(&reason, now);
                self.touched.push(key);
            }
        }
    }

    /// Pulls, and writes to every member of a room with new entries, and to those that did something.
    fn serve(&mut self, now: Instant) {
        let mut grown = self.pull(now);
        for &feed in &grown {
            let is_closing = feed != FeedId::FIRST && self.feeds.feed(feed).closing().is_some();
            if is_closing && self.feeds.stop(feed) {
                self.drain_room(feed, now);
            }
        }
        grown.retain(|&feed| self.feeds.feed_mut(feed).take_grown());
        for &feed in &grown {
            let mut place = 0;
            while let Some(&key) = self.feeds.members(feed).get(place) {
                self.flush(key as usize, now);
                // One that has left is replaced in the list by one that was not served yet.
                place += usize::from(self.feeds.members(feed).get(place) == Some(&key));
            }
        }
        // A peer that was already written to is not tried again.
        let is_served = |peer: &Peer<S>| peer.connection.room.is_some_and(|room| grown.contains(&room));
        self.touched.retain(|&key| self.peers.get(key).is_some_and(|peer| !is_served(peer)));
        self.flush_touched(now);
    }

    fn flush_touched(&mut self, now: Instant) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.drain(..).for_each(|key| self.flush(key, now));
        self.touched = touched;
    }

    /// Writes to a peer, if it is still there.
    fn flush(&mut self, key: usize, now: Instant) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let (feeds, at) = (&mut self.feeds, peer.at());
        let mut cx = Context { feeds, at, key, now, room_left: self.heard_bytes_max, line_left: 0 };
        peer.flush(&mut cx);
        let at = cx.at;
        self.place(key, at);
        self.settle(key);
    }

    /// Lists a peer where it must be served again, or drops it.
    fn settle(&mut self, key: usize) {
        let peer = &mut self.peers[key];
        if peer.is_newcomer_no_more() {
            self.newcomers.remove(key);
        }
        if !peer.settle(key, &mut self.deadlines, &mut self.queue) {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: usize) {
        let Some(peer) = self.peers.remove(key) else { return };
        self.unfinished -= peer.unfinished();
        if let Some(room) = peer.connection.room {
            self.feeds.mark(room);
            self.feeds.remove_member(room, key);
        }
    }
}
