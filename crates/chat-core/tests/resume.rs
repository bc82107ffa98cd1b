//! Where a framed member starts to read, and how a session goes on over another connection.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::transport::{Dismissed, Outcome, Start, Welcomed};
use chat_core::{JoinError, RoomConfig, Rooms, RoomsConfig, SayError};
use chat_proto::{Hello, LeaveReason, MemberId, Resume, Text, Welcome};
use support::{Carrier, room, room_with, small_room, text};

const HISTORY: u16 = 5;

fn fresh() -> Hello {
    Hello::default()
}

fn resume(welcome: &Welcome, have: u64) -> Hello {
    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have, direct: 0 };
    Hello { resume: Some(resume), history: HISTORY, ..Hello::default() }
}

#[test]
fn a_welcome_tells_a_member_who_and_where_it_is() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    room.notice("before").unwrap();
    let _other = carrier.join("192.0.2.9:1");
    let Welcomed { welcome, start, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    assert_eq!(start, Start::History(0));
    assert_eq!(
        (welcome.you.to_string(), welcome.address.as_str()),
        ("192.0.2.1:1".to_owned(), "192.0.2.1:1")
    );
    assert_eq!((welcome.head, welcome.members, welcome.began_unix_ms), (1, 2, 1_000_000));
    assert_eq!((welcome.resumed, welcome.taken), (false, Some(0)));
    assert_eq!(welcome.session.member, MemberId::new(2), "the second one that came");
}

#[test]
fn history_is_what_a_member_asks_for_up_to_the_maximum() {
    let (room, time) = room_with(RoomConfig::default().with_history_max(20));
    let carrier = Carrier::new(&room, &time);
    for (asked, given) in [(0, 0), (1, 1), (20, 20), (21, 20), (u16::MAX, 20)] {
        let hello = Hello { history: asked, ..fresh() };
        assert_eq!(carrier.welcome("127.0.0.1:1", &hello).start, Start::History(given));
    }
}

#[test]
fn a_member_that_was_sent_to_another_room_says_nothing_more_also_over_a_later_connection() {
    let config = RoomsConfig::default().with_room("lobby".parse().unwrap()).with_room("dev".parse().unwrap());
    let (_, time) = room();
    let clock = time.clone();
    let rooms = Rooms::in_worlds(config, move || support::world(&clock)).unwrap();
    let carriers = [(); 2].map(|()| Carrier::new(&rooms.first(), &time));
    let first = carriers[0].welcome("192.0.2.1:1", &fresh());
    let say = |at: usize, member, number, text: &str| {
        let text = Text::one_line(text).unwrap();
        carriers[at].attachment.say_numbered(member, number, text, time.now()).map(|said| said.outcome)
    };
    assert!(matches!(say(0, first.member, 1, "/join dev"), Ok(Outcome::Answered { .. })));
    assert_eq!(say(0, first.member, 2, "hello dev"), Err(SayError::Moving));
    // It is taken up while the old connection is there, and after that has left.
    let again = carriers[1].welcome("192.0.2.1:2", &resume(&first.welcome, 0));
    assert_eq!((again.welcome.resumed, again.welcome.taken), (true, Some(1)));
    assert_eq!(say(1, again.member, 2, "hello dev"), Err(SayError::Moving));
    carriers[1].attachment.leave(again.member, LeaveReason::Lost, time.now());
    let again = carriers[0].welcome("192.0.2.1:3", &resume(&first.welcome, 0));
    assert_eq!(say(0, again.member, 2, "hello dev"), Err(SayError::Moving));
    // A client that has all of that lane and comes back to this room stays.
    let all =
        Hello { resume: Some(Resume { direct: 9, ..resume(&first.welcome, 0).resume.unwrap() }), ..fresh() };
    let again = carriers[1].welcome("192.0.2.1:4", &all);
    assert!(matches!(say(1, again.member, 2, "hello lobby"), Ok(Outcome::Accepted { .. })));
}

