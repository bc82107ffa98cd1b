//! Paging back: what was said before the oldest message that is shown.

use chat_core::OldMessages;
use chat_proto::limits::LOOK_BACK_MESSAGES_MAX;
use chat_proto::{Event, LookBack, Welcome};

use super::view::{Mark, View};
use crate::terminal::Style;

/// Rows of a page that are not messages: the lines around them, a day, the input and the status.
const ROWS_AROUND: usize = 6;

/// How far back the user has looked.
#[derive(Debug, Default)]
pub(crate) struct Paging {
    /// Sequence numbers compare only within one.
    epoch: u64,
    /// The oldest message that is shown.
    oldest: Option<u64>,
    /// A page is on its way.
    is_asked: bool,
    /// There is nothing older.
    is_whole: bool,
}

impl Paging {
    pub(crate) fn connected(&mut self, welcome: &Welcome) {
        if self.epoch != welcome.epoch {
            *self = Self { epoch: welcome.epoch, ..Self::default() };
        }
    }

    pub(crate) fn shows(&mut self, seq: u64) {
        self.oldest = Some(self.oldest.map_or(seq, |oldest| oldest.min(seq)));
    }
}

impl View {
    /// The question for a page of older messages on a screen of this many rows; none if there is nothing to ask for.
    pub(crate) fn look_back(&mut self, rows: usize) -> Option<LookBack> {
        if self.paging.is_whole {
            self.note(Style::Faint, "There is nothing older.");
        }
        if self.paging.is_asked || self.paging.is_whole {
            return None;
        }
        self.paging.is_asked = true;
        let messages =
            u8::try_from(rows.saturating_sub(ROWS_AROUND).max(1)).unwrap_or(LOOK_BACK_MESSAGES_MAX);
        Some(LookBack::newest(messages).before(self.paging.oldest.unwrap_or(u64::MAX)))
    }

    /// Shows a page.
    pub(crate) fn old_messages(&mut self, page: &OldMessages) {
        self.paging.is_asked = false;
        if let Some(why) = &page.why {
            return self.note(Style::Warning, &format!("The history cannot be read: {why}"));
        }
        self.paging.is_whole = !page.more;
        if page.messages.is_empty() {
            return self.note(Style::Faint, "There is nothing older.");
        }
        self.note(Style::Faint, "Earlier:");
        let rings = self.rings;
        for entry in &page.messages {
            self.paging.shows(entry.seq);
            let Event::Said { from, author, text } = &entry.event else { continue };
            if self.ignored.contains(&from.member) {
                continue;
            }
            let mark = if Some(from.member) == self.member { Mark::Own } else { Mark::None };
            let at = self.began_unix_ms.saturating_add(entry.at_ms);
            self.said_line(Some(at), mark, author, Style::Announcement, text);
        }
        self.rings = rings; // nobody is calling now
        let more = if page.more { "Page Up shows what was before that." } else { "That is where it begins." };
        self.note(Style::Faint, more);
    }
}
