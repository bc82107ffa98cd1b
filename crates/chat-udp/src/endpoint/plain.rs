//! Plain peers at the endpoint: how they join, when they must send a number first, and how they leave.

use std::net::SocketAddr;
use std::time::Instant;

use chat_core::{Format, Joined};
use chat_proto::{LeaveReason, PeerAddr, TextKind};

use super::Endpoint;
use crate::config::{Admission, PlainPolicy};
use crate::peers::Peer;
use crate::plain::{self, Plain};
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
        // A framed member says nothing in plain text; another program may be using its address.
        let Some((key, Peer::Plain(plain))) = key.and_then(|key| Some((key, self.peers.get_mut(key)?)))
        else {
            return;
        };
        let leaves = plain.receive(bytes, &Context { feed: &self.feed, now });
        let ignores_somebody = plain.ignores_somebody();
        self.peers.set_local(key, self.asked);
        if leaves {
            return self.end_plain(key, LeaveReason::Quit, now);
        }
        if ignores_somebody {
            self.feed.note_authors();
        }
        self.peers.enqueue(key);
        self.peers.settle(key);
    }

    /// A peer that must prove its address joins if it says its number. Otherwise it is asked for the number,
    /// and nothing is kept of it.
    fn ask(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) -> Option<usize> {
        let peer = PeerAddr::from(from);
        if let Some(number) = plain::number(bytes)
            && self.strangers.may_guess(peer, self.baker.place(peer), now)
            && self.baker.is_number(number, peer, now)
        {
            return self.join_plain(from, bytes, Some(number), now);
        }
        let number = self.baker.number(peer, now);
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
            match self.feed.attachment().join_unproven(self.peers.next_key(), from, now) {
                Ok(joined) => joined,
                Err(error) => {
                    self.answer_stranger(from, bytes, plain::refusal(&error.into(), bytes), now);
                    return None;
                }
            };
        self.feed.pull();
        let cursor = self.feed.open(Format::Lf).after(seq);
        let plain = Plain::new(from, member, cursor, proof, now);
        let key = self.peers.insert(Peer::Plain(Box::new(plain)));
        self.tell_peers(now); // the key is taken by now
        Some(key)
    }

    /// Sends `answer` to a peer that is not a member, unless it has had its share of answers.
    fn answer_stranger(&mut self, from: SocketAddr, bytes: &[u8], answer: Vec<u8>, now: Instant) {
        let peer = PeerAddr::from(from);
        if self.strangers.may_answer(peer, self.baker.place(peer), bytes.len(), answer.len(), now) {
            self.push_answer(Route { peer: from, local: self.asked }, answer);
        }
    }

    /// Ends a plain membership, and tells the peer why.
    pub(super) fn end_plain(&mut self, key: usize, reason: LeaveReason, now: Instant) {
        if let Some(Peer::Plain(plain)) = self.peers.get_mut(key) {
            let reason = self.feed.attachment().leave(plain.member(), reason, now);
            self.dismiss_plain(key, &reason);
        }
    }

    /// A plain peer that is no longer a member gets a last line.
    pub(super) fn dismiss_plain(&mut self, key: usize, reason: &LeaveReason) {
        if let (Some(route), Peer::Plain(plain)) = (self.peers.route(key), self.peers.remove(key)) {
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
