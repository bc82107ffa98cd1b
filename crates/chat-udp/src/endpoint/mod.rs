//! The server's end of all sessions: datagrams in, datagrams out, no socket and no clock.

mod plain;
mod receive;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use chat_core::{Dismissed, Feed, Format, Room, Told, Waker};
use chat_proto::{LeaveReason, RoomDatagram};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::config::UdpConfig;
use crate::cookie::Baker;
use crate::limits::OUTBOX_DATAGRAMS_MAX;
use crate::peers::{Peer, Peers};
use crate::route::Route;
use crate::session::Context;
use crate::strangers::Strangers;

/// The UDP side of a room, without a socket: **feed it what arrives, send what it returns, call it when
/// its deadline has passed**.
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
    feed: Feed,
    config: UdpConfig,
    local: SocketAddr,
    /// The own address that the present datagram was sent to.
    asked: Option<IpAddr>,
    baker: Baker,
    random: StdRng,
    peers: Peers,
    strangers: Strangers,
    /// For peers without a session.
    outbox: VecDeque<(Route, Vec<u8>)>,
    draining: bool,
}

impl Endpoint {
    /// The endpoint at the address `local` for `room`, which calls `waker` when it is to be
    /// [`pull`](Self::pull)ed. Session ids and the cookies' key are drawn from `seed`, which nobody else
    /// may know.
    #[must_use]
    pub fn new(
        room: &Room,
        waker: Waker,
        config: UdpConfig,
        local: SocketAddr,
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let mut random = StdRng::from_seed(seed);
        let mut feed = Feed::new(room, waker, config.announce).with_word("udp");
        feed.open(Format::Framed);
        Self {
            feed,
            config,
            local,
            asked: None,
            baker: Baker::new(now, &mut random),
            random,
            peers: Peers::default(),
            strangers: Strangers::default(),
            outbox: VecDeque::new(),
            draining: false,
        }
    }

    // ---- datagrams out -------------------------------------------------------------------------

    /// Takes the room's updates.
    pub fn pull(&mut self, now: Instant) {
        self.feed.pull();
        self.tell_peers(now);
        if self.feed.take_grown() {
            self.peers.enqueue_all();
        }
    }

    /// Delivers the items for single members, and tells dismissed members that they are out.
    fn tell_peers(&mut self, now: Instant) {
        while let Some(Told { key, member, direct }) = self.feed.take_told() {
            match self.peers.get_mut(key).filter(|peer| peer.member() == Some(member)) {
                Some(Peer::Session(session)) => session.tell(direct),
                Some(Peer::Plain(plain)) => plain.tell(&direct),
                None => continue,
            }
            self.peers.enqueue(key);
            self.peers.settle(key);
        }
        while let Some(Dismissed { key, member, reason }) = self.feed.take_dismissed() {
            match self.peers.get_mut(key).filter(|peer| peer.member() == Some(member)) {
                Some(Peer::Session(session)) => {
                    session.dismiss(reason, now);
                    self.peers.enqueue(key);
                    self.peers.settle(key);
                }
                Some(Peer::Plain(_)) => self.dismiss_plain(key, &reason),
                None => {}
            }
        }
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
            let key = self.peers.dequeue()?;
            if let Some(to) = self.transmit_to(key, out, now) {
                return Some(to);
            }
        }
    }

    fn transmit_to(&mut self, key: usize, out: &mut Vec<u8>, now: Instant) -> Option<Route> {
        let cx = Context { feed: &self.feed, now };
        let to = self.peers.route(key)?;
        let wrote = match self.peers.get_mut(key)? {
            Peer::Session(session) => session.transmit(&cx, out),
            Peer::Plain(plain) => match plain.transmit(&cx, out) {
                Ok(false) if self.draining => {
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
        self.peers.settle(key);
        if !wrote {
            return None;
        }
        self.peers.enqueue(key); // the others first, then this one again
        Some(to)
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
        self.peers.next_deadline().into_iter().chain(self.feed.pull_by()).min()
    }

    /// Does the work that is due.
    pub fn on_deadline(&mut self, now: Instant) {
        while let Some(key) = self.peers.pop_due(now) {
            let cx = Context { feed: &self.feed, now };
            match self.peers.get_mut(key) {
                Some(Peer::Session(session)) if session.is_over(now) => drop(self.peers.remove(key)),
                Some(Peer::Session(session)) => {
                    session.on_deadline(&cx);
                    debug_assert!(session.deadline() > now, "what is due is done: {session:?}");
                    self.peers.enqueue(key);
                    self.peers.settle(key);
                }
                Some(Peer::Plain(_)) => self.end_plain(key, LeaveReason::Idle, now),
                None => {}
            }
        }
    }

    /// The room is closing: all pending output must be sent by then.
    #[must_use]
    pub fn closing(&self) -> Option<Instant> {
        self.feed.closing()
    }

    /// Ignores further input; each member leaves with a goodbye once it has all its pending output.
    pub fn drain(&mut self, now: Instant) {
        self.pull(now);
        self.draining = true;
        let cx = Context { feed: &self.feed, now };
        for (_, peer) in self.peers.iter_mut() {
            if let Peer::Session(session) = peer {
                session.drain(&cx);
            }
        }
        self.peers.enqueue_all();
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
        if let Some(member) = self.peers.remove(key).member() {
            self.feed.attachment().leave(member, reason, now);
        }
    }
}
