//! How the endpoint processes a datagram: its session, the proof of the sender's address, and the answer.

use std::net::SocketAddr;
use std::time::Instant;

use chat_core::transport::{FeedId, Format, PendingRoom, Start, Welcomed};
use chat_core::{JoinError, Room, RoomError};
use chat_proto::limits::HELLO_DATAGRAM_BYTES_MIN;
use chat_proto::{
    Cookie, DatagramError, Hello, LeaveReason, MemberDatagram, PeerAddr, RoomDatagram, SessionId, Text,
    VERSION, is_framed,
};
use rand::Rng;

use super::Endpoint;
use crate::endpoint::cookie::Purpose;
use crate::endpoint::peers::Peer;
use crate::limits::HELLOS_WAITING_MAX;
use crate::route::Route;
use crate::session::{Context, Opened, Session};

/// A hello whose room is being opened.
#[derive(Debug)]
pub(super) struct WaitingHello {
    route: Route,
    opened: Opened,
    hello: Hello,
    opening: PendingRoom,
}

impl Endpoint {
    /// Processes a datagram. An invalid one gets no answer.
    pub fn receive(&mut self, route: impl Into<Route>, bytes: &[u8], now: Instant) {
        let Route { peer: from, local } = route.into();
        self.asked = local;
        if from.port() == 0 || self.is_own(from) {
            return;
        }
        if !is_framed(bytes) {
            return self.receive_plain(from, bytes, now);
        }
        match MemberDatagram::decode(bytes) {
            Ok(MemberDatagram::Hello { nonce, cookie, hello }) => {
                self.receive_hello(from, nonce, cookie, &hello, now);
            }
            Ok(MemberDatagram::Path { session, cookie }) => self.receive_path(from, session, cookie, now),
            Ok(
                datagram @ (MemberDatagram::Traffic { session, .. }
                | MemberDatagram::Who { session }
                | MemberDatagram::LookBack { session, .. }
                | MemberDatagram::Bye { session }),
            ) => self.receive_session(from, session, datagram, bytes.len(), now),
            // The only answer that every version can give and understand. It is shorter than the hello.
            Err(DatagramError::Version { nonce: Some(nonce), .. })
                if bytes.len() >= HELLO_DATAGRAM_BYTES_MIN =>
            {
                self.answer(from, &RoomDatagram::Refused { nonce, reason: LeaveReason::version() });
            }
            Err(error) => {
                if matches!(error, DatagramError::Unknown { .. }) {
                    self.feeds.feed(FeedId::FIRST).attachment().count_unknown();
                }
                tracing::debug!(%from, %error, "datagram ignored");
            }
        }
    }

    /// Whether a datagram claims to come from this endpoint itself.
    fn is_own(&self, from: SocketAddr) -> bool {
        let (ip, local) = (from.ip().to_canonical(), self.local.ip().to_canonical());
        let is_ours = ip == local || self.asked == Some(ip) || (local.is_unspecified() && ip.is_loopback());
        is_ours && from.port() == self.local.port()
    }

    fn receive_hello(
        &mut self,
        from: SocketAddr,
        nonce: u64,
        cookie: Option<Cookie>,
        hello: &Hello,
        now: Instant,
    ) {
        let (purpose, peer) = (Purpose::Hello(nonce), PeerAddr::from(from));
        let Some(made_at) = cookie.and_then(|cookie| self.cookie_keys.check(cookie, purpose, peer, now))
        else {
            let cookie = self.cookie_keys.make(purpose, peer, now);
            return self.answer(from, &RoomDatagram::Retry { nonce, cookie });
        };
        // From here on the address is proven.
        if !hello.versions.contains(&VERSION) {
            return self.answer(from, &RoomDatagram::Refused { nonce, reason: LeaveReason::version() });
        }
        let opened = Opened { nonce, made_at };
        if let Some(key) = self.peers.at(from)
            && let Some(Peer::Session(session)) = self.peers.get_mut(key)
        {
            let before = session.opened();
            if before.nonce == nonce {
                session.hello_again();
                return self.peers.enqueue(key);
            }
            if made_at < before.made_at {
                return; // a late copy of a hello from before that session
            }
        }
        let rooms = self.feeds.rooms();
        let before = self.peers.at(from).and_then(|key| self.peers.get_mut(key));
        let opening = if before.is_some_and(|peer| peer.member().is_some()) {
            // It goes to another room.
            rooms.named(hello.room.as_ref(), from).map_err(|why| LeaveReason::no_room(&why))
        } else {
            let tag = self.feeds.feed(FeedId::FIRST).attachment().tag();
            rooms.for_newcomer(hello, &from.into(), tag)
        };
        match opening {
            Err(reason) => self.greet(from, opened, hello, Err(reason), now),
            Ok(opening) => match opening.room() {
                Some(room) => self.greet(from, opened, hello, found(room), now),
                None => self.hold(from, opened, hello, opening),
            },
        }
    }

