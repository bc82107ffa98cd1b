//! A connection's bytes in: what the peer says, and when the rest of it is due.

use std::time::Instant;

use chat_core::transport::{Format, Start, Welcomed};
use chat_core::{Room, RoomError};
use chat_proto::limits::QUIET;
use chat_proto::{Hello, LeaveReason, LineEnding, MemberFrame, Notice, RoomFrame, Text, TextKind, VERSION};

use super::{Connection, Context, Newcomer, Phase, Who};
use crate::incoming::{Heard, Wait};
use crate::limits::{HALF_CLOSED_TIMEOUT, LINE_BYTES_FREE, QUITTING_TIMEOUT, UNFINISHED_TIMEOUT};
use crate::outgoing::{Outgoing, Reading};
use crate::speaker::{Speaker, Spoken};

impl Connection {
    /// Takes in bytes from the peer. After the end they are dropped: they were read only because
    /// closing a socket with unread input would reset the connection.
    pub(crate) fn receive(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        let mut input = bytes;
        let mut took_item = false;
        // Answers must not pile up faster than the peer reads them, nor messages faster than they are passed on.
        while matches!(self.phase, Phase::Opening | Phase::Member) && self.takes_bytes() && cx.room_left > 0 {
            let Some(heard) = self.incoming.next(&mut input) else { break };
            took_item = true;
            match heard {
                Heard::Version(version) => self.answer_preface(version, cx),
                Heard::Hello(hello) => self.greet(hello, cx),
                Heard::Line(line, kind) => match &mut self.who {
                    Who::Member(speaker) => {
                        let spoken = say_line(line, kind, speaker, &mut self.outgoing, cx);
                        self.spoke(spoken, cx.now);
                    }
                    // Someone has only pressed Enter, or another protocol begins with a line break.
                    Who::Newcomer(_) if line.is_empty() => {}
                    Who::Newcomer(_) | Who::Stranger => {
                        let line = line.to_vec();
                        if self.join(Format::Lf, cx) {
                            self.hear_line(&line, kind, cx);
                        }
                    }
                },
                Heard::Frame(frame) => self.receive_frame(frame, cx),
                Heard::Fault(reason) => self.end(reason, cx),
                #[cfg(feature = "web")]
                Heard::Request { web, answer, is_upgrade } => {
                    self.begin_again(cx);
                    if let Who::Newcomer(newcomer) = &self.who {
                        web.note(newcomer.identity.address, cx.now);
                    }
                    if is_upgrade {
                        self.upgrade(&answer, cx);
                    } else {
                        self.part(answer, LeaveReason::NotChat, cx);
                    }
                }
                #[cfg(feature = "web")]
                Heard::Said { number, text, is_command } => {
                    if let Who::Member(speaker) = &mut self.who {
                        let spoken = speaker.say_object(number, text, is_command, cx);
                        self.spoke(spoken, cx.now);
                    }
                }
                #[cfg(feature = "web")]
                Heard::Farewell(farewell, reason) => self.part(farewell, reason, cx),
            }
        }
        self.keep_rest(input, took_item, cx);
    }

    /// Keeps what was not taken of the input. A peer that cannot go on as it has begun is closed.
    fn keep_rest(&mut self, input: &[u8], took_item: bool, cx: &mut Context<'_>) {
        match self.phase {
            Phase::Opening | Phase::Member if self.incoming.judge_beginning().is_err() => {
                self.end(LeaveReason::NotChat, cx);
            }
            Phase::Opening | Phase::Member if self.unfinished_len() > cx.line_left.max(LINE_BYTES_FREE) => {
                self.end(self.blame(LeaveReason::LineTooLong), cx);
            }
            Phase::Opening | Phase::Member => {
                self.backlog = input.into();
                self.follow_line_ending(cx);
                self.set_due(took_item, cx.now);
            }
            Phase::Paused | Phase::Moving => self.backlog = input.into(),
            Phase::Handshake
            | Phase::Draining
            | Phase::Quitting
            | Phase::Leaving
            | Phase::Lingering
            | Phase::Done => {}
        }
    }

    fn receive_frame(&mut self, frame: MemberFrame, cx: &mut Context<'_>) {
        if let MemberFrame::Unknown { .. } = frame {
            return cx.feed().attachment().count_unknown();
        }
        let Who::Member(speaker) = &mut self.who else { return };
        match frame {
            MemberFrame::Say { number, text } => {
                let spoken = speaker.say(number, text, cx);
                self.spoke(spoken, cx.now);
            }
            MemberFrame::Got { direct } => cx.feed().attachment().got(speaker.member(), direct),
            MemberFrame::Who => {
                self.outgoing.push_frame(&RoomFrame::Present(cx.feed().attachment().room().present()));
            }
            MemberFrame::LookBack { number, question } => {
                let attachment = cx.feed().attachment();
                // An error means that the transport is about to learn that it has left, or the room is closing.
                let pause_until =
                    attachment.look_back(speaker.member(), number, question, cx.now).unwrap_or_default();
                self.spoke(Spoken { pause_until, ..Spoken::default() }, cx.now);
            }
            MemberFrame::Bye => self.end(LeaveReason::Quit, cx),
            MemberFrame::Hello(_) | MemberFrame::Unknown { .. } => self.end(LeaveReason::Protocol, cx),
        }
    }

