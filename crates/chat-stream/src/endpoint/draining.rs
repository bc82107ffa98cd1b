//! The end of a room, or of all: members get what they are owed, and leave.

use std::time::Instant;

use chat_core::transport::{Deadlines, FeedId, Places};
use chat_proto::LeaveReason;

use super::Endpoint;
use crate::context::Context;
use crate::endpoint::newcomers::Newcomers;
use crate::stream::Stream;

impl<S: Stream> Endpoint<S> {
    /// The first room is closing, and with it the server.
    pub(super) fn drain(&mut self, now: Instant) {
        for feed in self.feeds.ids() {
            self.feeds.mark(feed);
        }
        self.pull(now);
        self.draining = true;
        for feed in self.feeds.ids() {
            self.feeds.stop(feed);
        }
        for key in self.peers.keys() {
            let peer = &mut self.peers[key];
            let (feeds, at) = (&mut self.feeds, peer.at());
            let mut cx = Context { feeds, at, key, now, room_left: self.heard_bytes_max, line_left: 0 };
            peer.connection.drain(&mut cx);
            self.touched.push(key);
        }
        self.flush_touched(now);
    }

    /// A room that is not the first one is closing.
    pub(super) fn drain_room(&mut self, feed: FeedId, now: Instant) {
        for key in self.feeds.members(feed).to_vec() {
            let key = key as usize;
            let Some(peer) = self.peers.get_mut(key) else { continue };
            let (feeds, room_left) = (&mut self.feeds, self.heard_bytes_max);
            peer.connection.drain(&mut Context { feeds, at: feed, key, now, room_left, line_left: 0 });
            self.touched.push(key);
        }
    }

    pub(super) fn cut_off(&mut self, now: Instant) {
        for key in self.peers.keys() {
            let peer = &mut self.peers[key];
            let (feeds, at) = (&mut self.feeds, peer.at());
            let mut cx = Context { feeds, at, key, now, room_left: 0, line_left: 0 };
            peer.connection.lose(LeaveReason::Stopping, &mut cx);
        }
        self.peers = Places::default();
        (self.deadlines, self.newcomers) = (Deadlines::default(), Newcomers::default());
        self.queue.clear();
    }
}