    /// A hello waits for the room that it names. If too many wait it is dropped, and the peer says it again.
    fn hold(&mut self, from: SocketAddr, opened: Opened, hello: &Hello, opening: PendingRoom) {
        let is_awaited = self.hellos.iter().any(|waiting| waiting.opening == opening);
        if let Some(place) = self.hellos.iter().position(|waiting| waiting.route.peer == from) {
            if opened.made_at <= self.hellos[place].opened.made_at {
                return; // a copy of that one, or a late one from before it
            }
            self.hellos.swap_remove(place);
        }
        if self.hellos.len() >= HELLOS_WAITING_MAX {
            return;
        }
        if !is_awaited {
            self.feeds.wait_for(&opening, usize::MAX); // no peer has this key
        }
        let route = Route { peer: from, local: self.asked };
        self.hellos.push(WaitingHello { route, opened, hello: hello.clone(), opening });
    }

    /// Goes on with the hellos whose rooms are open now.
    pub(super) fn greet_waiting(&mut self, now: Instant) {
        let (open, waiting) = std::mem::take(&mut self.hellos)
            .into_iter()
            .partition(|waiting| waiting.opening.room().is_some());
        self.hellos = waiting;
        for WaitingHello { route, opened, hello, opening } in open {
            if let Some(room) = opening.room() {
                self.asked = route.local;
                self.greet(route.peer, opened, &hello, found(room), now);
            }
        }
    }

    /// Answers a hello: the peer joins the room, instead of the one that was at its address before.
    fn greet(
        &mut self,
        from: SocketAddr,
        opened: Opened,
        hello: &Hello,
        room: Result<Room, LeaveReason>,
        now: Instant,
    ) {
        self.hellos.retain(|waiting| waiting.route.peer != from);
        if let Some(key) = self.peers.at(from) {
            self.expel(key, LeaveReason::Replaced, now);
        }
        match room.and_then(|room| self.welcome(from, opened, hello, &room, now)) {
            Ok((room, welcomed)) => self.open_session(from, opened, room, welcomed, now),
            Err(reason) => self.answer(from, &RoomDatagram::Refused { nonce: opened.nonce, reason }),
        }
    }

    /// Joins a framed peer. In a full room, if every member has answered its welcome, the plain member that
    /// was silent longest makes way.
    fn welcome(
        &mut self,
        from: SocketAddr,
        opened: Opened,
        hello: &Hello,
        room: &Room,
        now: Instant,
    ) -> Result<(FeedId, Welcomed), LeaveReason> {
        let came = self.cookie_keys.moment(opened.made_at);
        let mut at = self.feeds.open(room);
        let mut result =
            self.feeds.feed(at).attachment().welcome(self.peers.next_key(), from, hello, came, now);
        if let (Err(JoinError::RoomFull { .. }), Some(key)) = (&result, self.peers.stalest_plain()) {
            self.end_plain(key, LeaveReason::RoomFull, now);
            at = self.feeds.open(room); // that may have been its last member
            result = self.feeds.feed(at).attachment().welcome(self.peers.next_key(), from, hello, came, now);
        }
        match result {
            Ok(welcomed) => Ok((at, welcomed)),
            Err(error) => {
                self.feeds.close_if_empty(at);
                Err(error.into())
            }
        }
    }

