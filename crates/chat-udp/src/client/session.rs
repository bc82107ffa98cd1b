//! A client's session: a state machine without socket and clock.
//!
//! ```text
//!             retry: again with its cookie
//!               +------+
//!               v      |    welcome                leave           the server's goodbye, or 3 tries
//!           Greeting --+-------------> Live --------------> Leaving --------------+
//!               |                       |                                         v
//!               +-----------------------+-----------------------------------> (ended)
//!                  refused, no answer for 10 s, nobody there, the server's goodbye
//! ```

mod receive;
mod transmit;

use std::collections::VecDeque;
use std::time::Instant;

use chat_proto::{Cookie, DirectItem, Hello, LeaveReason, LookBack, MemberFrame, RoomFrame, SessionId};
use thiserror::Error;

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use crate::limits::{ANSWER_TIMEOUT, BYE_TRIES, KEEP_ALIVE};

/// One client's session with a server, without a socket: **feed it what arrives, send what it returns,
/// and call it again when its deadline has passed**.
///
/// The room's frames of [`chat_proto`] come out in order and each once, and the member's
/// frames go in, so that a [`Conversation`](chat_core::client::Conversation) can run on top. When
/// a session has ended, begin another one; the conversation's hello resumes where this one broke.
#[derive(Debug)]
pub struct ClientSession {
    nonce: u64,
    hello: Hello,
    cookie: Option<Cookie>,
    phase: Phase,
    end: Option<SessionEnd>,
    /// For the user.
    frames: VecDeque<RoomFrame>,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Datagrams with entries that are not acknowledged, and when they must be.
    unacked: u32,
    /// Datagrams with entries that arrived in order since one did not.
    in_order: u32,
    ack_at: Option<Instant>,
    /// When to ask whether the server is there, or ask again.
    ping_at: Option<Instant>,
    /// When to ask who is present, or ask again.
    who_at: Option<Instant>,
    /// A question about the past that no item has answered yet.
    question: Option<Asked>,
    /// The server wants the address proven.
    challenge: Option<Cookie>,
    heard: Instant,
    /// When a datagram that needs an answer was sent, if nothing was received since.
    unanswered_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// How often the hello was sent, with this cookie or without, and when to send it again.
    Greeting {
        tries: u32,
        at: Instant,
    },
    Live {
        session: SessionId,
    },
    Leaving {
        session: SessionId,
        tries: u32,
        at: Instant,
    },
    /// The server's goodbye must be answered.
    Dismissed {
        session: SessionId,
    },
    Ended,
}

/// A question about the past.
#[derive(Debug)]
struct Asked {
    number: u64,
    question: LookBack,
    /// When to ask it, or ask again.
    at: Instant,
}

impl Asked {
    fn is_answered_by(&self, frame: &RoomFrame) -> bool {
        let RoomFrame::Direct(direct) = frame else { return false };
        match &direct.item {
            DirectItem::OldMessage { question, .. } | DirectItem::OldEnd { question, .. } => {
                *question == self.number
            }
            _ => false,
        }
    }
}

/// How a session ended.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// By the member's own choice.
    #[error("left")]
    Left,
    /// The server ended it, or refused it.
    #[error("{0}")]
    Dismissed(LeaveReason),
    /// The server's machine says that no server is there.
    #[error("nobody is listening there")]
    Unreachable,
    /// The server speaks another version of the framed protocol.
    #[error("the server speaks another version of the protocol")]
    OtherVersion {
        /// The server's version.
        theirs: u8,
    },
    /// No answer for 10 s.
    #[error("the server does not answer")]
    NoAnswer,
    /// For 10 s only requests to prove the address arrived, and the client answered them.
    #[error("the server asks again and again for a proof of the address, and lets nobody in")]
    NoWelcome,
}

