//! The stream decoder: preface and frames.

use std::fmt::Debug;

use chat_proto::limits::FRAME_BYTES_MAX;
use chat_proto::{Frame, FrameDecoder, FrameError, MemberFrame, PREFACE, PrefaceDecoder, RoomFrame};

use crate::choices::{Choices, pieces};
use crate::memory_limit;

/// The most that a decoder may hold while it works: a frame and its decoded value. A text is cleaned before its length
/// is checked, and the cleaned text can be three times as long.
const HELD_BYTES_MAX: usize = 8 * FRAME_BYTES_MAX;

/// Checks the decoders. The bytes are two lengths of pieces, and then a stream.
pub fn stream(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let lengths = [1 + usize::from(choices.byte()), 1 + usize::from(choices.byte())];
    let bytes = choices.rest();

    frames(bytes, lengths, RoomFrame::encode);
    frames(bytes, lengths, MemberFrame::encode);
    let opened = open(pieces(bytes, [bytes.len(); 2]));
    assert_eq!(open(pieces(bytes, lengths)), opened, "the preface is the same in any pieces");
    if opened.is_ok_and(|version| version.is_some()) {
        frames(&bytes[PREFACE.len()..], lengths, MemberFrame::encode);
    }
}

/// The version in the preface, or `None` if the preface is unfinished. The error is the number of bytes that matched
/// the preface before the first byte that did not.
fn open<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<u8>, usize> {
    let mut decoder = PrefaceDecoder::new();
    for mut piece in pieces {
        match decoder.next(&mut piece) {
            Ok(None) => assert!(piece.is_empty(), "`None` means used up"),
            Ok(version) => return Ok(version),
            Err(error) => return Err(error.matched),
        }
    }
    Ok(None)
}

fn frames<F: Frame + Debug + PartialEq>(bytes: &[u8], lengths: [usize; 2], encode: fn(&F, &mut Vec<u8>)) {
    memory_limit::at_most(HELD_BYTES_MAX, || {
        let _ = decode::<F>(pieces(bytes, lengths), drop);
    });

    let (mut whole, mut cut) = (Vec::new(), Vec::new());
    let end = decode(pieces(bytes, [bytes.len(); 2]), |frame: F| whole.push(frame));
    assert_eq!(decode(pieces(bytes, lengths), |frame: F| cut.push(frame)), end);
    assert_eq!(cut, whole, "the same frames in any pieces");

    for frame in &whole {
        let mut encoded = Vec::new();
        encode(frame, &mut encoded);
        let decoded = FrameDecoder::new().next::<F>(&mut encoded.as_slice());
        assert_eq!(
            decoded.expect("it was encoded").as_ref(),
            Some(frame),
            "a frame is read back as it was written"
        );
        if let Some(longer) = longer(&encoded, &bytes[..bytes.len().min(20)]) {
            let decoded = FrameDecoder::new().next::<F>(&mut longer.as_slice());
            assert_eq!(
                decoded.expect("it was encoded").as_ref(),
                Some(frame),
                "what a later version has put behind the fields is ignored"
            );
        }
    }
}

/// The same frame with `more` after its fields, unless that is too long.
fn longer(frame: &[u8], more: &[u8]) -> Option<Vec<u8>> {
    let (_length, payload) = frame.split_at_checked(2)?;
    let length = payload.len() + more.len();
    let length = u16::try_from(length).ok().filter(|_| length <= FRAME_BYTES_MAX)?;
    Some([&length.to_le_bytes()[..], payload, more].concat())
}

/// Decodes the pieces and passes each frame to `each`. Returns whether the stream ends within a frame.
fn decode<'a, F: Frame>(
    pieces: impl Iterator<Item = &'a [u8]>,
    mut each: impl FnMut(F),
) -> Result<bool, FrameError> {
    let mut decoder = FrameDecoder::new();
    for mut piece in pieces {
        while let Some(frame) = decoder.next(&mut piece)? {
            each(frame);
        }
        assert!(piece.is_empty(), "`None` means used up");
    }
    Ok(decoder.is_unfinished())
}
