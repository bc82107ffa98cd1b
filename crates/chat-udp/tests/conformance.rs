//! UDP keeps the contract of a transport: all of it for framed peers, and the promised part for plain ones.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use chat_core::Room;
use chat_proto::{Hello, MemberFrame, RoomFrame, Text};
use chat_testkit::conformance::{Heard, Medium, Peer, Promises};
use chat_udp::{ClientSession, UdpConfig, UdpServer, UdpTransport};

/// Longer than any working operation takes.
const PATIENCE: Duration = Duration::from_secs(30);

mod framed {
    chat_testkit::conformance_tests!(super::Framed);
}

mod plain {
    chat_testkit::conformance_tests!(super::Plain);
}

fn open(room: &Room) -> (UdpTransport, SocketAddr) {
    let server = UdpServer::bind("127.0.0.1:0", room, &UdpConfig::default()).unwrap();
    let address = server.local_addr();
    (server.into_transport(), address)
}

fn connect(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket
}

/// Receives a datagram. `None` if there is none by `deadline`.
fn receive(socket: &UdpSocket, buffer: &mut [u8], deadline: Instant) -> Option<usize> {
    loop {
        let left = deadline.saturating_duration_since(now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left)).unwrap();
        // An error means that nothing has arrived, or it belongs to an earlier datagram.
        if let Ok(count) = socket.recv(buffer) {
            return Some(count);
        }
        if now() >= deadline {
            return None;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn now() -> Instant {
    Instant::now()
}

/// A session that makes progress only while its peer says or hears something.
struct Framed;

struct FramedPeer {
    socket: UdpSocket,
    session: ClientSession,
    /// Messages that it has said.
    said: u64,
}

impl Medium for Framed {
    type Transport = UdpTransport;
    type Address = SocketAddr;
    type Peer = FramedPeer;

    fn promises(&self) -> Promises {
        // The server notices a vanished peer only when its lease runs out. The buffer of a datagram socket holds a
        // few hundred KiB.
        Promises::default().with_notices_loss(false).with_unread_bytes_max(512 * 1024)
    }

    fn open(&self, room: &Room) -> (UdpTransport, SocketAddr) {
        open(room)
    }

    fn connect(&self, address: &SocketAddr) -> FramedPeer {
        let session = ClientSession::new(rand::random(), Hello::default(), now());
        let mut peer = FramedPeer { socket: connect(*address), session, said: 0 };
        peer.drive_until(now() + PATIENCE, |session| session.is_ready() || session.end().is_some());
        // A peer that does not answer its welcome is dropped after ten seconds, however slow this machine is.
        peer.drive_until(now(), |_| true);
        peer
    }
}

impl FramedPeer {
    /// Sends and receives until the condition holds. Returns false if it does not hold by `deadline`.
    fn drive_until(&mut self, deadline: Instant, is_so: impl Fn(&ClientSession) -> bool) -> bool {
        let mut datagram = Vec::new();
        let mut buffer = [0; 2048];
        loop {
            self.take_what_has_arrived();
            while self.session.transmit(&mut datagram, now()) {
                // An error means that the server no longer listens; then there is no answer either.
                let _lost = self.socket.send(&datagram);
            }
            if is_so(&self.session) {
                return true;
            }
            if now() >= deadline {
                return false;
            }
            let next = self.session.deadline().unwrap_or(deadline).min(deadline);
            if let Some(bytes) = receive(&self.socket, &mut buffer, next) {
                self.session.receive(&buffer[..bytes], now());
            }
        }
    }

    /// The kit may have left this peer alone for longer than a client waits for an answer. The answer is here by now,
    /// and the session must see it before it looks at the time.
    fn take_what_has_arrived(&mut self) {
        let mut buffer = [0; 2048];
        self.socket.set_nonblocking(true).unwrap();
        // The server sends only so much before it is answered. After an error the next call goes on.
        while let Ok(bytes) = self.socket.recv(&mut buffer) {
            self.session.receive(&buffer[..bytes], now());
        }
        self.socket.set_nonblocking(false).unwrap();
    }

    fn next(&mut self) -> Option<Heard> {
        while let Some(frame) = self.session.next_frame() {
            match frame {
                RoomFrame::Lagged(lagged) => return Some(Heard::Missed(lagged.messages)),
                RoomFrame::Direct(direct) => return Some(Heard::Line(direct.item.to_string())),
                RoomFrame::Bye(reason) => return Some(Heard::Closed(reason.to_string())),
                RoomFrame::Welcome(_) | RoomFrame::Present(_) | RoomFrame::Unknown { .. } => {}
                RoomFrame::Entry(entry) if entry.event.is_message() => {
                    return Some(Heard::Line(entry.event.to_string()));
                }
                RoomFrame::Entry(_) => {}
            }
        }
        None
    }
}

impl Peer for FramedPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        for text in Text::split(line) {
            if !self.drive_until(deadline, ClientSession::is_ready) {
                return false;
            }
            self.said += 1;
            self.session.send(MemberFrame::Say { number: self.said, text }, now());
        }
        self.drive_until(deadline, ClientSession::is_sent)
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            self.take_what_has_arrived();
            if let Some(heard) = self.next() {
                // Acknowledge what was heard.
                self.drive_until(now(), |_| true);
                return Some(heard);
            }
            if self.session.end().is_some() {
                return Some(Heard::End);
            }
            let mut datagram = Vec::new();
            while self.session.transmit(&mut datagram, now()) {
                let _lost = self.socket.send(&datagram);
            }
            let next = self.session.deadline().unwrap_or(deadline).min(deadline);
            let mut buffer = [0; 2048];
            match receive(&self.socket, &mut buffer, next) {
                Some(bytes) => self.session.receive(&buffer[..bytes], now()),
                None if now() >= deadline => return None,
                None => {}
            }
        }
    }

    fn end(mut self) {
        self.session.send(MemberFrame::Bye, now());
        assert!(self.drive_until(now() + PATIENCE, |session| session.end().is_some()));
    }

    fn vanish(self) {}
}

/// Bare datagrams: the peer sends one line per datagram and prints each datagram that it receives.
struct Plain;

struct PlainPeer {
    socket: UdpSocket,
    lines: VecDeque<String>,
}

impl Medium for Plain {
    type Transport = UdpTransport;
    type Address = SocketAddr;
    type Peer = PlainPeer;

    fn promises(&self) -> Promises {
        // Plain UDP promises only best effort.
        let promises = Promises::default().with_reliable(false);
        promises.with_notices_end(false).with_notices_loss(false)
    }

    fn open(&self, room: &Room) -> (UdpTransport, SocketAddr) {
        open(room)
    }

    fn connect(&self, address: &SocketAddr) -> PlainPeer {
        let socket = connect(*address);
        socket.send(b"").unwrap(); // joins, and says nothing
        PlainPeer { socket, lines: VecDeque::new() }
    }
}

impl Peer for PlainPeer {
    fn say(&mut self, line: &[u8], _deadline: Instant) -> bool {
        self.socket.send(line).is_ok()
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        while self.lines.is_empty() {
            let mut buffer = [0; 2048];
            let bytes = receive(&self.socket, &mut buffer, deadline)?;
            let lines = std::str::from_utf8(&buffer[..bytes]).unwrap().lines();
            self.lines.extend(lines.map(str::to_owned));
        }
        Some(Heard::from_line(&self.lines.pop_front()?))
    }

    fn end(self) {}

    fn vanish(self) {}
}
