//! One peer's connection: a state machine without a socket.
//!
//! Bytes go in with [`Connection::receive`], bytes come out through the writer given to
//! [`Connection::flush`], and time comes as an argument. The shell in `peer.rs` and `transport.rs` does
//! the system calls; a simulator can do without.
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

use std::io::{self, Write};
use std::time::Instant;

use chat_core::{JoinError, Joined, MemberId, Port, Start};
use chat_proto::limits::QUIET;
use chat_proto::{Habit, LeaveReason, MemberFrame, RoomFrame, VERSION};

use crate::incoming::{Heard, Incoming, Wait};
use crate::limits::{LINGER_TIMEOUT, OPENING_GRACE, OUTBOX_BYTES_MAX, STALL_TIMEOUT, UNFINISHED_TIMEOUT};
use crate::logs::{Format, Logs};
use crate::outgoing::{Flushed, Outgoing, Reading};
use crate::speaker::{SaidLine, Speaker};

/// What a connection works with, besides itself.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) port: &'a Port,
    pub(crate) logs: &'a mut Logs,
    pub(crate) now: Instant,
    /// Bytes that may still be said before the members must be served, or the log would overtake them.
    pub(crate) room_left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
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
    life: Life,
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
        let cursor = cx.logs.open(Format::Lf, cx.port).after(joined.seq);
        Self {
            life: Life::Member,
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
        let cursor = cx.logs.open(Format::Lf, cx.port).head();
        let mut outgoing = Outgoing::new(Reading::Delimited(Format::Lf), cursor);
        outgoing.push_farewell(&LeaveReason::from(why), cx.now);
        Self {
            life: Life::Leaving,
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
        self.life == Life::Done
    }

    /// Whether [`greet`](Self::greet) is to be called.
    pub(crate) fn awaits_greeting(&self) -> bool {
        matches!(self.incoming, Incoming::Greeting(_))
    }

    /// Whether the socket has refused bytes.
    pub(crate) fn is_blocked(&self) -> bool {
        self.outgoing.stalled_since().is_some()
    }

    /// Whether bytes read now would find a taker. If not they stay in the socket, where the peer
    /// feels it.
    pub(crate) fn wants_bytes(&self) -> bool {
        self.backlog.is_empty() && self.takes_bytes()
    }

    fn takes_bytes(&self) -> bool {
        match self.life {
            Life::Member => !self.awaits_greeting() && self.outgoing.outbox_len() <= OUTBOX_BYTES_MAX,
            Life::Paused | Life::Done => false,
            Life::Draining | Life::Leaving | Life::Lingering => true,
        }
    }

    // ---- bytes in ------------------------------------------------------------------------------

    /// Takes in bytes from the peer. After the end they are dropped: they were read only because
    /// closing a socket with unread input would reset the connection.
    pub(crate) fn receive(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        let mut input = bytes;
        let mut progress = false;
        // Answers must not pile up faster than he reads them, nor messages faster than they are passed on.
        while self.life == Life::Member && self.takes_bytes() && cx.room_left > 0 {
            let tail = self.tail(cx);
            let Some(heard) = self.incoming.next(&mut input) else { break };
            progress = true;
            let Some(speaker) = &mut self.speaker else { break };
            match heard {
                Heard::Opened | Heard::Hello => {}
                Heard::Version(version) => self.answer_preface(version, cx),
                Heard::Line(line) => {
                    let pause = hear_line(line, speaker, &mut self.outgoing, tail, cx);
                    self.pause(pause);
                }
                Heard::Frame(frame) => self.receive_frame(frame, cx),
                Heard::Fault(reason) => self.end(reason, cx),
            }
        }
        match self.life {
            Life::Member => {
                self.backlog = input.into();
                self.follow_habit(cx);
                self.set_due(progress, cx.now);
            }
            Life::Paused => self.backlog = input.into(),
            _ => {}
        }
    }

    fn receive_frame(&mut self, frame: MemberFrame, cx: &mut Context<'_>) {
        let Some(speaker) = &mut self.speaker else { return };
        match frame {
            MemberFrame::Say(text) => {
                let pause = speaker.say(text, cx);
                self.pause(pause);
            }
            MemberFrame::Who => self.outgoing.push_frame(&RoomFrame::Present(cx.port.room().present())),
            MemberFrame::Bye => self.end(LeaveReason::Quit, cx),
            MemberFrame::Hello(_) => self.end(LeaveReason::Protocol, cx),
        }
    }

    fn answer_preface(&mut self, version: u8, cx: &mut Context<'_>) {
        self.outgoing.push_preface(); // tells him our version, too
        self.outgoing.read_as(Reading::Delimited(Format::Framed), cx);
        if version != VERSION {
            self.end(LeaveReason::Protocol, cx);
        }
    }

    /// Answers the hello that was received, and goes on with what came after it. The logs must have
    /// been pulled since: what the peer says he has already must be in them.
    pub(crate) fn greet(&mut self, cx: &mut Context<'_>) {
        let Some(member) = self.member() else { return };
        let Some(hello) = self.incoming.take_hello() else { return };
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
        self.receive_backlog(cx);
    }

    /// Whether bytes were received that can be taken now.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty() && self.takes_bytes()
    }

    /// Goes on with the bytes that were received and not taken.
    pub(crate) fn receive_backlog(&mut self, cx: &mut Context<'_>) {
        self.due = None;
        let backlog = std::mem::take(&mut self.backlog);
        self.receive(&backlog, cx);
    }

    fn pause(&mut self, until: Option<Instant>) {
        if until.is_some() {
            self.life = Life::Paused;
            self.due = until;
        }
    }

    /// Writes to a plain peer as he writes to us: lines that end as his do, or chunks.
    fn follow_habit(&mut self, cx: &mut Context<'_>) {
        if let Some(refusals) = self.incoming.take_reply() {
            self.outgoing.push_bytes(&refusals);
        }
        let reading = match self.incoming.habit() {
            Some(Habit::Lf) => Reading::Delimited(Format::Lf),
            Some(Habit::CrLf) => Reading::Delimited(Format::CrLf),
            Some(Habit::Chunk) => Reading::Chunks,
            None => return,
        };
        self.outgoing.read_as(reading, cx);
    }

    fn set_due(&mut self, progress: bool, now: Instant) {
        match self.incoming.wait() {
            Wait::Nothing => self.due = None,
            Wait::Opening => {}
            Wait::Silence => self.due = Some(now + QUIET),
            // The time for an unfinished frame runs on, however many bytes of it drip in.
            Wait::Rest if self.due.is_some() && !progress => {}
            Wait::Rest => self.due = Some(now + UNFINISHED_TIMEOUT),
        }
    }

    /// The peer has shut down his side. A plain peer stays as a listener. Whether he is still there
    /// to listen only shows when something is written to him, so he is told.
    pub(crate) fn end_of_input(&mut self, cx: &mut Context<'_>) {
        if std::mem::replace(&mut self.peer_ended, true) {
            return; // each later event of his socket says so again
        }
        if self.life == Life::Lingering {
            self.life = Life::Done;
        }
        if self.life != Life::Member {
            return;
        }
        if let Err(reason) = self.hear_last_line(cx) {
            return self.lose(reason, cx);
        }
        self.due = None;
        self.outgoing.push_notice("You ended your side; you still hear the room", cx.now);
    }

    fn hear_last_line(&mut self, cx: &mut Context<'_>) -> Result<(), LeaveReason> {
        let tail = self.tail(cx);
        if let (Some(line), Some(speaker)) = (self.incoming.finish()?, &mut self.speaker) {
            hear_line(&line, speaker, &mut self.outgoing, tail, cx);
        }
        Ok(())
    }

    fn tail(&self, cx: &Context<'_>) -> u64 {
        cx.logs.get(self.outgoing.format()).tail_seq()
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
            let listener = match self.life {
                Life::Member | Life::Paused | Life::Draining => {
                    self.speaker.as_mut().filter(|_| self.incoming.is_decided())
                }
                Life::Leaving => None,
                Life::Lingering | Life::Done => return Ok(false),
            };
            match (self.outgoing.flush(listener, cx, socket), self.life) {
                (Ok(Flushed::Lagged), _) => self.end(LeaveReason::Lagged, cx),
                (Ok(Flushed::All), Life::Draining) => self.end(LeaveReason::Stopping, cx),
                (Ok(Flushed::All), Life::Leaving) => {
                    self.life = if self.peer_ended { Life::Done } else { Life::Lingering };
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
        let timeout = if self.life == Life::Leaving { LINGER_TIMEOUT } else { STALL_TIMEOUT };
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
        match self.life {
            Life::Member if self.incoming.wait() == Wait::Rest => self.end(LeaveReason::Unfinished, cx),
            Life::Member => {
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
                self.follow_habit(cx);
            }
            Life::Paused => {
                self.life = Life::Member;
                self.receive_backlog(cx);
            }
            Life::Draining | Life::Leaving | Life::Lingering | Life::Done => self.life = Life::Done,
        }
    }

    // ---- the end -------------------------------------------------------------------------------

    /// The room is closing: nothing more is heard from him, and he leaves once he has what he is owed.
    pub(crate) fn drain(&mut self, cx: &mut Context<'_>) {
        if !matches!(self.life, Life::Member | Life::Paused) {
            return;
        }
        if self.incoming.is_framed() && !self.incoming.is_decided() {
            return self.end(LeaveReason::Stopping, cx);
        }
        self.stop_listening();
        self.life = Life::Draining;
    }

    fn stop_listening(&mut self) {
        self.incoming = Incoming::Ended;
        self.backlog = Box::default();
        self.due = None;
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
        if !matches!(self.life, Life::Member | Life::Paused | Life::Draining) {
            return;
        }
        // Who is drained as a plain member has read the room's farewell in the log.
        if self.life != Life::Draining || self.outgoing.format() == Format::Framed {
            self.outgoing.push_farewell(reason, now);
        }
        self.speaker = None;
        self.stop_listening();
        self.life = Life::Leaving;
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
    fn lose(&mut self, reason: LeaveReason, cx: &mut Context<'_>) {
        if let Some(speaker) = self.speaker.take() {
            cx.port.leave(speaker.member(), reason, cx.now);
        }
        self.stop_listening();
        self.life = Life::Done;
    }
}

/// What a plain member wrote: a message, or the one question that he can ask. Returns until when nothing
/// more is to be taken from him, if he is over his rate.
fn hear_line(
    line: &[u8],
    speaker: &mut Speaker,
    outgoing: &mut Outgoing,
    tail: u64,
    cx: &mut Context<'_>,
) -> Option<Instant> {
    if line == b"/who" {
        outgoing.push_notice(&cx.port.room().present().to_string(), cx.now);
        return None;
    }
    let SaidLine { pause_until, refused } = speaker.say_line(line, tail, cx);
    if let Some(why) = refused {
        outgoing.push_notice(why.as_str(), cx.now);
    }
    pause_until
}

#[cfg(test)]
mod tests;
