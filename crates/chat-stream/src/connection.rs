//! One peer's connection: a state machine without a socket.
//!
//! Bytes go in with [`Connection::receive`], bytes come out through the writer given to
//! [`Connection::flush`], and time comes as an argument. `peer.rs` joins it to a
//! stream.
//!
//! ```text
//!   Member ---------------------> Leaving --------> Lingering -----------------> Done
//!      |   end, or the room        |     all         |      peer's end of input,  ^
//!      |   has ended it            |     written     |      or 1 s                |
//!      +---> Draining ------------>+                 +----------------------------+
//!      |     the room closes,                                                     |
//!      |     all is written                                                       |
//!      +------------ lost, or not worth a word -----------------------------------+
//! ```

mod ending;
mod input;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::time::Instant;

use chat_core::{JoinError, Joined, MemberId};
use chat_proto::LeaveReason;

use self::input::hear_line;
use crate::context::Context;
use crate::incoming::{Incoming, Wait};
use crate::limits::{LINGER_TIMEOUT, OPENING_GRACE, OUTBOX_BYTES_MAX, STALL_TIMEOUT};
use crate::logs::Format;
use crate::outgoing::{Flushed, Outgoing, Reading};
use crate::speaker::Speaker;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A member.
    Member,
    /// A member who is over his rate: nothing is taken from him for now.
    Paused,
    /// A member still, who is not listened to any more: he gets what he is owed, then leaves.
    Draining,
    /// Not a member; his last words are in the outbox.
    Leaving,
    /// All is written and our side is shut down: waits for the peer to shut down his.
    Lingering,
    Done,
}

/// A peer's connection to the room. There may be ten thousand, so every byte here counts: what only a
/// few need at a time is boxed.
#[derive(Debug)]
pub(crate) struct Connection {
    phase: Phase,
    /// Never was a member.
    refused: bool,
    /// The peer has shut down his side.
    peer_ended: bool,
    /// None for who has left or was refused.
    speaker: Option<Speaker>,
    incoming: Incoming,
    /// Bytes received and not taken yet: at most what one read returns.
    backlog: Box<[u8]>,
    outgoing: Outgoing,
    /// When something is due, by `life`: of what is received, the end of a pause, or of lingering.
    due: Option<Instant>,
}

impl Connection {
    /// The connection of a peer who has joined. The logs must have been pulled since.
    pub(crate) fn new(joined: Joined, cx: &mut Context<'_>) -> Self {
        let cursor = cx.logs.open(Format::Lf, cx.attachment).after(joined.seq);
        Self {
            phase: Phase::Member,
            refused: false,
            peer_ended: false,
            speaker: Some(Speaker::new(joined.member)),
            incoming: Incoming::Opening,
            backlog: Box::default(),
            outgoing: Outgoing::new(Reading::Delimited(Format::Lf), cursor),
            due: Some(cx.now + OPENING_GRACE),
        }
    }

    /// The connection of a peer who may not join. He is told why in a plain line, since what he
    /// speaks is not known yet.
    pub(crate) fn refused(why: JoinError, cx: &mut Context<'_>) -> Self {
        let cursor = cx.logs.open(Format::Lf, cx.attachment).head();
        let mut outgoing = Outgoing::new(Reading::Delimited(Format::Lf), cursor);
        outgoing.push_farewell(&LeaveReason::from(why), cx.now);
        Self {
            phase: Phase::Leaving,
            refused: true,
            peer_ended: false,
            speaker: None,
            incoming: Incoming::Ended,
            backlog: Box::default(),
            outgoing,
            due: None,
        }
    }

    /// The member, while he is one.
    pub(crate) fn member(&self) -> Option<MemberId> {
        self.speaker.as_ref().map(Speaker::member)
    }

    /// Whether he never was a member.
    pub(crate) fn was_refused(&self) -> bool {
        self.refused
    }

    /// Whether the socket can be dropped.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether [`greet`](Self::greet) is to be called.
    pub(crate) fn awaits_greeting(&self) -> bool {
        matches!(self.incoming, Incoming::Greeting(_))
    }

