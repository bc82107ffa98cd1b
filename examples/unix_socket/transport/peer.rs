//! A peer: what he says, what he is owed, and where he stands in the poll loop.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use chat_core::{Attachment, Cursor, EncodedLog, JoinError, Joined, LagPolicy, Membership, Outcome, Pending};
use chat_proto::{Author, Direct, LeaveReason, Line, PlainSplitter, Text};
use mio::event::Event;
use mio::net::UnixStream;

use super::READ_BYTES_PER_TURN;

/// Bytes for one peer alone that may wait before nothing more is read from him.
const OUTBOX_BYTES_MAX: usize = 4 * 1024;

/// His own messages that may be ahead of his cursor before nothing more is read from him.
const OWN_MAX: usize = 1024;

/// How long a peer whose membership has ended may take to read why.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Peer {
    socket: UnixStream,
    /// Tells apart the peers that had the same place one after the other.
    pub(super) generation: u16,
    /// None for who has left or was refused: he only gets what is in his outbox.
    member: Option<Membership>,
    /// The room is closing: he gets what he is owed, and then he leaves.
    draining: bool,
    splitter: PlainSplitter,
    /// Read and not taken yet.
    backlog: Vec<u8>,
    /// His own messages ahead of his cursor, which he is not to get.
    own: VecDeque<u64>,
    cursor: Cursor,
    /// For him alone, and before anything else: notices, and the rest of an entry that the socket took in part.
    outbox: Vec<u8>,
    /// Reading may bring bytes; false once it would block. An event sets it again.
    readable: bool,
    /// Writing may take bytes; false once it would block. An event sets it again.
    writable: bool,
    queued: bool,
    /// The end of his pause or, once he has left, of his time to read why.
    due: Option<Instant>,
    /// Under which time he is listed among the deadlines.
    pub(super) listed: Option<Instant>,
    done: bool,
}

impl Peer {
    /// A peer who has joined, or who may not and is told why. He stands in the queue.
    pub(super) fn new(
        socket: UnixStream,
        generation: u16,
        joined: Result<Joined, JoinError>,
        log: &EncodedLog,
        now: Instant,
    ) -> Self {
        let mut peer = Self {
            socket,
            generation,
            member: None,
            draining: false,
            splitter: PlainSplitter::new(),
            backlog: Vec::new(),
            own: VecDeque::new(),
            cursor: log.head(),
            outbox: Vec::new(),
            readable: true,
            writable: true,
            queued: true,
            due: None,
            listed: None,
            done: false,
        };
        match joined {
            Ok(Joined { member, seq, .. }) => (peer.member, peer.cursor) = (Some(member), log.after(seq)),
            Err(error) => peer.part(&error.into(), now),
        }
        peer
    }

    pub(super) fn member(&self) -> Option<Membership> {
        self.member
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Notes what an event says. True if he is to be put into the queue.
    pub(super) fn on_event(&mut self, event: &Event) -> bool {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_write_closed();
        !std::mem::replace(&mut self.queued, true)
    }

    /// True if he is to be put into the queue although no event has come.
    pub(super) fn queue_if_ready(&mut self) -> bool {
        let is_ready = (self.readable || !self.backlog.is_empty()) && self.wants_bytes();
        is_ready && !std::mem::replace(&mut self.queued, true)
    }

    pub(super) fn on_deadline(&mut self, now: Instant) {
        self.listed = None;
        if self.due.is_some_and(|due| due <= now) {
            self.due = None;
            self.done |= self.member.is_none();
        }
    }

    /// His membership has ended: he is told why, and then his socket is closed.
    pub(super) fn part(&mut self, reason: &LeaveReason, now: Instant) {
        // Who reads the room's farewell in the log needs no other.
        if *reason != LeaveReason::Stopping || !self.draining {
            self.tell(&format!("Closed: {reason}"));
        }
        self.member = None;
        self.due = Some(now + LINGER_TIMEOUT);
    }

    /// Nothing is heard from him any more.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        self.queued = false;
        if self.member.is_some() {
            self.due = None;
        }
    }

    /// Something that the room has for it alone.
    pub(super) fn tell_direct(&mut self, direct: &Direct) {
        for line in direct.item.to_lines() {
            self.outbox.extend(format!("{line}\n").into_bytes());
        }
    }

    /// A line for it alone.
    fn tell(&mut self, text: &str) {
        let text = Text::one_line(text).unwrap_or_default();
        self.outbox.extend(format!("{}\n", Line { author: Author::Room, text }).into_bytes());
    }

    // ---- bytes in ------------------------------------------------------------------------------

    /// Whether bytes read now would find a taker. If not they stay in the socket, where the peer feels it.
    fn wants_bytes(&self) -> bool {
        let is_heard = self.member.is_some() && !self.draining;
        let may_speak =
            self.due.is_none() && self.own.len() < OWN_MAX && self.outbox.len() <= OUTBOX_BYTES_MAX;
        is_heard && may_speak
    }

