//! A plain peer over UDP: a program that sends text in datagrams and prints what it gets.
//!
//! Its datagrams are split into lines. It gets its own lines back, like everyone else, since such programs wait
//! for an answer. Nothing is sent twice: the cursor moves past every entry that a datagram carried.

pub(crate) mod moving;
pub(crate) mod pages;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use chat_core::commands::Action;
use chat_core::transport::{CaughtUp, Cursor, Format, Membership, Outcome, Pending, PendingRoom, Said};
use chat_core::{LagPolicy, Room, RoomError};
use chat_proto::limits::{PLAIN_ANSWER_BYTES_MAX, PLAIN_DATAGRAM_BYTES_MAX};
use chat_proto::{Author, Direct, LeaveReason, Line, MemberId, Notice, PeerAddr, Text, TextKind};
use memchr::memmem;

use crate::limits::LEASE;
use crate::plain::moving::Goal;
use crate::plain::pages::PlainPast;
use crate::session::Context;

/// A request of a plain member to its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Nothing,
    Leave,
    /// To be told when the room that it goes to is open.
    Move,
}

#[derive(Debug)]
pub(crate) struct Plain {
    address: SocketAddr,
    member: Membership,
    cursor: Cursor,
    heard: Instant,
    /// The number that has proven its address. A datagram that holds it once more is not said.
    proof: Option<u32>,
    /// It has just proven its address, and must be told so.
    is_new: bool,
    /// How its last datagram ended, and so how lines to it end: with a line break or with none.
    line_end: &'static str,
    /// It is throttled: datagrams before this moment are ignored.
    pause_until: Option<Instant>,
    /// Lines for it alone, each sent once, with the number of the item each is from.
    lane: VecDeque<(String, u64)>,
    /// A remark about its message that it must be told.
    remark: Option<&'static str>,
    /// It was told that its encoding cannot be read.
    told_encoding: bool,
    /// A command of it was too long, and it must be told that the rest was dropped.
    is_cut: bool,
    /// Nothing while it stays where it is.
    goal: Option<Box<Goal>>,
    /// The members whose messages it does not get, sorted.
    ignored: Box<[MemberId]>,
    /// Nothing while it is not behind the log.
    past: Option<Box<PlainPast>>,
}

/// Whether a datagram comes from a chat server rather than a person: a notice of a room, or
/// text that contains the answer which `peer` itself was sent. Answers could go on for ever
/// between two servers or with an echo service (CVE-2024-2169 is such a loop).
pub(crate) fn is_echo(bytes: &[u8], peer: PeerAddr) -> bool {
    let holds = |prefix: String| memmem::find(bytes, prefix.as_bytes()).is_some();
    bytes.starts_with(b"[*] ") || holds(format!("[{peer}] ")) || holds(format!("[{}/", peer.without_scope()))
}

/// The line for a peer that must prove its address: it must send this number.
pub(crate) fn challenge(number: u32, bytes: &[u8]) -> Vec<u8> {
    notice(&format!("Say {number} to join"), line_end(bytes).unwrap_or_default())
}

/// The line for a peer that the room refuses.
pub(crate) fn refusal(reason: &LeaveReason, bytes: &[u8]) -> Vec<u8> {
    notice(&Notice::Closed(&reason.farewell()).to_string(), line_end(bytes).unwrap_or_default())
}

/// The number that a datagram consists of.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(without_padding(bytes)).ok()?.trim();
    let is_number = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// The line break at the end of a datagram; `None` if the datagram says nothing at all.
fn line_end(bytes: &[u8]) -> Option<&'static str> {
    match without_padding(bytes) {
        [] => None,
        [.., b'\r', b'\n'] | [.., b'\r'] => Some("\r\n"),
        [.., b'\n'] => Some("\n"),
        _ => Some(""),
    }
}

/// Without the NULs of programs that send a whole buffer, or the end of a C string.
fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

