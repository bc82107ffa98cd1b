//! How a session ends: by a command, with the room, or for a reason of the room's.

use std::time::Instant;

use chat_proto::LeaveReason;

use super::{Context, Owed, Session};
use crate::session::phase::{Leaving, Phase};

impl Session {
    /// The room is closing: nothing more is heard from the peer, and it leaves once it has what it is owed.
    pub(crate) fn drain(&mut self, cx: &Context<'_>) {
        match self.phase {
            Phase::Opening(_) => self.end(LeaveReason::Stopping, cx),
            Phase::Member => {
                self.incoming.close();
                self.phase = Phase::Draining;
            }
            Phase::Draining | Phase::Quitting(_) | Phase::Leaving(_) | Phase::Gone(_) => {}
        }
    }

    /// It has given the command to leave.
    pub(super) fn quit(&mut self, cx: &Context<'_>) {
        self.incoming.close();
        let head = self.member.map_or(0, |member| cx.feed.attachment().taken(member).head);
        self.phase = Phase::Quitting(head);
    }

    /// The membership ends without a word to the peer. Returns the reason that the peer would have to be told.
    pub(crate) fn leave(&mut self, reason: LeaveReason, cx: &Context<'_>) -> LeaveReason {
        self.incoming.close();
        match self.member.take() {
            Some(member) => cx.feed.attachment().leave(member, reason, cx.now),
            None => reason,
        }
    }

    /// The membership ends, and the peer is told why.
    pub(super) fn end(&mut self, reason: LeaveReason, cx: &Context<'_>) {
        let reason = self.leave(reason, cx);
        self.dismiss(reason, cx.now);
    }

    /// The room has ended the membership: the peer is told why.
    pub(crate) fn dismiss(&mut self, reason: LeaveReason, now: Instant) {
        if matches!(self.phase, Phase::Opening(_) | Phase::Member | Phase::Draining | Phase::Quitting(_)) {
            self.member = None;
            self.incoming.close();
            let next = now + self.outgoing.rtt().timeout();
            self.phase = Phase::Leaving(Box::new(Leaving { reason, tries: 1, next }));
            self.owed = Owed { bye: true, ..Owed::default() };
        }
    }
}
