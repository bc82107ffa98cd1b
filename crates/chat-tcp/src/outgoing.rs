//! What a member is owed, and how it gets into his socket.
//!
//! Two sources, in this order: the *outbox*, a few bytes meant for him alone (a notice, the rest of
//! an entry that the socket took in part), and then the shared log from his cursor on. The outbox is
//! empty and without memory nearly all the time.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::time::Instant;

use chat_core::{Cursor, EncodedLog, Overtaken, Pending};
use chat_proto::limits::QUIET;
use chat_proto::{Author, LeaveReason, Line, PREFACE, RoomFrame, Skipped, Text};

use crate::connection::Context;
use crate::logs::Format;
use crate::speaker::Speaker;

/// A member's way of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Frames, or lines that each end in a line break.
    Delimited(Format),
    /// Lines joined by line breaks with none at the end, for a program that prints what each `recv`
    /// returns. A break is written before the next line only if that follows so soon that one `recv`
    /// may return both.
    Chunks {
        /// When a line was written whose break is still owed.
        unbroken_since: Option<Instant>,
    },
}

impl Reading {
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Delimited(format) => format,
            Self::Chunks { .. } => Format::Lf,
        }
    }
}

/// What became of [`Outgoing::flush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// Everything owed is written.
    All,
    /// The socket takes no more for now.
    Blocked,
    /// He was overtaken in a room that closes such members.
    Lagged,
}

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    reading: Reading,
    cursor: Cursor,
    outbox: Vec<u8>,
    outbox_written: usize,
    stalled_since: Option<Instant>,
}

impl Outgoing {
    pub(crate) fn new(reading: Reading, cursor: Cursor) -> Self {
        Self { reading, cursor, outbox: Vec::new(), outbox_written: 0, stalled_since: None }
    }

    pub(crate) fn reading(&self) -> Reading {
        self.reading
    }

    /// Goes on in another way of reading, after the same message.
    pub(crate) fn read_as(&mut self, reading: Reading, cx: &mut Context<'_>) {
        if reading.format() != self.reading.format() {
            self.cursor = cx.logs.open(reading.format(), cx.port).after(self.cursor.seq());
        }
        self.reading = reading;
    }

    /// Starts at another place of the log.
    pub(crate) fn start_at(&mut self, cursor: Cursor) {
        self.cursor = cursor;
    }

    /// Sequence number of the last message that is behind him.
    pub(crate) fn seq(&self) -> u64 {
        self.cursor.seq()
    }

