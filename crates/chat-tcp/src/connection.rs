//! One peer's connection: a state machine without a socket.
//!
//! Bytes go in with [`Connection::receive`], bytes come out through the writer given to
//! [`Connection::flush`], and time comes as an argument. The shell in `transport.rs` does the system
//! calls; a simulator can do without.
//!
//! ```text
//!             first byte
//!   Opening -------------> Preface --> Framed --+
//!      |  \                                     |  end    flushed         peer's end of input,
//!      |   +-----------------> Plain -----------+---> Leaving ---> Lingering ---> Done
//!      |   200 ms of silence    ^               |                   or 1 s later
//!      +------------------------+               +---> Done (lost, or not worth a word)
//! ```

use std::io::{self, Write};
use std::time::Instant;

use chat_core::{JoinError, Joined, MemberId, Port, Start};
use chat_proto::limits::QUIET;
use chat_proto::{
    FrameDecoder, Habit, Hello, LeaveReason, MemberFrame, PlainSplitter, PrefaceDecoder, RoomFrame, VERSION,
};

use crate::limits::{LINGER_TIMEOUT, OPENING_GRACE, OUTBOX_BYTES_MAX, STALL_TIMEOUT, UNFINISHED_TIMEOUT};
use crate::logs::{Format, Logs};
use crate::opening::{Opening, is_http_request};
use crate::outgoing::{Flushed, Outgoing, Reading};
use crate::speaker::Speaker;

/// What a connection works with, besides itself.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) port: &'a Port,
    pub(crate) logs: &'a mut Logs,
    pub(crate) now: Instant,
}

/// The receiving half, by what the peer turned out to speak.
#[derive(Debug)]
enum Incoming {
    /// Not a byte yet.
    Opening,
    Preface(PrefaceDecoder),
    /// The preface was right; the hello must follow.
    Hello(FrameDecoder),
    /// The hello came, and the shell must pull the logs before [`Connection::greet`] answers it.
    Greeting(FrameDecoder, Hello),
    Framed(FrameDecoder),
    Plain {
        splitter: PlainSplitter,
        spoke: bool,
    },
    /// The peer has shut down his side, or nothing he sends is of interest any more.
    Ended,
}

impl Incoming {
    /// Whether it is known how the peer wants the log.
    fn is_decided(&self) -> bool {
        matches!(self, Self::Framed(_) | Self::Plain { .. } | Self::Ended)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// A member.
    Member,
    /// A member still, who is not listened to any more: he gets what he is owed, then leaves.
    Draining,
    /// Not a member; his last words are in the outbox.
    Leaving,
    /// All is written and our side is shut down: waits for the peer to shut down his.
    Lingering {
        until: Instant,
    },
    Done,
}

/// A peer's connection to the room.
#[derive(Debug)]
pub(crate) struct Connection {
    life: Life,
    /// Never was a member.
    refused: bool,
    /// The peer has shut down his side.
    peer_ended: bool,
    /// None for who has left or was refused.
    speaker: Option<Speaker>,
    incoming: Incoming,
    /// Bytes received while he has to wait: at most what one read returns.
    backlog: Vec<u8>,
    /// When something is due of what was received.
    incoming_deadline: Option<Instant>,
    outgoing: Outgoing,
}

impl Connection {
    /// The connection of a peer who has joined. The logs must have been pulled since.
    pub(crate) fn new(joined: Joined, cx: &mut Context<'_>) -> Self {
        let cursor = cx.logs.open(Format::Lf, cx.port).after(joined.seq);
        Self {
            life: Life::Member,
            refused: false,
            peer_ended: false,
            speaker: Some(Speaker::new(joined.member)),
            incoming: Incoming::Opening,
            backlog: Vec::new(),
            incoming_deadline: Some(cx.now + OPENING_GRACE),
            outgoing: Outgoing::new(Reading::Delimited(Format::Lf), cursor),
        }
    }

