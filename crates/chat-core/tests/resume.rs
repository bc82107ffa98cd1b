//! Where a framed member starts to read, and who goes on with which session.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::{RoomConfig, SayError, Start};
use chat_proto::{Hello, LeaveReason, Resume, Welcome};
use support::{Carrier, Time, dismissed, room, room_with};

const FRESH: Hello = Hello { resume: None, history: 0 };

fn welcome(carrier: &Carrier, member: chat_core::MemberId, hello: Hello, time: &Time) -> (Welcome, Start) {
    carrier.attachment.welcome(member, &hello, time.now()).unwrap()
}

fn resume(welcome: &Welcome, have: u64) -> Hello {
    Hello { resume: Some(Resume { epoch: welcome.epoch, session: welcome.session, have }), history: 5 }
}

#[test]
fn a_welcome_tells_who_and_where_he_is() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    room.notice("before").unwrap();
    carrier.join("192.0.2.9:1");
    let member = carrier.join("192.0.2.1:1");
    let (welcome, start) = welcome(&carrier, member, FRESH, &time);
    assert_eq!(start, Start::History(0));
    assert_eq!(welcome.you, "192.0.2.1:1".parse().unwrap());
    assert_eq!((welcome.head, welcome.members, welcome.began_unix_ms), (1, 2, 1_000_000));
    assert_eq!(welcome.session.member, member.as_u64());
}

#[test]
fn history_is_what_he_asks_for_up_to_the_maximum() {
    let (room, time) = room_with(RoomConfig::default().with_history_max(20));
    let carrier = Carrier::new(&room, &time);
    for (asked, given) in [(0, 0), (1, 1), (20, 20), (21, 20), (u16::MAX, 20)] {
        let member = carrier.join("127.0.0.1:1");
        let hello = Hello { history: asked, ..FRESH };
        assert_eq!(welcome(&carrier, member, hello, &time).1, Start::History(given));
    }
}

#[test]
fn who_is_no_member_is_not_welcomed() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    carrier.leave(member, LeaveReason::Lost);
    assert_eq!(carrier.attachment.welcome(member, &FRESH, time.now()), None);
}

#[test]
fn who_is_no_member_any_more_replaces_nobody() {
    let (room, time) = room();
    let (mut old_port, new_port) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let old = old_port.join("192.0.2.1:1");
    let (first, _) = welcome(&old_port, old, FRESH, &time);
    let new = new_port.join("192.0.2.1:2");
    room.kick("192.0.2.1:2".parse().unwrap(), "").unwrap();
    old_port.pull();

    assert_eq!(new_port.attachment.welcome(new, &resume(&first, 0), time.now()), None);
    assert!(old_port.try_say(old, "still here").is_ok());
    let wakes = old_port.wakes();
    room.notice("and awake").unwrap();
    assert_eq!(old_port.wakes(), wakes + 1, "no wake was used up");
    assert_eq!(old_port.pull().dismissed, []);
}

#[test]
fn a_resumed_session_goes_on_where_it_was_and_the_old_one_is_dismissed() {
    let (room, time) = room();
    let (mut old_port, mut new_port) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let old = old_port.join("192.0.2.1:1");
    let (first, _) = welcome(&old_port, old, FRESH, &time);
    old_port.say(old, "one");
    old_port.say(old, "two");
    old_port.pull();
    new_port.pull();
    let wakes = old_port.wakes();

    let new = new_port.join("192.0.2.1:2");
    let (second, start) = welcome(&new_port, new, resume(&first, 1), &time);
    assert_eq!(start, Start::After(1));
    assert_eq!((second.epoch, second.head, second.members), (first.epoch, 2, 1));
    assert_ne!(second.session, first.session);
    assert_eq!(old_port.try_say(old, "again").unwrap_err(), SayError::NotMember);
    assert!(old_port.wakes() > wakes);
    assert_eq!(old_port.pull().dismissed, [dismissed(old, LeaveReason::Replaced)]);
    assert_eq!(
        new_port.read(),
        ["192.0.2.1:2 joined, 2 here", "192.0.2.1:1 left (session resumed elsewhere), 1 here"]
    );
}

