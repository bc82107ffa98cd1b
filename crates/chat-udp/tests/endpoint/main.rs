//! The endpoint by example: the tests pass datagrams in and out and set the time by hand.
#![allow(clippy::unwrap_used)]

mod ending;
mod forged;
mod framed;
mod hello;
mod moving;
mod plain;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::{Moderator, Rate, Room, RoomConfig, Rooms, RoomsConfig, Verdict, Waker, World};
use chat_proto::{
    Ack, Author, Cookie, Event, FrameDecoder, Hello, LeaveReason, MemberDatagram, MemberFrame, Resume,
    RoomDatagram, RoomFrame, SessionId, Text, Traffic, Welcome,
};
use chat_udp::{ClientSession, Endpoint, Route, SessionEnd, UdpConfig};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn address(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

fn text(s: &str) -> Text {
    Text::one_line(s).unwrap()
}

fn encode(datagram: &MemberDatagram) -> Vec<u8> {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    bytes
}

/// A world in which time stands still.
fn world(now: Instant) -> World {
    World { clock: Box::new(move || now), unix_clock: Box::new(|| 0), seed: [1; 32] }
}

/// An endpoint and its room.
struct Server {
    address: SocketAddr,
    room: Room,
    local: chat_core::LocalMember,
    endpoint: Endpoint,
}

impl Server {
    fn new(now: Instant) -> Self {
        Self::with(RoomConfig::default(), "192.0.2.1:5555", now)
    }

    /// A server that trusts plain members from 10.0.0.0/8, so they need not prove their address.
    fn with(config: RoomConfig, at: &str, now: Instant) -> Self {
        let trusting = UdpConfig::default().with_trusted("10.0.0.0/8".parse().unwrap());
        Self::with_config(config, trusting, at, now)
    }

    /// A server that asks every plain peer for a number, except peers on its own machine.
    fn asking(now: Instant) -> Self {
        Self::with_config(RoomConfig::default(), UdpConfig::default(), "192.0.2.1:5555", now)
    }

    fn with_config(config: RoomConfig, udp: UdpConfig, at: &str, now: Instant) -> Self {
        let room = Room::in_world(config, world(now));
        Self::of(&room.into(), udp, at, now)
    }

    /// A server with the rooms `lobby` and `dev`.
    fn with_rooms(now: Instant) -> Self {
        let config = ["lobby", "dev"]
            .iter()
            .fold(RoomsConfig::default(), |config, name| config.with_room(name.parse().unwrap()));
        let rooms = Rooms::in_worlds(config, move || world(now)).unwrap();
        let trusting = UdpConfig::default().with_trusted("10.0.0.0/8".parse().unwrap());
        Self::of(&rooms, trusting, "192.0.2.1:5555", now)
    }

    fn of(rooms: &Rooms, udp: UdpConfig, at: &str, now: Instant) -> Self {
        let (address, room) = (address(at), rooms.first());
        let local = room.join("seat").unwrap();
        let endpoint = Endpoint::new(rooms, Waker::new(|| {}), udp, address, [2; 32], now);
        Self { address, room, local, endpoint }
    }

    /// The datagrams that the server sends now.
    fn sends(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.endpoint.on_deadline(now);
        self.endpoint.pull(now);
        let mut out = Vec::new();
        std::iter::from_fn(|| self.endpoint.transmit(&mut out, now).map(|to| (to.peer, out.clone())))
            .collect()
    }

    /// The server's answers to a datagram.
    fn answers(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.endpoint.receive(from, bytes, now);
        self.sends(now)
    }

    /// What the members of the room hear, including joins and leaves.
    fn heard(&self) -> Vec<String> {
        std::iter::from_fn(|| self.local.try_recv().ok()).map(|heard| heard.to_string()).collect()
    }

    fn said(&self) -> Vec<String> {
        self.heard().into_iter().filter(|line| !line.starts_with("[*]")).collect()
    }

    /// Asks for the cookie for a hello.
    fn cookie(&mut self, from: SocketAddr, nonce: u64, now: Instant) -> Cookie {
        let hello = MemberDatagram::Hello { nonce, cookie: None, hello: Hello::default() };
        let answers = self.answers(from, &encode(&hello), now);
        let [(to, bytes)] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(*to, from);
        match RoomDatagram::decode(bytes).unwrap() {
            RoomDatagram::Retry { nonce: echoed, cookie } if echoed == nonce => cookie,
            other => panic!("{other:?}"),
        }
    }

    /// Lets a peer join. Returns its session.
    fn join(&mut self, from: SocketAddr, nonce: u64, now: Instant) -> SessionId {
        self.join_with(from, nonce, Hello::default(), now).0
    }

    fn join_with(
        &mut self,
        from: SocketAddr,
        nonce: u64,
        hello: Hello,
        now: Instant,
    ) -> (SessionId, Welcome) {
        let cookie = Some(self.cookie(from, nonce, now));
        let answers = self.answers(from, &encode(&MemberDatagram::Hello { nonce, cookie, hello }), now);
        let (session, welcome) = welcome(&answers, from).unwrap();
        self.answers(from, &traffic(session, 1, &[]), now);
        (session, welcome)
    }
}

/// The welcome among `datagrams` to `to`.
fn welcome(datagrams: &[(SocketAddr, Vec<u8>)], to: SocketAddr) -> Option<(SessionId, Welcome)> {
    datagrams.iter().filter(|(address, _)| *address == to).find_map(|(_, bytes)| {
        match RoomDatagram::decode(bytes) {
            Ok(RoomDatagram::Welcome { session, welcome, .. }) => Some((session, *welcome)),
            _ => None,
        }
    })
}

fn traffic_of(session: SessionId, traffic: Traffic) -> MemberDatagram {
    MemberDatagram::Traffic { session, traffic }
}

fn traffic(session: SessionId, first: u64, says: &[&str]) -> Vec<u8> {
    let says = says.iter().map(|says| text(says)).collect();
    encode(&traffic_of(session, Traffic { ping: true, first, says, ..Traffic::default() }))
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no other first instant; nothing depends on which it is"
)]
fn begin() -> Instant {
    Instant::now()
}

