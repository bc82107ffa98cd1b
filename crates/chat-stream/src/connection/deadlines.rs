//! A connection's deadlines: what it does when one has passed.

use std::time::Instant;

use chat_core::transport::Format;
use chat_proto::{LeaveReason, Text};

use super::{Connection, Context, Phase, Who};
#[cfg(feature = "web")]
use crate::incoming::Incoming;
use crate::incoming::Wait;
use crate::limits::{HALF_CLOSED_TIMEOUT, JOIN_TIMEOUT, LINGER_TIMEOUT, STALL_TIMEOUT, UNFINISHED_TIMEOUT};

impl Connection {
    /// Whether the peer is likely a connection that a browser keeps in reserve: it has its 10 s, and is not a listener.
    #[cfg(feature = "web")]
    fn waits_in_reserve(&self, now: Instant) -> bool {
        let Who::Newcomer(newcomer) = &self.who else { return false };
        matches!(self.incoming, Incoming::Opening(_))
            && (self.due.is_none() || self.incoming.is_spare(newcomer.identity.address, now))
    }

    /// When to call [`on_deadline`](Self::on_deadline) next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.due, self.stall_deadline(), self.join_deadline()].into_iter().flatten().min()
    }

    /// When the peer must be a member, if it is not one yet.
    fn join_deadline(&self) -> Option<Instant> {
        if let Who::Newcomer(newcomer) = &self.who { Some(newcomer.came + JOIN_TIMEOUT) } else { None }
    }

    fn stall_deadline(&self) -> Option<Instant> {
        let timeout = if self.phase == Phase::Leaving { LINGER_TIMEOUT } else { STALL_TIMEOUT };
        self.outgoing.stalled_since().map(|since| since + timeout)
    }

    /// Does the work that is due at `cx.now`.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        if self.stall_deadline().is_some_and(|deadline| deadline <= cx.now) {
            return self.lose(LeaveReason::TooSlow, cx);
        }
        if self.deadline().is_none_or(|deadline| deadline > cx.now) {
            return;
        }
        let is_quiet = self.due.is_some_and(|due| due <= cx.now);
        match self.phase {
            Phase::Handshake => {
                self.due = None; // silent or not, it has its 10 s
                if self.deadline().is_none_or(|deadline| deadline <= cx.now) {
                    self.lose(LeaveReason::Unfinished, cx);
                }
            }
            Phase::Opening | Phase::Member if self.incoming.wait() == Wait::Rest => {
                self.end(self.blame(LeaveReason::Unfinished), cx);
            }
            Phase::Member if self.peer_ended => self.end_half_closed(cx),
            #[cfg(feature = "web")]
            Phase::Opening if self.waits_in_reserve(cx.now) => {
                if self.due.take().is_none() {
                    self.lose(LeaveReason::NotChat, cx);
                }
            }
            // Its first line takes long, but it is a line.
            Phase::Opening if !is_quiet || self.incoming.wait() == Wait::Line => {
                self.due = Some(cx.now + UNFINISHED_TIMEOUT);
                self.join(Format::Lf, cx);
                self.follow_line_ending(cx);
            }
            Phase::Opening | Phase::Member => {
                self.due = None;
                match self.incoming.silence() {
                    Err(reason) => return self.lose(reason, cx),
                    Ok(words) => {
                        if self.join(Format::Lf, cx)
                            && let Some((words, kind)) = words
                        {
                            self.hear_line(&words, kind, cx);
                        }
                    }
                }
                self.follow_line_ending(cx);
            }
            Phase::Paused => {
                self.phase = Phase::Member;
                self.receive_backlog(cx);
                if self.peer_ended && self.phase == Phase::Member {
                    self.due = Some(cx.now + HALF_CLOSED_TIMEOUT);
                }
            }
            Phase::Moving => {
                let is_late = self.join_deadline().is_some_and(|deadline| deadline <= cx.now);
                if self.enter_room(cx) {
                    return;
                }
                if is_late {
                    let why = Text::lossy("it takes too long to open the room: try again");
                    return self.end(LeaveReason::no_room(&why), cx);
                }
                self.due = None; // it goes once the room is open, whatever it still has to read
            }
            Phase::Quitting => {
                if let Who::Member(speaker) = &mut self.who {
                    self.outgoing.skip_rest(speaker, cx);
                }
                self.end(LeaveReason::Quit, cx);
            }
            Phase::Draining | Phase::Leaving | Phase::Lingering | Phase::Done => self.phase = Phase::Done,
        }
    }
}
