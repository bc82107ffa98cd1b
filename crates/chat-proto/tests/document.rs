//! The bytes that PROTOCOL.md shows are the bytes of this crate.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chat_proto::{
    Ack, Author, Cookie, Direct, DirectItem, Entry, Event, FrameDecoder, Hello, Lagged, LeaveReason,
    LookBack, MemberDatagram, MemberFrame, MemberId, Origin, Present, Resume, RoomDatagram, RoomFrame,
    Session, SessionId, SlotSet, Spelling, Text, Traffic, Welcome, encode_direct, encode_entry,
};

const SESSION: SessionId = SessionId::new(0x0807_0605_0403_0201);
const COOKIE: Cookie = Cookie([0xC0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);

fn text(s: &str) -> Text {
    Text::one_line(s).unwrap()
}

fn shown(s: &str) -> Author {
    Author::from_shown(s)
}

fn of_member(frame: &MemberFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    assert_eq!(FrameDecoder::new().next(&mut bytes.as_slice()).as_ref(), Ok(&Some(frame.clone())));
    bytes
}

fn of_room(frame: &RoomFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    assert_eq!(FrameDecoder::new().next(&mut bytes.as_slice()).as_ref(), Ok(&Some(frame.clone())));
    bytes
}

fn event(event: Event) -> Vec<u8> {
    of_room(&RoomFrame::Entry(Arc::new(Entry { seq: 1, at_ms: 2, event })))
}

fn item(item: DirectItem) -> Vec<u8> {
    of_room(&RoomFrame::Direct(Arc::new(Direct { number: 3, item })))
}

fn sent(datagram: &MemberDatagram) -> Vec<u8> {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    assert_eq!(MemberDatagram::decode(&bytes).as_ref(), Ok(datagram));
    bytes
}

fn got(datagram: &RoomDatagram<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    assert_eq!(RoomDatagram::decode(&bytes).as_ref(), Ok(datagram));
    bytes
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let session = Session { member: MemberId::new(1), since: 2, key: 0x0102_0304_0506_0708 };
    let resume = Some(Resume { epoch: 9, session, have: 70_000, direct: 3 });
    let hello = Hello { history: 20, ..Hello::default() };
    let member = MemberId::new(8);
    let author = shown("10.0.0.1:5");
    let welcome = Welcome {
        version: 2,
        capabilities: 0,
        epoch: 9,
        session,
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
    let said = Event::Said { from: Origin { member, number: 9 }, author: author.clone(), text: text("hi") };
    let left = Event::Left { member, author: Author::Room, reason: LeaveReason::Lost, members: 3 };
    let present =
        Present { members: 3, authors: vec![shown("10.0.0.1:1"), shown("[fe80::1%3]:2")], more: true };
    vec![
        ("Hello", of_member(&MemberFrame::Hello(hello))),
        ("Hello that resumes", of_member(&MemberFrame::Hello(Hello { resume, ..Hello::default() }))),
        ("Say", of_member(&MemberFrame::Say { number: 251, text: text("h\u{e9}!") })),
        ("Who", of_member(&MemberFrame::Who)),
        ("Got", of_member(&MemberFrame::Got { direct: 7 })),
        ("Bye of a member", of_member(&MemberFrame::Bye)),
        ("LookBack", of_member(&MemberFrame::LookBack { number: 8, question: question() })),
        ("Welcome", of_room(&RoomFrame::Welcome(Box::new(welcome)))),
        ("Said", event(said.clone())),
        ("Joined", event(Event::Joined { member, author, members: 4 })),
        ("Left", event(left)),
        ("PresenceSummary", event(Event::PresenceSummary { joined: 5, left: 6, members: 7 })),
        ("Renamed", event(Event::Renamed { member, from: shown("10.0.0.1:5"), to: shown("ann") })),
        ("Topic", event(Event::Topic { member, author: shown("ann"), text: text("hi") })),
        ("Lagged", of_room(&RoomFrame::Lagged(Lagged { messages: 1, next: 250, head: 251, taken: 65_536 }))),
        ("Private", item(DirectItem::Private { from: member, author: shown("ann"), text: text("hi") })),
        ("Refused", item(DirectItem::Refused { number: 9, why: text("no") })),
        ("Notice", item(DirectItem::Notice { text: text("hi") })),
        ("Undelivered", item(DirectItem::Undelivered { to: shown("ann"), why: text("no") })),
        ("Done", item(DirectItem::Done { number: 9 })),
        ("Sent", item(DirectItem::Sent { number: 9, to: shown("ann"), text: text("hi") })),
        ("Ignoring", item(DirectItem::Ignoring { member, is_ignored: true })),
        ("Move", item(DirectItem::Move { room: text("dev") })),
        ("OldMessage", item(old(said))),
        ("OldEnd", item(DirectItem::OldEnd { question: 8, more: true, why: None })),
        ("Present", of_room(&RoomFrame::Present(present))),
        ("Bye of a room", of_room(&RoomFrame::Bye(LeaveReason::RoomFull))),
    ]
}

fn question() -> LookBack {
    LookBack::newest(20).before(300).by(shown("ann")).with_words(text("tea"))
}

fn old(event: Event) -> DirectItem {
    DirectItem::OldMessage { question: 8, entry: Arc::new(Entry { seq: 1, at_ms: 2, event }) }
}

fn datagrams() -> Vec<(&'static str, Vec<u8>)> {
    let session = SESSION;
    let hello = Hello { history: 20, ..Hello::default() };
    let mut beyond = SlotSet::default();
    assert!(beyond.insert(1) && beyond.insert(9));
    let ack = Ack { next: 12, beyond };
    let says = vec![text("hi"), text("")];
    let traffic = Traffic { ping: false, ack, direct: 4, settled: 2, first: 300, says };
    let welcome = Box::new(Welcome {
        version: 2,
        capabilities: 0,
        epoch: 1,
        session: Session { member: MemberId::new(2), since: 8, key: 3 },
        resumed: false,
        taken: Some(0),
        you: shown("10.0.0.1:5"),
        address: text("10.0.0.1:5"),
        room: None,
        name: None,
        topic: None,
        head: 9,
        began_unix_ms: 5,
        members: 4,
    });
    let from = Origin { member: MemberId::new(8), number: 9 };
    let (mut entries, mut items) = (Vec::new(), Vec::new());
    let said = Event::Said { from, author: Author::Room, text: text("h") };
    encode_entry(&Entry { seq: 1, at_ms: 2, event: said }, &mut Spelling::default(), &mut entries);
    encode_direct(&Direct { number: 3, item: DirectItem::Notice { text: text("hi") } }, &mut items);
    let present = Present { members: 5, authors: vec![Author::Room], more: true };
    let lagged = RoomDatagram::Lagged { session, taken: 3, slot: 12, seq: 11, head: 40, entries: &[] };
    vec![
        ("Hello datagram", sent(&MemberDatagram::Hello { nonce: 7, cookie: Some(COOKIE), hello })),
        ("Traffic datagram", sent(&MemberDatagram::Traffic { session, traffic })),
        ("Who datagram", sent(&MemberDatagram::Who { session })),
        ("Path datagram", sent(&MemberDatagram::Path { session, cookie: COOKIE })),
        ("Bye datagram of a member", sent(&MemberDatagram::Bye { session })),
        ("LookBack datagram", sent(&MemberDatagram::LookBack { session, number: 8, question: question() })),
        ("Retry datagram", got(&RoomDatagram::Retry { nonce: 7, cookie: COOKIE })),
        ("Welcome datagram", got(&RoomDatagram::Welcome { nonce: 7, session, slot: 10, seq: 9, welcome })),
        ("Refused datagram", got(&RoomDatagram::Refused { nonce: 7, reason: LeaveReason::RoomFull })),
        ("Entries datagram", got(&RoomDatagram::Entries { session, taken: 3, slot: 12, entries: &entries })),
        ("Lagged datagram", got(&lagged)),
        ("Challenge datagram", got(&RoomDatagram::Challenge { cookie: COOKIE })),
        ("Present datagram", got(&RoomDatagram::Present { session, present })),
        ("Bye datagram of a room", got(&RoomDatagram::Bye { session, reason: LeaveReason::Stopping })),
        ("Direct datagram", got(&RoomDatagram::Direct { session, after: 2, items: &items })),
    ]
}

/// The bytes in blocks that begin with ` ```wire NAME `, without the words to the right.
fn shown_in(document: &str) -> BTreeMap<String, Vec<u8>> {
    let mut blocks = BTreeMap::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("```wire ") else { continue };
        let mut bytes = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            let dump = line.split("  ").next().unwrap_or_default();
            if let Some(zeros) = dump.strip_prefix("00 \u{d7} ") {
                bytes.resize(bytes.len() + zeros.parse::<usize>().unwrap(), 0);
            } else {
                let byte = |byte| u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("{name}: {line}"));
                bytes.extend(dump.split(' ').map(byte));
            }
        }
        assert!(blocks.insert(name.to_owned(), bytes).is_none(), "{name} is shown twice");
    }
    blocks
}

#[test]
fn the_document_shows_the_bytes_of_every_frame_and_datagram() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../PROTOCOL.md");
    // A crate that is published alone does not have this file.
    let Ok(document) = std::fs::read_to_string(path) else { return };
    let mut shown = shown_in(&document);
    for (name, bytes) in [frames(), datagrams()].concat() {
        let dump = shown.remove(name).unwrap_or_else(|| panic!("{name} is not shown"));
        assert_eq!(dump, bytes, "{name}: {bytes:02x?}");
    }
    assert!(shown.is_empty(), "shown for nothing: {shown:?}");
}
