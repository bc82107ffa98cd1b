//! The direct lane carries items for a single member. They are numbered, in order, bounded, and never lost without a
//! notice.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::transport::Update;
use chat_core::{Moderator, RoomConfig, TellError, Verdict};
use chat_proto::limits::{DIRECT_BYTES_MAX, DIRECT_ITEMS_MAX, TEXT_BYTES_MAX};
use chat_proto::{DirectItem, Hello, LeaveReason, MemberId, Resume};
use support::{Carrier, room, room_with};

fn shown(update: &Update) -> Vec<String> {
    update.direct.iter().map(|told| format!("{} {}", told.direct.number, told.direct.item)).collect()
}

#[test]
fn a_private_message_reaches_one_member_over_any_transport_and_nobody_else() {
    let (room, time) = room();
    let (mut tcp, mut udp) = (Carrier::new(&room, &time), Carrier::with_tag(&room, &time, "udp"));
    let ann = tcp.try_join("192.0.2.1:1").unwrap().id;
    let bob = udp.welcome("192.0.2.2:2", &Hello::default());
    let to = bob.welcome.session.member;
    udp.pull();
    let wakes = udp.wakes();
    room.tell_private(ann, to, "psst").unwrap();
    assert_eq!(udp.wakes(), wakes + 1);
    room.tell(to, "one\ntwo").unwrap();
    assert_eq!(shown(&tcp.pull()), [""; 0]);
    let update = udp.pull();
    assert_eq!(shown(&update), ["1 [192.0.2.1:1 -> you] psst", "2 [*] one", "3 [*] two"]);
    assert!(update.direct.iter().all(|told| told.member == bob.member));
    assert_eq!(shown(&udp.pull()), [""; 0], "each is pulled once");
    assert_eq!(room.stats().messages, 0, "it is not in the log");
    assert_eq!(room.tell(MemberId::new(99), "x"), Err(TellError::NotPresent));
}

#[test]
fn a_lane_that_nobody_acknowledges_is_full_and_the_sender_is_told() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let ann = carrier.welcome("192.0.2.1:1", &Hello::default());
    let to = ann.welcome.session.member;
    (0..DIRECT_ITEMS_MAX).for_each(|_| room.tell(to, "x").unwrap());
    assert_eq!(room.tell(to, "x"), Err(TellError::Full));
    carrier.pull();
    assert_eq!(room.tell(to, "x"), Err(TellError::Full), "a pull is not an acknowledgement");
    carrier.attachment.got(ann.member, 1);
    room.tell(to, "y").unwrap();
    assert_eq!(room.tell(to, "x"), Err(TellError::Full));
    carrier.attachment.got(ann.member, u64::MAX);

    let long = "x".repeat(TEXT_BYTES_MAX);
    (0..DIRECT_BYTES_MAX / TEXT_BYTES_MAX).for_each(|_| room.tell(to, &long).unwrap());
    assert_eq!(room.tell(to, &long), Err(TellError::Full));
}

#[test]
fn unacknowledged_items_come_again_over_the_connection_that_resumes_the_session() {
    let (room, time) = room();
    let (mut old, mut new) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let ann = old.welcome("192.0.2.1:1", &Hello::default());
    let to = ann.welcome.session.member;
    ["one", "two", "three"].iter().for_each(|what| room.tell(to, what).unwrap());
    old.pull();
    old.attachment.got(ann.member, 1);
    room.tell(to, "four").unwrap();
    let resume = Resume { epoch: ann.welcome.epoch, session: ann.welcome.session, have: 0, direct: 2 };
    let again = new.welcome("192.0.2.1:2", &Hello { resume: Some(resume), ..Hello::default() });
    assert_eq!(shown(&new.pull()), ["3 [*] three", "4 [*] four"]);
    room.tell(to, "five").unwrap();
    assert_eq!(shown(&new.pull()), ["5 [*] five"]);
    old.attachment.got(ann.member, 5);
    new.attachment.got(again.member, 5);

    // After the member has left, its lane is empty, and the numbers go on.
    new.leave(again.member, LeaveReason::Lost);
    let resume = Resume { direct: 5, session: again.welcome.session, ..resume };
    let back = new.welcome("192.0.2.1:3", &Hello { resume: Some(resume), ..Hello::default() });
    assert_eq!(back.welcome.session.member, to);
    room.tell(to, "six").unwrap();
    assert_eq!(shown(&new.pull()), ["6 [*] six"]);
}

