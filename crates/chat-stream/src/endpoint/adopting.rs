//! New connections, and the newcomers that make way for them.

use std::net::SocketAddr;
use std::time::Instant;

use chat_core::access::network_of;
use chat_core::transport::FeedId;
use chat_proto::LeaveReason;

use super::Endpoint;
use crate::connection::Connection;
use crate::context::Context;
use crate::peer::Peer;
use crate::stream::Stream;

impl<S: Stream> Endpoint<S> {
    /// Adds the connection of the peer at `address`; it is read from and written to in the next turn. The peer
    /// becomes a member once its protocol is known. Until then it may have to make way: when there are too many
    /// peers, or too many newcomers from one address, the newcomer that has waited longest is closed.
    ///
    /// `now` is the moment when it was accepted, maybe by another thread. If two connections ask for
    /// one session, the one that was accepted later gets it.
    pub fn adopt(&mut self, stream: S, address: SocketAddr, now: Instant) {
        self.add(stream, Connection::new(address, self.offer.clone(), now), address, now);
    }

    /// As [`adopt`](Self::adopt), for a peer whose WebSocket somebody else has opened: a web server that has checked
    /// where the request came from, and answered it with 101.
    #[cfg(feature = "web")]
    pub fn adopt_websocket(&mut self, stream: S, address: SocketAddr, now: Instant) {
        self.add(stream, Connection::websocket(address, now), address, now);
    }

    fn add(&mut self, stream: S, connection: Connection, address: SocketAddr, now: Instant) {
        self.generation = self.generation.wrapping_add(1);
        let key = self.peers.next_key();
        let peers = &self.peers;
        let is_newcomer =
            |key, generation| peers.get(key).is_some_and(|peer| peer.is_newcomer_of(generation));
        self.newcomers.insert(key, self.generation, is_newcomer);
        let opening = self.feeds.rooms().opening(address);
        let connection = connection.silent_at(now + S::SILENT_AFTER).opening(opening);
        let mut peer = Peer::new(stream, connection, self.generation);
        let mut cx = Context { feeds: &mut self.feeds, at: peer.at(), key, now, room_left: 0, line_left: 0 };
        peer.open(&mut cx);
        let at = cx.at;
        let comes_from = peer.connection.newcomer_address().unwrap_or(address);
        self.peers.insert(peer);
        self.place(key, at);
        self.queue.push_back(key);
        self.tell_peers(at, now);
        self.count_newcomer(key, comes_from, now);
        let full = self.peers.len() > self.peers_max;
        let peers = &self.peers;
        let is_newcomer =
            |key, generation| peers.get(key).is_some_and(|peer| peer.is_newcomer_of(generation));
        if full && let Some(oldest) = self.newcomers.oldest(is_newcomer) {
            self.crowd_out(oldest, now);
        }
    }

    /// Counts a newcomer against its address, which may turn out to be another one than that of its socket.
    pub(super) fn count_newcomer(&mut self, key: usize, address: SocketAddr, now: Instant) {
        if !self.limits_loopback && address.ip().to_canonical().is_loopback() {
            return;
        }
        let max = self.newcomers_per_address_max;
        if let Some(oldest) = self.newcomers.insert_from(network_of(address), key, max) {
            self.crowd_out(oldest, now);
        }
    }

    fn crowd_out(&mut self, oldest: usize, now: Instant) {
        tracing::debug!("a newcomer makes way for a later one");
        let (feeds, at) = (&mut self.feeds, FeedId::FIRST);
        let mut cx = Context { feeds, at, key: oldest, now, room_left: 0, line_left: 0 };
        self.peers[oldest].connection.lose(LeaveReason::Lost, &mut cx);
        self.settle(oldest);
    }
}
