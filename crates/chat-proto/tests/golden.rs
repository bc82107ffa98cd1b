//! The bytes of every kind of frame, written down.
//!
//! They define the protocol. If one of these tests fails, either the change is a mistake or
//! [`VERSION`](chat_proto::VERSION) must change with it.
#![allow(clippy::unwrap_used)]

use std::{fmt::Write as _, sync::Arc};

use chat_proto::{
    Author, Direct, DirectItem, Entry, Event, FrameDecoder, Hello, Lagged, LeaveReason, LookBack,
    MemberFrame, MemberId, Origin, PREFACE, Present, Resume, RoomFrame, Session, Spelling, Text, VERSION,
    Welcome, encode_direct, encode_entry,
};

const SESSION: Session = Session { member: MemberId::new(1), since: 2, key: 0x0102_0304_0506_0708 };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn shown(s: &str) -> Author {
    Author::from_shown(s)
}

fn text(s: &str) -> Text {
    Text::one_line(s).unwrap()
}

/// Compares with the bytes written down. The spaces are only for the reader.
#[track_caller]
fn check_member(frame: &MemberFrame, expected: &str) {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    assert_eq!(hex(&bytes), expected.replace(' ', ""), "{frame:?}");
    assert_eq!(FrameDecoder::new().next(&mut bytes.as_slice()).as_ref(), Ok(&Some(frame.clone())));
}

#[track_caller]
fn check_room(frame: &RoomFrame, expected: &str) {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    assert_eq!(hex(&bytes), expected.replace(' ', ""), "{frame:?}");
    assert_eq!(FrameDecoder::new().next(&mut bytes.as_slice()).as_ref(), Ok(&Some(frame.clone())));
}

#[track_caller]
fn check_event(event: Event, expected: &str) {
    let entry = Entry { seq: 1, at_ms: 2, event };
    let mut bytes = Vec::new();
    encode_entry(&entry, &mut Spelling::default(), &mut bytes);
    assert_eq!(hex(&bytes), expected.replace(' ', ""), "{entry:?}");
    check_room(&RoomFrame::Entry(Arc::new(entry)), expected);
}

#[test]
fn the_preface() {
    assert_eq!(hex(&PREFACE), "f5 63686174 02".replace(' ', ""));
    assert_eq!(VERSION, 2);
}

#[test]
fn frames_of_a_member() {
    // length, kind, versions, capabilities, no room, no name, no resume, history
    check_member(&MemberFrame::Hello(Hello::default()), "0800 01 01 02 00 00 00 00 00");
    check_member(
        &MemberFrame::Hello(Hello { history: 1000, ..Hello::default() }),
        "0a00 01 01 02 00 00 00 00 fbe803",
    );
    // length, kind, versions, capabilities, room, name, resume: epoch, member, since, key, have, direct; history
    let resume = Resume { epoch: 9, session: SESSION, have: 70_000, direct: 3 };
    let hello = Hello {
        versions: vec![3, 2],
        capabilities: 5,
        room: Some(text("hall")),
        name: Some(text("ann")),
        resume: Some(resume),
        history: 20,
    };
    check_member(
        &MemberFrame::Hello(hello),
        "2400 01 02 0302 05 01 04 68616c6c 01 03 616e6e 01 09 01 02 fd0807060504030201 fc70110100 03 14",
    );
    // length, kind, number, length of the text, text
    check_member(&MemberFrame::Say { number: 1, text: text("") }, "0300 02 01 00");
    check_member(&MemberFrame::Say { number: 251, text: text("h\u{e9}!") }, "0900 02 fbfb00 04 68c3a921");
    let long = MemberFrame::Say { number: 2, text: text(&"x".repeat(300)) };
    check_member(&long, &format!("3101 02 02 fb2c01 {}", "78".repeat(300)));
    check_member(&MemberFrame::Who, "0100 03");
    check_member(&MemberFrame::Got { direct: 7 }, "0200 04 07");
    check_member(&MemberFrame::Bye, "0100 05");
    // length, kind, number, before, messages, author, words
    let newest = LookBack::newest(20);
    check_member(
        &MemberFrame::LookBack { number: 7, question: newest.clone() },
        "0e00 06 07 fdffffffffffffffff 14 00 00",
    );
    let question = newest.before(300).by(shown("ann")).with_words(text("tea"));
    check_member(
        &MemberFrame::LookBack { number: 8, question },
        "1000 06 08 fb2c01 14 01 03 616e6e 01 03 746561",
    );
}

