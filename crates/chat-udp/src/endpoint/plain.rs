//! Plain peers at the endpoint: how they join, when they must send a number first, and how they leave.

use std::net::SocketAddr;
use std::time::Instant;

use chat_core::Room;
use chat_core::transport::{FeedId, Format, Joined, Moved};
use chat_proto::{LeaveReason, PeerAddr, TextKind};

use super::Endpoint;
use crate::config::{Admission, PlainPolicy};
use crate::endpoint::peers::Peer;
use crate::plain::{self, Plain, Wish};
use crate::route::Route;
use crate::session::Context;

impl Endpoint {
    pub(super) fn receive_plain(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        let peer = PeerAddr::from(from);
        let is_off = self.config.plain == PlainPolicy::Off;
        if is_off || plain::is_echo(bytes, peer) || TextKind::of_first(bytes) == TextKind::NotText {
            return tracing::debug!(%from, "datagram ignored");
        }
        let key = match self.peers.at(from) {
            Some(key) => Some(key),
            None => match self.config.admission(peer) {
                Admission::Ignore => None,
                Admission::Ask => self.ask(from, bytes, now),
                Admission::Admit => self.join_plain(from, bytes, None, now),
            },
        };
        let Some(key) = key else { return };
        let at = self.at(key);
        // A framed member says nothing in plain text; another program may be using its address.
        let Some(Peer::Plain(plain)) = self.peers.get_mut(key) else { return };
        let wish = plain.receive(bytes, &Context { feed: self.feeds.feed(at), now });
        let ignores_somebody = plain.ignores_somebody();
        self.feeds.mark(at);
        self.peers.set_local(key, self.asked);
        match wish {
            Wish::Nothing => {}
            Wish::Leave => return self.end_plain(key, LeaveReason::Quit, now),
            Wish::Move => {
                self.await_goal(key, now);
                if self.peers.get_mut(key).is_none() {
                    return; // it has been kicked
                }
            }
        }
        if ignores_somebody {
            self.feeds.feed_mut(at).note_authors();
        }
        self.peers.enqueue(key);
        self.settle(key);
    }

    /// A plain member has given the command to go to a room, which may have to be opened first. It still gets what the
    /// room that it leaves has by now.
    fn await_goal(&mut self, key: usize, now: Instant) {
        let at = self.at(key);
        self.feeds.feed_mut(at).pull();
        self.feeds.mark(at);
        let head = self.feeds.feed(at).log(Format::Lf).seq();
        if let Some(Peer::Plain(plain)) = self.peers.get_mut(key) {
            plain.leave_after(head);
            if let Some(room) = plain.pending_room() {
                self.feeds.wait_for(room, key);
            }
        }
        self.tell_peers(at, now);
    }

    /// Takes a plain member to the room that it goes to, if it goes anywhere, that room is open, and it has everything
    /// of the one that it leaves. False if it stays on its way.
    pub(super) fn follow_goal(&mut self, key: usize, now: Instant) -> bool {
        let at = self.at(key);
        let Some(Peer::Plain(plain)) = self.peers.get_mut(key) else { return false };
        // It is told the results of its last messages in the room that it leaves.
        if !plain.can_move() || !self.feeds.feed(at).attachment().is_answered(plain.member()) {
            return false;
        }
        let from = plain.address();
        let Some((room, rest)) = plain.take_goal() else { return false };
        let is_there = match room {
            Ok(room) => self.move_plain(key, &room, now),
            Err(error) => {
                plain.refuse(&error.to_string());
                self.peers.enqueue(key);
                true
            }
        };
        if is_there && !rest.is_empty() {
            // Answers must come from the address that the peer used, even if another one was used since.
            self.asked = self.peers.route(key).and_then(|route| route.local);
            self.receive_plain(from, &rest, now);
        }
        true
    }

