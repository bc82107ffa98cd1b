//! Writes the outbox and the log into the socket.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::time::Instant;

use chat_core::transport::{EncodedLog, Pending};

use super::{Flushed, Outgoing, Reading};
use crate::context::Context;
use crate::speaker::Speaker;

impl Outgoing {
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
        extra.last_line_at.take_if(|at| *at < extra.outbox_written);
        if extra.outbox_written == extra.outbox.len() {
            (extra.outbox, extra.outbox_written) = (Cow::default(), 0); // gives the memory back
        }
        Ok(false)
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
