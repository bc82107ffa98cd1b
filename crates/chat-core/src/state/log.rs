//! The room's log: the newest entries, bounded in bytes.
//!
//! All readers read from here: a transport pulls the new entries and encodes them for its
//! members, and a local member reads the entries as they are.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_proto::{Entry, Event, LeaveReason, MemberId};

use crate::limits::ENTRY_OVERHEAD_BYTES;

/// A bounded queue of entries. Every entry has a *position* (0, 1, 2, …, joins and leaves
/// included) and every message a *sequence number* (1, 2, 3, …, without gaps).
///
/// ```text
///   tail                              head
///    |  entry entry entry entry entry  |
///    position -->
/// ```
#[derive(Debug)]
pub(crate) struct Log {
    entries: VecDeque<Arc<Entry>>,
    /// Position of the oldest entry held.
    tail: u64,
    /// Messages that have left the log. This is also the sequence number before the oldest one held.
    evicted_seq: u64,
    /// Sequence number of the newest message; 0 before the first.
    seq: u64,
    bytes: usize,
    bytes_max: usize,
}

impl Log {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { entries: VecDeque::new(), tail: 0, evicted_seq: 0, seq: 0, bytes: 0, bytes_max }
    }

    /// Begins after message `seq`, while it is empty.
    pub(crate) fn begin_after(&mut self, seq: u64) {
        (self.seq, self.evicted_seq) = (seq, seq);
    }

    /// The messages up to `seq` will not come: as if they had come and had left the log again, with everything before
    /// them.
    pub(crate) fn skip_to(&mut self, seq: u64) {
        self.tail += self.entries.len() as u64 + 1;
        self.entries.clear();
        (self.bytes, self.seq, self.evicted_seq) = (0, seq, seq);
    }

    /// Appends `event` and drops the oldest entries that no longer fit.
    pub(crate) fn append(&mut self, event: Event, at_ms: u64) -> &Arc<Entry> {
        if event.is_message() {
            self.seq += 1;
        }
        self.bytes += cost(&event);
        // The caller read its clock before it had the lock.
        let at_ms = self.entries.back().map_or(at_ms, |newest| newest.at_ms.max(at_ms));
        self.entries.push_back(Arc::new(Entry { seq: self.seq, at_ms, event }));
        while self.bytes > self.bytes_max && self.entries.len() > 1 {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= cost(&oldest.event);
                self.tail += 1;
                self.evicted_seq = oldest.seq;
            }
        }
        self.entries.back().expect("an entry was just appended, and the last one is never evicted")
    }

    /// The entry at `position`; `None` if it is not written yet or no longer held.
    pub(crate) fn at(&self, position: u64) -> Option<&Arc<Entry>> {
        let index = usize::try_from(position.checked_sub(self.tail)?).ok()?;
        self.entries.get(index)
    }

    /// The position of the first entry after message `seq` and what was noted before the next one.
    pub(crate) fn position_after(&self, seq: u64) -> u64 {
        self.tail + self.entries.partition_point(|entry| entry.seq <= seq) as u64
    }

    /// The entries from `position` on, oldest first.
    pub(crate) fn from(&self, position: u64) -> impl DoubleEndedIterator<Item = &Arc<Entry>> {
        let held = usize::try_from(position.saturating_sub(self.tail)).unwrap_or(usize::MAX);
        self.entries.iter().skip(held)
    }

    /// The number of a member's newest message, if the log still holds one. O(entries).
    pub(crate) fn newest_number_of(&self, member: MemberId) -> Option<u64> {
        self.entries.iter().rev().find_map(|entry| match entry.event {
            Event::Said { from, .. } if from.member == member => Some(from.number),
            _ => None,
        })
    }

    /// Position of the oldest entry held.
    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    /// Position of the next entry.
    pub(crate) fn head(&self) -> u64 {
        self.tail + self.entries.len() as u64
    }

    /// Sequence number of the newest message.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// Sequence number of the newest message that the log no longer holds.
    pub(crate) fn evicted_seq(&self) -> u64 {
        self.evicted_seq
    }

    /// The bytes of all entries, including overhead.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn cost(event: &Event) -> usize {
    let text = match event {
        Event::Said { text, .. } | Event::Left { reason: LeaveReason::Kicked { why: text }, .. } => {
            text.as_str().len()
        }
        _ => 0,
    };
    ENTRY_OVERHEAD_BYTES + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::{Author, Origin, Text};

    fn said(text: &str) -> Event {
        Event::Said { from: Origin::default(), author: Author::Room, text: Text::one_line(text).unwrap() }
    }

    #[test]
    fn messages_are_numbered_without_gaps_and_other_entries_are_not() {
        let mut log = Log::new(1 << 20);
        assert_eq!(log.append(said("a"), 0).seq, 1);
        assert_eq!(log.append(Event::PresenceSummary { joined: 1, left: 0, members: 60 }, 0).seq, 1);
        assert_eq!(log.append(said("b"), 0).seq, 2);
        assert_eq!((log.tail(), log.head()), (0, 3));
    }

    #[test]
    fn a_reader_of_everything_has_missed_what_never_came() {
        let mut log = Log::new(1 << 20);
        log.append(said("a"), 0);
        let reader = log.head();
        log.skip_to(5);
        assert!(reader < log.tail(), "it lags");
        assert_eq!((log.seq(), log.evicted_seq(), log.bytes()), (5, 5, 0));
        assert_eq!(log.append(said("b"), 0).seq, 6);
        assert_eq!(log.from(reader).map(|entry| entry.seq).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn the_oldest_entries_go_when_the_log_is_full_and_it_knows_how_many_messages_went() {
        let mut log = Log::new(10 * (ENTRY_OVERHEAD_BYTES + 1));
        for _ in 0..25 {
            log.append(said("x"), 0);
        }
        assert_eq!((log.tail(), log.head(), log.seq(), log.evicted_seq()), (15, 25, 25, 15));
        assert!(log.bytes() <= 10 * (ENTRY_OVERHEAD_BYTES + 1));
        assert_eq!(log.at(15).map(|entry| entry.seq), Some(16));
        assert!(log.at(14).is_none() && log.at(25).is_none());
        assert_eq!(log.from(20).count(), 5);
        assert_eq!(log.from(0).count(), 10, "what is gone is left out");
    }
}
