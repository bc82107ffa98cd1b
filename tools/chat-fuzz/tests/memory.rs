//! Counts the memory that the worst inputs of a peer make us hold, at the allocator.
//!
//! The search counts the same for each of its inputs ([`chat_fuzz::stream`] and others). The inputs here are the ones
//! that a search does not find by chance.

use std::net::SocketAddr;
use std::sync::Arc;

use allocation_counter::measure;
use chat_core::transport::Update;
use chat_core::{Room, RoomConfig, Rooms, RoomsConfig, Waker, World};
use chat_proto::limits::{DATAGRAM_BYTES_MAX, FRAME_BYTES_MAX, PLAIN_LINE_BYTES_MAX, TEXT_BYTES_MAX};
use chat_proto::{
    Author, Cookie, Entry, Event, Frame, FrameDecoder, Hello, MemberDatagram, MemberFrame, Origin, PREFACE,
    PlainSplitter, RoomDatagram, RoomFrame, SessionId, Text,
};
use chat_testkit::VirtualTime;
use chat_udp::{ClientSession, Endpoint, UdpConfig};

/// Runs `work`. Fails if it held more than `bytes_max` at any moment.
#[track_caller]
fn holds_at_most(bytes_max: usize, work: impl FnOnce()) {
    let held = measure(work).bytes_max;
    assert!(held <= bytes_max as u64, "held {held} bytes, more than {bytes_max}");
    assert!(held > 0, "nothing was counted");
}

/// Feeds `bytes` to a decoder in pieces, and drops the decoded frames at once.
fn decode<F: Frame>(bytes: &[u8], piece: usize) {
    let mut decoder = FrameDecoder::new();
    for mut piece in bytes.chunks(piece) {
        while let Ok(Some(frame)) = decoder.next::<F>(&mut piece) {
            drop(frame);
        }
    }
}

/// Bytes that a decoder may read as a huge length.
const ENDLESS: [&[u8]; 4] = [
    &[0xfd; 9],
    &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xfc, 0xff, 0xff, 0xff, 0x7f],
    &[250],
];

#[test]
fn a_frame_that_declares_more_than_it_brings_reserves_nothing_for_it() {
    holds_at_most(2 * FRAME_BYTES_MAX, || {
        for start in 0..=u16::MAX {
            for endless in ENDLESS {
                let payload = [&start.to_be_bytes()[..], endless, endless].concat();
                let length = u16::try_from(payload.len()).expect("short").to_le_bytes();
                let bytes = [&length[..], &payload].concat();
                decode::<RoomFrame>(&bytes, bytes.len());
                decode::<MemberFrame>(&bytes, bytes.len());
            }
        }
    });
}

#[test]
fn a_datagram_that_declares_more_than_it_brings_reserves_nothing_for_it() {
    holds_at_most(2 * DATAGRAM_BYTES_MAX, || {
        for kind in 0..=u8::MAX {
            for zeros in 0..60 {
                for endless in ENDLESS {
                    let bytes = [&PREFACE[..], &[kind], &vec![0; zeros], endless, endless].concat();
                    let _ = MemberDatagram::decode(&bytes);
                    let _ = RoomDatagram::decode(&bytes);
                }
            }
        }
    });
}

#[test]
fn a_frame_that_never_ends_makes_the_decoder_hold_no_more_than_a_frame() {
    for length in [1, 960, FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1, 65_535] {
        let length = u16::try_from(length).expect("it is one");
        let bytes = [&length.to_le_bytes()[..], &vec![1; usize::from(length)]].concat();
        for piece in [1, 7, 1_460] {
            // While its buffer grows, the decoder holds the old and the new buffer for a moment.
            holds_at_most(2 * FRAME_BYTES_MAX + 16, || {
                let mut decoder = FrameDecoder::new();
                for mut piece in bytes[..bytes.len() - 1].chunks(piece) {
                    let _ = std::hint::black_box(decoder.next::<MemberFrame>(&mut piece));
                }
                std::hint::black_box(vec![0_u8; 16]);
            });
        }
    }
}