    /// The connection of a peer who may not join. He is told why in a plain line, since what he
    /// speaks is not known yet.
    pub(crate) fn refused(why: JoinError, cx: &mut Context<'_>) -> Self {
        let cursor = cx.logs.open(Format::Lf, cx.port).head();
        let mut outgoing = Outgoing::new(Reading::Delimited(Format::Lf), cursor);
        outgoing.push_farewell(&LeaveReason::from(why), cx.now);
        Self {
            life: Life::Leaving,
            refused: true,
            peer_ended: false,
            speaker: None,
            incoming: Incoming::Ended,
            backlog: Vec::new(),
            incoming_deadline: None,
            outgoing,
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
        self.life == Life::Done
    }

    /// Whether [`greet`](Self::greet) is to be called.
    pub(crate) fn awaits_greeting(&self) -> bool {
        matches!(self.incoming, Incoming::Greeting(..)) && self.life == Life::Member
    }

    /// Whether the socket has refused bytes.
    pub(crate) fn is_blocked(&self) -> bool {
        self.outgoing.stalled_since().is_some()
    }

    /// Whether bytes read now would find a taker. If not they stay in the socket, where the peer
    /// feels it.
    pub(crate) fn wants_bytes(&self) -> bool {
        match self.life {
            Life::Member => self.pause().is_none() && !self.awaits_greeting() && self.outgoing.outbox_len() <= OUTBOX_BYTES_MAX,
            Life::Draining | Life::Leaving | Life::Lingering { .. } => true,
            Life::Done => false,
        }
    }

    fn pause(&self) -> Option<Instant> {
        self.speaker.as_ref().and_then(|speaker| speaker.pause_until)
    }

    // ---- bytes in ------------------------------------------------------------------------------

    /// Takes in bytes from the peer. After the end they are dropped: they were read only because
    /// closing a socket with unread input would reset the connection.
    pub(crate) fn receive(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        let mut input = bytes;
        let mut frame_came = false;
        while self.life == Life::Member && self.pause().is_none() && !input.is_empty() {
            match &mut self.incoming {
                Incoming::Opening => self.open(input[0], cx),
                Incoming::Preface(preface) => match preface.next(&mut input) {
                    Ok(None) => {}
                    Ok(Some(version)) => self.answer_preface(version, cx),
                    Err(_) => self.end(LeaveReason::NotChat, cx),
                },
                Incoming::Hello(decoder) | Incoming::Framed(decoder) => match decoder.next(&mut input) {
                    Ok(None) => {}
                    Ok(Some(frame)) => {
                        frame_came = true;
                        self.receive_frame(frame, cx);
                    }
                    Err(_) => self.end(LeaveReason::Protocol, cx),
                },
                Incoming::Plain { .. } => self.receive_line(&mut input, cx),
                Incoming::Greeting(..) => break,
                Incoming::Ended => return,
            }
        }
        if self.life == Life::Member {
            self.backlog = input.to_vec();
            self.set_incoming_deadline(frame_came, cx.now);
        }
    }

    fn open(&mut self, first: u8, cx: &mut Context<'_>) {
        match Opening::of(first) {
            Opening::Framed => {
                self.incoming = Incoming::Preface(PrefaceDecoder::new());
                self.incoming_deadline = Some(cx.now + UNFINISHED_TIMEOUT);
            }
            Opening::Plain => self.incoming = Incoming::Plain { splitter: PlainSplitter::new(), spoke: false },
            Opening::Tls => self.end(LeaveReason::NotChat, cx),
        }
    }

    fn answer_preface(&mut self, version: u8, cx: &mut Context<'_>) {
        self.outgoing.push_preface(); // tells him our version, too
        self.outgoing.read_as(Reading::Delimited(Format::Framed), cx);
        if version == VERSION {
            self.incoming = Incoming::Hello(FrameDecoder::new());
        } else {
            self.end(LeaveReason::Protocol, cx);
        }
    }

    fn receive_frame(&mut self, frame: MemberFrame, cx: &mut Context<'_>) {
        let Some(speaker) = &mut self.speaker else { return };
        match (frame, &mut self.incoming) {
            (MemberFrame::Hello(hello), Incoming::Hello(decoder)) => {
                self.incoming = Incoming::Greeting(std::mem::take(decoder), hello);
            }
            (MemberFrame::Say(text), Incoming::Framed(_)) => speaker.say(text, cx),
            (MemberFrame::Who, Incoming::Framed(_)) => {
                self.outgoing.push_frame(&RoomFrame::Present(cx.port.room().present()));
            }
            (MemberFrame::Bye, Incoming::Framed(_)) => self.end(LeaveReason::Quit, cx),
            _ => self.end(LeaveReason::Protocol, cx),
        }
    }

    /// Answers the hello that was received, and goes on with what came after it. The logs must have
    /// been pulled since: what the peer says he has already must be in them.
    pub(crate) fn greet(&mut self, cx: &mut Context<'_>) {
        let Some(member) = self.member() else { return };
        let (decoder, hello) = match std::mem::replace(&mut self.incoming, Incoming::Ended) {
            Incoming::Greeting(decoder, hello) => (decoder, hello),
            other => return self.incoming = other,
        };
        self.incoming = Incoming::Framed(decoder);
        let Some((welcome, start)) = cx.port.welcome(member, &hello, cx.now) else { return };
        self.outgoing.push_frame(&RoomFrame::Welcome(welcome));
        let log = cx.logs.get(Format::Framed);
        let have = match start {
            Start::After(seq) => seq,
            Start::History(messages) => {
                let before = log.seq().saturating_sub(u64::from(messages)).max(log.tail_seq());
                before.min(self.outgoing.seq())
            }
        };
        self.outgoing.start_at(log.after(have));
        let backlog = std::mem::take(&mut self.backlog);
        self.incoming_deadline = None;
        self.receive(&backlog, cx);
    }

    /// Takes a line from `input`, or all of it if it does not hold a whole line.
    fn receive_line(&mut self, input: &mut &[u8], cx: &mut Context<'_>) {
        let tail = self.tail(cx);
        let Incoming::Plain { splitter, spoke } = &mut self.incoming else { return };
        let Some(speaker) = &mut self.speaker else { return };
        match splitter.next(input) {
            Ok(None) => {}
            Ok(Some(line)) if !std::mem::replace(spoke, true) && is_http_request(line) => {
                return self.end(LeaveReason::NotChat, cx);
            }
            Ok(Some(line)) => speaker.say_line(line, tail, cx),
            Err(_) => return self.end(LeaveReason::LineTooLong, cx),
        }
        if let Some(refusals) = splitter.take_reply() {
            self.outgoing.push_bytes(&refusals);
        }
        self.follow_habit(cx);
    }

    /// Reads like what a plain peer writes: lines that end as his do, or chunks.
    fn follow_habit(&mut self, cx: &mut Context<'_>) {
        let Incoming::Plain { splitter, .. } = &self.incoming else { return };
        match (splitter.habit(), self.outgoing.reading()) {
            (Some(Habit::CrLf), Reading::Delimited(Format::Lf)) => {
                self.outgoing.read_as(Reading::Delimited(Format::CrLf), cx);
            }
            (Some(Habit::Chunk), Reading::Delimited(_)) => {
                self.outgoing.read_as(Reading::Chunks { unbroken_since: None }, cx);
            }
            _ => {}
        }
    }

    fn set_incoming_deadline(&mut self, frame_came: bool, now: Instant) {
        self.incoming_deadline = match &self.incoming {
            Incoming::Opening => self.incoming_deadline,
            Incoming::Plain { splitter, .. } => {
                let is_line_peer = matches!(splitter.habit(), Some(Habit::Lf | Habit::CrLf));
                (splitter.is_unfinished() && !is_line_peer).then(|| now + QUIET)
            }
            // The time of an unfinished frame runs on, however many bytes of it drip in.
            Incoming::Preface(_) | Incoming::Hello(_) => self.incoming_deadline,
            Incoming::Framed(decoder) if decoder.is_unfinished() => {
                let begun = self.incoming_deadline.filter(|_| !frame_came);
                Some(begun.unwrap_or(now + UNFINISHED_TIMEOUT))
            }
            Incoming::Greeting(..) | Incoming::Framed(_) | Incoming::Ended => None,
        };
    }

    /// The peer has shut down his side. A plain peer stays as a listener. Whether he is still there
    /// to listen only shows when something is written to him, so he is told.
    pub(crate) fn end_of_input(&mut self, cx: &mut Context<'_>) {
        self.peer_ended = true;
        match self.life {
            Life::Member => {}
            Life::Lingering { .. } => return self.life = Life::Done,
            Life::Draining | Life::Leaving | Life::Done => return,
        }
        let tail = self.tail(cx);
        match std::mem::replace(&mut self.incoming, Incoming::Ended) {
            Incoming::Opening | Incoming::Ended => {}
            Incoming::Plain { mut splitter, .. } => {
                if let (Some(line), Some(speaker)) = (splitter.finish(), &mut self.speaker) {
                    speaker.say_line(&line, tail, cx);
                }
            }
            Incoming::Preface(_) | Incoming::Hello(_) | Incoming::Greeting(..) | Incoming::Framed(_) => {
                return self.lose(LeaveReason::Lost, cx);
            }
        }
        self.incoming_deadline = None;
        self.outgoing.push_notice("You ended your side; you still hear the room", cx.now);
    }

    fn tail(&self, cx: &Context<'_>) -> u64 {
        cx.logs.get(self.outgoing.reading().format()).tail_seq()
    }

    // ---- bytes out -----------------------------------------------------------------------------

    /// Writes what the peer is owed as far as `socket` takes it. True if our side is to be shut down
    /// now.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, socket: &mut impl Write) -> bool {
        loop {
            let listener = match self.life {
                Life::Member | Life::Draining => self.speaker.as_mut().filter(|_| self.incoming.is_decided()),
                Life::Leaving => None,
                Life::Lingering { .. } | Life::Done => return false,
            };
            match (self.outgoing.flush(listener, cx, socket), self.life) {
                (Ok(Flushed::Lagged), _) => self.end(LeaveReason::Lagged, cx),
                (Ok(Flushed::All), Life::Draining) => self.end(LeaveReason::Stopping, cx),
                (Ok(Flushed::All), Life::Leaving) => {
                    let until = cx.now + LINGER_TIMEOUT;
                    self.life = if self.peer_ended { Life::Done } else { Life::Lingering { until } };
                    return true;
                }
                (Ok(Flushed::All | Flushed::Blocked), _) => return false,
                (Err(error), _) => return self.fail(&error, cx),
            }
        }
    }

