//! A member's pending output, and how it gets into the socket.
//!
//! It has two sources, in this order: the *outbox*, a few bytes for this member alone (a notice, the rest of
//! an entry that the socket took in part), and then the shared log from the member's cursor on. The outbox is
//! nearly always empty, and then it holds no memory.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::time::Instant;

use chat_core::{CaughtUp, Cursor, EncodedLog, Format, Kept, LagPolicy, Pending, Taken};
use chat_proto::limits::QUIET;
use chat_proto::{Author, Direct, DirectItem, Lagged, LeaveReason, Line, Notice, PREFACE, RoomFrame, Text};
#[cfg(feature = "web")]
use chat_proto::{WebSocketFrame, json::Report};

use crate::context::Context;
use crate::speaker::Speaker;

/// How a member reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Frames, or lines that each end in a line break.
    Delimited(Format),
    /// Lines joined by line breaks with none at the end, for a program that prints what each `recv`
    /// returns. A break is written before the next line only if that follows so soon that one `recv`
    /// may return both.
    Undelimited,
}

impl Reading {
    fn format(self) -> Format {
        match self {
            Self::Delimited(format) => format,
            Self::Undelimited => Format::Lf,
        }
    }
}

/// The result of [`Outgoing::flush`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// All pending output is written.
    All,
    /// The socket takes no more bytes for now.
    Blocked,
    /// The member lagged in a room that closes such members.
    Lagged,
    /// Everything is written until a page of old messages comes from the journal. The first time, it is to be asked for.
    Behind {
        /// It is to be asked for now.
        ask: bool,
    },
}

/// The sending half of a connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    reading: Reading,
    /// Some bytes of the log were written since the peer spoke.
    was_answered: bool,
    cursor: Cursor,
    /// State that only few members need at a time.
    extra: Option<Box<Extra>>,
}

#[derive(Debug, Default)]
struct Extra {
    outbox: Cow<'static, [u8]>,
    outbox_written: usize,
    /// Since when the socket has taken nothing.
    stalled_since: Option<Instant>,
    /// When a line was last written to an undelimited peer whose line break is still pending.
    unbroken_since: Option<Instant>,
    /// Items of the direct lane up to this number are in the outbox of a plain member, or already written.
    direct: u64,
    /// A page of old messages was asked for.
    waits_for_page: bool,
    /// The next page begins the history of a newcomer, which has missed nothing.
    is_history: bool,
}

impl Outgoing {
    pub(crate) fn new(reading: Reading, cursor: Cursor) -> Self {
        Self { reading, was_answered: false, cursor, extra: None }
    }

    pub(crate) fn format(&self) -> Format {
        self.reading.format()
    }

    /// Changes how the member reads, and goes on after the same message.
    pub(crate) fn read_as(&mut self, reading: Reading, cx: &mut Context<'_>) {
        if reading.format() != self.reading.format() {
            self.cursor = cx.feed_mut().open(reading.format()).after(self.cursor.seq());
        }
        self.reading = reading;
    }

    /// Goes on at another cursor, in a log that is open.
    pub(crate) fn start(&mut self, reading: Reading, cursor: Cursor) {
        self.reading = reading;
        self.go_on_at(cursor);
    }

    /// What comes first is history, which may be shorter than was asked for.
    pub(crate) fn begin_with_history(&mut self) {
        self.extra().is_history = true;
    }

    /// Sequence number of the last message that is written, or in the outbox.
    pub(crate) fn seq(&self) -> u64 {
        self.cursor.seq()
    }

    /// Goes on at a cursor in the log of another room, in the same format.
    pub(crate) fn go_on_at(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        if let Some(extra) = &mut self.extra {
            // A page that was asked for before is not for this cursor.
            (extra.waits_for_page, extra.is_history) = (false, false);
        }
    }

    /// The peer has said something: output from now on may be an answer to it.
    pub(crate) fn expect_answer(&mut self) {
        self.was_answered = false;
    }

    /// Whether anything of the log was written since the peer spoke.
    pub(crate) fn was_answered(&self) -> bool {
        self.was_answered
    }

    /// Since when the socket has taken nothing.
    pub(crate) fn stalled_since(&self) -> Option<Instant> {
        self.extra.as_ref()?.stalled_since
    }