#[test]
fn a_plain_line_that_never_ends_makes_the_splitter_hold_no_more_than_a_line() {
    let subnegotiation = [b"begun \xff\xfa".to_vec(), vec![b'x'; 1 << 20]].concat();
    let inputs = [
        ("a line", vec![b'x'; 1 << 20]),
        ("a subnegotiation", subnegotiation),
        ("options", b"\xff\xfd\x01".repeat(100_000)),
        ("escapes", b"\xff\xff".repeat(500_000)),
        ("line breaks", b"\r\n".repeat(500_000)),
        ("long lines", [vec![b'x'; PLAIN_LINE_BYTES_MAX], b"\n".to_vec()].concat().repeat(10)),
    ];
    for (what, input) in inputs {
        for piece in [1, 1_460, 65_536, input.len()] {
            let held = measure(|| {
                let mut splitter = PlainSplitter::new();
                for mut piece in input.chunks(piece) {
                    while let Ok(Some(line)) = splitter.next(&mut piece) {
                        std::hint::black_box(line);
                    }
                }
            });
            let bytes_max = (PLAIN_LINE_BYTES_MAX + 64 * 1024) as u64;
            assert!(held.bytes_max <= bytes_max, "{what} by {piece}: {} bytes", held.bytes_max);
        }
    }
}

#[test]
fn the_worst_line_to_clean_is_held_once_and_its_texts_one_at_a_time() {
    let fill = |unit: &str| unit.repeat(PLAIN_LINE_BYTES_MAX / unit.len()).into_bytes();
    let lines = [
        ("controls", fill("\x01")),
        ("invalid", vec![0xff; PLAIN_LINE_BYTES_MAX]),
        (
            "both",
            fill("\x01\x02")
                .into_iter()
                .zip([0xff].repeat(PLAIN_LINE_BYTES_MAX))
                .flat_map(|(a, b)| [a, b, b])
                .take(PLAIN_LINE_BYTES_MAX)
                .collect(),
        ),
        ("one character", [b"a".to_vec(), fill("\u{301}")].concat()),
        ("joined emoji", fill("\u{1f469}\u{200d}")),
    ];
    for (what, line) in lines {
        // A cleaned line can be three times as long as the line. Its buffer doubles when it grows, and the smaller
        // buffer still exists for a moment.
        let held = measure(|| Text::split(&line).for_each(drop)).bytes_max;
        assert!(held <= 6 * line.len() as u64, "{what}: {held} bytes for {}", line.len());
    }
}

#[test]
fn a_server_that_floods_a_udp_client_fills_no_more_than_its_window_and_its_frames() {
    // Entries that arrived too early are held up to 256 KiB of texts. Up to 1,024 frames wait for the user, and the
    // held entries may follow them. A frame takes an entry of its own, its text and its place in the queue.
    const FRAMES: usize = 2 * 1_024;
    const FRAME_BYTES: usize = TEXT_BYTES_MAX + 256;
    let time = VirtualTime::default();
    let said = |text: &Text, slot: u64| {
        let event = Event::Said { from: Origin::default(), author: Author::Room, text: text.clone() };
        let mut bytes = Vec::new();
        RoomFrame::Entry(Arc::new(Entry { seq: slot, at_ms: 0, event })).encode(&mut bytes);
        bytes
    };
    for order in [1_u64, 7, 1_023] {
        holds_at_most(FRAMES * FRAME_BYTES, || {
            let mut session = ClientSession::new(7, Hello::default(), time.now());
            let mut bytes = Vec::new();
            let mut receive = |datagram: RoomDatagram<'_>| {
                bytes.clear();
                datagram.encode(&mut bytes);
                session.receive(&bytes, time.now());
            };
            let id = SessionId::new(9);
            let welcome = Box::new(chat_testkit::welcome("192.0.2.1:5".parse().expect("an address")));
            receive(RoomDatagram::Retry { nonce: 7, cookie: Cookie([0; 12]) });
            receive(RoomDatagram::Welcome { nonce: 7, session: id, slot: 0, seq: 0, welcome });
            let text = Text::one_line(&"x".repeat(TEXT_BYTES_MAX)).expect("it fits");
            for number in 0..20_000 {
                let slot = number * order % 16_384;
                receive(RoomDatagram::Entries { session: id, taken: 0, slot, entries: &said(&text, slot) });
                receive(RoomDatagram::Challenge { cookie: Cookie([0; 12]) });
            }
        });
    }
}

