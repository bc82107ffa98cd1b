//! Cuts a stream of bytes into the messages of a WebSocket's client (RFC 6455, section 5).

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::limits::WEBSOCKET_MESSAGE_BYTES_MAX;

/// The longest header: two bytes, a length of eight, and a mask.
const HEADER_BYTES_MAX: usize = 14;

/// The longest payload of a frame that is not a message (RFC 6455, section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// A message, or another whole frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    /// The end, with its code if it has one.
    Close(Option<u16>),
}

/// The peer broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Protocol,
    TooLong,
}

/// Frames of a client that have begun and not ended. Holds no more than one message and one frame of the greatest
/// length, and nothing between two messages.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// The unfinished frame, from its first byte on.
    begun: Vec<u8>,
    /// The fragments of an unfinished message, and whether it is text.
    message: Option<(Vec<u8>, bool)>,
}

impl Frames {
    /// Takes bytes from the front of `input` until a message is whole. `Ok(None)` if more are needed.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Fault> {
        while let Some((header, payload)) = self.frame(input)? {
            if let Some(message) = self.assemble(&header, payload)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Whether a frame or a message has begun and not ended.
    pub(super) fn is_unfinished(&self) -> bool {
        !self.begun.is_empty() || self.message.is_some()
    }

    /// Bytes that are held.
    pub(super) fn len(&self) -> usize {
        self.begun.len() + self.message.as_ref().map_or(0, |(message, _)| message.len())
    }

    /// The next frame, without its mask.
    fn frame(&mut self, input: &mut &[u8]) -> Result<Option<(FrameHeader, Vec<u8>)>, Fault> {
        let Some((header, length, header_bytes)) = self.header(input)? else { return Ok(None) };
        let Some(mask) = header.mask else { return Err(Fault::Protocol) };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Fault::Protocol);
        }
        if matches!(header.opcode, OpCode::Control(_)) && (length > CONTROL_BYTES_MAX || !header.is_final) {
            return Err(Fault::Protocol);
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > WEBSOCKET_MESSAGE_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        if !self.take_until(header_bytes + length, input) {
            return Ok(None);
        }
        let mut payload = std::mem::take(&mut self.begun).split_off(header_bytes);
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok(Some((header, payload)))
    }

    /// The header of the next frame, the length of its payload, and its own length.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<(FrameHeader, u64, usize)>, Fault> {
        loop {
            let mut cursor = Cursor::new(&self.begun);
            if let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|_| Fault::Protocol)? {
                let bytes = usize::try_from(cursor.position()).unwrap_or(HEADER_BYTES_MAX);
                return Ok(Some((header, length, bytes)));
            }
            if !self.take_until(self.begun.len() + 1, input) {
                return Ok(None);
            }
        }
    }

    /// Moves bytes from `input` until `bytes` are there; says whether they are.
    fn take_until(&mut self, bytes: usize, input: &mut &[u8]) -> bool {
        let missing = bytes.saturating_sub(self.begun.len());
        let (front, rest) = input.split_at(missing.min(input.len()));
        self.begun.extend_from_slice(front);
        *input = rest;
        self.begun.len() >= bytes
    }

    /// Adds a frame to the message that it is a part of.
    fn assemble(&mut self, header: &FrameHeader, payload: Vec<u8>) -> Result<Option<Message>, Fault> {
        let data = match header.opcode {
            OpCode::Control(Control::Ping) => return Ok(Some(Message::Ping(payload))),
            OpCode::Control(Control::Pong) => return Ok(Some(Message::Pong)),
            OpCode::Control(Control::Close) => return close(&payload).map(Some),
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
                return Err(Fault::Protocol);
            }
            OpCode::Data(data) => data,
        };
        let (mut message, is_text) = match (data, self.message.take()) {
            (Data::Continue, Some(begun)) => begun,
            (Data::Text, None) => (Vec::new(), true),
            (Data::Binary, None) => (Vec::new(), false),
            _ => return Err(Fault::Protocol),
        };
        if message.len() + payload.len() > WEBSOCKET_MESSAGE_BYTES_MAX {
            return Err(Fault::TooLong);
        }
        if message.is_empty() {
            message = payload;
        } else {
            message.extend_from_slice(&payload);
        }
        if !header.is_final {
            self.message = Some((message, is_text));
            return Ok(None);
        }
        Ok(Some(match is_text {
            true => Message::Text(String::from_utf8(message).map_err(|_| Fault::Protocol)?),
            false => Message::Binary(message),
        }))
    }
}

