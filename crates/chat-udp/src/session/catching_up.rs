//! How a session gets messages that the log no longer has: page by page, from the journal.

use chat_core::transport::{CaughtUp, Format, Pending};

use super::{Context, Session};

impl Session {
    /// The message after which a page of the room's journal must be asked for.
    pub(crate) fn take_wish(&mut self) -> Option<u64> {
        let wants = self.past.as_mut().is_some_and(|past| past.take_wish());
        wants.then(|| self.outgoing.acked().seq())
    }

    /// The page that was asked for. Messages that the shared log has come from there.
    pub(crate) fn catch_up(&mut self, caught_up: CaughtUp, cx: &Context<'_>) {
        let Some(past) = &mut self.past else { return };
        let CaughtUp { after, page, .. } = caught_up;
        if after != self.outgoing.acked().seq() || past.log().is_some() {
            return past.has_come(); // it had acknowledged more when the page came
        }
        let tail = cx.feed.log(Format::Framed).tail_seq();
        let mut messages = page.map(|page| page.messages).unwrap_or_default();
        messages.retain(|kept| kept.seq <= tail);
        let Some(first) = messages.first().map(|kept| kept.seq) else { return past.gives_up() };
        cx.count_missed(first - 1 - after); // retention has deleted them
        let began_unix_ms = cx.feed.began_unix_ms();
        let entries = messages.into_iter().map(|kept| kept.into_entry(began_unix_ms));
        let begin = past.read(first - 1, entries, self.outgoing.unused());
        self.outgoing.go_on_at(begin);
    }

    /// Whether it must wait for a page of the room's journal, because the shared log no longer has what it lacks.
    pub(super) fn is_behind(&mut self, cx: &Context<'_>) -> bool {
        if !cx.feed.attachment().has_journal() || self.past.as_ref().is_some_and(|past| past.log().is_some())
        {
            return false;
        }
        let shared = cx.feed.log(Format::Framed);
        let is_behind = matches!(shared.pending(self.outgoing.acked()), Pending::Lagged { missed: 1.., .. });
        match &mut self.past {
            Some(past) if !is_behind => past.has_come(),
            _ => {}
        }
        is_behind && self.past.get_or_insert_default().waits()
    }
}