#[test]
fn hellos_from_a_hundred_thousand_addresses_leave_a_thousand_answers_and_nothing_else() {
    let time = VirtualTime::default();
    let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [1; 32] };
    let room = Room::in_world(RoomConfig::default(), world);
    let server = "192.0.2.1:5555".parse().expect("an address");
    let mut endpoint =
        Endpoint::new(&room, Waker::new(|| {}), UdpConfig::default(), server, [2; 32], time.now());
    let mut hello = Vec::new();
    MemberDatagram::Hello { nonce: 1, cookie: None, hello: Hello::default() }.encode(&mut hello);
    holds_at_most(1_024 * 160, || {
        for number in 0..100_000_u32 {
            let [a, b, c, d] = (0xc633_6400 + number).to_be_bytes();
            endpoint.receive(SocketAddr::from(([a, b, c, d], 4_000)), &hello, time.now());
        }
    });
    assert_eq!((endpoint.peers(), room.stats().joined), (0, 0));
    let mut datagram = Vec::new();
    let answers = std::iter::from_fn(|| endpoint.transmit(&mut datagram, time.now())).count();
    assert_eq!(answers, 1_024);
}

/// The rooms are empty, but each has an observer, like the one that `chat server` has for its stdout.
#[test]
fn an_idle_room_takes_at_most_two_kib() {
    const ROOMS: usize = 1_000;
    const ROOM_BYTES_MAX: usize = 2 * 1024;
    let names = (0..ROOMS).map(|number| format!("room-{number}").parse().expect("a name"));
    let config = names.fold(RoomsConfig::default(), RoomsConfig::with_room);
    holds_at_most(ROOMS * ROOM_BYTES_MAX, || {
        let rooms = Rooms::new(config).expect("each has its name");
        let observers: Vec<_> = rooms.all().iter().map(|room| room.observe(Waker::new(|| {}))).collect();
        assert_eq!(observers.len(), ROOMS);
    });
}

/// A member sends one command after the other, and each of them makes the room keep something.
#[test]
fn names_and_private_messages_do_not_pile_up() {
    const COMMANDS: usize = 5_000;
    const KEPT_BYTES_MAX: usize = 64 * 1024;
    holds_at_most(2 * RoomConfig::LOG_BYTES_MIN + KEPT_BYTES_MAX, || {
        let config = RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN).with_rate(None);
        let (room, time) = (Room::new(config), VirtualTime::default());
        let mut attachment = room.attach(Waker::new(|| {}));
        let [ann, _bob_reads_nothing] = [1, 2].map(|port| {
            attachment.join(0, SocketAddr::from(([192, 0, 2, 1], port)), time.now()).expect("there is room")
        });
        let long = "x".repeat(900);
        for number in 0..COMMANDS {
            for line in [
                format!("/nick n{number}"),
                format!("/msg 192.0.2.1:2 {long}"),
                "/ignore 192.0.2.1:2".to_owned(),
                format!("/join r{number}"),
            ] {
                let said = attachment.say(ann.member, Text::lossy(&line), time.now());
                assert!(said.is_ok(), "{line}");
            }
            attachment.pull(&mut Update::default());
            attachment.got(ann.member, u64::MAX);
        }
        assert_eq!(room.stats().messages, 0);
    });
}
