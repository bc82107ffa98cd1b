//! A connection's end: who must go, for what reason, and what he still gets.

use std::io;
use std::time::Instant;

use chat_proto::LeaveReason;

use super::{Connection, Phase};
use crate::context::Context;
use crate::incoming::Incoming;
use crate::logs::Format;

impl Connection {
    /// The room is closing: nothing more is heard from him, and he leaves once he has what he is owed.
    pub(crate) fn drain(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.phase, Phase::Member | Phase::Paused) {
            return;
        }
        if self.incoming.is_framed() && !self.incoming.is_decided() {
            return self.end(LeaveReason::Stopping, cx);
        }
        self.stop_listening();
        self.phase = Phase::Draining;
    }

    pub(super) fn stop_listening(&mut self) {
        self.incoming = Incoming::Ended;
        self.backlog = Box::default();
        self.due = None;
    }

    /// The membership ends, and the peer is told why.
    pub(super) fn end(&mut self, reason: LeaveReason, cx: &mut Context<'_>) {
        if reason == LeaveReason::NotChat {
            return self.lose(reason, cx); // a web page or a scanner: not a word
        }
        let reason = match self.member() {
            Some(member) => cx.attachment.leave(member, reason, cx.now),
            None => reason,
        };
        self.dismiss(&reason, cx.now);
    }

    /// The room has ended the membership: the peer is told why.
    pub(crate) fn dismiss(&mut self, reason: &LeaveReason, now: Instant) {
        if !matches!(self.phase, Phase::Member | Phase::Paused | Phase::Draining) {
            return;
        }
        // Who is drained as a plain member has read the room's farewell in the log.
        if self.phase != Phase::Draining || self.outgoing.format() == Format::Framed {
            self.outgoing.push_farewell(reason, now);
        }
        self.speaker = None;
        self.stop_listening();
        self.phase = Phase::Leaving;
    }

    /// The socket has failed, or the peer is known to be gone, and all he sent is received. Who had shut
    /// down his side before has left of his own accord.
    pub(crate) fn fail(&mut self, error: &io::Error, cx: &mut Context<'_>) {
        tracing::debug!(member = ?self.member(), %error, "connection failed");
        let reason = match self.hear_last_line(cx) {
            Ok(()) if self.peer_ended => LeaveReason::Quit,
            Ok(()) => LeaveReason::Lost,
            Err(reason) => reason,
        };
        self.lose(reason, cx);
    }

    /// The connection ends without another word.
    pub(super) fn lose(&mut self, reason: LeaveReason, cx: &mut Context<'_>) {
        if let Some(speaker) = self.speaker.take() {
            cx.attachment.leave(speaker.member(), reason, cx.now);
        }
        self.stop_listening();
        self.phase = Phase::Done;
    }
}
