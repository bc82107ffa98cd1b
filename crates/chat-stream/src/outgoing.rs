//! A member's pending output, and how it gets into the socket.
//!
//! It has two sources, in this order: the *outbox*, a few bytes for this member alone (a notice, the rest of
//! an entry that the socket took in part), and then the shared log from the member's cursor on. The outbox is
//! nearly always empty, and then it holds no memory.

mod lag;
mod outbox;
pub(crate) mod own_messages;
mod write;

use std::borrow::Cow;
use std::time::Instant;

use chat_core::transport::{Cursor, Format};

use crate::context::Context;

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
    /// Everything is written until a page of old messages comes from the journal. The first time, the page must be
    /// asked for.
    Behind {
        /// Ask for it now.
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
    /// Where the last line for this member alone begins in the outbox, if nothing of it is written.
    last_line_at: Option<usize>,
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

    /// The first entries are history, which may be shorter than was asked for.
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

    /// A peer that takes nothing is given time from now on.
    pub(crate) fn stall_anew(&mut self, now: Instant) {
        let stalled_since = self.extra.as_mut().and_then(|extra| extra.stalled_since.as_mut());
        stalled_since.into_iter().for_each(|since| *since = now);
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
}