    fn answer_preface(&mut self, version: u8, cx: &mut Context<'_>) {
        self.outgoing.read_as(Reading::Delimited(self.incoming.format()), cx);
        self.outgoing.push_preface(); // tells the peer our version, too
        if version != VERSION {
            self.end(LeaveReason::version(), cx);
        }
    }

    /// The peer becomes a member of the room that its hello names, once that is open.
    fn greet(&mut self, hello: Hello, cx: &mut Context<'_>) {
        if !hello.versions.contains(&VERSION) {
            return self.end(LeaveReason::version(), cx);
        }
        let (rooms, attachment) = (cx.feeds.rooms(), cx.feed().attachment());
        let opening = match &self.who {
            Who::Newcomer(newcomer) => rooms.for_newcomer(&hello, &newcomer.identity, attachment.tag()),
            Who::Member(speaker) => {
                let Some(peer) = attachment.identity(speaker.member()) else { return };
                let named = rooms.named(hello.room.as_ref(), peer.address);
                named.map_err(|why| LeaveReason::no_room(&why))
            }
            Who::Stranger => return,
        };
        let opening = match opening {
            Ok(opening) => opening,
            Err(reason) => return self.end(reason, cx),
        };
        match opening.room() {
            Some(room) => self.welcome(&hello, room, cx),
            None => {
                self.begin_again(cx);
                let Who::Newcomer(newcomer) = &mut self.who else { return };
                cx.feeds.wait_for(&opening, cx.key);
                newcomer.hello = Some(Box::new((hello, opening)));
                (self.phase, self.due) = (Phase::Moving, None);
            }
        }
    }

    /// The peer becomes a member of this room, or the one whose session it resumes, and its hello is answered.
    pub(super) fn welcome(&mut self, hello: &Hello, room: Result<Room, RoomError>, cx: &mut Context<'_>) {
        match room {
            Ok(room) => self.go_to(&room, cx),
            Err(error) => {
                let why = Text::lossy(&error.to_string());
                return self.end(LeaveReason::no_room(&why), cx);
            }
        }
        let attachment = cx.feed().attachment();
        let result = match &self.who {
            Who::Newcomer(newcomer) => {
                attachment.welcome(cx.key, newcomer.identity.clone(), hello, newcomer.came, cx.now)
            }
            Who::Member(speaker) => match attachment.upgrade(speaker.member(), hello, cx.now) {
                Some(result) => result,
                None => return, // it was dismissed, and is about to be told so
            },
            Who::Stranger => return,
        };
        let Welcomed { member, seq, welcome, start, .. } = match result {
            Ok(welcomed) => welcomed,
            Err(error) => return self.dismiss(&LeaveReason::from(error), cx.now),
        };
        cx.feed_mut().pull(); // the messages that the peer says it has must be in the log
        let has_journal = cx.feed().attachment().has_journal();
        let format = self.incoming.format();
        let log = cx.feed_mut().open(format);
        let oldest = if has_journal { 0 } else { log.tail_seq() };
        let cursor = match start {
            Start::After(have) => log.right_after(have),
            Start::History(messages) => {
                log.after(seq.saturating_sub(u64::from(messages)).max(oldest).min(seq))
            }
        };
        let is_history = matches!(start, Start::History(_)) && cursor.seq() < log.tail_seq();
        self.outgoing.start(Reading::Delimited(format), cursor);
        if is_history {
            self.outgoing.begin_with_history();
        }
        self.outgoing.push_frame(&RoomFrame::Welcome(Box::new(welcome)));
        self.who = Who::Member(Speaker::new(member));
        self.phase = Phase::Member;
    }

    /// The peer will join this room. If it was taken for a silent listener, it is in the first one now.
    fn go_to(&mut self, room: &Room, cx: &mut Context<'_>) {
        if cx.feed().attachment().room() != room {
            self.begin_again(cx);
            cx.feeds.mark(cx.at);
            cx.at = cx.feeds.open(room);
        }
    }

    /// A peer that was taken for a silent listener is a newcomer again.
    fn begin_again(&mut self, cx: &mut Context<'_>) {
        if let Who::Member(speaker) = &self.who {
            let attachment = cx.feed().attachment();
            let Some(identity) = attachment.identity(speaker.member()) else { return };
            let opening = Some(cx.feeds.rooms().opening(identity.address));
            drop(attachment.leave(speaker.member(), LeaveReason::Quit, cx.now));
            self.who = Who::Newcomer(Newcomer::new(identity, opening, cx.now));
        }
    }

    /// The peer has opened a WebSocket: its hello must follow.
    #[cfg(feature = "web")]
    fn upgrade(&mut self, answer: &[u8], cx: &mut Context<'_>) {
        self.phase = Phase::Opening;
        self.outgoing.push_bytes(answer);
        self.outgoing.read_as(Reading::Delimited(self.incoming.format()), cx);
    }