    /// Whether the socket has refused bytes.
    pub(crate) fn is_blocked(&self) -> bool {
        self.outgoing.stalled_since().is_some()
    }

    /// Bytes for the peer alone that are still to be written.
    pub(crate) fn outbox_len(&self) -> usize {
        self.outgoing.outbox_len()
    }

    /// Bytes received and not taken yet.
    pub(crate) fn backlog_len(&self) -> usize {
        self.backlog.len()
    }

    /// Whether bytes read now would find a taker. If not they stay in the socket, where the peer
    /// feels it.
    pub(crate) fn wants_bytes(&self) -> bool {
        self.backlog.is_empty() && self.takes_bytes()
    }

    fn takes_bytes(&self) -> bool {
        match self.phase {
            Phase::Member => !self.awaits_greeting() && self.outgoing.outbox_len() <= OUTBOX_BYTES_MAX,
            Phase::Paused | Phase::Done => false,
            Phase::Draining | Phase::Leaving | Phase::Lingering => true,
        }
    }

    // ---- bytes out -----------------------------------------------------------------------------

    /// Writes what the peer is owed as far as `socket` takes it. True if our side is to be shut down
    /// now.
    ///
    /// # Errors
    ///
    /// What the socket failed of. Then call [`give_up_writing`](Self::give_up_writing).
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, socket: &mut impl Write) -> io::Result<bool> {
        loop {
            let listener = match self.phase {
                Phase::Member | Phase::Paused | Phase::Draining => {
                    self.speaker.as_mut().filter(|_| self.incoming.is_decided())
                }
                Phase::Leaving => None,
                Phase::Lingering | Phase::Done => return Ok(false),
            };
            match (self.outgoing.flush(listener, cx, socket), self.phase) {
                (Ok(Flushed::Lagged), _) => self.end(LeaveReason::Lagged, cx),
                (Ok(Flushed::All), Phase::Draining) => self.end(LeaveReason::Stopping, cx),
                (Ok(Flushed::All), Phase::Leaving) => {
                    self.phase = if self.peer_ended { Phase::Done } else { Phase::Lingering };
                    self.due = Some(cx.now + LINGER_TIMEOUT);
                    return Ok(true);
                }
                (Ok(Flushed::All | Flushed::Blocked), _) => return Ok(false),
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Nothing can be written any more. The peer's last words may still be there to be read; then
    /// [`fail`](Self::fail) ends the connection.
    pub(crate) fn give_up_writing(&mut self) {
        self.outgoing.give_up();
    }

    // ---- time ----------------------------------------------------------------------------------

    /// When [`on_deadline`](Self::on_deadline) is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match (self.due, self.stall_deadline()) {
            (Some(due), Some(stall)) => Some(due.min(stall)),
            (due, stall) => due.or(stall),
        }
    }

    fn stall_deadline(&self) -> Option<Instant> {
        let timeout = if self.phase == Phase::Leaving { LINGER_TIMEOUT } else { STALL_TIMEOUT };
        self.outgoing.stalled_since().map(|since| since + timeout)
    }

    /// Does what is due at `cx.now`.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        if self.stall_deadline().is_some_and(|deadline| deadline <= cx.now) {
            return self.lose(LeaveReason::TooSlow, cx);
        }
        if self.due.is_none_or(|due| due > cx.now) {
            return;
        }
        match self.phase {
            Phase::Member if self.incoming.wait() == Wait::Rest => self.end(LeaveReason::Unfinished, cx),
            Phase::Member => {
                self.due = None;
                let tail = self.tail(cx);
                match (self.incoming.silence(), &mut self.speaker) {
                    (Err(reason), _) => return self.lose(reason, cx),
                    (Ok(Some(chunk)), Some(speaker)) => {
                        let pause = hear_line(&chunk, speaker, &mut self.outgoing, tail, cx);
                        self.pause(pause);
                    }
                    (Ok(_), _) => {}
                }
                self.follow_line_ending(cx);
            }
            Phase::Paused => {
                self.phase = Phase::Member;
                self.receive_backlog(cx);
            }
            Phase::Draining | Phase::Leaving | Phase::Lingering | Phase::Done => self.phase = Phase::Done,
        }
    }
}
