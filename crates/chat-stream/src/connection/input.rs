//! A connection's bytes in: what the peer says, and when the rest of it is due.

use std::time::Instant;

use chat_core::Start;
use chat_proto::limits::QUIET;
use chat_proto::{LeaveReason, LineEnding, MemberFrame, RoomFrame, VERSION};

use super::{Connection, Phase};
use crate::context::Context;
use crate::incoming::{Heard, Wait};
use crate::limits::UNFINISHED_TIMEOUT;
use crate::logs::Format;
use crate::outgoing::{Outgoing, Reading};
use crate::speaker::{SaidLine, Speaker};

impl Connection {
    /// Takes in bytes from the peer. After the end they are dropped: they were read only because
    /// closing a socket with unread input would reset the connection.
    pub(crate) fn receive(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        let mut input = bytes;
        let mut progress = false;
        // Answers must not pile up faster than he reads them, nor messages faster than they are passed on.
        while self.phase == Phase::Member && self.takes_bytes() && cx.room_left > 0 {
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
        match self.phase {
            Phase::Member => {
                self.backlog = input.into();
                self.follow_line_ending(cx);
                self.set_due(progress, cx.now);
            }
            Phase::Paused => self.backlog = input.into(),
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
            MemberFrame::Who => self.outgoing.push_frame(&RoomFrame::Present(cx.attachment.room().present())),
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
        let Some((welcome, start)) = cx.attachment.welcome(member, &hello, cx.now) else { return };
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

    pub(super) fn pause(&mut self, until: Option<Instant>) {
        if until.is_some() {
            self.phase = Phase::Paused;
            self.due = until;
        }
    }

    /// Writes to a plain peer as he writes to us: lines that end as his do, or chunks.
    pub(super) fn follow_line_ending(&mut self, cx: &mut Context<'_>) {
        if let Some(refusals) = self.incoming.take_reply() {
            self.outgoing.push_bytes(&refusals);
        }
        let reading = match self.incoming.line_ending() {
            Some(LineEnding::Lf) => Reading::Delimited(Format::Lf),
            Some(LineEnding::CrLf) => Reading::Delimited(Format::CrLf),
            Some(LineEnding::Chunk) => Reading::Chunks,
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
        if self.phase == Phase::Lingering {
            self.phase = Phase::Done;
        }
        if self.phase != Phase::Member {
            return;
        }
        if let Err(reason) = self.hear_last_line(cx) {
            return self.lose(reason, cx);
        }
        self.due = None;
        self.outgoing.push_notice("You ended your side; you still hear the room", cx.now);
    }

    pub(super) fn hear_last_line(&mut self, cx: &mut Context<'_>) -> Result<(), LeaveReason> {
        let tail = self.tail(cx);
        if let (Some(line), Some(speaker)) = (self.incoming.finish()?, &mut self.speaker) {
            hear_line(&line, speaker, &mut self.outgoing, tail, cx);
        }
        Ok(())
    }

    pub(super) fn tail(&self, cx: &Context<'_>) -> u64 {
        cx.logs.get(self.outgoing.format()).tail_seq()
    }
}

/// What a plain member wrote: a message, or the one question that he can ask. Returns until when nothing
/// more is to be taken from him, if he is over his rate.
pub(super) fn hear_line(
    line: &[u8],
    speaker: &mut Speaker,
    outgoing: &mut Outgoing,
    tail: u64,
    cx: &mut Context<'_>,
) -> Option<Instant> {
    if line == b"/who" {
        outgoing.push_notice(&cx.attachment.room().present().to_string(), cx.now);
        return None;
    }
    let SaidLine { pause_until, refused } = speaker.say_line(line, tail, cx);
    if let Some(why) = refused {
        outgoing.push_notice(why.as_str(), cx.now);
    }
    pause_until
}
