//! Old messages for a plain peer that is behind the log: pages of the room's journal, each read as if it were the log.

use std::fmt::Write as _;

use chat_core::Event;
use chat_core::transport::{CaughtUp, Cursor, EncodedLog, Feed, Format};
use chat_proto::MemberId;

use crate::limits::PAGE_LOG_BYTES_MAX;
use crate::session::pages::Wish;

/// The state of a plain peer that is behind the log.
#[derive(Debug, Default)]
pub(crate) struct PlainPast {
    /// The page that is being sent.
    page: Option<EncodedLog>,
    wish: Wish,
}

impl PlainPast {
    /// The log that is read now, if it is not the shared one.
    pub(crate) fn page(&self) -> Option<&EncodedLog> {
        self.page.as_ref()
    }

    /// As [`Wish::waits`].
    pub(crate) fn waits(&mut self) -> bool {
        self.wish.waits()
    }

    /// Whether a page is being read.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.wish, Wish::Page | Wish::Asked)
    }

    /// Whether a page must be asked for now.
    pub(crate) fn take_wish(&mut self) -> bool {
        self.wish.take()
    }

    /// Takes the page that was asked for. Returns where it begins, and how many messages before it retention has
    /// deleted; `None` if there is nothing in it. Messages that the shared log has come from there, and those of
    /// `ignored` members are left out.
    pub(crate) fn read(
        &mut self,
        caught_up: CaughtUp,
        ignored: &[MemberId],
        feed: &Feed,
    ) -> Option<(Cursor, u64)> {
        let CaughtUp { after, page, .. } = caught_up;
        let tail = feed.log(Format::Lf).tail_seq();
        let mut messages = page.map(|page| page.messages).unwrap_or_default();
        messages.retain(|kept| kept.seq > after && kept.seq <= tail);
        let Some(first) = messages.first().map(|kept| kept.seq) else {
            self.wish = Wish::Missed;
            return None;
        };
        let mut page = EncodedLog::new(PAGE_LOG_BYTES_MAX);
        page.restart_after(first - 1);
        let (begin, mut line) = (page.head(), String::new());
        for kept in messages {
            let entry = kept.into_entry(feed.began_unix_ms());
            page.push(&entry, |entry, out| {
                let Event::Said { from, .. } = &entry.event else { return };
                if ignored.binary_search(&from.member).is_ok() {
                    return;
                }
                line.clear();
                writeln!(line, "{}", entry.event).expect("writing to a String does not fail");
                out.extend_from_slice(line.as_bytes());
            });
        }
        (self.page, self.wish) = (Some(page), Wish::Nothing);
        Some((begin, first - 1 - after))
    }
}
