//! The bytes of every kind of frame, written down.
//!
//! They are the protocol. When one of these fails, either the change is a mistake or
//! [`VERSION`](chat_proto::VERSION) must change with it.
#![allow(clippy::unwrap_used)]

use std::{fmt::Write as _, sync::Arc};

use chat_proto::{
    Author, Entry, Event, FrameDecoder, Hello, LeaveReason, MemberFrame, PREFACE, PeerAddr, Present, Resume,
    RoomFrame, Session, Skipped, Text, VERSION, Welcome, encode_entry,
};

const SESSION: Session = Session { member: 1, since: 2, key: 0x0102_0304_0506_0708 };

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn peer(s: &str) -> PeerAddr {
    s.parse().unwrap()
}

fn text(s: &str) -> Text {
    Text::one_line(s).unwrap()
}

/// Compares with the bytes written down, where spaces are for the eye.
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
    encode_entry(&entry, &mut bytes);
    assert_eq!(hex(&bytes), expected.replace(' ', ""), "{entry:?}");
    check_room(&RoomFrame::Entry(Arc::new(entry)), expected);
}

#[test]
fn the_preface() {
    assert_eq!(hex(&PREFACE), "f5 63686174 01".replace(' ', ""));
    assert_eq!(VERSION, 1);
}

#[test]
fn frames_of_a_member() {
    // length, frame, resume or not, history
    check_member(&MemberFrame::Hello(Hello::default()), "0300 00 00 00");
    check_member(&MemberFrame::Hello(Hello { resume: None, history: 1000 }), "0500 00 00 fbe803");
    // length, frame, resume, epoch, member, key, have, history
    let resume = Resume { epoch: 9, session: SESSION, have: 70_000 };
    check_member(
        &MemberFrame::Hello(Hello { resume: Some(resume), history: 20 }),
        "1400 00 01 09 01 02 fd0807060504030201 fc70110100 14",
    );
    // length, frame, length of the text, text
    check_member(&MemberFrame::Say(text("")), "0200 01 00");
    check_member(&MemberFrame::Say(text("h\u{e9}!")), "0600 01 04 68c3a921");
    check_member(&MemberFrame::Say(text(&"x".repeat(300))), &format!("3001 01 fb2c01 {}", "78".repeat(300)));
    check_member(&MemberFrame::Who, "0100 02");
    check_member(&MemberFrame::Bye, "0100 03");
}

#[test]
fn frames_of_a_room() {
    // length, frame, epoch, member, key, address, head, began, members
    let welcome = Welcome {
        epoch: 9,
        session: SESSION,
        you: peer("127.0.0.1:57814"),
        head: 300,
        began_unix_ms: 1_700_000_000_000,
        members: 3,
    };
    check_room(
        &RoomFrame::Welcome(welcome),
        "2200 00 09 01 02 fd0807060504030201 00 7f000001 fbd6e1 fb2c01 fd0068e5cf8b010000 03",
    );
    // length, frame, messages, next, head, accepted
    let skipped = Skipped { messages: 1, next: 250, head: 251, accepted: 65_536 };
    check_room(&RoomFrame::Skipped(skipped), "0b00 02 01 fa fbfb00 fc00000100");
    // length, frame, members, count, addresses, more
    let present = Present { members: 0, peers: vec![], more: false };
    check_room(&RoomFrame::Present(present), "0400 03 00 00 00");
    let present = Present { members: 2, peers: vec![peer("10.0.0.1:1"), peer("[fe80::1%3]:2")], more: true };
    check_room(
        &RoomFrame::Present(present),
        "1d00 03 02 02 00 0a000001 01 01 fe800000000000000000000000000001 02 03 01",
    );
}

#[test]
fn events_and_authors() {
    // length, frame, seq, at_ms, event, author, ...
    let said = |author, s| Event::Said { author, text: text(s) };
    check_event(said(Author::Peer(peer("127.0.0.1:5")), "hi"), "0e00 01 01 02 00 00 00 7f000001 05 02 6869");
    check_event(
        said(Author::Peer(peer("[::1]:5")), "hi"),
        "1b00 01 01 02 00 00 01 00000000000000000000000000000001 05 00 02 6869",
    );
    check_event(said(Author::Room, "hi"), "0800 01 01 02 00 01 02 6869");
    check_event(said(Author::Named("bot".parse().unwrap()), "hi"), "0c00 01 01 02 00 02 03 626f74 02 6869");
    check_event(
        Event::Joined { peer: peer("127.0.0.1:5"), members: 4 },
        "0b00 01 01 02 01 00 7f000001 05 04",
    );
    check_event(
        Event::Left { peer: peer("127.0.0.1:5"), reason: LeaveReason::Lost, members: 3 },
        "0c00 01 01 02 02 00 7f000001 05 01 03",
    );
    check_event(Event::PresenceSummary { joined: 5, left: 6, members: 7 }, "0700 01 01 02 03 05 06 07");
    check_event(
        Event::Refused { peer: peer("127.0.0.1:5"), member: 8, said: 9, why: text("no") },
        "0f00 01 01 02 04 00 7f000001 05 08 09 02 6e6f",
    );
}

#[test]
fn reasons_for_leaving() {
    for (reason, expected) in [
        (LeaveReason::Quit, "0200 04 00"),
        (LeaveReason::Lost, "0200 04 01"),
        (LeaveReason::Idle, "0200 04 02"),
        (LeaveReason::TooSlow, "0200 04 03"),
        (LeaveReason::Lagged, "0200 04 04"),
        (LeaveReason::LineTooLong, "0200 04 05"),
        (LeaveReason::Unfinished, "0200 04 06"),
        (LeaveReason::Protocol, "0200 04 07"),
        (LeaveReason::NotChat, "0200 04 08"),
        (LeaveReason::Replaced, "0200 04 09"),
        (LeaveReason::kicked("").unwrap(), "0300 04 0a 00"),
        (LeaveReason::kicked("spam").unwrap(), "0700 04 0a 04 7370616d"),
        (LeaveReason::Stopping, "0200 04 0b"),
        (LeaveReason::RoomFull, "0200 04 0c"),
        (LeaveReason::AddressFull, "0200 04 0d"),
    ] {
        check_room(&RoomFrame::Bye(reason), expected);
    }
}
