//! TCP keeps the contract of a transport, for plain peers and for framed ones.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use chat_core::Room;
use chat_proto::{FrameDecoder, Hello, LeaveReason, MemberFrame, PREFACE, PrefaceDecoder, RoomFrame, Text};
use chat_tcp::{TcpConfig, TcpServer, TcpTransport};
use chat_testkit::conformance::{Heard, Medium, Peer, Promises};
use socket2::{Domain, SockRef, Socket, Type};

/// Bytes that the system holds for a peer that does not read, if the peer's own buffer is small. This is the server's
/// share, up to 4 MiB on Linux (`tcp_wmem`).
const UNREAD_BYTES_MAX: usize = 4 * 1024 * 1024;

mod plain {
    chat_testkit::conformance_tests!(super::Plain);
}

mod framed {
    chat_testkit::conformance_tests!(super::Framed);
}

#[cfg(feature = "web")]
mod websocket {
    chat_testkit::conformance_tests!(super::web::WebSocket);
}
#[cfg(feature = "web")]
#[path = "support/websocket.rs"]
mod web;

#[cfg(all(unix, feature = "unix"))]
mod unix_socket {
    chat_testkit::conformance_tests!(super::unix::Unix);
}
#[cfg(all(unix, feature = "unix"))]
#[path = "support/unix.rs"]
mod unix;

fn open(room: &Room) -> (TcpTransport, SocketAddr) {
    let config = TcpConfig::default().with_threads(1);
    let server = TcpServer::bind("127.0.0.1:0", room, &config).unwrap();
    let address = server.local_addr();
    (server.into_transports().pop().unwrap(), address)
}

