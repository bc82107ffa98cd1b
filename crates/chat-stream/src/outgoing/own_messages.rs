//! The messages in the log that a plain member said itself, and so must not get.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// Sequence numbers of a member's own messages that are still ahead of its cursor, as ranges.
///
/// All members together never have more ranges than the log has messages: messages that the tail
/// has passed are only counted.
#[derive(Debug, Default)]
pub(crate) struct OwnMessages {
    ranges: VecDeque<RangeInclusive<u64>>,
    /// Own messages ahead of the cursor that the tail has passed.
    passed: u64,
}

impl OwnMessages {
    /// The member said message `seq`, while the log held those after `tail`.
    pub(crate) fn add(&mut self, seq: u64, tail: u64) {
        self.passed += self.take_up_to(tail);
        match self.ranges.back_mut() {
            Some(last) if last.end() + 1 == seq => *last = *last.start()..=seq,
            _ => self.ranges.push_back(seq..=seq),
        }
    }

    /// The next own messages that follow each other.
    pub(crate) fn next(&self) -> Option<RangeInclusive<u64>> {
        self.ranges.front().cloned()
    }

    /// The cursor went past all messages up to `seq`; each of them was sent or is the member's own.
    pub(crate) fn went_past(&mut self, seq: u64) {
        self.take_up_to(seq);
    }

    /// The tail passed the cursor, up to `seq`: returns how many of the messages in between are the member's own.
    pub(crate) fn passed_up_to(&mut self, seq: u64) -> u64 {
        self.take_up_to(seq) + std::mem::take(&mut self.passed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.passed == 0
    }

    /// Removes the numbers up to `seq` and returns how many there were.
    fn take_up_to(&mut self, seq: u64) -> u64 {
        let mut taken = 0;
        while let Some(range) = self.ranges.front_mut() {
            let (start, end) = (*range.start(), *range.end());
            if start > seq {
                break;
            }
            if end > seq {
                *range = seq + 1..=end;
                return taken + seq + 1 - start;
            }
            taken += end + 1 - start;
            self.ranges.pop_front();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_messages_are_one_range() {
        let mut own = OwnMessages::default();
        (5..=9).for_each(|seq| own.add(seq, 0));
        own.add(20, 0);
        assert_eq!(own.ranges, [5..=9, 20..=20]);
        assert_eq!(own.next().map(|seqs| *seqs.start()), Some(5));
        own.went_past(7);
        assert_eq!(own.next().map(|seqs| *seqs.start()), Some(8));
        own.went_past(9);
        assert_eq!(own.next().map(|seqs| *seqs.start()), Some(20));
    }

    #[test]
    fn messages_that_the_tail_has_passed_are_still_counted() {
        let mut own = OwnMessages::default();
        for seq in [2, 4, 6, 8] {
            own.add(seq, 0);
        }
        own.add(10, 5);
        assert_eq!(own.ranges.len(), 3, "2 and 4 are only counted now");
        assert_eq!(own.passed_up_to(8), 4);
        assert_eq!(own.passed_up_to(9), 0);
        assert_eq!(own.next().map(|seqs| *seqs.start()), Some(10));
        own.went_past(10);
        assert!(own.is_empty());
    }
}