#[test]
fn frames_of_a_room() {
    // length, kind, version, capabilities, epoch, member, since, key, resumed, taken, you, address, no room, no name,
    // head, began, members, no topic
    let welcome = Welcome {
        version: 2,
        capabilities: 0,
        epoch: 9,
        session: SESSION,
        resumed: true,
        taken: Some(4),
        you: shown("10.0.0.1:5/udp"),
        address: text("10.0.0.1:5"),
        room: None,
        name: None,
        topic: None,
        head: 300,
        began_unix_ms: 1_700_000_000_000,
        members: 3,
    };
    check_room(
        &RoomFrame::Welcome(Box::new(welcome.clone())),
        "3c00 81 02 00 09 01 02 fd0807060504030201 01 01 04 0e 31302e302e302e313a352f756470 0a 31302e302e302e313a35 \
         00 00 fb2c01 fd0068e5cf8b010000 03 00",
    );
    let forgotten = Welcome {
        taken: None,
        room: Some(text("hall")),
        name: Some(text("ann")),
        topic: Some(text("code")),
        ..welcome
    };
    check_room(
        &RoomFrame::Welcome(Box::new(forgotten)),
        "4900 81 02 00 09 01 02 fd0807060504030201 01 00 0e 31302e302e302e313a352f756470 0a 31302e302e302e313a35 \
         01 04 68616c6c 01 03 616e6e fb2c01 fd0068e5cf8b010000 03 01 04 636f6465",
    );
    // length, kind, messages, next, head, taken
    let lagged = Lagged { messages: 1, next: 250, head: 251, taken: 65_536 };
    check_room(&RoomFrame::Lagged(lagged), "0b00 83 01 fa fbfb00 fc00000100");
    // length, kind, members, count, authors, more
    let present = Present { members: 0, authors: vec![], more: false };
    check_room(&RoomFrame::Present(present), "0400 85 00 00 00");
    let present =
        Present { members: 3, authors: vec![shown("10.0.0.1:1"), shown("[fe80::1%3]:2")], more: true };
    check_room(
        &RoomFrame::Present(present),
        "1d00 85 03 02 0a 31302e302e302e313a31 0d 5b666538303a3a3125335d3a32 01",
    );
}

#[test]
fn events_and_authors() {
    // length, kind, seq, at_ms, event, member, number, author, text
    let said = |author: &str| Event::Said {
        from: Origin { member: MemberId::new(8), number: 9 },
        author: shown(author),
        text: text("hi"),
    };
    check_event(said("10.0.0.1:5"), "1400 82 01 02 01 08 09 0a 31302e302e302e313a35 02 6869");
    check_event(said("[::1]:5"), "1100 82 01 02 01 08 09 07 5b3a3a315d3a35 02 6869");
    check_event(said("10.0.0.1:5/tcp"), "1800 82 01 02 01 08 09 0e 31302e302e302e313a352f746370 02 6869");
    check_event(said("*"), "0b00 82 01 02 01 08 09 01 2a 02 6869");
    check_event(said("bot"), "0d00 82 01 02 01 08 09 03 626f74 02 6869");
    check_event(said("ann@home"), "1200 82 01 02 01 08 09 08 616e6e40686f6d65 02 6869");
    let (member, author) = (MemberId::new(8), shown("10.0.0.1:5"));
    check_event(
        Event::Joined { member, author: author.clone(), members: 4 },
        "1100 82 01 02 02 08 0a 31302e302e302e313a35 04",
    );
    check_event(
        Event::Left { member, author, reason: LeaveReason::Lost, members: 3 },
        "2200 82 01 02 03 08 0a 31302e302e302e313a35 01 0f 636f6e6e656374696f6e206c6f7374 03",
    );
    check_event(Event::PresenceSummary { joined: 5, left: 6, members: 7 }, "0700 82 01 02 04 05 06 07");
    check_event(Event::Unknown { kind: 77 }, "0400 82 01 02 4d");
}