/// A socket that holds little unread data.
fn connect(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// Reads the bytes that have arrived, from a socket with the timeout of [`left`]. `None` if there are none by
/// `deadline`. Zero means the end.
fn read(socket: &mut impl Read, buffer: &mut [u8], deadline: Instant) -> Option<usize> {
    loop {
        match socket.read(buffer) {
            Ok(count) => return Some(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if now() >= deadline {
                    return None;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Some(0),
        }
    }
}

/// The time until `deadline`, as a timeout: it is not zero.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(now()).max(Duration::from_millis(1))
}

/// The next line of what was received, if it is there as a whole.
fn next_line(unread: &mut Vec<u8>) -> Option<Heard> {
    let end = unread.iter().position(|&byte| byte == b'\n')?;
    let line: Vec<u8> = unread.drain(..=end).collect();
    Some(Heard::from_line(std::str::from_utf8(&line[..end]).unwrap()))
}

fn write(socket: &mut TcpStream, bytes: &[u8], deadline: Instant) -> bool {
    socket.set_write_timeout(Some(left(deadline))).unwrap();
    socket.write_all(bytes).is_ok()
}

/// Makes closing the socket reset the connection.
fn reset(socket: &TcpStream) {
    SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn now() -> Instant {
    Instant::now()
}

/// Lines, as netcat sends and shows them.
struct Plain;

struct PlainPeer {
    socket: TcpStream,
    unread: Vec<u8>,
}

impl Medium for Plain {
    type Transport = TcpTransport;
    type Address = SocketAddr;
    type Peer = PlainPeer;

    fn promises(&self) -> Promises {
        Promises::default().with_echo(false).with_unread_bytes_max(UNREAD_BYTES_MAX)
    }

    fn open(&self, room: &Room) -> (TcpTransport, SocketAddr) {
        open(room)
    }

    fn connect(&self, address: &SocketAddr) -> PlainPeer {
        let mut socket = connect(*address);
        // The peer says nothing but shows its protocol. An error means that it was refused.
        let _refused = socket.write_all(b"\n");
        PlainPeer { socket, unread: Vec::new() }
    }
}

impl Peer for PlainPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        write(&mut self.socket, &[line, b"\n"].concat(), deadline)
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            if let Some(line) = next_line(&mut self.unread) {
                return Some(line);
            }
            let mut buffer = [0; 1024];
            self.socket.set_read_timeout(Some(left(deadline))).unwrap();
            match read(&mut self.socket, &mut buffer, deadline)? {
                0 => return Some(Heard::End),
                count => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn end(self) {}

    fn vanish(self) {
        reset(&self.socket);
    }
}

/// Frames, as our own clients send and read them.
struct Framed;

struct FramedPeer {
    socket: TcpStream,
    preface: Option<PrefaceDecoder>,
    decoder: FrameDecoder,
    unread: Vec<u8>,
    /// Messages that it has said.
    said: u64,
}

impl Medium for Framed {
    type Transport = TcpTransport;
    type Address = SocketAddr;
    type Peer = FramedPeer;

    fn promises(&self) -> Promises {
        Promises::default().with_unread_bytes_max(UNREAD_BYTES_MAX)
    }

    fn open(&self, room: &Room) -> (TcpTransport, SocketAddr) {
        open(room)
    }

    fn connect(&self, address: &SocketAddr) -> FramedPeer {
        let mut socket = connect(*address);
        let mut bytes = PREFACE.to_vec();
        MemberFrame::Hello(Hello::default()).encode(&mut bytes);
        let _refused = socket.write_all(&bytes);
        let (preface, decoder) = (Some(PrefaceDecoder::new()), FrameDecoder::new());
        FramedPeer { socket, preface, decoder, unread: Vec::new(), said: 0 }
    }
}

impl FramedPeer {
    /// The meaning of the received bytes.
    fn next(&mut self) -> Option<Heard> {
        let mut input = self.unread.as_slice();
        let heard = loop {
            if let Some(preface) = &mut self.preface {
                match preface.next(&mut input) {
                    Ok(Some(_version)) => self.preface = None,
                    Ok(None) => break None,
                    // A refused peer is told so before its protocol is known, so the answer is a line.
                    Err(_) => {
                        let line = String::from_utf8_lossy(&self.unread);
                        match line.strip_suffix('\n') {
                            Some(line) => break Some(Heard::from_line(line)),
                            None => return None,
                        }
                    }
                }
            }
            match self.decoder.next::<RoomFrame>(&mut input).unwrap() {
                None => break None,
                Some(RoomFrame::Lagged(lagged)) => break Some(Heard::Missed(lagged.messages)),
                Some(RoomFrame::Direct(direct)) => break Some(Heard::Line(direct.item.to_string())),
                Some(RoomFrame::Bye(reason)) => break Some(Heard::Closed(reason.to_string())),
                Some(RoomFrame::Welcome(_) | RoomFrame::Present(_) | RoomFrame::Unknown { .. }) => {}
                Some(RoomFrame::Entry(entry)) if entry.event.is_message() => {
                    break Some(Heard::Line(entry.event.to_string()));
                }
                Some(RoomFrame::Entry(_)) => {}
            }
        };
        let taken = self.unread.len() - input.len();
        self.unread.drain(..taken);
        heard
    }
}

impl Peer for FramedPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        let mut bytes = Vec::new();
        for text in Text::split(line) {
            self.said += 1;
            MemberFrame::Say { number: self.said, text }.encode(&mut bytes);
        }
        write(&mut self.socket, &bytes, deadline)
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            if let Some(heard) = self.next() {
                return Some(heard);
            }
            let mut buffer = [0; 1024];
            self.socket.set_read_timeout(Some(left(deadline))).unwrap();
            match read(&mut self.socket, &mut buffer, deadline)? {
                0 => return Some(Heard::End),
                count => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn end(mut self) {
        let mut bytes = Vec::new();
        MemberFrame::Bye.encode(&mut bytes);
        self.socket.write_all(&bytes).unwrap();
        // Closing with unread bytes would reset the connection and lose the goodbye.
        let deadline = now() + Duration::from_secs(30);
        while self.hear(deadline).is_some_and(|heard| heard != Heard::Closed(LeaveReason::Quit.to_string())) {
        }
    }

    fn vanish(self) {
        reset(&self.socket);
    }
}
