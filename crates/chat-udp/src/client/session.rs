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

use std::collections::VecDeque;
use std::time::Instant;

use chat_proto::{
    Cookie, DatagramError, DirectItem, Hello, LeaveReason, LookBack, MemberDatagram, MemberFrame,
    RoomDatagram, RoomFrame, SessionId, Traffic, Welcome,
};
use thiserror::Error;

use super::incoming::{Arrival, Incoming, Skip};
use super::says::Says;
use crate::limits::{
    ACK_DELAY, ACK_EVERY, ACK_EVERY_STEADY, ANSWER_TIMEOUT, BYE_TRIES, FRAMES_MAX, HELLO_INTERVAL,
    KEEP_ALIVE, STEADY_AFTER,
};

/// One client's session with a server, without a socket: **feed it what arrives, send what it returns,
/// and call it again when its deadline has passed**.
///
/// The room's frames of [`chat_proto`] come out in order and each once, and the member's
/// frames go in, so that a [`Conversation`](chat_core::Conversation) can run on top. When
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
    says: Says,
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
            says: Says::default(),
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
        matches!(self.phase, Phase::Live { .. }) && !self.says.is_full()
    }

    /// Sends a frame to the room, reliably. Not a hello: that is what the session began with.
    pub fn send(&mut self, frame: MemberFrame, now: Instant) {
        let Phase::Live { session } = self.phase else { return };
        match frame {
            MemberFrame::Say { number, text } => self.says.push(number, text),
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
        self.says.is_empty()
    }

    fn end_with(&mut self, end: SessionEnd) {
        self.phase = Phase::Ended;
        self.end.get_or_insert(end);
    }

    fn dismissed(&mut self, reason: LeaveReason) {
        self.frames.push_back(RoomFrame::Bye(reason.clone()));
        self.end_with(SessionEnd::Dismissed(reason));
    }

    // ---- datagrams in --------------------------------------------------------------------------

    /// The system says that nobody listens at the server's address.
    pub fn refused(&mut self) {
        if !matches!(self.phase, Phase::Ended | Phase::Dismissed { .. }) {
            let left = matches!(self.phase, Phase::Leaving { .. });
            self.end_with(if left { SessionEnd::Left } else { SessionEnd::Unreachable });
        }
    }

    /// Processes a datagram from the server's address. An invalid one is ignored.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        let datagram = match RoomDatagram::decode(bytes) {
            Ok(datagram) => datagram,
            Err(error) => return self.receive_unknown(error),
        };
        match self.phase {
            Phase::Greeting { .. } => self.receive_answer(datagram, now),
            Phase::Live { session } => self.receive_live(datagram, session, now),
            Phase::Leaving { session, .. } => match datagram {
                RoomDatagram::Bye { session: id, .. } if id == session => self.end_with(SessionEnd::Left),
                _ => {}
            },
            Phase::Dismissed { .. } | Phase::Ended => {}
        }
    }

    fn receive_unknown(&mut self, error: DatagramError) {
        match (error, self.phase) {
            (DatagramError::Version { version: theirs, nonce }, Phase::Greeting { .. })
                if nonce == Some(self.nonce) =>
            {
                self.end_with(SessionEnd::OtherVersion { theirs });
            }
            (DatagramError::Unknown { kind }, Phase::Live { .. }) if self.frames.len() < FRAMES_MAX => {
                self.frames.push_back(RoomFrame::Unknown { kind });
            }
            _ => {}
        }
    }

    fn receive_answer(&mut self, datagram: RoomDatagram<'_>, now: Instant) {
        match datagram {
            // Every hello without the cookie has its retry; only a new one is of use.
            RoomDatagram::Retry { nonce, cookie } if nonce == self.nonce && self.cookie != Some(cookie) => {
                self.measure_hello(now);
                // The first one is answered at once. A server that sends one after the other, or two servers
                // behind one address that do not know each other's cookies, get a hello per second, and only as
                // long as one that is silent: this does not count as heard.
                if self.cookie.replace(cookie).is_none() {
                    self.phase = Phase::Greeting { tries: 0, at: now };
                }
            }
            RoomDatagram::Welcome { nonce, session, slot, seq, welcome } if nonce == self.nonce => {
                self.measure_hello(now);
                self.heard(now);
                self.welcomed(session, slot, seq, welcome, now);
            }
            RoomDatagram::Refused { nonce, reason } if nonce == self.nonce => self.dismissed(reason),
            _ => {}
        }
    }

    fn welcomed(&mut self, session: SessionId, slot: u64, seq: u64, welcome: Box<Welcome>, now: Instant) {
        self.phase = Phase::Live { session };
        let direct = self.hello.resume.filter(|_| welcome.resumed).map_or(0, |resume| resume.direct);
        self.incoming = Incoming::new(slot, seq, direct);
        self.frames.push_back(RoomFrame::Welcome(welcome));
        // The server begins once it knows that the welcome has arrived; its answer shows that it knows.
        self.ping_at = Some(now);
    }

    fn receive_live(&mut self, datagram: RoomDatagram<'_>, session: SessionId, now: Instant) {
        match datagram {
            RoomDatagram::Entries { session: id, taken, slot, entries } if id == session => {
                self.heard(now);
                self.said(taken, now);
                self.entries(slot, entries, now);
            }
            RoomDatagram::Lagged { session: id, taken, slot, seq, head, entries } if id == session => {
                self.heard(now);
                self.said(taken, now);
                self.incoming.skip(Skip { slot, seq, taken, head }, &mut self.frames);
                self.entries(slot, entries, now);
                self.ack_at = Some(now);
            }
            RoomDatagram::Direct { session: id, after, items } if id == session => {
                self.heard(now);
                let before = self.frames.len();
                self.incoming.items(after, items, &mut self.frames);
                let is_answered = |asked: &mut Asked| {
                    self.frames.iter().skip(before).any(|frame| asked.is_answered_by(frame))
                };
                self.question.take_if(is_answered);
                self.ack_at = Some(now);
            }
            RoomDatagram::Present { session: id, present } if id == session => {
                self.heard(now);
                if self.who_at.take().is_some() {
                    self.frames.push_back(RoomFrame::Present(present));
                }
            }
            RoomDatagram::Bye { session: id, reason } if id == session => {
                self.dismissed(reason);
                self.phase = Phase::Dismissed { session };
            }
            // No session in it: that this address proves itself harms nobody.
            RoomDatagram::Challenge { cookie } => self.challenge = Some(cookie),
            // The server does not know yet that the welcome arrived; the next ping will tell it.
            _ => {}
        }
    }

    fn said(&mut self, said: u64, now: Instant) {
        self.says.said(said, now);
        if self.says.is_empty() {
            self.says.rtt().answered();
        }
    }

    fn entries(&mut self, slot: u64, entries: &[u8], now: Instant) {
        match self.incoming.entries(slot, entries, &mut self.frames) {
            Arrival::Nothing => return,
            Arrival::OutOfOrder => {
                self.in_order = 0;
                self.ack_at = Some(now);
            }
            Arrival::InOrder => self.in_order = self.in_order.saturating_add(1),
        }
        self.unacked += 1;
        let every = if self.in_order >= STEADY_AFTER { ACK_EVERY_STEADY } else { ACK_EVERY };
        let soon = if self.unacked >= every { now } else { now + ACK_DELAY };
        self.ack_at = Some(self.ack_at.map_or(soon, |at| at.min(soon)));
    }

    fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.unanswered_since = None;
        self.ping_at = None;
    }

    /// The answer to a hello arrived; if the hello was sent once, this measures the path.
    fn measure_hello(&mut self, now: Instant) {
        if let Phase::Greeting { tries: 1, at } = self.phase {
            let sent_at = at - HELLO_INTERVAL;
            self.says.rtt().measure(now.saturating_duration_since(sent_at));
        }
    }

    // ---- datagrams out -------------------------------------------------------------------------

    /// Writes the next datagram into `out`, whose content is replaced; false if there is none for now.
    ///
    /// Call it, until it has none, after [`receive`](Self::receive), after [`send`](Self::send), and when
    /// [`deadline`](Self::deadline) has come.
    pub fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> bool {
        out.clear();
        self.expire(now);
        match self.phase {
            Phase::Greeting { tries, at } => {
                if at <= now {
                    self.phase = Phase::Greeting { tries: tries + 1, at: now + HELLO_INTERVAL };
                    self.expects_answer(now);
                    let (nonce, cookie, hello) = (self.nonce, self.cookie, self.hello.clone());
                    MemberDatagram::Hello { nonce, cookie, hello }.encode(out);
                }
            }
            Phase::Live { session } => self.transmit_live(session, out, now),
            Phase::Leaving { session, tries, at } => {
                if at <= now {
                    let next = now + self.says.rtt().timeout();
                    self.says.rtt().back_off();
                    self.phase = Phase::Leaving { session, tries: tries + 1, at: next };
                    MemberDatagram::Bye { session }.encode(out);
                }
            }
            Phase::Dismissed { session } => {
                self.phase = Phase::Ended;
                MemberDatagram::Bye { session }.encode(out);
            }
            Phase::Ended => {}
        }
        !out.is_empty()
    }

    fn transmit_live(&mut self, session: SessionId, out: &mut Vec<u8>, now: Instant) {
        if let Some(cookie) = self.challenge.take() {
            return MemberDatagram::Path { session, cookie }.encode(out);
        }
        if self.who_at.is_some_and(|at| at <= now) {
            self.who_at = Some(now + self.wait_longer());
            self.expects_answer(now);
            return MemberDatagram::Who { session }.encode(out);
        }
        if self.question.as_ref().is_some_and(|asked| asked.at <= now) {
            let again_at = now + self.wait_longer();
            self.expects_answer(now);
            if let Some(Asked { number, question, at }) = &mut self.question {
                *at = again_at;
                let (number, question) = (*number, question.clone());
                return MemberDatagram::LookBack { session, number, question }.encode(out);
            }
        }
        let (first, says) = self.says.next(now);
        let ping = self.ping_at.is_some_and(|at| at <= now);
        if says.is_empty() && !ping && self.ack_at.is_none_or(|at| at > now) {
            return;
        }
        if ping {
            self.ping_at = Some(now + self.wait_longer());
        }
        if ping || !says.is_empty() {
            self.expects_answer(now);
        }
        (self.unacked, self.ack_at) = (0, None);
        let (direct, settled) = (self.incoming.direct(), self.says.settled());
        let traffic = Traffic { ping, ack: self.incoming.ack(), direct, settled, first, says };
        MemberDatagram::Traffic { session, traffic }.encode(out);
    }

    /// How long to wait for an answer; the next time longer.
    fn wait_longer(&mut self) -> std::time::Duration {
        let wait = self.says.rtt().timeout();
        self.says.rtt().back_off();
        wait
    }

    fn expects_answer(&mut self, now: Instant) {
        self.unanswered_since.get_or_insert(now);
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
                [given_up, self.ack_at, self.who_at, question, self.says.deadline()]
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
                self.says.on_deadline(now);
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