/// Sends the number that the server asks for.
fn prove(server: &mut Server, from: SocketAddr, now: Instant) -> String {
    let answers = server.answers(from, b"hello", now);
    let [(to, bytes)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(*to, from);
    let number = number_in(bytes);
    assert_eq!(server.answers(from, number.as_bytes(), now), [(from, b"[*] You have joined".to_vec())]);
    number
}

fn number_in(challenge: &[u8]) -> String {
    let challenge = std::str::from_utf8(challenge).unwrap();
    challenge.strip_prefix("[*] Say ").unwrap().strip_suffix(" to join").unwrap().to_owned()
}

/// A client's session beside an endpoint, with a path between them that the test controls.
struct Client {
    address: SocketAddr,
    session: ClientSession,
    /// Messages that it has said.
    said: u64,
    heard: Vec<String>,
}

impl Client {
    fn new(at: &str, now: Instant) -> Self {
        Self::with(at, Hello::default(), now)
    }

    fn with(at: &str, hello: Hello, now: Instant) -> Self {
        Self { address: address(at), session: ClientSession::new(9, hello, now), said: 0, heard: Vec::new() }
    }

    /// Exchanges datagrams without delay until both are silent. `passes` decides which datagrams get through. Its
    /// arguments are whether a datagram goes to the server, and the bytes of the datagram.
    fn exchange(
        &mut self,
        server: &mut Server,
        now: Instant,
        mut passes: impl FnMut(bool, &[u8]) -> bool,
    ) -> usize {
        let mut datagrams = 0;
        loop {
            let mut silent = true;
            let mut out = Vec::new();
            while self.session.transmit(&mut out, now) {
                silent = false;
                if passes(true, &out) {
                    server.endpoint.receive(self.address, &out, now);
                }
            }
            for (to, bytes) in server.sends(now) {
                silent = false;
                datagrams += 1;
                if to == self.address && passes(false, &bytes) {
                    self.session.receive(&bytes, now);
                }
            }
            while let Some(frame) = self.session.next_frame() {
                self.heard.push(match frame {
                    RoomFrame::Entry(entry) => entry.event.to_string(),
                    RoomFrame::Lagged(lagged) => format!("missed {}", lagged.messages),
                    RoomFrame::Direct(direct) => format!("{} {}", direct.number, direct.item),
                    RoomFrame::Unknown { kind } => format!("unknown {kind}"),
                    RoomFrame::Bye(reason) => format!("bye: {reason}"),
                    RoomFrame::Welcome(_) => "welcome".to_owned(),
                    RoomFrame::Present(present) => format!("{} present", present.members),
                });
            }
            if silent {
                return datagrams;
            }
        }
    }

    fn open(&mut self, server: &mut Server, now: Instant) {
        self.exchange(server, now, |_, _| true);
    }

    fn say(&mut self, what: &str, now: Instant) {
        self.said += 1;
        self.session.send(MemberFrame::Say { number: self.said, text: text(what) }, now);
    }

    fn messages(&mut self) -> Vec<String> {
        let messages =
            |line: &String| !line.contains("joined") && !line.contains("left") && line != "welcome";
        std::mem::take(&mut self.heard).into_iter().filter(messages).collect()
    }

    fn next_deadline(&self, server: &Server) -> Instant {
        self.session.deadline().into_iter().chain(server.endpoint.deadline()).min().unwrap()
    }
}

fn is_entries(bytes: &[u8]) -> bool {
    matches!(RoomDatagram::decode(bytes), Ok(RoomDatagram::Entries { entries, .. }) if !entries.is_empty())
}

/// How many entries are in a datagram.
fn entry_count(mut bytes: &[u8]) -> u64 {
    let mut decoder = FrameDecoder::new();
    std::iter::from_fn(|| decoder.next::<RoomFrame>(&mut bytes).unwrap()).count() as u64
}

fn encode_bye(session: SessionId) -> Vec<u8> {
    let mut bytes = Vec::new();
    RoomDatagram::Bye { session, reason: LeaveReason::Stopping }.encode(&mut bytes);
    bytes
}
