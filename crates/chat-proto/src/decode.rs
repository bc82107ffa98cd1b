//! Cuts a stream of bytes into frames.

use crate::{Frame, buffer, limits::FRAME_BYTES_MAX};

/// Cuts a byte stream into frames, whatever pieces it arrives in.
///
/// A frame of a kind that this version does not know comes out as `Unknown`, and bytes behind the known fields of a
/// frame are ignored.
///
/// Holds only an unfinished frame, at most [`FRAME_BYTES_MAX`] + 2 bytes and only as many as have
/// arrived; nothing while there is none. A frame that is whole in the input is decoded where it is.
/// Each byte is looked at once, so that the cost is linear in the bytes however they are
/// fragmented.
///
/// ```
/// use chat_proto::{FrameDecoder, MemberFrame};
///
/// let mut bytes = Vec::new();
/// MemberFrame::Who.encode(&mut bytes);
/// MemberFrame::Bye.encode(&mut bytes);
///
/// let mut decoder = FrameDecoder::new();
/// let mut input = bytes.as_slice();
/// assert_eq!(decoder.next(&mut input)?, Some(MemberFrame::Who));
/// assert_eq!(decoder.next(&mut input)?, Some(MemberFrame::Bye));
/// assert_eq!(decoder.next::<MemberFrame>(&mut input)?, None);
/// # Ok::<(), chat_proto::FrameError>(())
/// ```
#[derive(Debug, Default)]
pub struct FrameDecoder {
    /// The unfinished frame from its first length byte on. Empty between frames, shorter than the
    /// frame it begins otherwise.
    begun: Vec<u8>,
}

const LENGTH_BYTES: usize = 2;

impl FrameDecoder {
    /// A decoder at the beginning of a frame.
    pub fn new() -> FrameDecoder {
        FrameDecoder::default()
    }

    /// Takes bytes from the front of `input` until a frame is whole, and returns it.
    ///
    /// `Ok(None)` means that `input` is used up and more bytes are needed. Call it until then:
    /// one read may hold several frames.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol. The rest of the stream cannot be trusted; close it.
    pub fn next<F: Frame>(&mut self, input: &mut &[u8]) -> Result<Option<F>, FrameError> {
        if self.begun.is_empty()
            && let Some((length, rest)) = input.split_first_chunk()
        {
            let length = check_length(*length)?;
            if let Some((payload, rest)) = rest.split_at_checked(length) {
                *input = rest;
                return decode(payload).map(Some);
            }
        }
        self.next_buffered(input)
    }

    /// Whether a frame has begun and not ended.
    ///
    /// A peer may be silent for as long as it likes between frames, but not within one; the
    /// deadline is the caller's.
    pub fn is_unfinished(&self) -> bool {
        !self.begun.is_empty()
    }

    fn next_buffered<F: Frame>(&mut self, input: &mut &[u8]) -> Result<Option<F>, FrameError> {
        if !self.take_until(LENGTH_BYTES, input) {
            return Ok(None);
        }
        let length = check_length([self.begun[0], self.begun[1]])?;
        if !self.take_until(LENGTH_BYTES + length, input) {
            return Ok(None);
        }
        let frame = std::mem::take(&mut self.begun);
        decode(&frame[LENGTH_BYTES..]).map(Some)
    }

    /// Moves bytes from `input` until `bytes` are there; says whether they are.
    fn take_until(&mut self, bytes: usize, input: &mut &[u8]) -> bool {
        let missing = bytes.saturating_sub(self.begun.len());
        let (front, rest) = input.split_at(missing.min(input.len()));
        buffer::append(&mut self.begun, front, LENGTH_BYTES + FRAME_BYTES_MAX);
        *input = rest;
        self.begun.len() >= bytes
    }
}

/// Reads the kind and the fields.
fn decode<F: Frame>(payload: &[u8]) -> Result<F, FrameError> {
    let (&kind, fields) = payload.split_first().ok_or(FrameError::Empty)?;
    F::decode(kind, fields)
}

fn check_length(length: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
    match usize::from(u16::from_le_bytes(length)) {
        0 => Err(FrameError::Empty),
        bytes if bytes > FRAME_BYTES_MAX => Err(FrameError::TooLong { bytes }),
        bytes => Ok(bytes),
    }
}

/// How a peer broke the framing; the peer is to blame in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It declared a frame longer than [`FRAME_BYTES_MAX`]; nothing of it was taken in.
    #[error("peer declared a frame of {bytes} bytes, the limit is {FRAME_BYTES_MAX}")]
    TooLong {
        /// The declared length.
        bytes: usize,
    },
    /// It declared a frame without a kind.
    #[error("peer declared a frame without a kind")]
    Empty,
    /// It sent a frame of a known kind whose fields make no sense.
    #[error("peer sent a frame whose fields make no sense")]
    Malformed,
}

#[cfg(test)]
mod tests {
    use super::{FrameDecoder, LENGTH_BYTES};
    use crate::{MemberFrame, limits::FRAME_BYTES_MAX};
    use proptest::prelude::*;

    #[test]
    fn a_declared_length_reserves_nothing() {
        let mut decoder = FrameDecoder::new();
        let mut input: &[u8] = &[0, 8, 1];
        assert_eq!(decoder.next::<MemberFrame>(&mut input), Ok(None));
        assert!(decoder.begun.capacity() <= 16);
    }

    #[test]
    fn a_whole_frame_is_never_held() {
        let mut bytes = Vec::new();
        MemberFrame::Who.encode(&mut bytes);
        let mut decoder = FrameDecoder::new();
        assert_eq!(decoder.next(&mut bytes.as_slice()), Ok(Some(MemberFrame::Who)));
        assert_eq!(decoder.begun.capacity(), 0);
        for byte in bytes {
            let _ = decoder.next::<MemberFrame>(&mut [byte].as_slice());
        }
        assert_eq!(decoder.begun.capacity(), 0, "let go with the frame");
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_hold_more_than_a_frame(
            length in 0..=u16::MAX,
            bytes in prop::collection::vec(any::<u8>(), 0..5000),
            step in 1_usize..700,
        ) {
            let mut decoder = FrameDecoder::new();
            let stream = [&length.to_le_bytes()[..], &bytes].concat();
            for mut piece in stream.chunks(step) {
                while !piece.is_empty() {
                    let next = decoder.next::<MemberFrame>(&mut piece);
                    prop_assert!(decoder.begun.capacity() <= LENGTH_BYTES + FRAME_BYTES_MAX);
                    if next.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}
