//! The log as bytes, tested by example. `encoded_log_model.rs` compares it with a model.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use chat_core::transport::{Cursor, EncodedLog, Pending};
use chat_proto::{Author, Entry, Event, Origin, Text};

fn message(log: &mut EncodedLog, bytes: &[u8]) {
    let event = Event::Said { from: Origin::default(), author: Author::Room, text: Text::default() };
    let entry = Entry { seq: log.seq() + 1, at_ms: 0, event };
    log.push(&entry, |_, out| out.extend_from_slice(bytes));
}

/// Somebody joins or leaves. The format shows it as `bytes`, which may be empty.
fn presence(log: &mut EncodedLog, bytes: &[u8]) {
    let entry =
        Entry { seq: log.seq(), at_ms: 0, event: Event::PresenceSummary { joined: 1, left: 0, members: 1 } };
    log.push(&entry, |_, out| out.extend_from_slice(bytes));
}

/// The bytes that are pending at `cursor`, in one piece.
fn bytes(log: &EncodedLog, cursor: Cursor) -> String {
    bytes_before(log, cursor, u64::MAX)
}

fn bytes_before(log: &EncodedLog, cursor: Cursor, seq: u64) -> String {
    match log.pending_before(cursor, seq) {
        Pending::Bytes(a, b) => String::from_utf8([a, b].concat()).unwrap(),
        Pending::Nothing => String::new(),
        Pending::Lagged { missed, .. } => panic!("lagged by {missed} messages"),
    }
}

fn lagged(log: &EncodedLog, cursor: Cursor) -> (u64, Cursor) {
    match log.pending(cursor) {
        Pending::Lagged { missed, resume } => (missed, resume),
        other => panic!("not lagged: {other:?}"),
    }
}

/// A log for that many bytes in that many entries. Each entry takes 16 bytes of index.
fn log_of(bytes: usize, entries: usize) -> EncodedLog {
    EncodedLog::new(bytes + 16 * entries)
}

#[test]
fn an_empty_log_has_nothing_for_anyone() {
    let log = EncodedLog::new(1_000);
    assert_eq!(log.pending(log.head()), Pending::Nothing);
    assert_eq!(log.after(0), log.head());
    assert_eq!(log.after(7), log.head());
    assert_eq!((log.seq(), log.tail_seq(), log.bytes_total()), (0, 0, 0));
}

#[test]
fn a_member_at_the_head_gets_only_later_entries() {
    let mut log = EncodedLog::new(1_000);
    message(&mut log, b"one\n");
    let member = log.head();
    assert_eq!((member.seq(), log.pending(member)), (1, Pending::Nothing));
    message(&mut log, b"two\n");
    assert_eq!(bytes(&log, member), "two\n");
}

#[test]
fn two_members_with_the_same_pending_entries_share_the_same_bytes() {
    let mut log = EncodedLog::new(1_000);
    let (a, b) = (log.head(), log.head());
    message(&mut log, b"one\n");
    let (Pending::Bytes(for_a, _), Pending::Bytes(for_b, _)) = (log.pending(a), log.pending(b)) else {
        panic!("both have something to get")
    };
    assert!(std::ptr::eq(for_a, for_b));
}

#[test]
fn an_entry_that_is_not_shown_takes_no_place_and_moves_no_one() {
    let mut log = EncodedLog::new(1_000);
    let member = log.head();
    presence(&mut log, b"");
    assert_eq!(log.pending(member), Pending::Nothing);
    message(&mut log, b"one\n");
    presence(&mut log, b"");
    assert_eq!(bytes(&log, member), "one\n");
    assert_eq!((log.bytes_total(), log.seq()), (4, 1));
}