#[test]
fn a_session_whose_member_has_left_can_be_resumed() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let old = carrier.join("192.0.2.1:1");
    let (first, _) = welcome(&carrier, old, FRESH, &time);
    carrier.say(old, "one");
    carrier.leave(old, LeaveReason::Lost);
    let new = carrier.join("192.0.2.1:2");
    assert_eq!(welcome(&carrier, new, resume(&first, 0), &time).1, Start::After(0));
    assert_eq!(room.stats().members, 1);
}

#[test]
fn without_the_key_no_one_is_dismissed() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let victim = carrier.join("192.0.2.1:1");
    let (theirs, _) = welcome(&carrier, victim, FRESH, &time);
    let thief = carrier.join("192.0.2.66:1");
    let mut forged = resume(&theirs, 0);
    forged.resume.as_mut().unwrap().session.key ^= 1;
    let _ = welcome(&carrier, thief, forged, &time);
    assert_eq!(carrier.pull().dismissed, []);
    carrier.say(victim, "still here");
}

#[test]
fn another_epoch_or_a_future_message_is_no_session_of_this_room() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    let (mine, _) = welcome(&carrier, member, FRESH, &time);
    carrier.say(member, "one");

    let mut other_epoch = resume(&mine, 1);
    other_epoch.resume.as_mut().unwrap().epoch ^= 1;
    for hello in [other_epoch, resume(&mine, 2)] {
        let other = carrier.join("192.0.2.1:2");
        assert_eq!(welcome(&carrier, other, hello, &time).1, Start::History(5));
    }
    assert_eq!(carrier.pull().dismissed, []);
    carrier.say(member, "still here");
}

#[test]
fn resuming_ones_own_session_dismisses_no_one() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    let (mine, _) = welcome(&carrier, member, FRESH, &time);
    assert_eq!(welcome(&carrier, member, resume(&mine, 0), &time).1, Start::After(0));
    assert_eq!(carrier.pull().dismissed, []);
    carrier.say(member, "still here");
}

#[test]
fn the_same_world_gives_the_same_keys_and_two_members_never_share_one() {
    let keys = || {
        let (room, time) = room();
        let carrier = Carrier::new(&room, &time);
        ["192.0.2.1:1", "192.0.2.1:2"].map(|peer| {
            let (welcome, _) = welcome(&carrier, carrier.join(peer), FRESH, &time);
            (welcome.epoch, welcome.session.key)
        })
    };
    let (first, second) = (keys(), keys());
    assert_eq!(first, second);
    assert_ne!(first[0].1, first[1].1);
}

#[test]
fn nothing_older_than_the_session_can_be_asked_for() {
    let (room, time) = room_with(RoomConfig::default().with_history_max(1));
    let carrier = Carrier::new(&room, &time);
    for _ in 0..5 {
        room.notice("before he came").unwrap();
    }
    let member = carrier.join("192.0.2.1:1");
    let (first, _) = welcome(&carrier, member, FRESH, &time);
    assert_eq!(first.session.since, 5);
    carrier.say(member, "one");

    let again = carrier.join("192.0.2.1:2");
    assert_eq!(welcome(&carrier, again, resume(&first, 4), &time).1, Start::History(1));
    let earlier =
        Resume { epoch: first.epoch, session: chat_proto::Session { since: 0, ..first.session }, have: 0 };
    let forged = Hello { resume: Some(earlier), history: 5 };
    assert_eq!(welcome(&carrier, again, forged, &time).1, Start::History(1));
    let (second, start) = welcome(&carrier, again, resume(&first, 6), &time);
    assert_eq!((start, second.session.since), (Start::After(6), 6));
}

#[test]
fn a_session_keeps_its_pace() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    let (first, _) = welcome(&carrier, member, FRESH, &time);
    while carrier.attachment.say(member, "x".parse().unwrap(), time.now()).unwrap().pause_until.is_none() {}
    let again = carrier.join("192.0.2.1:2");
    let have = room.stats().messages;
    welcome(&carrier, again, resume(&first, have), &time);
    assert!(carrier.attachment.say(again, "y".parse().unwrap(), time.now()).unwrap().pause_until.is_some());
}
