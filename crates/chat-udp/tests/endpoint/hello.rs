//! Hellos, cookies and welcomes.

use std::sync::Arc;

use chat_core::access::Ban;
use chat_testkit::ScriptedJournal;

use super::*;

#[test]
fn a_hello_without_a_cookie_is_answered_with_less_than_it_was_and_nothing_is_kept() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let hello = encode(&MemberDatagram::Hello { nonce: 7, cookie: None, hello: Hello::default() });
    let answers = server.answers(ann, &hello, now);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].1.len() < hello.len() / 10);
    assert_eq!((server.endpoint.peers(), server.room.stats().joined), (0, 0));
}

#[test]
fn a_cookie_of_somebody_else_lets_nobody_in() {
    let (now, ann, eve) = (begin(), address("198.51.100.1:1"), address("198.51.100.2:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 7, now));
    for (from, nonce, later) in [(eve, 7, now), (ann, 8, now), (ann, 7, now + 16 * SECOND)] {
        let hello = encode(&MemberDatagram::Hello { nonce, cookie, hello: Hello::default() });
        let answers = server.answers(from, &hello, later);
        assert!(matches!(RoomDatagram::decode(&answers[0].1), Ok(RoomDatagram::Retry { .. })));
    }
    assert_eq!(server.endpoint.peers(), 0);
}

#[test]
fn a_hello_for_other_versions_is_told_which_one_there_is() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 7, now));
    let hello = Hello { versions: vec![3, 1], ..Hello::default() };
    let answers = server.answers(ann, &encode(&MemberDatagram::Hello { nonce: 7, cookie, hello }), now);
    let refused = RoomDatagram::Refused { nonce: 7, reason: LeaveReason::version() };
    assert_eq!(RoomDatagram::decode(&answers[0].1), Ok(refused));
    assert_eq!((answers.len(), server.room.stats().joined), (1, 0));
}

#[test]
fn a_hello_that_comes_again_has_the_same_welcome_and_joins_nobody() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 7, now));
    let hello = encode(&MemberDatagram::Hello { nonce: 7, cookie, hello: Hello::default() });
    let first = server.answers(ann, &hello, now);
    let (session, _) = welcome(&first, ann).unwrap();
    assert_eq!(server.answers(ann, &hello, now), first);
    server.answers(ann, &traffic(session, 1, &["hi"]), now);
    assert_eq!(server.answers(ann, &hello, now), [], "the peer has received the welcome by now");
    assert_eq!(server.room.stats().joined, 1);
}

#[test]
fn a_late_copy_of_an_old_hello_does_not_disturb_a_newer_session() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 1, now));
    let old = encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() });
    server.answers(ann, &old, now);
    let now = now + SECOND;
    let session = server.join(ann, 2, now);
    assert_eq!(server.answers(ann, &old, now), []);
    server.answers(ann, &traffic(session, 1, &["still here"]), now);
    assert_eq!(server.said(), ["[198.51.100.1:1] still here"]);
    assert_eq!(server.room.stats().members, 1);
}

#[test]
fn a_member_that_left_does_not_join_again_by_a_late_copy_of_its_hello() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 1, now));
    let hello = encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() });
    let (session, _) = welcome(&server.answers(ann, &hello, now), ann).unwrap();
    server.answers(ann, &encode(&MemberDatagram::Bye { session }), now);
    server.answers(ann, &hello, now + 5 * SECOND);
    assert_eq!((server.room.stats().joined, server.room.stats().members), (1, 0));
}

#[test]
fn a_welcome_that_is_never_heard_of_ends_the_membership() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 1, now));
    server.answers(ann, &encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() }), now);
    assert_eq!(server.room.stats().members, 1);
    assert_eq!(server.sends(now + 10 * SECOND), [], "and nothing is sent to who may not be there");
    assert_eq!(server.room.stats().members, 0);
    server.sends(now + 40 * SECOND);
    assert_eq!(server.endpoint.peers(), 0, "it is forgotten in the end");
}

#[test]
fn a_peer_that_was_banned_opens_no_room_while_its_session_is_remembered() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let journal = ScriptedJournal::default();
    let config = RoomsConfig::default().with_open_max(4);
    let rooms = Rooms::restore(config, Arc::new(journal.clone())).unwrap();
    journal.hold_openings();
    let mut server = Server::of(&rooms, UdpConfig::default(), "192.0.2.1:5555", now);
    server.join(ann, 1, now);
    let ban = Ban { who: "198.51.100.1".parse().unwrap(), why: text("spam"), until_unix_ms: None };
    server.room.ban(&ban).unwrap();
    server.sends(now);
    assert_eq!((server.room.stats().members, server.endpoint.peers()), (0, 1), "it is remembered");
    let cookie = Some(server.cookie(ann, 2, now));
    let hello = Hello { room: Some(text("dev")), ..Hello::default() };
    server.endpoint.receive(ann, &encode(&MemberDatagram::Hello { nonce: 2, cookie, hello }), now);
    assert_eq!(journal.open_held(None), 0);
}
