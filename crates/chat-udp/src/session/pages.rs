//! Old messages for a session that is behind the log: pages of the room's journal, each sent as if it were the log.
//!
//! A page is a log of its own, whose entries are acknowledged and sent again like those of the shared one. The wire
//! goes on counting slots when the session changes from one log to the other: it is told to go on at a slot that was
//! never used, which costs it no message.
//!
//! ```text
//!   wire      ... | a page | a page | the shared log ...
//!   slots     0..40 40..700  700..1390 1390..
//! ```

use chat_core::Entry;
use chat_core::transport::{Cursor, EncodedLog};
use chat_proto::{Ack, Spelling, encode_entry};

use crate::limits::PAGE_LOG_BYTES_MAX;

/// The state of a session that was ever behind the log.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// A slot on the wire is that of the log, plus this. It may wrap.
    offset: u64,
    /// The page that is being sent.
    page: Option<EncodedLog>,
    wish: Wish,
}

/// Whether a peer that is behind the log wants a page of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    #[default]
    Nothing,
    /// A page must be asked for.
    Page,
    /// It was.
    Asked,
    /// The journal has nothing for it: it is told what it missed.
    Missed,
}

impl Wish {
    /// A page is needed. False if there is none, and the peer must be told how many messages it missed.
    pub(crate) fn waits(&mut self) -> bool {
        if *self == Wish::Nothing {
            *self = Wish::Page;
        }
        *self != Wish::Missed
    }

    /// Whether a page must be asked for now.
    pub(crate) fn take(&mut self) -> bool {
        let wants = *self == Wish::Page;
        if wants {
            *self = Wish::Asked;
        }
        wants
    }
}

impl Past {
    /// The log that is read now, if it is not the shared one.
    pub(crate) fn log(&self) -> Option<&EncodedLog> {
        self.page.as_ref()
    }

    /// The number on the wire of a slot of the log that is read now.
    pub(crate) fn wire(&self, slot: u64) -> u64 {
        slot.wrapping_add(self.offset)
    }

    /// An acknowledgement in slots of the log that is read now, where `acked` is the first slot that the peer lacks.
    /// `None` if it is for an earlier log.
    pub(crate) fn ack(&self, ack: &Ack, acked: u64) -> Option<Ack> {
        let ahead = ack.next.checked_sub(self.wire(acked))?;
        Some(Ack { next: acked.checked_add(ahead)?, beyond: ack.beyond })
    }

    /// Notes that the session has to read a page before it goes on. False if it must be told how many messages it
    /// missed.
    pub(crate) fn waits(&mut self) -> bool {
        self.wish.waits()
    }

    /// Whether a page must be asked for now.
    pub(crate) fn take_wish(&mut self) -> bool {
        self.wish.take()
    }

    /// The session is not behind the log any more.
    pub(crate) fn has_come(&mut self) {
        self.wish = Wish::Nothing;
    }

    /// There is nothing to read.
    pub(crate) fn gives_up(&mut self) {
        self.wish = Wish::Missed;
    }

    /// Reads these entries from now on, which follow message `after`; `unused` is a slot of the log so far that was
    /// never sent. Returns where it begins.
    pub(crate) fn read(&mut self, after: u64, entries: impl Iterator<Item = Entry>, unused: u64) -> Cursor {
        let mut page = EncodedLog::new(PAGE_LOG_BYTES_MAX);
        page.restart_after(after);
        let begin = page.head();
        let mut spelling = Spelling::default();
        for entry in entries {
            page.push(&entry, |entry, out| encode_entry(entry, &mut spelling, out));
        }
        self.go_on_at(begin, unused);
        self.page = Some(page);
        self.wish = Wish::Nothing;
        begin
    }

    /// Reads the shared log again, from this cursor on.
    pub(crate) fn read_shared(&mut self, begin: Cursor, unused: u64) {
        self.go_on_at(begin, unused);
        self.page = None;
    }

    fn go_on_at(&mut self, begin: Cursor, unused: u64) {
        self.offset = self.wire(unused).wrapping_sub(begin.slot());
    }
}