#[test]
fn items_of_the_direct_lane() {
    let check = |item, expected: &str| {
        let direct = Direct { number: 3, item };
        let mut bytes = Vec::new();
        encode_direct(&direct, &mut bytes);
        assert_eq!(hex(&bytes), expected.replace(' ', ""), "{direct:?}");
        check_room(&RoomFrame::Direct(Arc::new(direct)), expected);
    };
    // length, kind, number, item, ...
    let (from, author) = (MemberId::new(8), shown("ann"));
    check(DirectItem::Private { from, author, text: text("hi") }, "0b00 84 03 01 08 03 616e6e 02 6869");
    check(DirectItem::Refused { number: 9, why: text("no") }, "0700 84 03 02 09 02 6e6f");
    check(DirectItem::Notice { text: text("hi") }, "0600 84 03 03 02 6869");
    check(DirectItem::Undelivered { to: shown("ann"), why: text("no") }, "0a00 84 03 04 03 616e6e 02 6e6f");
    let event =
        Event::Said { from: Origin { member: from, number: 9 }, author: shown("ann"), text: text("hi") };
    let entry = Arc::new(Entry { seq: 1, at_ms: 2, event });
    check(DirectItem::OldMessage { question: 7, entry }, "1000 84 03 09 07 01 02 01 08 09 03 616e6e 02 6869");
    check(DirectItem::OldEnd { question: 7, more: true, why: None }, "0600 84 03 0a 07 01 00");
    let why = Some(text("no"));
    check(DirectItem::OldEnd { question: 7, more: false, why }, "0900 84 03 0a 07 00 01 02 6e6f");
    check(DirectItem::Unknown { kind: 77 }, "0300 84 03 4d");
}

#[test]
fn reasons_for_leaving() {
    let reasons = [
        (LeaveReason::Quit, 0, "by its own choice"),
        (LeaveReason::Lost, 1, "connection lost"),
        (LeaveReason::Idle, 2, "idle for too long"),
        (LeaveReason::TooSlow, 3, "too slow to read"),
        (LeaveReason::Lagged, 4, "fell too far behind"),
        (LeaveReason::LineTooLong, 5, "line too long"),
        (LeaveReason::Unfinished, 6, "frame not finished in time"),
        (LeaveReason::Protocol, 7, "broke the protocol"),
        (LeaveReason::NotChat, 8, "not a chat client"),
        (LeaveReason::Replaced, 9, "session resumed elsewhere"),
        (LeaveReason::kicked("").unwrap(), 10, "kicked"),
        (LeaveReason::kicked("spam").unwrap(), 10, "kicked: spam"),
        (LeaveReason::Stopping, 11, "server is stopping"),
        (LeaveReason::RoomFull, 12, "room is full"),
        (LeaveReason::AddressFull, 13, "too many members from this address"),
        (LeaveReason::version(), 14, "the server speaks version 2 of the protocol only"),
        (LeaveReason::Other { code: 200, text: text("the moon is full") }, 200, "the moon is full"),
    ];
    for (reason, code, phrase) in reasons {
        let length = phrase.len();
        let expected = format!("{:02x}00 86 {code:02x} {length:02x} {}", length + 3, hex(phrase.as_bytes()));
        check_room(&RoomFrame::Bye(reason), &expected);
    }
}
