//! The log by slots, for a wire format that names entries by their numbers.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use chat_core::transport::{EncodedLog, Pending};
use chat_proto::{Author, Entry, Event, Origin, Text};
use proptest::prelude::*;

/// The bytes that an entry takes in addition to its own.
const INDEX: usize = 16;

fn message(log: &mut EncodedLog, bytes: &[u8]) {
    let event = Event::Said { from: Origin::default(), author: Author::Room, text: Text::default() };
    let entry = Entry { seq: log.seq() + 1, at_ms: 0, event };
    log.push(&entry, |_, out| out.extend_from_slice(bytes));
}

fn presence(log: &mut EncodedLog, bytes: &[u8]) {
    let entry =
        Entry { seq: log.seq(), at_ms: 0, event: Event::PresenceSummary { joined: 1, left: 0, members: 1 } };
    log.push(&entry, |_, out| out.extend_from_slice(bytes));
}

fn batch(log: &EncodedLog, slots: std::ops::Range<u64>, bytes_max: usize) -> (u64, String) {
    let (end, a, b) = log.batch(slots, bytes_max);
    (end, String::from_utf8([a, b].concat()).unwrap())
}

#[test]
fn entries_are_numbered_whether_they_are_messages_or_not() {
    let mut log = EncodedLog::new(1_000);
    message(&mut log, b"one ");
    presence(&mut log, b"+a ");
    presence(&mut log, b"");
    message(&mut log, b"two ");
    assert_eq!(log.slots(), 0..3, "what is not shown has no slot");
    let seqs: Vec<_> =
        (0..5).map(|slot| log.at_slot(slot).map(|cursor| (cursor.slot(), cursor.seq()))).collect();
    assert_eq!(seqs, [Some((0, 0)), Some((1, 1)), Some((2, 1)), Some((3, 2)), None]);
    assert_eq!(log.at_slot(3), Some(log.head()));
}

#[test]
fn a_batch_is_as_many_whole_entries_as_fit() {
    let mut log = EncodedLog::new(1_000);
    for bytes in [&b"one "[..], b"two ", b"three "] {
        message(&mut log, bytes);
    }
    assert_eq!(batch(&log, 0..9, 100), (3, "one two three ".to_owned()));
    assert_eq!(batch(&log, 0..9, 13), (2, "one two ".to_owned()));
    assert_eq!(batch(&log, 0..9, 8), (2, "one two ".to_owned()));
    assert_eq!(batch(&log, 0..9, 7), (1, "one ".to_owned()));
    assert_eq!(batch(&log, 1..2, 100), (2, "two ".to_owned()));
    assert_eq!(batch(&log, 0..9, 3), (0, String::new()), "not even the first one");
    assert_eq!(batch(&log, 3..9, 100), (3, String::new()), "at the head");
    let backwards = std::ops::Range { start: 2, end: 1 };
    assert_eq!(batch(&log, backwards, 100), (2, String::new()));
    assert_eq!((log.bytes_in(0..9), log.bytes_in(1..2), log.bytes_in(5..9)), (14, 4, 0));
}

#[test]
fn a_slot_that_the_tail_has_passed_is_gone() {
    let mut log = EncodedLog::new(2 * (4 + INDEX));
    for bytes in [b"one ", b"two ", b"333 "] {
        message(&mut log, bytes);
    }
    assert_eq!(log.slots(), 1..3);
    assert_eq!(log.at_slot(0), None);
    assert_eq!(batch(&log, 0..3, 100), (0, String::new()));
    assert_eq!(batch(&log, 1..3, 100), (3, "two 333 ".to_owned()));
    assert_eq!(log.bytes_in(0..3), 8);
}

#[test]
fn no_slot_from_before_a_gap_is_one_after_it() {
    let mut log = EncodedLog::new(1_000);
    message(&mut log, b"one ");
    let (head, lost) = (log.head(), log.seq() + 5);
    log.restart_after(lost);
    message(&mut log, b"seven ");
    assert!(log.at_slot(head.slot()).is_none(), "it would seem to be what follows");
    assert!(matches!(log.pending(head), Pending::Lagged { missed: 5, .. }));
}

#[test]
fn a_member_that_lacks_dropped_messages_stands_before_the_tail() {
    let mut log = EncodedLog::new(2 * (4 + INDEX));
    for bytes in [b"one ", b"two ", b"333 "] {
        message(&mut log, bytes);
    }
    assert_eq!((log.after(0).slot(), log.after(1).slot(), log.after(2).slot()), (0, 1, 2));
    assert_eq!(log.at_slot(log.after(0).slot()), None);
    log.restart_after(9);
    assert!(log.at_slot(log.after(8).slot()).is_none());
    assert_eq!(log.after(9), log.head());
}

proptest! {
    #[test]
    fn batches_of_any_size_make_up_the_log(
        lengths in prop::collection::vec(1_usize..30, 0..60),
        log_bytes in 60_usize..1_000,
        batch_bytes in 30_usize..200,
    ) {
        let mut log = EncodedLog::new(log_bytes);
        let mut all = Vec::new();
        for (number, &length) in lengths.iter().enumerate() {
            let bytes = vec![u8::try_from(number % 250).unwrap(); length];
            message(&mut log, &bytes);
            all.extend(bytes);
        }
        let mut slot = log.slots().start;
        let mut read = Vec::new();
        while slot < log.slots().end {
            let (end, a, b) = log.batch(slot..log.slots().end, batch_bytes);
            prop_assert!(end > slot && a.len() + b.len() <= batch_bytes);
            prop_assert_eq!(log.bytes_in(slot..end), a.len() + b.len());
            // One more entry would not have fitted.
            prop_assert!(end == log.slots().end || log.bytes_in(slot..end + 1) > batch_bytes);
            read.extend_from_slice(a);
            read.extend_from_slice(b);
            slot = end;
        }
        prop_assert_eq!(&read[..], &all[all.len() - read.len()..]);
        prop_assert_eq!(read.len(), log.bytes_in(0..u64::MAX));
    }
}
