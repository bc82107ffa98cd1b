//! The next thing that a member of this process hears: from the log, or from the journal if the log no longer has it.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_proto::{Entry, MemberId, Text};

use super::{LOCAL_TAG, LocalState, State, Wakes};
use crate::heard::Heard;
use crate::journal::Page;

/// Old messages for a local member that is behind the log, a page at a time.
#[derive(Debug, Default)]
pub(crate) struct LocalPast {
    /// Not heard yet.
    entries: VecDeque<Arc<Entry>>,
    /// Messages before them that retention has deleted.
    deleted: u64,
    is_asked: bool,
    /// The journal has nothing for it: it is told how many messages it missed.
    is_lost: bool,
}

/// The next thing that a local member hears.
#[derive(Debug)]
pub(crate) enum Next {
    Heard(Heard),
    /// Nothing for now.
    Nothing,
    /// Nothing for now, and the page after this message must be read for it.
    Ask {
        member: MemberId,
        after: u64,
    },
}

impl State {
    /// Takes the next thing that a local member hears.
    pub(crate) fn next_for_local(&mut self, place: usize) -> Next {
        let has_journal = self.in_flight.is_some();
        let (LocalState { reader, direct, past, id, .. }, log) = self.local_mut(place);
        if past.deleted > 0 {
            let deleted = std::mem::take(&mut past.deleted);
            reader.seq += deleted;
            self.count_missed(LOCAL_TAG, deleted);
            return Next::Heard(Heard::Missed(deleted));
        }
        if let Some(entry) = past.entries.pop_front() {
            reader.seq = entry.seq;
            if reader.seq >= log.evicted_seq() {
                past.entries.clear(); // the log has what follows
                reader.position = log.position_after(reader.seq);
            }
            return Next::Heard(Heard::Entry(entry));
        }
        let missed = match reader.position <= log.tail() {
            true => log.evicted_seq().saturating_sub(reader.seq),
            false => 0,
        };
        if missed > 0 && has_journal && !std::mem::take(&mut past.is_lost) {
            if let Some(item) = direct.pop() {
                return Next::Heard(Heard::Direct(item));
            }
            reader.is_up_to_date(); // the page wakes it
            return match std::mem::replace(&mut past.is_asked, true) {
                true => Next::Nothing,
                false => Next::Ask { member: *id, after: reader.seq },
            };
        }
        if reader.position < log.tail() || missed > 0 {
            (reader.position, reader.seq) = (log.tail(), log.evicted_seq());
        }
        if missed > 0 {
            self.count_missed(LOCAL_TAG, missed);
            return Next::Heard(Heard::Missed(missed));
        }
        if let Some(item) = direct.pop() {
            return Next::Heard(Heard::Direct(item));
        }
        match log.at(reader.position) {
            Some(entry) => {
                (reader.position, reader.seq) = (reader.position + 1, entry.seq);
                Next::Heard(Heard::Entry(Arc::clone(entry)))
            }
            None => Next::Nothing,
        }
    }

    /// Whether a local member need not wait for more. If it does, the next entry wakes it.
    pub(crate) fn has_more_for_local(&mut self, place: usize) -> bool {
        let (LocalState { reader, direct, past, .. }, log) = self.local_mut(place);
        let has_old = past.deleted > 0 || !past.entries.is_empty();
        let is_behind = reader.position <= log.tail() && reader.seq < log.evicted_seq();
        let has_new = (reader.position < log.head() || is_behind) && !past.is_asked;
        let has_more = has_old || !direct.is_empty() || has_new;
        if !has_more {
            reader.is_up_to_date();
        }
        has_more
    }

    /// Whether a page for a local member is being read.
    pub(crate) fn is_local_behind(&mut self, place: usize) -> bool {
        self.local_mut(place).0.past.is_asked
    }

    /// Hands a page to the local member that it was read for.
    pub(crate) fn hand_local_page(
        &mut self,
        member: MemberId,
        after: u64,
        page: Result<Page, Text>,
    ) -> Wakes {
        let began_unix_ms = self.began_unix_ms;
        let Some(place) = self.local_place(member) else { return Wakes::default() };
        let (LocalState { reader, past, .. }, _) = self.local_mut(place);
        past.is_asked = false;
        let messages = page.map(|page| page.messages).unwrap_or_default();
        let messages = messages.into_iter().filter(|kept| kept.seq > after);
        past.entries = messages.map(|kept| Arc::new(kept.into_entry(began_unix_ms))).collect();
        match past.entries.front() {
            Some(first) => past.deleted = first.seq - 1 - after,
            None => past.is_lost = true,
        }
        Wakes(reader.wake().into_iter().collect())
    }
}