#[test]
fn a_sender_is_told_of_messages_lost_because_the_recipient_left() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let ann = carrier.try_join("192.0.2.1:1").unwrap();
    let bob = carrier.welcome("192.0.2.2:2", &Hello::default());
    let to = bob.welcome.session.member;
    room.tell_private(ann.id, to, "one\ntwo").unwrap();
    carrier.pull();
    carrier.attachment.got(bob.member, 1);
    carrier.leave(bob.member, LeaveReason::Lost);
    let update = carrier.pull();
    assert_eq!(shown(&update), ["1 [*] Not delivered to 192.0.2.2:2: left (connection lost)"]);
    assert_eq!((update.direct[0].member, room.stats().undelivered), (ann.member, 1));
    assert_eq!(room.tell_private(to, ann.id, "x"), Err(TellError::NotMember));
}

#[test]
fn a_member_with_many_refused_messages_is_told_each_time_and_throttled_until_the_transport_has_pulled() {
    let moderator = Moderator::new(|offer| Verdict::Refuse(offer.text.clone()));
    let (room, time) = room_with(RoomConfig::default().with_moderator(moderator));
    let mut carrier = Carrier::new(&room, &time);
    let ann = carrier.welcome("127.0.0.1:1", &Hello::default());
    let mut told = Vec::new();
    for number in 1..=500 {
        let said = carrier.try_say(ann.member, &number.to_string()).unwrap();
        if said.pause_until.is_some() {
            told.extend(carrier.pull().direct);
        }
    }
    told.extend(carrier.pull().direct);
    let why: Vec<_> = told
        .iter()
        .map(|told| match &told.direct.item {
            DirectItem::Refused { number, why } => (*number, why.to_string()),
            item => panic!("{item}"),
        })
        .collect();
    let expected: Vec<_> = (1..=500).map(|number| (number, number.to_string())).collect();
    assert_eq!(why, expected, "every one, though none was acknowledged");
    assert_eq!(
        room.tell(ann.welcome.session.member, "x"),
        Err(TellError::Full),
        "and what is kept is bounded"
    );
}

#[test]
fn a_session_that_left_before_it_had_read_what_became_of_its_words_learns_it_when_it_goes_on() {
    let moderator = Moderator::new(|_| Verdict::Refuse("no".parse().unwrap()));
    let (room, time) = room_with(RoomConfig::default().with_moderator(moderator));
    let mut carrier = Carrier::new(&room, &time);
    let ann = carrier.welcome("192.0.2.1:1", &Hello::default());
    let bob = carrier.welcome("192.0.2.2:2", &Hello::default());
    let (of_ann, of_bob) = (ann.welcome.session.member, bob.welcome.session.member);
    let _refused = carrier.try_say(ann.member, "hello").unwrap();
    room.tell_private(of_ann, of_bob, "psst").unwrap();
    room.tell_private(of_bob, of_ann, "hey").unwrap();
    carrier.leave(ann.member, LeaveReason::Lost);
    carrier.leave(bob.member, LeaveReason::Lost);
    carrier.pull();
    let resume = Resume { epoch: ann.welcome.epoch, session: ann.welcome.session, have: 0, direct: 0 };
    let _again = carrier.welcome("192.0.2.1:3", &Hello { resume: Some(resume), ..Hello::default() });
    let told = ["1 [*] Not said: no", "3 [*] Not delivered to 192.0.2.2:2: left (connection lost)"];
    assert_eq!(shown(&carrier.pull()), told, "its own private message was returned to its sender");
    let resume = Resume { epoch: bob.welcome.epoch, session: bob.welcome.session, have: 0, direct: 0 };
    let _again = carrier.welcome("192.0.2.2:4", &Hello { resume: Some(resume), ..Hello::default() });
    let told = shown(&carrier.pull());
    assert_eq!(told, ["2 [*] Not delivered to 192.0.2.1:1: left (connection lost)"]);
}