    /// Whether bytes were received that can be taken now.
    pub(crate) fn has_backlog(&self) -> bool {
        (!self.backlog.is_empty() || self.incoming.has_rest()) && self.takes_bytes()
    }

    /// Goes on with the bytes that were received and not taken.
    pub(crate) fn receive_backlog(&mut self, cx: &mut Context<'_>) {
        self.due = None;
        let backlog = std::mem::take(&mut self.backlog);
        self.receive(&backlog, cx);
    }

    fn spoke(&mut self, spoken: Spoken, now: Instant) {
        if spoken.leaves {
            self.stop_listening();
            self.phase = Phase::Quitting;
            self.due = Some(now + QUITTING_TIMEOUT);
        } else if spoken.moves {
            self.phase = Phase::Moving;
            self.due = Some(now + QUITTING_TIMEOUT);
        } else if spoken.pause_until.is_some() {
            self.phase = Phase::Paused;
            self.due = spoken.pause_until;
        }
    }

    /// Writes to a plain peer as it writes to us: lines that end as its own do, or messages without a line break.
    pub(super) fn follow_line_ending(&mut self, cx: &mut Context<'_>) {
        if let Some(refusals) = self.incoming.take_reply() {
            self.outgoing.push_bytes(&refusals);
        }
        let reading = match self.incoming.line_ending() {
            Some(LineEnding::Lf) => Reading::Delimited(Format::Lf),
            Some(LineEnding::CrLf) => Reading::Delimited(Format::CrLf),
            Some(LineEnding::Undelimited) => Reading::Undelimited,
            None => return,
        };
        self.outgoing.read_as(reading, cx);
    }

    fn set_due(&mut self, took_item: bool, now: Instant) {
        match (self.incoming.wait(), self.phase) {
            // A peer that has sent no words has the rest of the grace.
            (Wait::Opening, _) | (Wait::Nothing, Phase::Opening) => {}
            (Wait::Nothing, _) => self.due = None,
            (Wait::Quiet, _) | (Wait::Line, Phase::Opening) => self.due = Some(now + QUIET),
            (Wait::Line, _) => self.due = Some(now + UNFINISHED_TIMEOUT),
            // The time for an opening runs on by itself.
            (Wait::Rest, Phase::Opening) => self.due = None,
            // The time for an unfinished frame runs on, however many bytes of it drip in.
            (Wait::Rest, _) if self.due.is_some() && !took_item => {}
            (Wait::Rest, _) => self.due = Some(now + UNFINISHED_TIMEOUT),
        }
    }

    /// The peer has shut down its side. A plain peer stays as a listener. Whether it is still there
    /// to listen only shows when something is written to it, so it is told. One that has said something waits for an
    /// answer for a while, and then leaves.
    pub(crate) fn end_of_input(&mut self, cx: &mut Context<'_>) {
        if std::mem::replace(&mut self.peer_ended, true) {
            return; // each later event of its socket says so again
        }
        if self.phase == Phase::Lingering {
            self.phase = Phase::Done;
        }
        if self.is_newcomer() && self.phase == Phase::Moving {
            return self.lose(LeaveReason::Lost, cx);
        }
        if !matches!(self.phase, Phase::Opening | Phase::Member) {
            return;
        }
        let has_spoken = self.incoming.has_sent();
        if let Err(reason) = self.hear_last_line(cx) {
            return self.lose(reason, cx);
        }
        match self.phase {
            // It has said nothing, and may be gone altogether: then it was never a member.
            Phase::Opening => {}
            Phase::Member => self.due = has_spoken.then_some(cx.now + HALF_CLOSED_TIMEOUT),
            Phase::Paused | Phase::Moving => {} // it waits for an answer once that is over
            _ => return,                        // its last line was refused, or told us that it leaves
        }
        self.outgoing.push_notice(&Notice::SideEnded.to_string(), cx.now);
    }

    pub(super) fn hear_last_line(&mut self, cx: &mut Context<'_>) -> Result<(), LeaveReason> {
        if let Some((line, kind)) = self.incoming.finish()?
            && self.join(Format::Lf, cx)
        {
            self.hear_line(&line, kind, cx);
        }
        Ok(())
    }

    /// A line of a plain member.
    pub(super) fn hear_line(&mut self, line: &[u8], kind: TextKind, cx: &mut Context<'_>) {
        let Who::Member(speaker) = &mut self.who else { return };
        let spoken = say_line(line, kind, speaker, &mut self.outgoing, cx);
        self.spoke(spoken, cx.now);
    }
}

/// Says what a plain member wrote: a message or a command.
fn say_line(
    line: &[u8],
    kind: TextKind,
    speaker: &mut Speaker,
    outgoing: &mut Outgoing,
    cx: &mut Context<'_>,
) -> Spoken {
    outgoing.expect_answer();
    if let Some(remark) = kind.remark() {
        outgoing.push_notice(remark, cx.now);
    }
    if kind == TextKind::NotText {
        return Spoken::default();
    }
    let tail = cx.feed().log(outgoing.format()).tail_seq();
    let spoken = speaker.say_line(line, tail, cx);
    if spoken.is_cut {
        outgoing.push_notice(Notice::CommandCut.to_string().as_str(), cx.now);
    }
    spoken
}
