//! The server's end of all sessions: datagrams in, datagrams out, no socket and no clock.

pub(crate) mod cookie;
pub(crate) mod peers;
mod plain;
mod receive;
pub(crate) mod unproven;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use chat_core::transport::{Dismissed, Feed, FeedId, Feeds, Membership, Told};
use chat_core::{Rooms, Waker};
use chat_proto::{LeaveReason, RoomDatagram};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::config::UdpConfig;
use crate::endpoint::cookie::CookieKeys;
use crate::endpoint::peers::{Peer, Peers};
use crate::endpoint::unproven::Unproven;
use crate::limits::OUTBOX_DATAGRAMS_MAX;
use crate::route::Route;
use crate::session::Context;

use receive::WaitingHello;

/// The UDP side of a room, or of all rooms of a server, without a socket: **feed it what arrives, send what it returns,
/// call it when its deadline has passed**.
///
/// [`UdpTransport`](crate::UdpTransport) does that with a socket; a simulator with virtual time can do
/// without. The order within a turn:
///
/// 1. [`receive`](Self::receive) for each datagram that has arrived, and [`on_deadline`](Self::on_deadline);
/// 2. [`pull`](Self::pull), which takes the room's updates; also whenever the waker was called;
/// 3. [`transmit`](Self::transmit) until it returns nothing;
/// 4. wait until [`deadline`](Self::deadline) at most.
///
/// ```
/// use chat_core::{Room, RoomConfig, Waker};
/// use chat_udp::{Endpoint, UdpConfig};
///
/// # #[expect(clippy::disallowed_methods)]
/// let now = std::time::Instant::now();
/// let server = "127.0.0.1:5555".parse()?;
/// let peer: std::net::SocketAddr = "127.0.0.1:40000".parse()?;
/// let room = Room::new(RoomConfig::default());
/// let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), UdpConfig::default(), server, [7; 32], now);
/// endpoint.receive(peer, b"hello", now);
/// endpoint.pull(now);
/// let mut datagram = Vec::new();
/// assert_eq!(endpoint.transmit(&mut datagram, now), Some(peer.into()));
/// assert_eq!(datagram, b"[127.0.0.1:40000] hello");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Endpoint {
    feeds: Feeds,
    config: UdpConfig,
    local: SocketAddr,
    /// The server's address that the present datagram was sent to.
    asked: Option<IpAddr>,
    cookie_keys: CookieKeys,
    random: StdRng,
    peers: Peers,
    unproven: Unproven,
    /// Hellos that wait for the room that they name.
    hellos: Vec<WaitingHello>,
    /// For peers without a session.
    outbox: VecDeque<(Route, Vec<u8>)>,
}

impl Endpoint {
    /// The endpoint at the address `local` for the rooms of a server, or for a single room. It calls `waker` when it is
    /// to be [`pull`](Self::pull)ed. Session ids and the cookies' key are drawn from `seed`, which nobody else may
    /// know.
    #[must_use]
    pub fn new(
        rooms: impl Into<Rooms>,
        waker: Waker,
        config: UdpConfig,
        local: SocketAddr,
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let mut random = StdRng::from_seed(seed);
        Self {
            feeds: Feeds::new(rooms, waker, config.announce).with_tag("udp"),
            config,
            local,
            asked: None,
            cookie_keys: CookieKeys::new(now, &mut random),
            random,
            peers: Peers::default(),
            unproven: Unproven::default(),
            hellos: Vec::new(),
            outbox: VecDeque::new(),
        }
    }

    // ---- datagrams out -------------------------------------------------------------------------

    /// Takes the updates of the rooms that have any.
    pub fn pull(&mut self, now: Instant) {
        for feed in self.feeds.pull(now) {
            self.tell_peers(feed, now);
            if !self.feeds.is_open(feed) {
                continue;
            }
            let is_closing = feed != FeedId::FIRST && self.feeds.feed(feed).closing().is_some();
            if is_closing && self.feeds.stop(feed) {
                self.drain_room(feed, now);
            }
            if self.feeds.feed_mut(feed).take_grown() {
                self.feeds.members(feed).iter().for_each(|&key| self.peers.enqueue(key as usize));
            }
        }
        let mut is_any_open = false;
        while let Some(key) = self.feeds.take_opened() {
            self.peers.enqueue(key); // a plain member can go to the room that it asked for
            is_any_open = true;
        }
        if is_any_open {
            self.greet_waiting(now);
        }
        let peers = &self.peers;
        self.feeds.survey(|key| peers.get(key).map(Peer::seq));
    }

