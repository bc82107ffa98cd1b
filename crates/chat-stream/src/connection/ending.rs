//! A connection's end: which peer is closed, for what reason, and what it still gets.

#[cfg(feature = "web")]
use std::borrow::Cow;
use std::io;
use std::time::Instant;

use chat_core::access::{Identity, Opening};
use chat_proto::LeaveReason;

use super::{Connection, Context, Newcomer, Phase, Who};
use crate::incoming::Incoming;
#[cfg(feature = "web")]
use crate::limits::FAREWELL_TIMEOUT;

impl Connection {
    /// The room is closing: input from the peer is ignored, and it leaves once it has its pending output.
    pub(crate) fn drain(&mut self, cx: &mut Context<'_>) {
        match self.phase {
            Phase::Handshake => self.lose(LeaveReason::Stopping, cx),
            // We can tell a peer nothing before its protocol is known.
            Phase::Opening if matches!(self.incoming, Incoming::Opening(_) | Incoming::Preface(_)) => {
                self.lose(LeaveReason::Stopping, cx);
            }
            Phase::Opening if self.incoming.is_request() => self.lose(LeaveReason::Stopping, cx),
            Phase::Opening => self.end(LeaveReason::Stopping, cx),
            Phase::Member | Phase::Paused | Phase::Moving if self.incoming.is_decided() => {
                self.stop_listening();
                self.phase = Phase::Draining;
            }
            Phase::Member | Phase::Paused | Phase::Moving => self.end(LeaveReason::Stopping, cx),
            Phase::Draining | Phase::Quitting | Phase::Leaving | Phase::Lingering | Phase::Done => {}
        }
    }

    pub(super) fn stop_listening(&mut self) {
        self.incoming = Incoming::Ended;
        self.backlog = Box::default();
        self.due = None;
    }

    /// The reason of a peer that must be closed: one that has begun an HTTP request is told nothing.
    pub(super) fn blame(&self, reason: LeaveReason) -> LeaveReason {
        if self.incoming.is_request() { LeaveReason::NotChat } else { reason }
    }

    /// The peer gets these bytes as its last, and leaves if it is a member.
    #[cfg(feature = "web")]
    pub(super) fn part(&mut self, farewell: Cow<'static, [u8]>, reason: LeaveReason, cx: &mut Context<'_>) {
        let reason = match self.member() {
            Some(member) => cx.feed().attachment().leave(member, reason, cx.now),
            None => reason,
        };
        self.outgoing.push_last(farewell);
        self.leave(&reason, cx.now);
        self.due = Some(cx.now + FAREWELL_TIMEOUT);
    }

    pub(super) fn is_answered(&self, cx: &Context<'_>) -> bool {
        self.member().is_none_or(|member| cx.feed().attachment().is_answered(member))
    }

    /// The membership ends, if there is one, and the peer is told why.
    pub(super) fn end(&mut self, reason: LeaveReason, cx: &mut Context<'_>) {
        if reason == LeaveReason::NotChat {
            return self.lose(reason, cx); // a web page or a scanner: say nothing
        }
        let reason = match self.member() {
            Some(member) => cx.feed().attachment().leave(member, reason, cx.now),
            None => {
                self.count_unopened(&reason, cx);
                reason
            }
        };
        self.dismiss(&reason, cx.now);
    }

    /// The peer has ended its side and waited for an answer: it leaves if nobody has said anything. Otherwise it goes
    /// on listening.
    pub(super) fn end_half_closed(&mut self, cx: &mut Context<'_>) {
        self.due = None;
        let Some(member) = self.member().filter(|_| !self.outgoing.was_answered()) else { return };
        match cx.feed().attachment().leave(member, LeaveReason::Quit, cx.now) {
            reason @ LeaveReason::Quit => {
                self.outgoing.push_notice("Closed: you ended your side, and nobody has spoken since", cx.now);
                self.leave(&reason, cx.now);
            }
            reason => self.dismiss(&reason, cx.now),
        }
    }

    /// The peer is not a member (any more), and is told why.
    pub(crate) fn dismiss(&mut self, reason: &LeaveReason, now: Instant) {
        if matches!(self.phase, Phase::Leaving | Phase::Lingering | Phase::Done) {
            return;
        }
        // A plain member that is drained has read the room's farewell in the log.
        if self.phase != Phase::Draining || !self.outgoing.format().is_plain() {
            self.outgoing.push_farewell(reason, now);
        }
        self.leave(reason, now);
    }

    /// Its last words are in the outbox.
    fn leave(&mut self, reason: &LeaveReason, now: Instant) {
        if let Who::Newcomer(newcomer) = std::mem::replace(&mut self.who, Who::Stranger) {
            newcomer.log_end(reason);
        }
        self.stop_listening();
        self.outgoing.stall_anew(now);
        self.phase = Phase::Leaving;
    }

    /// The socket has failed, or the peer is known to be gone, and all that it sent is received. A peer that had shut
    /// down its side before has left by its own choice.
    pub(crate) fn fail(&mut self, error: &io::Error, cx: &mut Context<'_>) {
        tracing::debug!(member = ?self.member(), %error, "connection failed");
        let reason = match self.hear_last_line(cx) {
            Ok(()) if self.peer_ended || self.phase == Phase::Quitting => LeaveReason::Quit,
            Ok(()) => LeaveReason::Lost,
            Err(reason) => reason,
        };
        self.lose(reason, cx);
    }

    /// The connection ends without another word.
    pub(crate) fn lose(&mut self, reason: LeaveReason, cx: &mut Context<'_>) {
        self.count_unopened(&reason, cx);
        match std::mem::replace(&mut self.who, Who::Stranger) {
            Who::Member(speaker) => drop(cx.feed().attachment().leave(speaker.member(), reason, cx.now)),
            Who::Newcomer(newcomer) => newcomer.log_end(&reason),
            Who::Stranger => {}
        }
        self.stop_listening();
        self.phase = Phase::Done;
    }
}

impl Connection {
    /// Counts a newcomer that does not become a member, unless the room is closing.
    fn count_unopened(&self, reason: &LeaveReason, cx: &Context<'_>) {
        if self.is_newcomer() && *reason != LeaveReason::Stopping {
            cx.feed().attachment().count_unopened(self.is_handshaking());
        }
    }
}

impl Newcomer {
    pub(super) fn new(identity: Identity, opening: Option<Opening>, now: Instant) -> Box<Self> {
        Box::new(Self { identity, opening, came: now, hello: None })
    }

    /// Nobody in the room learns of it, but the operator may want to.
    fn log_end(&self, reason: &LeaveReason) {
        tracing::debug!(peer = %self.identity.address, %reason, "closed before it was a member");
    }
}