    /// Since when the socket has taken nothing.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.stalled_since
    }

    /// Bytes for him alone that are still to be written.
    pub(crate) fn outbox_len(&self) -> usize {
        self.outbox.len() - self.outbox_written
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.outbox.extend_from_slice(bytes);
    }

    pub(crate) fn push_preface(&mut self) {
        self.push_bytes(&PREFACE);
    }

    pub(crate) fn push_frame(&mut self, frame: &RoomFrame) {
        frame.encode(&mut self.outbox);
    }

    /// A `[*] text` line for a plain member.
    pub(crate) fn push_notice(&mut self, text: &str, now: Instant) {
        if let Reading::Chunks { unbroken_since } = self.reading {
            self.push_bytes(owed_break(unbroken_since, now));
        }
        let text = Text::one_line(text).unwrap_or_default();
        let notice = Line { author: Author::Room, text }.to_string();
        self.push_bytes(notice.as_bytes());
        match &mut self.reading {
            Reading::Delimited(format) => self.outbox.extend_from_slice(format.line_break().as_bytes()),
            Reading::Chunks { unbroken_since } => *unbroken_since = Some(now),
        }
    }

    /// The last words to who leaves for `reason`.
    pub(crate) fn push_farewell(&mut self, reason: &LeaveReason, now: Instant) {
        match self.reading.format() {
            Format::Framed => self.push_frame(&RoomFrame::Bye(reason.clone())),
            Format::Lf | Format::CrLf => self.push_notice(&format!("Closed: {reason}"), now),
        }
    }

    /// Writes what is owed until it is all written or the socket takes no more: from the outbox, and
    /// then, if `speaker` is still a member, from the log.
    ///
    /// # Errors
    ///
    /// What the socket failed of.
    pub(crate) fn flush(
        &mut self,
        mut speaker: Option<&mut Speaker>,
        cx: &Context<'_>,
        socket: &mut impl Write,
    ) -> io::Result<Flushed> {
        loop {
            let blocked = if self.outbox_len() > 0 {
                self.write_outbox(socket)?
            } else if let Some(speaker) = &mut speaker {
                let log = cx.logs.get(self.reading.format());
                match log.pending_before(self.cursor, speaker.next_own()) {
                    Pending::Bytes(a, b) => self.write_log(log, a, b, cx.now, socket)?,
                    Pending::Overtaken { missed, resume } => {
                        if !self.catch_up(missed, resume, speaker, cx) {
                            return Ok(Flushed::Lagged);
                        }
                        false
                    }
                    Pending::Nothing => match speaker.step_over_own(log, self.cursor) {
                        Some(cursor) => {
                            self.cursor = cursor;
                            false
                        }
                        None => return Ok(Flushed::All),
                    },
                }
            } else {
                return Ok(Flushed::All);
            };
            if blocked {
                self.stalled_since.get_or_insert(cx.now);
                return Ok(Flushed::Blocked);
            }
        }
    }

    /// Tells whether the socket was blocked.
    fn write_outbox(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        let Some(written) = attempt(socket, |socket| socket.write(&self.outbox[self.outbox_written..]))? else {
            return Ok(true);
        };
        self.stalled_since = None;
        self.outbox_written += written;
        if self.outbox_written == self.outbox.len() {
            self.outbox = Vec::new(); // gives the memory back
            self.outbox_written = 0;
        }
        Ok(false)
    }

    /// Tells whether the socket was blocked.
    fn write_log(
        &mut self,
        log: &EncodedLog,
        a: &[u8],
        b: &[u8],
        now: Instant,
        socket: &mut impl Write,
    ) -> io::Result<bool> {
        let (lead, a, b) = match self.reading {
            Reading::Delimited(_) => (&b""[..], a, b),
            // The last break is kept back, and may be owed from the last time.
            Reading::Chunks { unbroken_since } => {
                let (a, b) = without_last(a, b);
                (owed_break(unbroken_since, now), a, b)
            }
        };
        let written = if lead.is_empty() && b.is_empty() {
            attempt(socket, |socket| socket.write(a))?
        } else {
            attempt(socket, |socket| socket.write_vectored(&[IoSlice::new(lead), IoSlice::new(a), IoSlice::new(b)]))?
        };
        let Some(written) = written else { return Ok(true) };
        self.stalled_since = None;
        let mut written = written - lead.len();
        if let Reading::Chunks { unbroken_since } = &mut self.reading {
            let is_all = written == a.len() + b.len();
            *unbroken_since = is_all.then_some(now);
            written += usize::from(is_all);
        }
        let advanced = log.advance(self.cursor, written);
        self.cursor = advanced.cursor;
        if let Some((a, b)) = advanced.torn {
            self.outbox.extend_from_slice(a);
            self.outbox.extend_from_slice(b);
        }
        Ok(false)
    }

    /// Tells the member what he missed; false if the room closes such members.
    fn catch_up(&mut self, missed: u64, resume: Cursor, speaker: &mut Speaker, cx: &Context<'_>) -> bool {
        self.cursor = resume;
        let missed = missed - speaker.own_overtaken_up_to(resume.seq());
        if missed == 0 {
            return true;
        }
        if cx.port.room().config().overtaken == Overtaken::Close {
            return false;
        }
        cx.port.count_missed(missed);
        if self.reading.format() == Format::Framed {
            let (accepted, head) = cx.port.accepted(speaker.member());
            let skipped = Skipped { messages: missed, next: resume.seq() + 1, head, accepted };
            self.push_frame(&RoomFrame::Skipped(skipped));
        } else {
            let messages = if missed == 1 { "message" } else { "messages" };
            self.push_notice(&format!("You missed {missed} {messages}"), cx.now);
        }
        true
    }
}

/// One write; `None` if the socket would block.
fn attempt<W: Write>(
    socket: &mut W,
    mut write: impl FnMut(&mut W) -> io::Result<usize>,
) -> io::Result<Option<usize>> {
    loop {
        match write(socket) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => return Ok(Some(written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The break that must come before a chunk peer's next line, if his `recv` may return that line together
/// with the one before it.
fn owed_break(unbroken_since: Option<Instant>, now: Instant) -> &'static [u8] {
    match unbroken_since {
        Some(since) if now.saturating_duration_since(since) < QUIET => b"\n",
        _ => b"",
    }
}

/// Both parts without the last byte of the whole, the break of its last line.
fn without_last<'a>(a: &'a [u8], b: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    match b.split_last() {
        Some((_, b)) => (a, b),
        None => (a.split_last().map_or(a, |(_, a)| a), b),
    }
}