    fn open_session(
        &mut self,
        from: SocketAddr,
        opened: Opened,
        room: FeedId,
        welcomed: Welcomed,
        now: Instant,
    ) {
        let Welcomed { member, seq, welcome, start, .. } = welcomed;
        let feed = self.feeds.feed_mut(room);
        feed.attachment().set_unanswered(member, true);
        // The entries that the peer says it has must be in the log.
        feed.pull();
        let has_journal = feed.attachment().has_journal();
        let log = feed.open(Format::Framed);
        let oldest = if has_journal { 0 } else { log.tail_seq() };
        let start = match start {
            Start::After(have) => log.right_after(have),
            Start::History(messages) => {
                let before = seq.saturating_sub(u64::from(messages)).max(oldest);
                log.after(before.min(seq))
            }
        };
        let id = SessionId::new(self.random.next_u64());
        let session = Session::new(id, from, opened, member, welcome, start, now);
        let key = self.peers.insert(Peer::Session(Box::new(session)), room);
        self.feeds.add_member(room, key);
        self.feeds.mark(room);
        self.peers.set_local(key, self.asked);
        self.peers.enqueue(key);
        self.peers.settle(key);
        self.tell_peers(room, now); // the key is taken by now
    }

    fn receive_session(
        &mut self,
        from: SocketAddr,
        id: SessionId,
        datagram: MemberDatagram,
        bytes: usize,
        now: Instant,
    ) {
        let Some((key, session)) = self.peers.session(id) else { return };
        if session.address() != from {
            let cookie = self.cookie_keys.make(Purpose::Path(id), from.into(), now);
            return self.challenge(from, cookie, bytes);
        }
        let at = self.at(key);
        let Some(Peer::Session(session)) = self.peers.get_mut(key) else { return };
        session.receive(datagram, &Context { feed: self.feeds.feed(at), now });
        self.feeds.mark(at);
        self.peers.set_local(key, self.asked);
        self.peers.enqueue(key);
        self.settle(key);
    }

    /// A session's datagram arrived from another address: asks for proof, with no more bytes than arrived. Until the
    /// proof, the session stays at its address, and nothing from the new one is taken.
    fn challenge(&mut self, from: SocketAddr, cookie: Cookie, bytes_max: usize) {
        let mut challenge = Vec::new();
        RoomDatagram::Challenge { cookie }.encode(&mut challenge);
        if challenge.len() <= bytes_max {
            self.push_answer(Route { peer: from, local: self.asked }, challenge);
        }
    }

    fn receive_path(&mut self, from: SocketAddr, id: SessionId, cookie: Cookie, now: Instant) {
        if self.cookie_keys.check(cookie, Purpose::Path(id), from.into(), now).is_none() {
            return;
        }
        let Some((key, session)) = self.peers.session(id) else { return };
        if session.address() == from || session.is_gone() {
            return;
        }
        if let Some(other) = self.peers.at(from) {
            self.displace(other, from, now);
        }
        self.peers.move_session(key, from, now);
        self.peers.set_local(key, self.asked);
        self.peers.enqueue(key);
        self.peers.settle(key);
    }

    /// Another peer has proven that it now uses this peer's address. This peer can learn of it only
    /// if both are behind that address.
    fn displace(&mut self, key: usize, from: SocketAddr, now: Instant) {
        if let Some(Peer::Session(session)) = self.peers.get_mut(key)
            && !session.is_gone()
        {
            let session = session.id();
            self.answer(from, &RoomDatagram::Bye { session, reason: LeaveReason::Lost });
        }
        self.expel(key, LeaveReason::Lost, now);
    }
}

fn found(room: Result<Room, RoomError>) -> Result<Room, LeaveReason> {
    room.map_err(|error| LeaveReason::no_room(&Text::lossy(&error.to_string())))
}
