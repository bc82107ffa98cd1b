//! The server side of a connection from a browser.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Instant;

use chat_core::transport::Turn;
use chat_core::{Heard, Room, RoomConfig, Waker, World};
use chat_stream::{Endpoint, Readiness, Stream, Web};

use crate::choices::{Choices, pieces};

/// The most bytes that an unfinished message and its unfinished frame take.
const UNFINISHED_BYTES_MAX: usize = 2 * 8 * 1024 + 14;

const REQUEST: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Checks a server for browsers. The bytes are two lengths of pieces, whether a WebSocket is open, and then what the
/// peer sends.
pub fn websocket(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let lengths = [1 + usize::from(choices.byte()), 1 + usize::from(choices.byte())];
    let is_open = choices.yes();
    let bytes = choices.rest();
    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other first instant; nothing depends on which it is"
    )]
    let now = Instant::now();
    let whole = run(is_open, pieces(bytes, [bytes.len(); 2]), now);
    let cut = run(is_open, pieces(bytes, lengths), now);
    // The messages of a plain peer may depend on the pieces, see `plain`.
    if is_open || bytes.starts_with(b"GET /") {
        assert_eq!(cut, whole, "the same is said in any pieces");
    }
}

/// Returns what the room hears, and how many peers are left.
fn run<'a>(is_open: bool, pieces: impl Iterator<Item = &'a [u8]>, now: Instant) -> (Vec<String>, usize) {
    let world = World { clock: Box::new(move || now), unix_clock: Box::new(|| 0), seed: [7; 32] };
    let room = Room::in_world(RoomConfig::default().with_rate(None), world);
    let witness = room.join("witness").expect("there is room");
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false).with_web(Web::new());
    let wire = Wire::default();
    let token = endpoint.next_token();
    endpoint.adopt(wire.clone(), "192.0.2.1:1".parse().expect("an address"), now);
    let mut heard = Vec::new();
    let opening = if is_open { REQUEST } else { b"" };
    for piece in [opening].into_iter().chain(pieces) {
        wire.0.borrow_mut().incoming.extend(piece);
        endpoint.ready(token, Readiness { readable: true, ..Readiness::default() });
        for _ in 0..1 + piece.len() {
            assert_eq!(endpoint.turn(now), Turn::Open);
            if endpoint.deadline(now) != Some(now) {
                break;
            }
        }
        assert!(
            endpoint.held().unfinished_bytes <= UNFINISHED_BYTES_MAX.max(64 * 1024),
            "{:?}",
            endpoint.held()
        );
        while let Ok(Heard::Entry(entry)) = witness.try_recv() {
            heard.push(entry.event.to_string());
        }
    }
    if is_open {
        frames(&wire.0.borrow().outgoing);
    }
    (heard, endpoint.peers())
}

/// Checks that the server sends only whole frames, and that text frames hold text.
fn frames(sent: &[u8]) {
    let head = sent.windows(4).position(|end| end == b"\r\n\r\n").expect("the request is answered") + 4;
    let mut rest = &sent[head..];
    while let [first, length, after @ ..] = rest {
        let (length, after) = match length {
            126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), &after[2..]),
            length => (usize::from(*length), after),
        };
        let (payload, after) = after.split_at(length);
        match first {
            0x81 => assert!(payload.starts_with(b"{") && std::str::from_utf8(payload).is_ok()),
            0x82 | 0x88 | 0x8A => {}
            _ => panic!("a frame that begins with {first:02x}"),
        }
        rest = after;
    }
    assert!(rest.is_empty(), "the last frame is torn");
}

/// Both directions of a connection.
#[derive(Clone, Debug, Default)]
struct Wire(Rc<RefCell<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    incoming: VecDeque<u8>,
    outgoing: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.0.borrow_mut();
        if bytes.incoming.is_empty() {
            Err(ErrorKind::WouldBlock.into())
        } else {
            bytes.incoming.read(buffer)
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().outgoing.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Wire {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}
