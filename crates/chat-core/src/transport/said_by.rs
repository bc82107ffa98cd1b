//! Who said which message, for members that do not want to read what some others say.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use chat_proto::MemberId;

use crate::limits::SAID_BY_MAX;

/// The authors of the newest messages, oldest first.
#[derive(Debug, Default)]
pub(crate) struct SaidBy {
    messages: VecDeque<(u64, MemberId)>,
}

impl SaidBy {
    /// `member` has said message `seq`, the newest one.
    pub(crate) fn push(&mut self, seq: u64, member: MemberId) {
        if self.messages.len() >= SAID_BY_MAX {
            self.messages.pop_front();
        }
        self.messages.push_back((seq, member));
    }

    /// The first message after `seq` that one of these members, which are sorted, has said.
    pub(crate) fn next(&self, members: &[MemberId], seq: u64) -> Option<u64> {
        self.by(members, seq + 1).next()
    }

    /// How many of these messages were said by one of these members, which are sorted.
    pub(crate) fn count(&self, members: &[MemberId], seqs: RangeInclusive<u64>) -> u64 {
        self.by(members, *seqs.start()).take_while(|seq| seqs.contains(seq)).map(|_| 1).sum()
    }

    fn by<'a>(&'a self, members: &'a [MemberId], first: u64) -> impl Iterator<Item = u64> + 'a {
        let before = self.messages.partition_point(|&(seq, _)| seq < first);
        let messages = self.messages.range(before..);
        messages.filter(|(_, member)| members.binary_search(member).is_ok()).map(|&(seq, _)| seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_by_their_authors_and_the_oldest_are_forgotten() {
        let (ann, bob, zoe) = (MemberId::new(1), MemberId::new(2), MemberId::new(3));
        let mut said_by = SaidBy::default();
        for (seq, member) in [(5, ann), (6, bob), (7, ann), (8, zoe), (9, bob)] {
            said_by.push(seq, member);
        }
        assert_eq!(said_by.next(&[bob, zoe], 0), Some(6));
        assert_eq!(said_by.next(&[bob, zoe], 6), Some(8));
        assert_eq!(said_by.next(&[ann], 7), None);
        assert_eq!(said_by.count(&[bob, zoe], 6..=8), 2);
        (10..10 + SAID_BY_MAX as u64).for_each(|seq| said_by.push(seq, zoe));
        assert_eq!(said_by.messages.len(), SAID_BY_MAX);
        assert_eq!(said_by.next(&[ann, bob], 0), None);
    }
}