impl Plain {
    /// A peer that reads from `cursor` on; `proof` is the number that it was asked for, if it was.
    pub(crate) fn new(
        address: SocketAddr,
        member: Membership,
        cursor: Cursor,
        proof: Option<u32>,
        now: Instant,
    ) -> Self {
        Self {
            address,
            member,
            cursor,
            heard: now,
            proof,
            is_new: proof.is_some(),
            line_end: "",
            pause_until: None,
            lane: VecDeque::new(),
            remark: None,
            told_encoding: false,
            is_cut: false,
            goal: None,
            ignored: Box::default(),
            past: None,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn member(&self) -> Membership {
        self.member
    }

    /// When its last datagram arrived.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// The last line that it is sent, if its membership ends otherwise than by itself.
    pub(crate) fn farewell(&self, reason: &LeaveReason) -> Vec<u8> {
        self.notice(&Notice::Closed(&reason.farewell()).to_string())
    }

    fn notice(&self, text: &str) -> Vec<u8> {
        notice(text, self.line_end)
    }

    /// Something for this member alone.
    pub(crate) fn tell(&mut self, direct: &Direct) {
        if let Some((line, number)) = self.lane.back_mut()
            && let Some(folded) = direct.item.folded_into(line)
        {
            (*line, *number) = (folded, direct.number);
            return;
        }
        self.lane.extend(direct.item.to_lines().into_iter().map(|line| (line, direct.number)));
    }

    /// Whether it ignores somebody.
    pub(crate) fn ignores_somebody(&self) -> bool {
        !self.ignored.is_empty()
    }

    /// It stays where it is, and reads why.
    pub(crate) fn refuse(&mut self, why: &str) {
        let lines = Text::split(why.as_bytes()).map(|text| Line { author: Author::Room, text }.to_string());
        self.lane.extend(lines.map(|line| (line, 0)));
    }

    /// Sequence number of the last message that was sent to it.
    pub(crate) fn seq(&self) -> u64 {
        self.cursor.seq()
    }

    /// It is this member of another room now.
    pub(crate) fn moved(&mut self, member: Membership, cursor: Cursor) {
        (self.member, self.cursor) = (member, cursor);
        self.ignored = Box::default();
        self.past = None;
        self.lane.iter_mut().for_each(|(_, direct)| *direct = 0); // numbers of the other room's lane
    }

    /// The room that it goes to, if that is being opened.
    pub(crate) fn pending_room(&self) -> Option<&PendingRoom> {
        self.goal.as_ref().map(|goal| goal.room()).filter(|room| room.room().is_none())
    }

    /// Whether it goes to another room, and that is open or cannot be opened.
    pub(crate) fn can_move(&self) -> bool {
        self.goal.is_some() && self.pending_room().is_none()
    }

    /// Before it goes, it must get everything up to this message of the room that it is in.
    pub(crate) fn leave_after(&mut self, head: u64) {
        if let Some(goal) = &mut self.goal {
            goal.leave_after(head);
        }
    }

    /// The room that it goes to and what it says there, once it was sent everything that it must get of the room that
    /// it is in.
    pub(crate) fn take_goal(&mut self) -> Option<(Result<Room, RoomError>, Vec<u8>)> {
        let has_all = self.lane.is_empty() && !self.is_waiting();
        let goal = self.goal.as_ref().filter(|goal| has_all && self.cursor.seq() >= goal.head())?;
        let room = goal.room().room()?;
        Some((room, self.goal.take()?.into_rest()))
    }

    /// The message after which a page of the room's journal must be asked for.
    pub(crate) fn take_wish(&mut self) -> Option<u64> {
        let wants = self.past.as_mut().is_some_and(|past| past.take_wish());
        wants.then(|| self.cursor.seq())
    }

    /// Whether it must wait for a page of the room's journal.
    pub(crate) fn is_waiting(&self) -> bool {
        self.past.as_ref().is_some_and(|past| past.is_waiting())
    }

    /// The page that was asked for.
    pub(crate) fn catch_up(&mut self, caught_up: CaughtUp, cx: &Context<'_>) {
        let Some(past) = &mut self.past else { return };
        let Some((begin, deleted)) = past.read(caught_up, &self.ignored, cx.feed) else { return };
        self.cursor = begin;
        if deleted > 0 {
            cx.feed.attachment().count_missed(deleted);
            self.refuse(&Notice::Missed(deleted).to_string());
        }
    }

    /// Says the lines of a datagram. An empty one only shows that the peer is there.
    pub(crate) fn receive(&mut self, bytes: &[u8], cx: &Context<'_>) -> Wish {
        self.heard = cx.now;
        self.line_end = line_end(bytes).unwrap_or(self.line_end);
        if self.proof.is_some() && number(bytes) == self.proof {
            return Wish::Nothing;
        }
        if let Some(goal) = &mut self.goal {
            if !goal.add(without_padding(bytes)) {
                self.remark = Some("Not said: you are on your way to another room. Say it again there");
            }
            return Wish::Nothing;
        }
        if self.pause_until.is_some_and(|until| until > cx.now) {
            tracing::debug!(address = %self.address, "datagram of a plain member over the rate limit is dropped");
            return Wish::Nothing;
        }
        if TextKind::of(bytes) == TextKind::OtherEncoding && !std::mem::replace(&mut self.told_encoding, true)
        {
            self.remark = TextKind::OtherEncoding.remark();
        }
        let bytes = without_padding(bytes);
        let mut rest = &bytes[..bytes.len().min(PLAIN_DATAGRAM_BYTES_MAX)];
        while !rest.is_empty() {
            let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            match self.say_line(line, cx) {
                Some(Action::Leave) => return Wish::Leave,
                Some(Action::Move(room)) => {
                    self.goal = Some(Box::new(Goal::new(room, rest)));
                    return Wish::Move;
                }
                _ => {}
            }
        }
        Wish::Nothing
    }

    /// Says a line, in several messages if it is long. Returns what the endpoint has to do for it.
    fn say_line(&mut self, line: &[u8], cx: &Context<'_>) -> Option<Action> {
        let attachment = cx.feed.attachment();
        let (mut is_first, mut is_command) = (true, false);
        // A person that has only pressed Enter has said nothing.
        for text in Text::split(line).filter(|text| !text.as_str().is_empty()) {
            // The rest of a command must not be said to the room: it may be a private message.
            if is_command {
                self.is_cut = true;
                break;
            }
            let said = match std::mem::take(&mut is_first) {
                true => attachment.say(self.member, text, cx.now),
                false => attachment.say_as_it_is(self.member, None, text, cx.now),
            };
            // An error means that the room is closing, or has ended the membership: it tells so itself.
            let Ok(Said { outcome, pause_until, .. }) = said else { return None };
            self.pause_until = pause_until;
            match outcome {
                Outcome::Answered { action: action @ Some(Action::Leave | Action::Move(_)) } => {
                    return action;
                }
                Outcome::Answered { action } => {
                    is_command = true;
                    if let Some(Action::Ignore { .. }) = action {
                        self.ignored = attachment.ignored(self.member).into();
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Writes the next datagram into `out`, which is empty; false if there is none. An error is the
    /// reason for which the membership must end.
    pub(crate) fn transmit(&mut self, cx: &Context<'_>, out: &mut Vec<u8>) -> Result<bool, LeaveReason> {
        if std::mem::take(&mut self.is_new) {
            out.extend(self.notice("You have joined"));
            return Ok(true);
        }
        if let Some(remark) = self.remark.take() {
            out.extend(self.notice(remark));
            return Ok(true);
        }
        if std::mem::take(&mut self.is_cut) {
            out.extend(self.notice(&Notice::CommandCut.to_string()));
            return Ok(true);
        }
        if let Some((line, direct)) = self.lane.pop_front() {
            out.extend(format!("{line}{}", self.line_end).into_bytes());
            cx.feed.attachment().got(self.member, direct);
            return Ok(true);
        }
        let shared = cx.feed.log(Format::Lf);
        loop {
            let page = self.past.as_ref().and_then(|past| past.page());
            let log = page.unwrap_or(shared);
            // A page has nothing of those who are ignored.
            let ignored = match page {
                Some(_) => None,
                None => cx.feed.next_said_by(&self.ignored, self.cursor.seq()),
            };
            match log.pending_before(self.cursor, ignored.unwrap_or(u64::MAX)) {
                Pending::Nothing => match ignored.and_then(|seq| log.step_over(self.cursor, seq..=seq)) {
                    Some(cursor) => self.cursor = cursor,
                    None if page.is_some() => {
                        self.cursor = shared.after(log.seq()); // after all messages of the page
                        self.past = None;
                    }
                    None => return Ok(false),
                },
                Pending::Lagged { missed, resume } => {
                    let has_journal = cx.feed.attachment().has_journal();
                    if missed > 0 && has_journal && self.past.get_or_insert_default().waits() {
                        return Ok(false);
                    }
                    self.past = None;
                    let passed = self.cursor.seq() + 1..=resume.seq();
                    let missed = missed - cx.feed.count_said_by(&self.ignored, passed);
                    self.cursor = resume;
                    if missed > 0 && cx.feed.config().lag_policy() == LagPolicy::Close {
                        return Err(LeaveReason::Lagged);
                    }
                    if missed > 0 {
                        cx.feed.attachment().count_missed(missed);
                        out.extend(self.notice(&Notice::Missed(missed).to_string()));
                        return Ok(true);
                    }
                }
                Pending::Bytes(..) => {
                    let slot = self.cursor.slot();
                    // Lines in the log end in LF, and so do those inside a datagram, except to a peer that wants
                    // CR LF: it gets one line at a time.
                    // A message that it must not get may be between two others.
                    let is_alone = self.line_end == "\r\n" || ignored.is_some();
                    let end = if is_alone { slot + 1 } else { log.head().slot() };
                    // Without a break at its end a datagram has room for one byte more.
                    let bytes_max = PLAIN_ANSWER_BYTES_MAX + usize::from(self.line_end.is_empty());
                    let (end, a, b) = log.batch(slot..end, bytes_max);
                    out.extend_from_slice(a);
                    out.extend_from_slice(b);
                    out.pop();
                    out.extend_from_slice(self.line_end.as_bytes());
                    self.cursor = log.at_slot(end).expect("a batch ends within the log");
                    return Ok(true);
                }
            }
        }
    }

    /// When its lease ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.heard + LEASE
    }
}

fn notice(text: &str, line_end: &str) -> Vec<u8> {
    let text = Text::one_line(text).unwrap_or_default();
    format!("{}{line_end}", Line { author: Author::Room, text }).into_bytes()
}

#[cfg(test)]
mod tests;