    /// Takes a plain member to another room. False if it is not there.
    fn move_plain(&mut self, key: usize, room: &Room, now: Instant) -> bool {
        let (old, new) = (self.at(key), self.feeds.open(room));
        let Some(Peer::Plain(plain)) = self.peers.get_mut(key) else { return false };
        let (from, to) = (self.feeds.feed(old).attachment(), self.feeds.feed(new).attachment());
        match from.move_to(plain.member(), to, key, now) {
            Some(Ok(Moved { joined, .. })) => {
                let feed = self.feeds.feed_mut(new);
                feed.pull();
                let cursor = feed.open(Format::Lf).after(joined.seq);
                plain.moved(joined.member, cursor);
                self.leave_room(key);
                self.peers.set_room(key, Some(new));
                self.feeds.add_member(new, key);
                self.feeds.mark(new);
                self.tell_peers(new, now);
                self.peers.enqueue(key);
                true
            }
            Some(Err(error)) => {
                if from.is_member(plain.member()) {
                    plain.refuse(&error.advice(room.name()));
                    self.feeds.close_if_empty(new);
                    self.peers.enqueue(key);
                    return true;
                }
                self.feeds.close_if_empty(new);
                self.end_plain(key, LeaveReason::from(error), now);
                false
            }
            None => {
                self.feeds.close_if_empty(new);
                false // it was dismissed, and is about to be told so
            }
        }
    }

    /// A peer that must prove its address joins if it says its number. Otherwise it is asked for the number,
    /// and nothing is kept of it.
    fn ask(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) -> Option<usize> {
        let peer = PeerAddr::from(from);
        if let Some(number) = plain::number(bytes)
            && self.unproven.may_guess(peer, self.cookie_keys.place(peer), now)
            && self.cookie_keys.is_number(number, peer, now)
        {
            return self.join_plain(from, bytes, Some(number), now);
        }
        let number = self.cookie_keys.number(peer, now);
        self.answer_stranger(from, bytes, plain::challenge(number, bytes), now);
        None
    }

    fn join_plain(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
        proof: Option<u32>,
        now: Instant,
    ) -> Option<usize> {
        let Joined { member, seq, .. } =
            match self.feeds.feed(FeedId::FIRST).attachment().join_unproven(self.peers.next_key(), from, now)
            {
                Ok(joined) => joined,
                Err(error) => {
                    self.answer_stranger(from, bytes, plain::refusal(&error.into(), bytes), now);
                    return None;
                }
            };
        let feed = self.feeds.feed_mut(FeedId::FIRST);
        feed.pull();
        let cursor = feed.open(Format::Lf).after(seq);
        let plain = Plain::new(from, member, cursor, proof, now);
        let key = self.peers.insert(Peer::Plain(Box::new(plain)), FeedId::FIRST);
        self.feeds.add_member(FeedId::FIRST, key);
        self.feeds.mark(FeedId::FIRST);
        self.tell_peers(FeedId::FIRST, now); // the key is taken by now
        Some(key)
    }

    /// Sends `answer` to a peer that is not a member, unless it has had its share of answers.
    fn answer_stranger(&mut self, from: SocketAddr, bytes: &[u8], answer: Vec<u8>, now: Instant) {
        let peer = PeerAddr::from(from);
        if self.unproven.may_answer(peer, self.cookie_keys.place(peer), bytes.len(), answer.len(), now) {
            self.push_answer(Route { peer: from, local: self.asked }, answer);
        }
    }

    /// Ends a plain membership, and tells the peer why.
    pub(super) fn end_plain(&mut self, key: usize, reason: LeaveReason, now: Instant) {
        let at = self.at(key);
        if let Some(Peer::Plain(plain)) = self.peers.get_mut(key) {
            let reason = self.feeds.feed(at).attachment().leave(plain.member(), reason, now);
            self.dismiss_plain(key, &reason);
        }
    }

    /// A plain peer that is no longer a member gets a last line.
    pub(super) fn dismiss_plain(&mut self, key: usize, reason: &LeaveReason) {
        if let (Some(route), Peer::Plain(plain)) = (self.peers.route(key), self.remove(key)) {
            self.push_answer(route, plain.farewell(reason));
        }
    }

    /// The system says that nobody takes datagrams at this address (an ICMP message). That ends a plain
    /// membership, so that nothing more is sent to somebody whose address was forged. A framed session has
    /// proven itself and goes on, since an ICMP message proves nothing: its lease will tell.
    pub fn unreachable(&mut self, address: SocketAddr, now: Instant) {
        if let Some(key) = self.peers.at(address)
            && let Some(Peer::Plain(_)) = self.peers.get_mut(key)
        {
            self.expel(key, LeaveReason::Lost, now);
        }
    }
}