    // ---- time ----------------------------------------------------------------------------------

    /// When [`on_deadline`](Self::on_deadline) is to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let stalled = self.outgoing.stalled_since();
        match self.life {
            Life::Member => {
                let incoming = self.pause().or(self.incoming_deadline);
                incoming.into_iter().chain(stalled.map(|since| since + STALL_TIMEOUT)).min()
            }
            Life::Draining => stalled.map(|since| since + STALL_TIMEOUT),
            Life::Leaving => stalled.map(|since| since + LINGER_TIMEOUT),
            Life::Lingering { until } => Some(until),
            Life::Done => None,
        }
    }

    /// Does what is due at `cx.now`.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        if self.deadline().is_none_or(|deadline| deadline > cx.now) {
            return;
        }
        let is_stalled = self.outgoing.stalled_since().is_some_and(|since| since + STALL_TIMEOUT <= cx.now);
        match self.life {
            Life::Member | Life::Draining if is_stalled => self.lose(LeaveReason::TooSlow, cx),
            Life::Member if self.pause().is_some() => {
                if let Some(speaker) = &mut self.speaker {
                    speaker.pause_until = None;
                }
                let backlog = std::mem::take(&mut self.backlog);
                self.receive(&backlog, cx);
            }
            Life::Member => self.on_incoming_deadline(cx),
            Life::Leaving | Life::Lingering { .. } => self.life = Life::Done,
            Life::Draining | Life::Done => {}
        }
    }

    fn on_incoming_deadline(&mut self, cx: &mut Context<'_>) {
        self.incoming_deadline = None;
        let tail = self.tail(cx);
        match &mut self.incoming {
            Incoming::Opening => {
                self.incoming = Incoming::Plain { splitter: PlainSplitter::new(), spoke: false };
            }
            Incoming::Plain { splitter, .. } => {
                if let (Some(chunk), Some(speaker)) = (splitter.quiet(), &mut self.speaker) {
                    speaker.say_line(&chunk, tail, cx);
                }
                self.follow_habit(cx);
            }
            Incoming::Preface(_) | Incoming::Hello(_) | Incoming::Framed(_) => self.end(LeaveReason::Unfinished, cx),
            Incoming::Greeting(..) | Incoming::Ended => {}
        }
    }

    // ---- the end -------------------------------------------------------------------------------

    /// The room is closing: nothing more is heard from him, and he leaves once he has what he is owed.
    pub(crate) fn drain(&mut self, cx: &mut Context<'_>) {
        if self.life != Life::Member {
            return;
        }
        if matches!(self.incoming, Incoming::Hello(_) | Incoming::Greeting(..)) {
            return self.end(LeaveReason::Stopping, cx);
        }
        self.incoming = Incoming::Ended;
        self.backlog = Vec::new();
        self.life = Life::Draining;
    }

    /// The membership ends, and the peer is told why.
    fn end(&mut self, reason: LeaveReason, cx: &mut Context<'_>) {
        if reason == LeaveReason::NotChat {
            return self.lose(reason, cx); // a web page or a scanner: not a word
        }
        if let Some(member) = self.member() {
            cx.port.leave(member, reason.clone(), cx.now);
        }
        self.dismiss(&reason, cx.now);
    }

    /// The room has ended the membership: the peer is told why.
    pub(crate) fn dismiss(&mut self, reason: &LeaveReason, now: Instant) {
        if matches!(self.life, Life::Member | Life::Draining) {
            self.speaker = None;
            self.incoming = Incoming::Ended;
            self.backlog = Vec::new();
            // Who is drained as a plain member has read the room's farewell in the log.
            if self.life == Life::Member || self.outgoing.reading().format() == Format::Framed {
                self.outgoing.push_farewell(reason, now);
            }
            self.life = Life::Leaving;
        }
    }

    /// The socket has failed, or the peer is known to be gone. Who had shut down his side before has
    /// left of his own accord.
    pub(crate) fn fail(&mut self, error: &io::Error, cx: &mut Context<'_>) -> bool {
        tracing::debug!(member = ?self.member(), %error, "connection failed");
        let reason = if self.peer_ended { LeaveReason::Quit } else { LeaveReason::Lost };
        self.lose(reason, cx);
        false
    }

    /// The connection ends without another word.
    fn lose(&mut self, reason: LeaveReason, cx: &mut Context<'_>) {
        if let Some(speaker) = self.speaker.take() {
            cx.port.leave(speaker.member(), reason, cx.now);
        }
        self.life = Life::Done;
    }
}
