//! What a member gets in place of entries that the log no longer has: a page of the journal, or the number of messages
//! that it missed.

use chat_core::LagPolicy;
use chat_core::journal::Kept;
use chat_core::transport::{CaughtUp, Cursor, Pending, Taken};
use chat_proto::{Lagged, Notice, RoomFrame};

use super::Outgoing;
use crate::context::Context;
use crate::speaker::Speaker;

impl Outgoing {
    /// Takes a page of old messages into the outbox. Messages that retention has deleted count as missed; if the
    /// journal cannot be read, all do. False if the room closes members that miss something.
    pub(crate) fn take_page(&mut self, caught_up: CaughtUp, speaker: &mut Speaker, cx: &Context<'_>) -> bool {
        let CaughtUp { after, page, .. } = caught_up;
        self.extra().waits_for_page = false;
        let is_history = std::mem::take(&mut self.extra().is_history);
        if after != self.cursor.seq() {
            return true; // it reads another way, or in another room, by now
        }
        let log = cx.feed().log(self.format());
        // Messages that were not pulled yet come with the log.
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
        let (before, next) = (log.after(first.seq - 1), log.right_after(last.seq));
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
    pub(super) fn catch_up(
        &mut self,
        missed: u64,
        resume: Cursor,
        speaker: &mut Speaker,
        cx: &Context<'_>,
    ) -> bool {
        self.cursor = resume;
        let missed = missed - speaker.skipped_up_to(resume.seq() - missed, resume.seq(), cx.feed());
        if missed == 0 {
            return true;
        }
        if cx.feed().config().lag_policy() == LagPolicy::Close {
            return false;
        }
        self.push_missed(missed, resume, speaker, cx);
        true
    }

    /// The member goes before it has everything of this room: it is told how much it misses.
    pub(crate) fn skip_rest(&mut self, speaker: &mut Speaker, cx: &Context<'_>) {
        self.skip_to(cx.feed().log(self.format()).seq(), speaker, cx);
    }

    /// Like [`skip_rest`](Self::skip_rest), if the last message that is the member's is `last`.
    pub(crate) fn skip_to(&mut self, last: u64, speaker: &mut Speaker, cx: &Context<'_>) {
        let (before, cursor) = (self.cursor.seq(), cx.feed().log(self.format()).after(last));
        self.go_on_at(cursor);
        let skipped = speaker.skipped_up_to(before, cursor.seq(), cx.feed());
        let missed = cursor.seq().saturating_sub(before + skipped);
        if missed > 0 {
            self.push_missed(missed, cursor, speaker, cx);
        }
    }

    fn push_missed(&mut self, missed: u64, resume: Cursor, speaker: &Speaker, cx: &Context<'_>) {
        cx.feed().attachment().count_missed(missed);
        if !self.format().is_plain() {
            let Taken { number: taken, head } = cx.feed().attachment().taken(speaker.member());
            let lagged = Lagged { messages: missed, next: resume.seq() + 1, head, taken };
            self.push_frame(&RoomFrame::Lagged(lagged));
        } else {
            self.push_notice(&Notice::Missed(missed).to_string(), cx.now);
        }
    }
}
