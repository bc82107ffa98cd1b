//! What a transport pulls, and when it is woken to pull.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_proto::LeaveReason;
use support::{Carrier, flood, room, seqs, show, small_room};

#[test]
fn an_attachment_is_woken_once_until_it_pulls() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    assert_eq!(carrier.wakes(), 0, "there is nothing to pull yet");
    for _ in 0..10 {
        room.notice("hello").unwrap();
    }
    assert_eq!(carrier.wakes(), 1);
    assert_eq!(carrier.pull().entries.len(), 10);
    assert_eq!(carrier.wakes(), 1);
    room.notice("hello").unwrap();
    assert_eq!(carrier.wakes(), 2);
}

#[test]
fn an_attachment_is_not_woken_by_its_own_members() {
    let (room, time) = room();
    let (mut own, mut other) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let member = own.join("192.0.2.1:1");
    other.pull();
    own.say(member, "hello");
    other.pull();
    own.leave(member, LeaveReason::Quit);
    assert_eq!((own.wakes(), other.wakes()), (0, 3));
    assert_eq!((own.read().len(), other.read().len()), (3, 1), "but it pulls what they said");
    room.notice("hello").unwrap();
    assert_eq!((own.wakes(), other.wakes()), (1, 4), "and is woken by others still");
}

#[test]
fn an_attachment_to_a_room_with_a_past_is_woken_for_it() {
    let (room, time) = room();
    room.notice("before").unwrap();
    let mut carrier = Carrier::new(&room, &time);
    assert_eq!(carrier.wakes(), 1);
    assert_eq!(carrier.read(), ["1 [*] before"]);
}

#[test]
fn a_pull_replaces_the_last_update_in_the_buffer() {
    let (room, time) = small_room();
    let mut carrier = Carrier::new(&room, &time);
    carrier.join("192.0.2.1:1");
    room.kick("192.0.2.1:1".parse().unwrap(), "").unwrap();
    flood(&room);
    let mut update = carrier.pull();
    assert!(!update.entries.is_empty() && update.missed_up_to.is_some() && !update.dismissed.is_empty());
    carrier.attachment.pull(&mut update);
    assert!(update.entries.is_empty() && update.missed_up_to.is_none() && update.dismissed.is_empty());
}

#[test]
fn an_attachment_that_pulls_too_late_is_told_up_to_where_the_messages_are_gone() {
    let (room, time) = small_room();
    let mut carrier = Carrier::new(&room, &time);
    room.notice("seen").unwrap();
    assert_eq!(carrier.pull().missed_up_to, None);
    flood(&room);
    let update = carrier.pull();
    let missed_up_to = update.missed_up_to.expect("the log does not hold a flood");
    assert_eq!(seqs(&update.entries), (missed_up_to + 1..=1_001).collect::<Vec<_>>());
    assert_eq!(update.entries.len(), room.stats().log_entries, "all that is held comes");
    room.notice("next").unwrap();
    let update = carrier.pull();
    assert_eq!((update.missed_up_to, seqs(&update.entries)), (None, vec![1_002]));
}

#[test]
fn an_attachment_that_the_tail_has_just_reached_has_missed_nothing() {
    let (room, time) = small_room();
    let mut carrier = Carrier::new(&room, &time);
    room.notice("seen").unwrap();
    carrier.pull();
    // Fill the log and then add one more message, so that the tail passes only what the attachment has seen.
    while room.stats().log_entries as u64 == room.stats().messages {
        room.notice("filling").unwrap();
    }
    let update = carrier.pull();
    assert_eq!(update.missed_up_to, None);
    assert_eq!(seqs(&update.entries), (2..=room.stats().messages).collect::<Vec<_>>());
}

#[test]
fn an_attachment_that_missed_only_joins_and_leaves_is_told_so() {
    let (room, time) = small_room();
    let (mut carrier, other) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    room.notice("seen").unwrap();
    carrier.pull();
    for _ in 0..500 {
        let member = other.join("192.0.2.1:1");
        other.leave(member, LeaveReason::Quit);
    }
    let update = carrier.pull();
    assert_eq!(update.missed_up_to, Some(1), "no message is gone that it has not seen");
    assert!(seqs(&update.entries).is_empty());
}

#[test]
fn a_late_attachment_pulls_all_that_the_log_holds() {
    let (room, time) = small_room();
    let mut early = Carrier::new(&room, &time);
    for _ in 0..10 {
        room.notice("kept").unwrap();
    }
    let mut late = Carrier::new(&room, &time);
    assert_eq!(late.pull().missed_up_to, None);
    flood(&room);
    let mut later = Carrier::new(&room, &time);
    let (update, same) = (later.pull(), early.pull());
    assert_eq!((update.entries, update.missed_up_to), (same.entries, same.missed_up_to));
    assert!(update.missed_up_to.is_some_and(|seq| seq > 0));
}

#[test]
fn a_replay_gives_the_pulled_entries_that_are_still_held() {
    let (room, time) = small_room();
    let mut carrier = Carrier::new(&room, &time);
    let replay = |carrier: &Carrier| {
        let mut entries = Vec::new();
        let seq = carrier.attachment.replay(|entry| entries.push(show(entry)));
        (seq, entries)
    };
    assert_eq!(replay(&carrier), (0, vec![]));
    room.notice("one").unwrap();
    assert_eq!(replay(&carrier), (0, vec![]), "not pulled yet");
    carrier.pull();
    room.notice("two").unwrap();
    assert_eq!(replay(&carrier), (0, vec!["1 [*] one".into()]));

    carrier.pull();
    flood(&room);
    let (seq, entries) = replay(&carrier);
    assert_eq!(entries.len(), 0, "what was pulled is gone");
    assert_eq!(carrier.pull().missed_up_to, Some(seq), "and the next pull goes on after the same message");

    room.notice("three").unwrap();
    let (seq, entries) = replay(&carrier);
    assert_eq!(entries.len(), room.stats().log_entries - 1);
    assert!(entries[0].starts_with(&format!("{} ", seq + 1)));
    assert!(entries.last().unwrap().ends_with("flood 999"));
}

#[test]
fn a_late_answer_for_a_member_that_is_gone_does_not_reach_its_successor() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let first = carrier.join("192.0.2.1:1");
    carrier.leave(first, LeaveReason::Quit);
    let second = carrier.join("192.0.2.1:1");
    assert_ne!(first, second);
    carrier.leave(first, LeaveReason::Lost);
    carrier.say(second, "a late answer for the first does not reach the second");
}

#[test]
fn a_member_kicked_before_it_leaves_is_told_the_announced_reason() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    room.kick("192.0.2.1:1".parse().unwrap(), "spam").unwrap();
    let kicked = LeaveReason::kicked("spam").unwrap();
    assert_eq!(carrier.attachment.leave(member, LeaveReason::Quit, time.now()), kicked);
    assert_eq!(carrier.pull().dismissed, [], "the leave is already settled");
    assert_eq!(room.stats().left, 1);

    let member = carrier.join("192.0.2.1:2");
    assert_eq!(carrier.attachment.leave(member, LeaveReason::Quit, time.now()), LeaveReason::Quit);
}
