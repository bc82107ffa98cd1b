//! Frames come out as they went in, whatever pieces they arrive in, and nothing else comes out.
#![allow(clippy::unwrap_used)]

mod common;

use std::{slice, sync::Arc};

use chat_proto::{
    Author, Direct, DirectItem, Entry, Event, Frame, FrameDecoder, FrameError, LeaveReason, MemberFrame,
    MemberId, Origin, Present, RoomFrame, Spelling, Text, encode_entry,
    limits::{FRAME_BYTES_MAX, PRESENT_AUTHORS_MAX, REASON_BYTES_MAX, TEXT_BYTES_MAX},
};
use proptest::prelude::*;

fn encoded(frames: &[RoomFrame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        frame.encode(&mut out);
    }
    out
}

fn decode_all<F: Frame>(pieces: &[&[u8]]) -> Result<(Vec<F>, bool), FrameError> {
    let mut decoder = FrameDecoder::new();
    let mut frames = Vec::new();
    for &piece in pieces {
        let mut input = piece;
        while let Some(frame) = decoder.next(&mut input)? {
            frames.push(frame);
        }
        assert!(input.is_empty(), "`None` means used up");
    }
    Ok((frames, decoder.is_unfinished()))
}

fn decode_room(bytes: &[u8]) -> Result<Option<RoomFrame>, FrameError> {
    FrameDecoder::new().next(&mut &*bytes)
}

fn with_length(payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    [&length.to_le_bytes(), payload].concat()
}

/// Frames so small that every split point of all of them together can be tried.
fn corpus() -> Vec<RoomFrame> {
    let author: Author = "192.0.2.1:5".parse().unwrap();
    let text = Text::one_line("h\u{e9}llo").unwrap();
    let from = Origin { member: MemberId::new(1), number: 1 };
    vec![
        RoomFrame::Entry(Arc::new(Entry {
            seq: 300,
            at_ms: 70_000,
            event: Event::Said { from, author: author.clone(), text },
        })),
        RoomFrame::Present(Present {
            members: 2,
            authors: vec![author, "[::1]:9".parse().unwrap()],
            more: false,
        }),
        RoomFrame::Bye(LeaveReason::Quit),
        RoomFrame::Bye(LeaveReason::kicked("spam").unwrap()),
    ]
}