impl ClientSession {
    /// A session that begins with `hello`. The nonce tells its answers from those to others; draw it at
    /// random.
    #[must_use]
    pub fn new(nonce: u64, hello: Hello, now: Instant) -> Self {
        Self {
            nonce,
            hello,
            cookie: None,
            phase: Phase::Greeting { tries: 0, at: now },
            end: None,
            frames: VecDeque::new(),
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            unacked: 0,
            in_order: 0,
            ack_at: None,
            ping_at: None,
            who_at: None,
            question: None,
            challenge: None,
            heard: now,
            unanswered_since: None,
        }
    }

    // ---- the user ------------------------------------------------------------------------------

    /// The next frame from the room: one [`RoomFrame::Welcome`], then the log; [`RoomFrame::Bye`] is the
    /// last.
    pub fn next_frame(&mut self) -> Option<RoomFrame> {
        self.frames.pop_front()
    }

    /// Whether [`send`](Self::send) may be called.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Live { .. }) && !self.outgoing.is_full()
    }

    /// Sends a frame to the room, reliably. Not a hello: that is what the session began with.
    pub fn send(&mut self, frame: MemberFrame, now: Instant) {
        let Phase::Live { session } = self.phase else { return };
        match frame {
            MemberFrame::Say { number, text } => self.outgoing.push(number, text),
            MemberFrame::Who => self.who_at = Some(now),
            MemberFrame::LookBack { number, question } => {
                self.question = Some(Asked { number, question, at: now });
            }
            MemberFrame::Bye => self.phase = Phase::Leaving { session, tries: 0, at: now },
            // Received entries are acknowledged here anyway.
            MemberFrame::Hello(_) | MemberFrame::Got { .. } | MemberFrame::Unknown { .. } => {}
        }
    }

    /// How it has ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<&SessionEnd> {
        self.end.as_ref()
    }

    /// Whether the server has answered at all, if only with a question.
    pub(super) fn is_heard(&self) -> bool {
        self.cookie.is_some() || !matches!(self.phase, Phase::Greeting { .. })
    }

    /// Whether the server has taken everything that was sent.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.outgoing.is_empty()
    }

    fn end_with(&mut self, end: SessionEnd) {
        self.phase = Phase::Ended;
        self.end.get_or_insert(end);
    }

    fn dismissed(&mut self, reason: LeaveReason) {
        self.frames.push_back(RoomFrame::Bye(reason.clone()));
        self.end_with(SessionEnd::Dismissed(reason));
    }

    // ---- time ----------------------------------------------------------------------------------

    /// The latest time to call [`transmit`](Self::transmit).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let given_up = self.unanswered_since.map(|since| since + ANSWER_TIMEOUT);
        match self.phase {
            Phase::Greeting { at, .. } => Some(given_up.map_or(at, |given_up| at.min(given_up))),
            Phase::Live { .. } => {
                let ping = self.ping_at.unwrap_or(self.heard + KEEP_ALIVE);
                let question = self.question.as_ref().map(|asked| asked.at);
                [given_up, self.ack_at, self.who_at, question, self.outgoing.deadline()]
                    .into_iter()
                    .flatten()
                    .chain([ping])
                    .min()
            }
            Phase::Leaving { at, .. } => Some(at),
            Phase::Dismissed { .. } => Some(self.heard),
            Phase::Ended => None,
        }
    }

    /// Does the work that is due.
    fn expire(&mut self, now: Instant) {
        match self.phase {
            Phase::Greeting { .. } | Phase::Live { .. }
                if self.unanswered_since.is_some_and(|since| since + ANSWER_TIMEOUT <= now) =>
            {
                let was_asked = matches!(self.phase, Phase::Greeting { .. }) && self.cookie.is_some();
                self.end_with(if was_asked { SessionEnd::NoWelcome } else { SessionEnd::NoAnswer });
            }
            Phase::Live { .. } => {
                self.outgoing.on_deadline(now);
                if self.ping_at.is_none() && self.heard + KEEP_ALIVE <= now {
                    self.ping_at = Some(now);
                }
            }
            Phase::Leaving { tries, at, .. } if tries >= BYE_TRIES && at <= now => {
                self.end_with(SessionEnd::Left);
            }
            Phase::Greeting { .. } | Phase::Leaving { .. } | Phase::Dismissed { .. } | Phase::Ended => {}
        }
    }
}