    /// Reads until it would block, he is to wait, or `buffer`, his share of this turn, is used up.
    pub(super) fn listen(&mut self, buffer: &mut [u8], attachment: &Attachment, now: Instant) {
        self.queued = false;
        if !self.backlog.is_empty() && self.wants_bytes() {
            let backlog = std::mem::take(&mut self.backlog);
            self.hear(&backlog, attachment, now);
        }
        let mut heard = 0;
        while self.readable && self.backlog.is_empty() && self.wants_bytes() && heard < READ_BYTES_PER_TURN {
            match self.socket.read(buffer) {
                Ok(0) => self.end(LeaveReason::Quit, attachment, now),
                Ok(count) => {
                    heard += count;
                    self.hear(&buffer[..count], attachment, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.end(LeaveReason::Lost, attachment, now),
            }
        }
    }

    /// Says the lines in `bytes` until he is to wait.
    fn hear(&mut self, bytes: &[u8], attachment: &Attachment, now: Instant) {
        let mut input = bytes;
        let mut splitter = std::mem::take(&mut self.splitter);
        while self.wants_bytes() {
            match splitter.next(&mut input) {
                Ok(Some(line)) => self.say(line, attachment, now),
                Ok(None) => break,
                Err(_) => {
                    if let Some(member) = self.member {
                        attachment.leave(member, LeaveReason::LineTooLong, now);
                        self.part(&LeaveReason::LineTooLong, now);
                    }
                }
            }
        }
        self.splitter = splitter;
        self.backlog = input.to_vec();
    }

    fn say(&mut self, line: &[u8], attachment: &Attachment, now: Instant) {
        let Some(member) = self.member else { return };
        // A long line becomes several messages; an empty one is none.
        for text in Text::split(line) {
            // An error means that the room is closing, or has put him out: the next pull tells so.
            let Ok(said) = attachment.say(member, text, now) else { return };
            self.due = self.due.max(said.pause_until);
            if let Outcome::Accepted { seq } = said.outcome {
                self.own.push_back(seq);
            }
        }
    }

    /// He has closed his end, or is gone. All that he sent is read, and the end of it may be a line.
    fn end(&mut self, reason: LeaveReason, attachment: &Attachment, now: Instant) {
        if let Some(last) = self.splitter.finish() {
            self.say(&last, attachment, now);
        }
        if let Some(member) = self.member.take() {
            attachment.leave(member, reason, now);
        }
        self.done = true;
    }

    // ---- bytes out -----------------------------------------------------------------------------

    /// Writes what he is owed until he has it all or his socket takes no more.
    pub(super) fn flush(
        &mut self,
        log: &EncodedLog,
        lag_policy: LagPolicy,
        attachment: &Attachment,
        now: Instant,
    ) {
        while self.writable && !self.done {
            match self.write_next(log, lag_policy, attachment, now) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    // He is gone. What he said last may still be there to be read, which is where his end is found. Who
                    // is not listened to any more leaves with the port.
                    (self.writable, self.readable) = (false, true);
                    self.outbox.clear();
                    self.done = self.member.is_none() || self.draining;
                }
            }
        }
    }

    /// Writes once, or does what comes before that. False if there is nothing left to do.
    fn write_next(
        &mut self,
        log: &EncodedLog,
        lag_policy: LagPolicy,
        attachment: &Attachment,
        now: Instant,
    ) -> io::Result<bool> {
        if !self.outbox.is_empty() {
            let count = self.socket.write(&self.outbox)?;
            self.outbox.drain(..count);
            return Ok(true);
        }
        let Some(member) = self.member else {
            self.done = true; // he has read why
            return Ok(false);
        };
        // Up to the next message of his own, which is stepped over.
        let own = self.own.front().copied();
        match log.pending_before(self.cursor, own.unwrap_or(u64::MAX)) {
            Pending::Bytes(a, b) => {
                let count = self.socket.write_vectored(&[IoSlice::new(a), IoSlice::new(b)])?;
                let advanced = log.advance(self.cursor, count);
                self.cursor = advanced.cursor;
                // The tail may pass the cursor any time, so the rest of an entry is kept aside.
                let (a, b) = advanced.torn.unwrap_or_default();
                self.outbox.extend_from_slice(a);
                self.outbox.extend_from_slice(b);
            }
            Pending::Lagged { missed, resume } => {
                self.cursor = resume;
                let ahead = self.own.iter().take_while(|&&seq| seq <= resume.seq()).count();
                self.own.drain(..ahead);
                let missed = missed - ahead as u64;
                if missed > 0 && lag_policy == LagPolicy::Close {
                    attachment.leave(member, LeaveReason::Lagged, now);
                    self.part(&LeaveReason::Lagged, now);
                } else if missed > 0 {
                    attachment.count_missed(missed);
                    let messages = if missed == 1 { "message" } else { "messages" };
                    self.tell(&format!("You missed {missed} {messages}"));
                }
            }
            Pending::Nothing => match own.and_then(|own| log.step_over(self.cursor, own)) {
                Some(cursor) => {
                    self.cursor = cursor;
                    self.own.pop_front();
                }
                None if self.draining => {
                    attachment.leave(member, LeaveReason::Stopping, now);
                    self.part(&LeaveReason::Stopping, now);
                }
                None => return Ok(false),
            },
        }
        Ok(true)
    }
}
