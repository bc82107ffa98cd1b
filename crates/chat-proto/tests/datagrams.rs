//! The bytes of every kind of datagram, written down, and bytes that are not a datagram.
//!
//! They define the protocol. If one of these tests fails, either the change is a mistake or
//! [`VERSION`](chat_proto::VERSION) must change with it.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use chat_proto::{
    Ack, Author, Cookie, DatagramError, Hello, LeaveReason, MemberDatagram, MemberId, PREFACE, Present,
    Resume, RoomDatagram, Session, SessionId, SlotSet, Text, Traffic, VERSION, Welcome, is_framed, limits,
};
use proptest::prelude::*;

const SESSION: SessionId = SessionId::new(0x0807_0605_0403_0201);
const COOKIE: Cookie = Cookie([0xC0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);

/// The bytes with which all datagrams begin.
const MARK: &str = "f5 63686174 02";
const COOKIE_HEX: &str = "c0 01 02 03 04 05 06 07 08 09 0a 0b";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn text(s: &str) -> Text {
    Text::one_line(s).unwrap()
}

fn member(datagram: &MemberDatagram) -> Vec<u8> {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    bytes
}

fn room(datagram: &RoomDatagram<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    bytes
}

/// Compares with the bytes written down. The spaces are only for the reader.
#[track_caller]
fn check_member(datagram: &MemberDatagram, expected: &str) {
    let bytes = member(datagram);
    assert_eq!(hex(&bytes), format!("{MARK}{expected}").replace(' ', ""), "{datagram:?}");
    assert_eq!(MemberDatagram::decode(&bytes).as_ref(), Ok(datagram));
    assert!(is_framed(&bytes));
    assert!(
        matches!(RoomDatagram::decode(&bytes), Err(DatagramError::Unknown { .. })),
        "it goes the other way"
    );
}

#[track_caller]
fn check_room(datagram: &RoomDatagram<'_>, expected: &str) {
    let bytes = room(datagram);
    assert_eq!(hex(&bytes), format!("{MARK}{expected}").replace(' ', ""), "{datagram:?}");
    assert_eq!(RoomDatagram::decode(&bytes).as_ref(), Ok(datagram));
    assert!(
        matches!(MemberDatagram::decode(&bytes), Err(DatagramError::Unknown { .. })),
        "it goes the other way"
    );
}

fn traffic_of(traffic: Traffic) -> MemberDatagram {
    MemberDatagram::Traffic { session: SESSION, traffic }
}

fn beyond(offsets: &[u64]) -> SlotSet {
    let mut set = SlotSet::default();
    offsets.iter().for_each(|&offset| assert!(set.insert(offset)));
    set
}

#[test]
fn datagrams_of_a_member() {
    // nonce, no cookie, versions, capabilities, no room, no name, no resume, history; then zeros
    let hello = Hello { history: 20, ..Hello::default() };
    let hello = MemberDatagram::Hello { nonce: 7, cookie: None, hello };
    check_member(&hello, &format!("01 07 00 01 02 00 00 00 00 14 {}", "00".repeat(1200 - 16)));
    let session = Session { member: MemberId::new(2), since: 8, key: 3 };
    let resume = Some(Resume { epoch: 1, session, have: 9, direct: 5 });
    let hello = Hello { resume, ..Hello::default() };
    let hello = MemberDatagram::Hello { nonce: 7, cookie: Some(COOKIE), hello };
    let padding = "00".repeat(1200 - 34);
    check_member(&hello, &format!("01 07 01 {COOKIE_HEX} 01 02 00 00 00 01 01 02 08 03 09 05 00 {padding}"));

    // session, ping, next, bitmap with its length, direct, settled, first; texts
    let ack = Ack { next: 12, beyond: beyond(&[1, 9]) };
    let says = vec![text("hi"), text("")];
    let traffic = Traffic { ping: false, ack, direct: 4, settled: 2, first: 300, says };
    check_member(&traffic_of(traffic), "02 0102030405060708 00 0c 02 0202 04 02 fb2c01 02 6869 00");
    let ping = Traffic { ping: true, ..Traffic::default() };
    check_member(&traffic_of(ping), "02 0102030405060708 01 00 00 00 00 00");

    check_member(&MemberDatagram::Who { session: SESSION }, "03 0102030405060708");
    check_member(
        &MemberDatagram::Path { session: SESSION, cookie: COOKIE },
        &format!("04 0102030405060708 {COOKIE_HEX}"),
    );
    check_member(&MemberDatagram::Bye { session: SESSION }, "05 0102030405060708");
}

#[test]
fn datagrams_of_a_room() {
    check_room(&RoomDatagram::Retry { nonce: 7, cookie: COOKIE }, &format!("81 07 {COOKIE_HEX}"));
    let you = Author::from_shown("10.0.0.1:5");
    let welcome = Box::new(Welcome {
        version: 2,
        capabilities: 0,
        epoch: 1,
        session: Session { member: MemberId::new(2), since: 8, key: 3 },
        resumed: false,
        taken: Some(0),
        you: you.clone(),
        address: text("10.0.0.1:5"),
        room: None,
        name: None,
        topic: None,
        head: 9,
        began_unix_ms: 5,
        members: 4,
    });
    let welcome = RoomDatagram::Welcome { nonce: 7, session: SESSION, slot: 10, seq: 9, welcome };
    check_room(
        &welcome,
        "82 07 0102030405060708 0a 09  02 00 01 02 08 03 00 01 00 0a 31302e302e302e313a35 0a 31302e302e302e313a35 \
         00 00 09 05 04 00",
    );
    check_room(
        &RoomDatagram::Refused { nonce: 7, reason: LeaveReason::RoomFull },
        "83 07 0c 0c 726f6f6d2069732066756c6c",
    );

    let entries = RoomDatagram::Entries { session: SESSION, taken: 3, slot: 12, entries: b"log" };
    check_room(&entries, "84 0102030405060708 03 0c 6c6f67");
    let lagged =
        RoomDatagram::Lagged { session: SESSION, taken: 3, slot: 12, seq: 11, head: 40, entries: b"log" };
    check_room(&lagged, "85 0102030405060708 03 0c 0b 28 6c6f67");
    check_room(&RoomDatagram::Challenge { cookie: COOKIE }, &format!("86 {COOKIE_HEX}"));
    let present = Present { members: 5, authors: vec![you], more: true };
    check_room(
        &RoomDatagram::Present { session: SESSION, present },
        "87 0102030405060708 05 01 0a 31302e302e302e313a35 01",
    );
    check_room(
        &RoomDatagram::Bye { session: SESSION, reason: LeaveReason::Stopping },
        "88 0102030405060708 0b 12 736572766572206973207374 6f7070696e67",
    );
    check_room(
        &RoomDatagram::Direct { session: SESSION, after: 2, items: b"items" },
        "89 0102030405060708 02 6974656d73",
    );
}

#[test]
fn an_invalid_datagram_says_why() {
    let bye = member(&MemberDatagram::Bye { session: SESSION });
    let refused = |bytes: &[u8]| MemberDatagram::decode(bytes).unwrap_err();
    for end in 0..7 {
        assert_eq!(refused(&bye[..end]), DatagramError::NotFramed, "{end}");
    }
    for end in 7..bye.len() {
        assert_eq!(refused(&bye[..end]), DatagramError::Malformed, "{end}");
    }
    assert_eq!(
        refused(&[&PREFACE[..5], &[9, 5]].concat()),
        DatagramError::Version { version: 9, nonce: None }
    );
    assert_eq!(refused(&[&PREFACE[..], &[0x7f]].concat()), DatagramError::Unknown { kind: 0x7f });
    assert_eq!(refused(&[0xF5; 1201]), DatagramError::TooLong { bytes: 1201 });
    assert!(!is_framed(b"hello") && !is_framed(b""));
}

#[test]
fn a_hello_is_padded_with_zeros_to_the_size_of_the_longest_answer() {
    let hello = member(&MemberDatagram::Hello { nonce: 7, cookie: None, hello: Hello::default() });
    assert_eq!(hello.len(), limits::DATAGRAM_BYTES_MAX);
    assert_eq!(MemberDatagram::decode(&hello[..1199]), Err(DatagramError::Unpadded));
}

/// A later version may put more fields there.
#[test]
fn bytes_after_the_known_fields_are_ignored_where_nothing_may_follow_them() {
    let tail = |bytes: Vec<u8>| [bytes, b"more".to_vec()].concat();
    for datagram in [
        MemberDatagram::Who { session: SESSION },
        MemberDatagram::Path { session: SESSION, cookie: COOKIE },
        MemberDatagram::Bye { session: SESSION },
    ] {
        assert_eq!(MemberDatagram::decode(&tail(member(&datagram))), Ok(datagram));
    }
    let mut hello = member(&MemberDatagram::Hello { nonce: 7, cookie: None, hello: Hello::default() });
    hello[16..20].copy_from_slice(b"more");
    assert!(MemberDatagram::decode(&hello).is_ok());
    for datagram in [
        RoomDatagram::Retry { nonce: 7, cookie: COOKIE },
        RoomDatagram::Refused { nonce: 7, reason: LeaveReason::RoomFull },
        RoomDatagram::Challenge { cookie: COOKIE },
        RoomDatagram::Bye { session: SESSION, reason: LeaveReason::Stopping },
    ] {
        let bytes = tail(room(&datagram));
        assert_eq!(RoomDatagram::decode(&bytes), Ok(datagram));
    }
}

#[test]
fn the_hello_of_another_version_is_known_by_its_kind_and_length() {
    let mut hello = member(&MemberDatagram::Hello { nonce: 300, cookie: None, hello: Hello::default() });
    hello[5] = VERSION + 1;
    let expected = DatagramError::Version { version: VERSION + 1, nonce: Some(300) };
    assert_eq!(MemberDatagram::decode(&hello), Err(expected));
    let expected = DatagramError::Version { version: VERSION + 1, nonce: None };
    assert_eq!(MemberDatagram::decode(&hello[..1199]), Err(expected), "an answer would be longer");
    let mut refused = room(&RoomDatagram::Refused { nonce: 300, reason: LeaveReason::version() });
    refused[5] = VERSION + 1;
    let expected = DatagramError::Version { version: VERSION + 1, nonce: Some(300) };
    assert_eq!(RoomDatagram::decode(&refused), Err(expected));
}

#[test]
fn a_challenge_is_no_longer_than_the_shortest_datagram_of_a_session() {
    let challenge = room(&RoomDatagram::Challenge { cookie: COOKIE }).len();
    let ping = traffic_of(Traffic { ping: true, ..Traffic::default() });
    assert!(challenge <= member(&ping).len());
}

#[test]
fn the_largest_of_each_kind_fits() {
    let says = vec![text(&"x".repeat(limits::TEXT_BYTES_MAX))];
    let ack = Ack { next: u64::MAX, beyond: beyond(&[limits::SLOTS_AHEAD_MAX - 1]) };
    let (direct, settled, first) = (u64::MAX, u64::MAX, u64::MAX);
    let traffic = traffic_of(Traffic { ping: true, ack, direct, settled, first, says });
    assert!(member(&traffic).len() <= limits::DATAGRAM_BYTES_MAX);

    let author: Author = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535".parse().unwrap();
    let authors = vec![author; limits::PRESENT_AUTHORS_MAX];
    let present = Present { members: u32::MAX, authors, more: false };
    let bytes = room(&RoomDatagram::Present { session: SESSION, present });
    assert!(bytes.len() <= limits::DATAGRAM_BYTES_MAX, "{}", bytes.len());
    let RoomDatagram::Present { present, .. } = RoomDatagram::decode(&bytes).unwrap() else {
        panic!("present")
    };
    assert_eq!((present.authors.len(), present.more), (19, true), "as many as fit");
}

#[test]
fn more_messages_than_a_datagram_may_hold_are_refused() {
    let says = vec![Text::default(); limits::SAYS_PER_DATAGRAM_MAX];
    let traffic = traffic_of(Traffic { ping: true, says, ..Traffic::default() });
    let mut bytes = member(&traffic);
    assert!(MemberDatagram::decode(&bytes).is_ok());
    bytes.push(0);
    assert_eq!(MemberDatagram::decode(&bytes), Err(DatagramError::Malformed));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(kind in any::<u8>(), rest in prop::collection::vec(any::<u8>(), 0..1300), framed in any::<bool>()) {
        let bytes = if framed { [&PREFACE[..], &[kind], &rest].concat() } else { rest };
        let _ = MemberDatagram::decode(&bytes);
        let _ = RoomDatagram::decode(&bytes);
    }

    #[test]
    fn a_datagram_with_a_flipped_bit_is_another_one_or_none(at in 0_usize..40, bit in 0..8_u32) {
        let says = vec![text("hello"), text("again")];
        let traffic = traffic_of(Traffic { first: 300, says, ..Traffic::default() });
        let mut bytes = member(&traffic);
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        prop_assert_ne!(MemberDatagram::decode(&bytes), Ok(traffic));
    }
}