    /// Delivers the items for single members of a room, and tells dismissed members that they are out.
    fn tell_peers(&mut self, feed: FeedId, now: Instant) {
        while let Some(Told { key, member, direct }) = self.open_feed(feed).and_then(Feed::take_told) {
            match self.member(key, feed, member) {
                Some(Peer::Session(session)) => session.tell(direct),
                Some(Peer::Plain(plain)) => plain.tell(&direct),
                None => continue,
            }
            self.peers.enqueue(key);
            self.settle(key);
        }
        while let Some(caught_up) = self.open_feed(feed).and_then(Feed::take_caught_up) {
            let key = caught_up.key;
            let cx = Context { feed: self.feeds.feed(feed), now };
            let is_there = self.peers.room(key) == Some(feed);
            let peer =
                self.peers.get_mut(key).filter(|peer| is_there && peer.member() == Some(caught_up.member));
            match peer {
                Some(Peer::Session(session)) => session.catch_up(caught_up, &cx),
                Some(Peer::Plain(plain)) => plain.catch_up(caught_up, &cx),
                None => continue,
            }
            self.peers.enqueue(key);
            self.settle(key);
        }
        while let Some(Dismissed { key, member, reason }) =
            self.open_feed(feed).and_then(Feed::take_dismissed)
        {
            match self.member(key, feed, member) {
                Some(Peer::Session(session)) => {
                    session.dismiss(reason, now);
                    self.peers.enqueue(key);
                    self.settle(key);
                }
                Some(Peer::Plain(_)) => self.dismiss_plain(key, &reason),
                None => {}
            }
        }
    }

    fn open_feed(&mut self, feed: FeedId) -> Option<&mut Feed> {
        self.feeds.is_open(feed).then(|| self.feeds.feed_mut(feed))
    }

    /// The peer with this key, if it is this member of this room.
    fn member(&mut self, key: usize, room: FeedId, member: Membership) -> Option<&mut Peer> {
        let is_there = self.peers.room(key) == Some(room);
        self.peers.get_mut(key).filter(|peer| is_there && peer.member() == Some(member))
    }

    /// The feed of the room that a peer is in, or where it begins.
    fn at(&self, key: usize) -> FeedId {
        self.peers.room(key).unwrap_or(FeedId::FIRST)
    }

    /// Lists the peer where it must be served again, and no longer as a member if it is no longer one.
    fn settle(&mut self, key: usize) {
        if self.peers.get_mut(key).is_some_and(|peer| peer.member().is_none()) {
            self.leave_room(key);
        }
        self.peers.settle(key);
    }

    fn leave_room(&mut self, key: usize) {
        if let Some(room) = self.peers.set_room(key, None) {
            self.feeds.mark(room);
            self.feeds.remove_member(room, key);
        }
    }

    fn remove(&mut self, key: usize) -> Peer {
        self.leave_room(key);
        self.peers.remove(key)
    }

    /// Writes the next datagram into `out`, whose content is replaced, and returns where to send it.
    /// `None` if there is nothing to send for now.
    ///
    /// Each datagram is returned once and counts as sent; if the system does not take it, keep it until
    /// the system does, or drop it as a network may.
    pub fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> Option<Route> {
        out.clear();
        loop {
            if let Some((to, datagram)) = self.outbox.pop_front() {
                *out = datagram;
                return Some(to);
            }
            let Some(key) = self.peers.dequeue() else {
                if !self.feeds.is_marked() {
                    return None;
                }
                self.pull(now); // a member has left meanwhile
                continue;
            };
            if let Some(to) = self.transmit_to(key, out, now) {
                return Some(to);
            }
        }
    }