#[test]
fn a_sender_whose_own_lane_is_full_is_told_what_was_not_delivered() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let ann = carrier.welcome("192.0.2.1:1", &Hello::default());
    let (of_ann, bob) = (ann.welcome.session.member, carrier.welcome("192.0.2.2:2", &Hello::default()));
    room.tell_private(of_ann, bob.welcome.session.member, "psst").unwrap();
    (0..DIRECT_ITEMS_MAX).for_each(|_| room.tell(of_ann, "x").unwrap());
    carrier.pull();
    carrier.leave(bob.member, LeaveReason::Lost);
    let told = shown(&carrier.pull());
    assert!(told.iter().any(|told| told.ends_with("left (connection lost)")), "{told:?}");
}

#[test]
fn a_sender_that_acknowledges_nothing_is_told_at_last_how_much_was_not_delivered() {
    let (room, time) = room();
    let (mut carrier, theirs) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let ann = carrier.welcome("192.0.2.1:1", &Hello::default());
    let (from, mut handed) = (ann.welcome.session.member, 0);
    let recipients = 5_u16;
    for port in 1..=recipients {
        let bob = theirs.welcome(&format!("192.0.2.2:{port}"), &Hello::default());
        let to = bob.welcome.session.member;
        (0..DIRECT_ITEMS_MAX).for_each(|_| drop(room.tell_private(from, to, "psst").unwrap()));
        theirs.attachment.leave(bob.member, LeaveReason::Lost, time.now());
        handed += carrier.pull().direct.len();
    }
    assert_eq!(room.stats().undelivered, u64::from(recipients) * DIRECT_ITEMS_MAX as u64);
    assert_eq!(handed, 2 * DIRECT_ITEMS_MAX, "its transport does not get all of them");
    carrier.attachment.got(ann.member, 1);
    let told = shown(&carrier.pull());
    let left = usize::from(recipients) * DIRECT_ITEMS_MAX - handed;
    assert_eq!(told, [format!("{} [*] {left} more of your private messages were not delivered", handed + 1)]);
    carrier.attachment.got(ann.member, u64::MAX);
    assert_eq!(shown(&carrier.pull()), [""; 0]);
}

#[test]
fn after_a_resume_that_says_that_answers_are_lost_the_next_one_does_not_say_it_again() {
    let moderator = Moderator::new(|offer| Verdict::Refuse(offer.text.clone()));
    let (room, time) = room_with(RoomConfig::default().with_moderator(moderator));
    let mut carrier = Carrier::new(&room, &time);
    let ann = carrier.welcome("192.0.2.1:1", &Hello::default());
    for number in 1..=100 {
        let _said =
            carrier.attachment.say_numbered(ann.member, number, "x".parse().unwrap(), time.now()).unwrap();
        carrier.pull();
    }
    let resume = |direct| Resume { epoch: ann.welcome.epoch, session: ann.welcome.session, have: 0, direct };
    let hello = |direct| Hello { resume: Some(resume(direct)), ..Hello::default() };
    let again = carrier.welcome("192.0.2.1:2", &hello(0));
    assert_eq!(again.welcome.taken, None, "more than a lane keeps is lost");
    let update = carrier.pull();
    let last = update.direct.last().unwrap();
    assert_eq!(last.direct.item.to_string(), "[*] Some answers of the room were lost");
    carrier.attachment.got(again.member, last.direct.number);
    let pause = carrier.attachment.say_numbered(again.member, 101, "x".parse().unwrap(), time.now()).unwrap();
    assert_eq!(pause.pause_until, None, "nothing is still to be pulled");
    let third = carrier.welcome("192.0.2.1:3", &hello(last.direct.number));
    assert_eq!(third.welcome.taken, Some(101));
}

#[test]
fn the_greatest_numbers_harm_nobody() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let ann = carrier.welcome("192.0.2.1:1", &Hello::default());
    for _ in 0..2 {
        let _said =
            carrier.attachment.say_numbered(ann.member, u64::MAX, "x".parse().unwrap(), time.now()).unwrap();
    }
    assert_eq!(room.stats().messages, 1);
    let resume = Resume { epoch: ann.welcome.epoch, session: ann.welcome.session, have: 0, direct: u64::MAX };
    let again = carrier.welcome("192.0.2.1:2", &Hello { resume: Some(resume), ..Hello::default() });
    for _ in 0..2 {
        let _told = room.tell(again.welcome.session.member, "x");
    }
    carrier.pull();
}