#[test]
fn a_resumed_session_is_the_same_member_and_ends_the_old_connection_first() {
    let (room, time) = room();
    let (mut old_port, mut new_port) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let Welcomed { member: old, welcome: first, .. } = old_port.welcome("192.0.2.1:1", &fresh());
    old_port.say(old, "one");
    old_port.say(old, "two");
    old_port.pull();
    new_port.pull();
    let wakes = old_port.wakes();

    let Welcomed { member: new, welcome: second, start, .. } =
        new_port.welcome("192.0.2.1:2", &resume(&first, 1));
    assert_eq!(start, Start::After(1));
    assert_eq!((second.epoch, second.head, second.members), (first.epoch, 2, 1));
    assert_eq!((second.resumed, second.taken), (true, Some(2)));
    assert_eq!(second.session.member, first.session.member);
    assert_ne!(second.session, first.session);
    assert_eq!(second.you.to_string(), "192.0.2.1:2");
    assert_eq!(old_port.try_say(old, "again").unwrap_err(), SayError::NotMember);
    assert!(old_port.wakes() > wakes);
    let dismissed = Dismissed { key: 0, member: old, reason: LeaveReason::Replaced };
    assert_eq!(old_port.pull().dismissed, [dismissed]);
    assert_eq!(new_port.say(new, "three"), 3);
    assert_eq!(new_port.read(), ["3 [192.0.2.1:2] three"], "to the others nothing has happened before");
}

#[test]
fn a_session_whose_member_has_left_comes_back() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let Welcomed { member: old, welcome: first, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    carrier.say(old, "one");
    carrier.leave(old, LeaveReason::Lost);
    carrier.pull();
    let Welcomed { welcome: second, start, .. } = carrier.welcome("192.0.2.1:2", &resume(&first, 0));
    assert_eq!(start, Start::After(0));
    assert_eq!((second.session.member, second.taken), (first.session.member, Some(1)));
    assert_eq!(room.stats().members, 1);
    assert_eq!(carrier.read(), ["192.0.2.1:2 joined, 1 here"]);
}

/// The `Welcome` of a second connection is lost on its way, and its session key is used again and again.
#[test]
fn one_session_is_one_member_however_often_an_old_key_of_it_is_resumed() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let Welcomed { member: first, welcome, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    carrier.leave(first, LeaveReason::Lost);
    let mut before = first;
    for number in 1..=200 {
        let Welcomed { member, welcome: again, .. } = carrier.welcome("192.0.2.1:2", &resume(&welcome, 0));
        assert_eq!(again.session.member, welcome.session.member);
        assert_eq!(again.taken, Some(number - 1), "what came over the connection before");
        assert_eq!(carrier.try_say(before, "late").unwrap_err(), SayError::NotMember);
        let said = carrier.attachment.say_numbered(member, number, text("hello"), time.now()).unwrap();
        assert!(matches!(said.outcome, Outcome::Accepted { .. }));
        before = member;
    }
    assert_eq!(room.stats().members, 1);
    assert_eq!(carrier.pull().dismissed.len(), 199);
}

#[test]
fn a_number_is_taken_once_and_a_greater_one_is_taken() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let Welcomed { member, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    let say =
        |number| carrier.attachment.say_numbered(member, number, text("x"), time.now()).unwrap().outcome;
    assert_eq!(say(1), Outcome::Accepted { seq: 1 });
    assert_eq!(say(1), Outcome::Repeated);
    assert_eq!(say(7), Outcome::Accepted { seq: 2 });
    assert_eq!(say(6), Outcome::Repeated);
    assert_eq!(say(0), Outcome::Repeated);
    assert_eq!(carrier.attachment.taken(member).number, 7);
    assert_eq!(room.stats().messages, 2);
}

#[test]
fn without_the_key_no_one_is_dismissed() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let Welcomed { member: victim, welcome: theirs, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    let mut forged = resume(&theirs, 0);
    forged.resume.as_mut().unwrap().session.key ^= 1;
    let thief = carrier.welcome("192.0.2.66:1", &forged);
    assert!(!thief.welcome.resumed && thief.welcome.session.member != theirs.session.member);
    assert_eq!(carrier.pull().dismissed, []);
    carrier.say(victim, "still here");
}

#[test]
fn another_epoch_or_a_future_message_is_not_a_session_of_this_room() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let Welcomed { member, welcome: mine, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    carrier.say(member, "one");

    let mut other_epoch = resume(&mine, 1);
    other_epoch.resume.as_mut().unwrap().epoch ^= 1;
    for hello in [other_epoch, resume(&mine, 2)] {
        assert_eq!(carrier.welcome("192.0.2.1:2", &hello).start, Start::History(HISTORY));
    }
    assert_eq!(carrier.pull().dismissed, []);
    carrier.say(member, "still here");
}