    fn transmit_to(&mut self, key: usize, out: &mut Vec<u8>, now: Instant) -> Option<Route> {
        if self.follow_goal(key, now) {
            return None;
        }
        let at = self.at(key);
        let cx = Context { feed: self.feeds.feed(at), now };
        let to = self.peers.route(key)?;
        let wrote = match self.peers.get_mut(key)? {
            Peer::Session(session) => session.transmit(&cx, out),
            Peer::Plain(plain) => match plain.transmit(&cx, out) {
                Ok(false) if self.feeds.is_stopped(at) && !plain.is_waiting() => {
                    self.expel(key, LeaveReason::Stopping, now);
                    return None;
                }
                Ok(wrote) => wrote,
                Err(reason) => {
                    self.end_plain(key, reason, now);
                    return None;
                }
            },
        };
        self.ask_for_page(key, at);
        self.settle(key);
        if !wrote {
            return None;
        }
        self.peers.enqueue(key); // the others first, then this one again
        Some(to)
    }

    /// Asks the room's journal for the messages that a session lacks and the log no longer has.
    fn ask_for_page(&mut self, key: usize, at: FeedId) {
        let wish = match self.peers.get_mut(key) {
            Some(Peer::Session(session)) => session.member().zip(session.take_wish()),
            Some(Peer::Plain(plain)) => plain.take_wish().map(|after| (plain.member(), after)),
            None => None,
        };
        if let Some((member, after)) = wish {
            self.feeds.feed_mut(at).catch_up(key, member, after);
        }
    }

    /// Answers the datagram that is being received.
    fn answer(&mut self, to: SocketAddr, datagram: &RoomDatagram<'_>) {
        let mut bytes = Vec::new();
        datagram.encode(&mut bytes);
        self.push_answer(Route { peer: to, local: self.asked }, bytes);
    }

    fn push_answer(&mut self, to: Route, datagram: Vec<u8>) {
        if self.outbox.len() < OUTBOX_DATAGRAMS_MAX {
            self.outbox.push_back((to, datagram));
        }
    }

    // ---- time and the end ----------------------------------------------------------------------

    /// When to call [`on_deadline`](Self::on_deadline) and [`pull`](Self::pull) next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.peers.next_deadline().into_iter().chain(self.feeds.pull_by()).min()
    }

    /// Does the work that is due.
    pub fn on_deadline(&mut self, now: Instant) {
        while let Some(key) = self.peers.pop_due(now) {
            let at = self.at(key);
            let cx = Context { feed: self.feeds.feed(at), now };
            match self.peers.get_mut(key) {
                Some(Peer::Session(session)) if session.is_over(now) => drop(self.remove(key)),
                Some(Peer::Session(session)) => {
                    session.on_deadline(&cx);
                    debug_assert!(session.deadline() > now, "what is due is done: {session:?}");
                    self.feeds.mark(at);
                    self.peers.enqueue(key);
                    self.settle(key);
                }
                Some(Peer::Plain(_)) => self.end_plain(key, LeaveReason::Idle, now),
                None => {}
            }
        }
    }

    /// The first room is closing, and with it the server: all pending output must be sent by then.
    #[must_use]
    pub fn closing(&self) -> Option<Instant> {
        self.feeds.feed(FeedId::FIRST).closing()
    }

    /// Ignores further input; each member leaves with a goodbye once it has all its pending output.
    pub fn drain(&mut self, now: Instant) {
        let all = self.feeds.ids();
        all.iter().for_each(|&feed| self.feeds.mark(feed));
        self.pull(now);
        for feed in all {
            if self.feeds.stop(feed) {
                self.drain_room(feed, now);
            }
        }
    }

    fn drain_room(&mut self, feed: FeedId, now: Instant) {
        for key in self.feeds.members(feed).to_vec() {
            let key = key as usize;
            if let Some(Peer::Session(session)) = self.peers.get_mut(key) {
                session.drain(&Context { feed: self.feeds.feed(feed), now });
            }
            self.peers.enqueue(key);
        }
    }

    /// Whether all members have their pending output, and know that they have left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.outbox.is_empty() && self.peers.are_gone()
    }

    /// How many peers it remembers: members, and peers that have left.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Removes a peer without a word to it.
    fn expel(&mut self, key: usize, reason: LeaveReason, now: Instant) {
        let at = self.at(key);
        if let Some(member) = self.peers.get_mut(key).and_then(|peer| peer.member()) {
            self.feeds.feed(at).attachment().leave(member, reason, now);
        }
        self.remove(key);
    }
}