#[test]
fn a_write_may_end_anywhere() {
    let mut log = EncodedLog::new(1_000);
    let member = log.head();
    message(&mut log, b"one\n");
    message(&mut log, b"three\n");
    for (written, rest, seq, pending) in [
        (0, "", 0, "one\nthree\n"),
        (1, "ne\n", 1, "three\n"),
        (3, "\n", 1, "three\n"),
        (4, "", 1, "three\n"),
        (5, "hree\n", 2, ""),
        (9, "\n", 2, ""),
        (10, "", 2, ""),
    ] {
        let advanced = log.advance(member, written);
        let torn = advanced.torn.map_or(vec![], |(a, b)| [a, b].concat());
        assert_eq!((torn.as_slice(), advanced.cursor.seq()), (rest.as_bytes(), seq), "after {written} bytes");
        assert_eq!(bytes(&log, advanced.cursor), pending, "after {written} bytes");
        assert_eq!(advanced.torn.is_some(), !rest.is_empty());
    }
}

#[test]
fn an_entry_that_wraps_around_the_ring_comes_in_two_parts() {
    let mut log = log_of(24, 1);
    for _ in 0..6 {
        message(&mut log, b"123456");
    }
    let member = log.head();
    message(&mut log, b"abcdef");
    assert_eq!(log.pending(member), Pending::Bytes(b"abcd", b"ef"));
    assert_eq!(log.advance(member, 2).torn, Some((&b"cd"[..], &b"ef"[..])));
    assert_eq!(log.advance(member, 5).torn, Some((&b"f"[..], &b""[..])));
}

#[test]
fn the_log_grows_without_moving_anyone() {
    let mut log = EncodedLog::new(1 << 20);
    let member = log.head();
    let mut expected = String::new();
    for number in 0..20_000 {
        let line = format!("message {number}\n");
        message(&mut log, line.as_bytes());
        expected += &line;
    }
    assert_eq!(bytes(&log, member), expected);
}

#[test]
fn an_entry_as_large_as_the_log_drives_out_all_others() {
    let mut log = log_of(10, 1);
    let member = log.head();
    message(&mut log, b"one");
    message(&mut log, b"two");
    message(&mut log, b"0123456789");
    let (missed, resume) = lagged(&log, member);
    assert_eq!((missed, bytes(&log, resume).as_str()), (2, "0123456789"));
    message(&mut log, b"x");
    assert_eq!(lagged(&log, member).0, 3);
    assert_eq!(bytes(&log, lagged(&log, member).1), "x");
}

#[test]
fn only_messages_are_counted_as_missed() {
    let mut log = log_of(12, 3);
    let member = log.head();
    message(&mut log, b"one\n");
    presence(&mut log, b"+a\n");
    presence(&mut log, b"+b\n");
    message(&mut log, b"two\n");
    assert_eq!(lagged(&log, member).0, 1);
    let after_one = log.after(1);
    assert_eq!(bytes(&log, after_one), "+a\n+b\ntwo\n");
    message(&mut log, b"three\n");
    let (missed, resume) = lagged(&log, after_one);
    assert_eq!((missed, bytes(&log, resume).as_str()), (0, "two\nthree\n"));
}

#[test]
fn a_plain_member_does_not_get_its_own_line() {
    let mut log = EncodedLog::new(1_000);
    let member = log.head();
    message(&mut log, b"one\n");
    presence(&mut log, b"+a\n");
    message(&mut log, b"own\n");
    presence(&mut log, b"+b\n");
    message(&mut log, b"four\n");

    assert_eq!(bytes_before(&log, member, 2), "one\n+a\n");
    assert_eq!(log.step_over(member, 2..=2), None, "something comes before it");
    let at_own = log.advance(member, 7).cursor;
    assert_eq!(log.pending_before(at_own, 2), Pending::Nothing);
    assert_eq!(log.step_over(at_own, 3..=3), None);
    let behind = log.step_over(at_own, 2..=2).unwrap();
    assert_eq!((behind.seq(), bytes(&log, behind).as_str()), (2, "+b\nfour\n"));
    assert_eq!(log.step_over(behind, 2..=2), None, "what comes now is who came after it");
    assert_eq!(log.step_over(behind, 3..=3), None, "somebody came before it");
    assert_eq!(bytes_before(&log, behind, 4), "+b\nfour\n", "not said yet");
}