    /// Bytes for this member alone that are still to be written.
    pub(crate) fn outbox_len(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.outbox.len() - extra.outbox_written)
    }

    #[cfg(test)]
    pub(crate) fn holds_nothing(&self) -> bool {
        self.extra.is_none()
    }

    fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Drops the output for this member alone, which can never be written.
    pub(crate) fn give_up(&mut self) {
        self.extra = None;
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.outbox().extend_from_slice(bytes);
    }

    fn outbox(&mut self) -> &mut Vec<u8> {
        self.extra().outbox.to_mut()
    }

    /// Bytes after which nothing follows. If nothing waits before them they are not copied.
    #[cfg(feature = "web")]
    pub(crate) fn push_last(&mut self, bytes: Cow<'static, [u8]>) {
        match self.outbox_len() {
            0 => (self.extra().outbox, self.extra().outbox_written) = (bytes, 0),
            _ => self.push_bytes(&bytes),
        }
    }

    pub(crate) fn push_preface(&mut self) {
        match self.format() {
            #[cfg(feature = "web")]
            Format::WebSocketFramed => {
                WebSocketFrame::Binary.encode(self.outbox(), |out| out.extend_from_slice(&PREFACE));
            }
            _ => self.push_bytes(&PREFACE),
        }
    }

    /// A frame without a time in it.
    pub(crate) fn push_frame(&mut self, frame: &RoomFrame) {
        self.push_frame_of(frame, 0);
    }

    /// A frame of a room that began at this moment.
    #[cfg_attr(not(feature = "web"), expect(unused_variables, reason = "only objects have the time"))]
    pub(crate) fn push_frame_of(&mut self, frame: &RoomFrame, began_unix_ms: u64) {
        let format = self.format();
        let out = self.outbox();
        match format {
            #[cfg(feature = "web")]
            Format::WebSocketText => {
                if let Some(report) = Report::frame(frame, began_unix_ms) {
                    WebSocketFrame::Text.encode(out, |out| report.write(out));
                }
            }
            #[cfg(feature = "web")]
            Format::WebSocketFramed => WebSocketFrame::Binary.encode(out, |out| frame.encode(out)),
            _ => frame.encode(out),
        }
    }

    /// A `[*] text` line for a plain member; several if it is long.
    pub(crate) fn push_notice(&mut self, text: &str, now: Instant) {
        for text in Text::split(text.as_bytes()) {
            self.push_line(&Line { author: Author::Room, text }.to_string(), now);
        }
    }

    /// An item of the direct lane for a plain member. [`take_written_direct`](Self::take_written_direct) acknowledges it.
    pub(crate) fn push_direct(&mut self, direct: &Direct, now: Instant) {
        for line in direct.item.to_lines() {
            // The parts of a long line are refused one by one; one notice is enough.
            if !(matches!(direct.item, DirectItem::Refused { .. }) && self.ends_with(&line)) {
                self.push_line(&line, now);
            }
        }
        self.extra().direct = direct.number;
    }

    fn ends_with(&self, line: &str) -> bool {
        let line_break = if let Reading::Delimited(format) = self.reading { format.line_break() } else { "" };
        let Some(extra) = &self.extra else { return false };
        let unwritten = &extra.outbox[extra.outbox_written..];
        unwritten.strip_suffix(line_break.as_bytes()).is_some_and(|lines| lines.ends_with(line.as_bytes()))
    }

    fn push_line(&mut self, line: &str, now: Instant) {
        let owed = self.owed_break(now);
        self.push_bytes(owed);
        self.push_bytes(line.as_bytes());
        match self.reading {
            Reading::Delimited(format) => self.push_bytes(format.line_break().as_bytes()),
            Reading::Undelimited => self.extra().unbroken_since = Some(now),
        }
    }

    /// The last words to a member that leaves for `reason`.
    pub(crate) fn push_farewell(&mut self, reason: &LeaveReason, now: Instant) {
        if self.format().is_plain() {
            return self.push_notice(&Notice::Closed(&reason.farewell()).to_string(), now);
        }
        self.push_frame(&RoomFrame::Bye(reason.clone()));
        #[cfg(feature = "web")]
        if self.format() != Format::Framed {
            let code = crate::web::close_code(reason);
            WebSocketFrame::Close.encode(self.outbox(), |out| out.extend_from_slice(&code.to_be_bytes()));
        }
    }

    /// Writes the line break before the next line for an undelimited peer, if one `recv` of the peer may return both
    /// lines together.
    fn owed_break(&self, now: Instant) -> &'static [u8] {
        match self.extra.as_ref().and_then(|extra| extra.unbroken_since) {
            Some(since) if now.saturating_duration_since(since) < QUIET => b"\n",
            _ => b"",
        }
    }

    /// Writes until all pending output is written or the socket takes no more: first the outbox, then, if
    /// `speaker` is still a member, the log.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub(crate) fn flush(
        &mut self,
        mut speaker: Option<&mut Speaker>,
        cx: &Context<'_>,
        socket: &mut impl Write,
    ) -> io::Result<Flushed> {
        loop {
            let blocked = if self.outbox_len() > 0 {
                let blocked = self.write_outbox(socket)?;
                if let (Some(speaker), Some(direct)) = (&speaker, self.take_written_direct()) {
                    cx.feed().attachment().got(speaker.member(), direct);
                }
                blocked
            } else if let Some(speaker) = &mut speaker {
                let log = cx.feed().log(self.format());
                match log.pending_before(self.cursor, speaker.next_skipped(self.cursor.seq(), cx.feed())) {
                    Pending::Bytes(a, b) => self.write_log(log, a, b, cx.now, socket)?,
                    Pending::Lagged { .. } if cx.feed().attachment().has_journal() => {
                        let ask = !std::mem::replace(&mut self.extra().waits_for_page, true);
                        return match self.flush_stream(cx.now, socket)? {
                            Flushed::All => Ok(Flushed::Behind { ask }),
                            flushed => Ok(flushed),
                        };
                    }
                    Pending::Lagged { missed, resume } => {
                        if !self.catch_up(missed, resume, speaker, cx) {
                            return Ok(Flushed::Lagged);
                        }
                        false
                    }
                    Pending::Nothing => match speaker.step_over(log, self.cursor, cx.feed()) {
                        Some(cursor) => {
                            self.cursor = cursor;
                            false
                        }
                        None => return self.flush_stream(cx.now, socket),
                    },
                }
            } else {
                return self.flush_stream(cx.now, socket);
            };
            if blocked {
                let extra = self.extra();
                extra.stalled_since.get_or_insert(cx.now);
                // The peer is behind, so its next `recv` may return several lines: write the separator now.
                if extra.unbroken_since.take().is_some() {
                    extra.outbox.to_mut().push(b'\n');
                }
                return Ok(Flushed::Blocked);
            }
        }
    }

    /// The number up to which the direct lane counts as acknowledged, because the system has taken all bytes.
    fn take_written_direct(&mut self) -> Option<u64> {
        let is_written = self.outbox_len() == 0;
        let direct =
            self.extra.as_mut().filter(|_| is_written).map(|extra| std::mem::take(&mut extra.direct));
        self.let_go();
        direct.filter(|&direct| direct > 0)
    }

    /// Everything is written, but the stream may still hold some of it.
    fn flush_stream(&mut self, now: Instant, socket: &mut impl Write) -> io::Result<Flushed> {
        if attempt(socket, |socket| socket.flush().map(|()| 1))?.is_none() {
            self.extra().stalled_since.get_or_insert(now);
            return Ok(Flushed::Blocked);
        }
        if let Some(extra) = &mut self.extra {
            extra.stalled_since = None;
            self.let_go();
        }
        Ok(Flushed::All)
    }

    /// Returns whether the socket was blocked.
    fn write_outbox(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        let extra = self.extra.get_or_insert_default();
        let rest = &extra.outbox[extra.outbox_written..];
        let Some(written) = attempt(socket, |socket| socket.write(rest))? else { return Ok(true) };
        extra.stalled_since = None;
        extra.outbox_written += written;
        if extra.outbox_written == extra.outbox.len() {
            (extra.outbox, extra.outbox_written) = (Cow::default(), 0); // gives the memory back
        }
        Ok(false)
    }

    /// Frees memory that is not needed any more.
    fn let_go(&mut self) {
        self.extra.take_if(|extra| {
            extra.outbox.is_empty()
                && extra.stalled_since.is_none()
                && extra.unbroken_since.is_none()
                && extra.direct == 0
                && !extra.waits_for_page
                && !extra.is_history
        });
    }

    /// Returns whether the socket was blocked.
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
            Reading::Undelimited => {
                let (a, b) = without_last(a, b);
                (self.owed_break(now), a, b)
            }
        };
        let written = if lead.is_empty() && b.is_empty() {
            attempt(socket, |socket| socket.write(a))?
        } else {
            attempt(socket, |socket| {
                socket.write_vectored(&[IoSlice::new(lead), IoSlice::new(a), IoSlice::new(b)])
            })?
        };
        let Some(written) = written else { return Ok(true) };
        self.was_answered = true;
        let mut written = written - lead.len();
        if self.reading == Reading::Undelimited {
            let is_all = written == a.len() + b.len();
            self.extra().unbroken_since = is_all.then_some(now);
            written += usize::from(is_all);
        }
        if let Some(extra) = &mut self.extra {
            extra.stalled_since = None;
            self.let_go();
        }
        let advanced = log.advance(self.cursor, written);
        self.cursor = advanced.cursor;
        if let Some((a, b)) = advanced.torn {
            self.push_bytes(a);
            self.push_bytes(b);
        }
        Ok(false)
    }

    /// Takes a page of old messages into the outbox. What retention has deleted is missed, and so is everything if the journal
    /// cannot be read. False if the room closes members that miss something.
    pub(crate) fn take_page(&mut self, caught_up: CaughtUp, speaker: &mut Speaker, cx: &Context<'_>) -> bool {
        let CaughtUp { after, page, .. } = caught_up;
        self.extra().waits_for_page = false;
        let is_history = std::mem::take(&mut self.extra().is_history);
        if after != self.cursor.seq() {
            return true; // it reads another way, or in another room, by now
        }
        let log = cx.feed().log(self.format());
        // What was not pulled yet comes with the log.
        let messages = page.map(|page| page.messages).unwrap_or_default();
        let messages: Vec<Kept> = messages.into_iter().take_while(|kept| kept.seq <= log.seq()).collect();
        let Some((first, last)) = messages.first().zip(messages.last()) else {
            return match log.pending(self.cursor) {
                Pending::Lagged { resume, .. } if is_history => {
                    self.cursor = resume;
                    true
                }
                Pending::Lagged { missed, resume } => self.catch_up(missed, resume, speaker, cx),
                _ => true,
            };
        };
        let (before, next) = (log.after(first.seq - 1), log.after(last.seq));
        let deleted = before.seq().saturating_sub(after);
        if deleted > 0 && !is_history && !self.catch_up(deleted, before, speaker, cx) {
            return false;
        }
        self.cursor = next;
        self.was_answered = true;
        let began_unix_ms = cx.feed().began_unix_ms();
        for kept in messages {
            if !self.format().is_plain() {
                self.push_frame_of(&RoomFrame::Entry(kept.into_entry(began_unix_ms).into()), began_unix_ms);
            } else if !speaker.ignores(&kept.event) {
                self.push_line(&kept.event.to_string(), cx.now);
            }
        }
        true
    }

    /// Tells the member how many messages it missed; false if the room closes lagged members.
    fn catch_up(&mut self, missed: u64, resume: Cursor, speaker: &mut Speaker, cx: &Context<'_>) -> bool {
        self.cursor = resume;
        let missed = missed - speaker.skipped_up_to(resume.seq() - missed, resume.seq(), cx.feed());
        if missed == 0 {
            return true;
        }
        if cx.feed().config().lag_policy == LagPolicy::Close {
            return false;
        }
        cx.feed().attachment().count_missed(missed);
        if !self.format().is_plain() {
            let Taken { number: taken, head } = cx.feed().attachment().taken(speaker.member());
            let lagged = Lagged { messages: missed, next: resume.seq() + 1, head, taken };
            self.push_frame(&RoomFrame::Lagged(lagged));
        } else {
            self.push_notice(&Notice::Missed(missed).to_string(), cx.now);
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

/// Both parts without the last byte of the whole: the line break of the last line.
fn without_last<'a>(a: &'a [u8], b: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    match b.split_last() {
        Some((_, b)) => (a, b),
        None => (a.split_last().map_or(a, |(_, a)| a), b),
    }
}