#[test]
fn frames_come_out_the_same_at_every_split() {
    let frames = corpus();
    let bytes = encoded(&frames);
    for at in 0..=bytes.len() {
        for second in at..=bytes.len() {
            let pieces = [&bytes[..at], &bytes[at..second], &bytes[second..]];
            assert_eq!(decode_all(&pieces), Ok((frames.clone(), false)));
        }
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(decode_all(&single), Ok((frames, false)));
}

#[test]
fn a_stream_that_ends_within_a_frame_is_unfinished() {
    let bytes = encoded(&corpus()[..1]);
    for at in 1..bytes.len() {
        assert_eq!(decode_all::<RoomFrame>(&[&bytes[..at]]), Ok((vec![], true)));
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_its_payload() {
    let limit = u16::try_from(FRAME_BYTES_MAX).unwrap();
    for length in [limit + 1, u16::MAX] {
        let bytes = length.to_le_bytes();
        let expected = Err(FrameError::TooLong { bytes: usize::from(length) });
        assert_eq!(decode_room(&bytes), expected);
        let mut decoder = FrameDecoder::new();
        assert_eq!(decoder.next::<RoomFrame>(&mut &bytes[..1]), Ok(None));
        assert_eq!(decoder.next::<RoomFrame>(&mut &bytes[1..]), expected);
    }
    assert_eq!(decode_room(&limit.to_le_bytes()), Ok(None));
    assert_eq!(decode_room(&[0, 0]), Err(FrameError::Empty));
}

/// A later version may put more fields there.
#[test]
fn bytes_behind_the_known_fields_are_ignored() {
    for frame in corpus() {
        let bytes = encoded(slice::from_ref(&frame));
        let payload = [&bytes[2..], &[0, 1, 0xff]].concat();
        assert_eq!(decode_room(&with_length(&payload)), Ok(Some(frame)));
    }
    let who = FrameDecoder::new().next(&mut with_length(&[3, 1, 2, 3]).as_slice());
    assert_eq!(who, Ok(Some(MemberFrame::Who)));
}

#[test]
fn things_of_a_later_version_are_reported_as_unknown() {
    assert_eq!(decode_room(&with_length(&[0xee, 1, 2, 3])), Ok(Some(RoomFrame::Unknown { kind: 0xee })));
    let entry = Entry { seq: 5, at_ms: 6, event: Event::Unknown { kind: 99 } };
    assert_eq!(
        decode_room(&with_length(&[0x82, 5, 6, 99, 1, 2])),
        Ok(Some(RoomFrame::Entry(Arc::new(entry))))
    );
    let direct = Direct { number: 5, item: DirectItem::Unknown { kind: 99 } };
    assert_eq!(decode_room(&with_length(&[0x84, 5, 99, 1])), Ok(Some(RoomFrame::Direct(Arc::new(direct)))));
    let reason = LeaveReason::Other { code: 99, text: Text::one_line("x").unwrap() };
    assert_eq!(decode_room(&with_length(&[0x86, 99, 1, b'x', 7])), Ok(Some(RoomFrame::Bye(reason))));
    // A frame of the other side is an unknown one as well.
    let said = FrameDecoder::new().next(&mut with_length(&[0x82, 5, 6, 99]).as_slice());
    assert_eq!(said, Ok(Some(MemberFrame::Unknown { kind: 0x82 })));
}

#[test]
fn a_payload_cut_short_is_refused() {
    for frame in corpus() {
        let bytes = encoded(&[frame]);
        for len in 1..bytes.len() - 2 {
            assert_eq!(decode_room(&with_length(&bytes[2..2 + len])), Err(FrameError::Malformed));
        }
    }
}

#[test]
fn payloads_that_are_not_a_frame_are_refused() {
    let u64_max = [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let cases: &[(&str, &[&[u8]])] = &[
        ("reserved first byte of an integer", &[&[0x83, 0xff]]),
        ("authors without end", &[&[0x85, 0], &u64_max]),
        ("one author too many", &[&[0x85, 0, 65], &[0; 66]]),
        ("a bool of two", &[&[0x85, 0, 0, 2]]),
        ("a text without end", &[&[0x86, 10], &u64_max]),
        ("a text that is not UTF-8", &[&[0x86, 10, 1, 0xff]]),
        ("an integer wider than its field", &[&[0x85], &u64_max, &[0, 0]]),
        ("a frame without its fields", &[&[0x81]]),
        ("an option of two", &[&[0x81, 2, 0, 0, 0, 0, 0, 0, 2]]),
    ];
    for (what, payload) in cases {
        let bytes = with_length(&payload.concat());
        assert_eq!(decode_room(&bytes), Err(FrameError::Malformed), "{what}");
    }
}

#[test]
fn an_integer_in_more_bytes_than_it_needs_is_read() {
    let frame = RoomFrame::Present(Present { members: 7, authors: vec![], more: false });
    assert_eq!(decode_room(&with_length(&[0x85, 7, 0, 0])), Ok(Some(frame.clone())));
    assert_eq!(decode_room(&with_length(&[0x85, 0xfb, 7, 0, 0, 0])), Ok(Some(frame)));
}

#[test]
fn a_text_is_cleaned_when_it_is_decoded_and_one_too_long_is_refused() {
    let say = |text: &[u8]| {
        let len = u16::try_from(text.len()).unwrap().to_le_bytes();
        let payload = [&[2, 7, 0xfb][..], &len, text].concat();
        FrameDecoder::new().next::<MemberFrame>(&mut with_length(&payload).as_slice())
    };
    let expected = Text::one_line("a\nb\u{202e}").unwrap();
    assert_eq!(say("a\nb\u{202e}".as_bytes()), Ok(Some(MemberFrame::Say { number: 7, text: expected })));
    assert!(say(&[b'x'; TEXT_BYTES_MAX]).is_ok());
    assert_eq!(say(&[b'x'; TEXT_BYTES_MAX + 1]), Err(FrameError::Malformed));
    assert_eq!(say(&[1; TEXT_BYTES_MAX]), Err(FrameError::Malformed), "too long when clean");
}

#[test]
fn an_address_is_made_canonical_when_it_is_decoded() {
    let shown = "[::ffff:127.0.0.1]:5";
    let payload = [&[0x85, 1, 1, u8::try_from(shown.len()).unwrap()][..], shown.as_bytes(), &[0]].concat();
    let Ok(Some(RoomFrame::Present(present))) = decode_room(&with_length(&payload)) else {
        panic!("not decoded");
    };
    assert_eq!(present.authors, ["127.0.0.1:5".parse().unwrap()]);
}

#[test]
fn the_largest_frames_fit() {
    let author: Author = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535".parse().unwrap();
    let why = LeaveReason::kicked(&"x".repeat(REASON_BYTES_MAX)).unwrap();
    let text = Text::one_line(&"x".repeat(TEXT_BYTES_MAX)).unwrap();
    let member = MemberId::new(u64::MAX);
    let entry = |event| RoomFrame::Entry(Arc::new(Entry { seq: u64::MAX, at_ms: u64::MAX, event }));
    let item = DirectItem::Private { from: member, author: author.clone(), text: text.clone() };
    for frame in [
        entry(Event::Said { from: Origin { member, number: u64::MAX }, author: author.clone(), text }),
        entry(Event::Left { member, author: author.clone(), reason: why, members: u32::MAX }),
        RoomFrame::Direct(Arc::new(Direct { number: u64::MAX, item })),
    ] {
        let bytes = encoded(slice::from_ref(&frame));
        assert!(bytes.len() <= 2 + FRAME_BYTES_MAX);
        assert_eq!(decode_room(&bytes), Ok(Some(frame)));
    }
    let list = |author: &Author| Present {
        members: u32::MAX,
        authors: vec![author.clone(); PRESENT_AUTHORS_MAX],
        more: false,
    };
    let listed = |present| match decode_room(&encoded(&[RoomFrame::Present(present)])) {
        Ok(Some(RoomFrame::Present(present))) => (present.authors.len(), present.more),
        other => panic!("{other:?}"),
    };
    assert_eq!(listed(list(&author)), (34, true), "as many as fit");
    assert_eq!(listed(list(&"255.255.255.255:65535".parse().unwrap())), (PRESENT_AUTHORS_MAX, false));
}

#[test]
fn a_reason_too_long_is_cut_when_it_is_encoded() {
    let why = Text::one_line(&"e\u{301}".repeat(100)).unwrap();
    let bytes = encoded(&[RoomFrame::Bye(LeaveReason::Kicked { why })]);
    let Ok(Some(RoomFrame::Bye(LeaveReason::Kicked { why }))) = decode_room(&bytes) else {
        panic!("not decoded");
    };
    assert_eq!(why.as_str(), "e\u{301}".repeat(REASON_BYTES_MAX / 3));

    let too_long = [&[0x86, 10, 201][..], &[b'x'; REASON_BYTES_MAX + 1]].concat();
    let Ok(Some(RoomFrame::Bye(LeaveReason::Kicked { why }))) = decode_room(&with_length(&too_long)) else {
        panic!("not decoded");
    };
    assert_eq!(why.as_str().len(), REASON_BYTES_MAX);
}

#[test]
fn the_key_of_a_session_is_not_printed() {
    let session = chat_proto::Session { member: MemberId::new(7), since: 5, key: 123_456_789 };
    assert_eq!(format!("{session:?}"), "Session { member: MemberId(7), since: 5, .. }");
}

/// Cuts `bytes` into pieces with these lengths, which are used over and over.
fn pieces<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    for &length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

proptest! {
    #[test]
    fn member_frames_come_out_as_they_went_in(
        frames in prop::collection::vec(common::member_frame(), 0..6),
        lengths in prop::collection::vec(1_usize..50, 1..5),
    ) {
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.encode(&mut bytes);
        }
        prop_assert_eq!(decode_all(&pieces(&bytes, &lengths)), Ok((frames, false)));
    }

    #[test]
    fn room_frames_come_out_as_they_went_in(
        frames in prop::collection::vec(common::room_frame(), 0..6),
        lengths in prop::collection::vec(1_usize..500, 1..5),
    ) {
        let bytes = encoded(&frames);
        prop_assert_eq!(decode_all(&pieces(&bytes, &lengths)), Ok((frames, false)));
    }

    #[test]
    fn an_entry_has_the_same_bytes_with_and_without_a_frame_around_it(entry in common::entry()) {
        let mut bytes = vec![1, 2, 3];
        encode_entry(&entry, &mut Spelling::default(), &mut bytes);
        prop_assert_eq!(&bytes[3..], encoded(&[RoomFrame::Entry(Arc::new(entry))]));
    }

    #[test]
    fn any_bytes_give_frames_or_an_error_the_same_in_any_pieces(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        length in 1_usize..9,
        payload in any::<bool>(),
    ) {
        let bytes = if payload { with_length(&bytes) } else { bytes };
        let dripped: Vec<&[u8]> = bytes.chunks(length).collect();
        prop_assert_eq!(decode_all::<RoomFrame>(&dripped), decode_all::<RoomFrame>(&[&bytes]));
        prop_assert_eq!(decode_all::<MemberFrame>(&dripped), decode_all::<MemberFrame>(&[&bytes]));
    }

    #[test]
    fn a_damaged_frame_is_a_frame_or_an_error(
        frame in common::room_frame(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encoded(&[frame]);
        let at = 2 + at.index(bytes.len() - 2);
        bytes[at] = byte;
        if let Ok(Some(frame)) = decode_room(&bytes) {
            // The frame that the bytes were taken for is a frame like any other.
            prop_assert_eq!(decode_room(&encoded(slice::from_ref(&frame))), Ok(Some(frame)));
        }
    }
}