#[test]
fn own_messages_in_a_row_are_stepped_over_at_once() {
    let mut log = EncodedLog::new(1_000);
    let member = log.head();
    for line in [b"1\n", b"2\n", b"3\n"] {
        message(&mut log, line);
    }
    assert_eq!(log.step_over(member, 1..=3), Some(log.head()));
    assert_eq!(log.step_over(member, 2..=3), None, "something comes before them");
    presence(&mut log, b"+a\n");
    message(&mut log, b"5\n");
    let behind = log.step_over(member, 1..=4).unwrap();
    assert_eq!((behind.seq(), bytes(&log, behind).as_str()), (1, "2\n3\n+a\n5\n"), "only the first of them");
}

#[test]
fn an_own_message_behind_the_cursor_does_not_stop_the_member() {
    let mut log = log_of(8, 2);
    let member = log.head();
    message(&mut log, b"own\n");
    message(&mut log, b"two\n");
    let behind = log.step_over(member, 1..=1).unwrap();
    assert_eq!(bytes_before(&log, behind, 1), "two\n");
    message(&mut log, b"333\n");
    let (_, resume) = lagged(&log, member);
    assert_eq!(bytes_before(&log, resume, 1), "two\n333\n");
}

#[test]
fn a_cursor_after_a_message_leads_to_the_entries_that_followed() {
    let mut log = log_of(12, 3);
    for line in [b"one\n", b"two\n", b"3.3\n", b"4.4\n"] {
        message(&mut log, line);
    }
    assert_eq!((log.tail_seq(), log.seq()), (1, 4));
    assert_eq!(lagged(&log, log.after(0)).0, 1);
    assert_eq!(bytes(&log, log.after(1)), "two\n3.3\n4.4\n");
    assert_eq!(bytes(&log, log.after(2)), "3.3\n4.4\n");
    assert_eq!(bytes(&log, log.after(3)), "4.4\n");
    assert_eq!(log.after(4), log.head());
    assert_eq!(log.after(5), log.head());
}

#[test]
fn a_returning_member_reads_what_followed_the_newest_message_and_a_new_one_does_not() {
    let mut log = log_of(100, 10);
    presence(&mut log, b"first\n");
    assert_eq!(
        (bytes(&log, log.after(0)), bytes(&log, log.right_after(0))),
        (String::new(), "first\n".into())
    );
    message(&mut log, b"one\n");
    message(&mut log, b"two\n");
    presence(&mut log, b"joined\n");
    assert_eq!(log.after(2), log.head());
    assert_eq!(bytes(&log, log.right_after(2)), "joined\n");
    assert_eq!(log.right_after(1), log.after(1));
    assert_eq!(log.right_after(3), log.head());
    log.restart_after(9);
    assert_eq!(log.right_after(9), log.head());
    presence(&mut log, b"left\n");
    assert_eq!(bytes(&log, log.right_after(9)), "left\n");
    assert_eq!(lagged(&log, log.right_after(8)).0, 1);
}

#[test]
fn a_log_that_restarts_tells_everyone_how_much_is_gone() {
    let mut log = EncodedLog::new(1_000);
    let start = log.head();
    message(&mut log, b"one\n");
    message(&mut log, b"two\n");
    let head = log.head();
    log.restart_after(10);
    assert_eq!((log.seq(), log.tail_seq(), log.head().seq()), (10, 10, 10));
    assert_eq!(lagged(&log, start), (10, log.head()));
    assert_eq!(lagged(&log, head), (8, log.head()));
    let member = log.head();
    message(&mut log, b"eleven\n");
    assert_eq!(bytes(&log, member), "eleven\n");
    assert_eq!(bytes(&log, lagged(&log, head).1), "eleven\n");
    assert_eq!(log.after(10), member);
}

#[test]
fn a_log_that_restarts_while_empty_still_tells_how_much_is_gone() {
    let mut log = EncodedLog::new(1_000);
    message(&mut log, b"");
    log.restart_after(1);
    assert_eq!(lagged(&log, log.after(0)).0, 1);
}

#[test]
fn a_new_log_may_begin_in_the_middle_of_the_room() {
    let mut log = EncodedLog::new(1_000);
    log.restart_after(41);
    message(&mut log, b"42\n");
    assert_eq!(bytes(&log, log.after(41)), "42\n");
    assert_eq!(lagged(&log, log.after(40)).0, 1);
}