/// Reads the content of a close frame (RFC 6455, section 5.5.1).
fn close(payload: &[u8]) -> Result<Message, Fault> {
    match payload.split_first_chunk() {
        Some((code, reason)) => {
            let code = u16::from_be_bytes(*code);
            let is_valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            if is_valid && std::str::from_utf8(reason).is_ok() {
                Ok(Message::Close(Some(code)))
            } else {
                Err(Fault::Protocol)
            }
        }
        None if payload.is_empty() => Ok(Message::Close(None)),
        None => Err(Fault::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 0xF4];
        let mut out = vec![first];
        match payload.len() {
            length @ 0..126 => out.push(0x80 | u8::try_from(length).unwrap()),
            length => {
                out.push(0x80 | 126);
                out.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        out
    }

    fn read(pieces: &[&[u8]]) -> Result<Vec<Message>, Fault> {
        let (mut frames, mut messages) = (Frames::default(), Vec::new());
        for piece in pieces {
            let mut piece = *piece;
            while let Some(message) = frames.next(&mut piece)? {
                messages.push(message);
            }
            assert!(piece.is_empty());
        }
        Ok(messages)
    }

    #[test]
    fn messages_are_the_same_wherever_the_bytes_are_cut() {
        let long = "x".repeat(300);
        let bytes = [
            frame(0x81, b"one"),
            frame(0x01, "tw\u{f6}".split_at(1).0.as_bytes()),
            frame(0x89, b"are you there"),
            frame(0x00, &"tw\u{f6}".as_bytes()[1..3]),
            frame(0x80, &"tw\u{f6}".as_bytes()[3..]),
            frame(0x82, long.as_bytes()),
            frame(0x8A, b""),
            frame(0x81, b""),
            frame(0x88, &[0x03, 0xE9, b'b', b'y', b'e']),
        ]
        .concat();
        let expected = || {
            vec![
                Message::Text("one".to_owned()),
                Message::Ping(b"are you there".to_vec()),
                Message::Text("tw\u{f6}".to_owned()),
                Message::Binary(long.clone().into_bytes()),
                Message::Pong,
                Message::Text(String::new()),
                Message::Close(Some(1001)),
            ]
        };
        for at in 0..bytes.len() {
            assert_eq!(read(&[&bytes[..at], &bytes[at..]]), Ok(expected()), "cut at {at}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), Ok(expected()));
    }

    #[test]
    fn each_broken_rule_is_seen() {
        for (bytes, fault) in [
            (vec![0x81, 2, b'h', b'i'], Fault::Protocol),  // without a mask
            (frame(0xC1, b"compressed"), Fault::Protocol), // a reserved bit
            (frame(0x83, b"what"), Fault::Protocol),       // a reserved kind
            (frame(0x8B, b"what"), Fault::Protocol),       // a reserved control
            (frame(0x80, b"of nothing"), Fault::Protocol), // goes on with nothing
            (frame(0x09, b"part"), Fault::Protocol),       // a control frame in parts
            (frame(0x89, &[0; 126]), Fault::Protocol),     // a long control frame
            (frame(0x81, &[0xFF]), Fault::Protocol),       // not UTF-8
            (frame(0x88, &[3]), Fault::Protocol),          // half a code
            (frame(0x88, &[0x03, 0xED]), Fault::Protocol), // a code that is never sent: 1005
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), Fault::Protocol), // a message in a message
            (frame(0x81, &[b'x'; WEBSOCKET_MESSAGE_BYTES_MAX + 1]), Fault::TooLong),
            (vec![0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], Fault::TooLong),
            ([frame(0x01, &[b'x'; WEBSOCKET_MESSAGE_BYTES_MAX]), frame(0x80, b"x")].concat(), Fault::TooLong),
        ] {
            assert_eq!(read(&[&bytes]), Err(fault), "{:02x?}", &bytes[..2]);
        }
    }

    #[test]
    fn nothing_is_held_between_messages() {
        let mut frames = Frames::default();
        let bytes = frame(0x82, &[7; WEBSOCKET_MESSAGE_BYTES_MAX]);
        for byte in &bytes {
            assert!(frames.begun.capacity() <= 2 * (WEBSOCKET_MESSAGE_BYTES_MAX + HEADER_BYTES_MAX));
            let _ = frames.next(&mut [*byte].as_slice()).unwrap();
        }
        assert!(!frames.is_unfinished());
        assert_eq!((frames.begun.capacity(), frames.message.is_none()), (0, true));
    }
}