#[test]
fn the_same_world_gives_the_same_keys_and_two_members_never_share_one() {
    let keys = || {
        let (room, time) = room();
        let carrier = Carrier::new(&room, &time);
        ["192.0.2.1:1", "192.0.2.1:2"].map(|peer| {
            let Welcomed { welcome, .. } = carrier.welcome(peer, &fresh());
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
        room.notice("before it came").unwrap();
    }
    let Welcomed { member, welcome: first, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    assert_eq!(first.session.since, 5);
    carrier.say(member, "one");

    assert_eq!(carrier.welcome("192.0.2.1:2", &resume(&first, 4)).start, Start::History(1));
    let mut forged = resume(&first, 0);
    forged.resume.as_mut().unwrap().session.since = 0;
    assert_eq!(carrier.welcome("192.0.2.1:3", &forged).start, Start::History(1));
    let Welcomed { welcome: second, start, .. } = carrier.welcome("192.0.2.1:4", &resume(&first, 6));
    assert_eq!((start, second.session.since), (Start::After(6), 6));
}

#[test]
fn a_session_keeps_its_rate_limit() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let Welcomed { member, welcome: first, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    while carrier.attachment.say(member, text("x"), time.now()).unwrap().pause_until.is_none() {}
    let again = carrier.welcome("192.0.2.1:2", &resume(&first, room.stats().messages)).member;
    assert!(carrier.attachment.say(again, text("y"), time.now()).unwrap().pause_until.is_some());
}

#[test]
fn a_session_goes_on_in_a_full_room_in_the_place_that_it_has() {
    let (room, time) = room_with(RoomConfig::default().with_members_max(1));
    let carrier = Carrier::new(&room, &time);
    let Welcomed { member: old, welcome: first, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    let address: std::net::SocketAddr = "192.0.2.1:2".parse().unwrap();
    let refused = carrier.attachment.welcome(0, address, &fresh(), time.now(), time.now()).unwrap_err();
    assert!(matches!(refused, JoinError::RoomFull { .. }));
    let again = carrier.welcome("192.0.2.1:2", &resume(&first, 0));
    assert!(again.welcome.resumed && again.welcome.members == 1);

    // Once it has left, another member may have its place.
    carrier.leave(again.member, LeaveReason::Lost);
    let other = carrier.join("192.0.2.2:1");
    let address: std::net::SocketAddr = "192.0.2.1:3".parse().unwrap();
    assert!(carrier.attachment.welcome(0, address, &resume(&first, 0), time.now(), time.now()).is_err());
    carrier.leave(other, LeaveReason::Quit);
    assert_eq!(
        carrier.welcome("192.0.2.1:3", &resume(&first, 0)).welcome.taken,
        Some(0),
        "it is still remembered"
    );
    assert!(carrier.try_say(old, "late").is_err());
}

#[test]
fn a_room_that_no_longer_remembers_a_session_looks_for_its_messages_in_the_log() {
    let (room, time) = small_room();
    let carrier = Carrier::new(&room, &time);
    let session = |peer: &str| {
        let Welcomed { member, welcome, .. } = carrier.welcome(peer, &fresh());
        let said = carrier.attachment.say_numbered(member, 12, text("x"), time.now()).unwrap();
        assert!(matches!(said.outcome, Outcome::Accepted { .. }));
        (member, welcome)
    };
    let ((passed, passed_welcome), (held, held_welcome)) = (session("192.0.2.1:1"), session("192.0.2.3:1"));
    carrier.leave(passed, LeaveReason::Lost);
    carrier.leave(held, LeaveReason::Lost);
    // More sessions join and leave than the room remembers.
    for _ in 0..10_000 {
        let other = carrier.welcome("192.0.2.2:1", &fresh()).member;
        carrier.leave(other, LeaveReason::Quit);
    }
    let again = carrier.welcome("192.0.2.1:2", &resume(&passed_welcome, 0));
    assert_eq!(again.welcome.taken, None, "what it said has left the log");
    // The newest message of the other session is still in the log.
    let Welcomed { member, .. } = carrier.welcome("192.0.2.3:2", &resume(&held_welcome, 1));
    let said = carrier.attachment.say_numbered(member, 40, text("x"), time.now()).unwrap();
    assert!(matches!(said.outcome, Outcome::Accepted { .. }));
    assert_eq!(room.stats().members, 2);
}

#[test]
fn a_hello_that_was_long_on_its_way_does_not_end_a_newer_connection() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let Welcomed { welcome: first, .. } = carrier.welcome("192.0.2.1:1", &fresh());
    let came = time.now();
    time.pass(Duration::from_secs(10));
    let newest = carrier.welcome("192.0.2.1:3", &resume(&first, 0));
    carrier.pull();
    let address: std::net::SocketAddr = "192.0.2.1:2".parse().unwrap();
    let late = carrier.attachment.welcome(0, address, &resume(&first, 0), came, time.now());
    assert_eq!(late.unwrap_err(), JoinError::Superseded);
    assert_eq!(carrier.pull().dismissed, []);
    carrier.say(newest.member, "still here");
}
