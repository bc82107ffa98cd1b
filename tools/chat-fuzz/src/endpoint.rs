//! The server side of all UDP sessions: peers, forgers and time act on one [`Endpoint`].

mod effects;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use chat_core::{LocalMember, Room, RoomConfig, Waker, World};
use chat_proto::{
    Ack, Cookie, Hello, MemberDatagram, PREFACE, PeerAddr, Resume, SessionId, SlotSet, Text, Traffic,
    Welcome, is_framed,
};
use chat_testkit::VirtualTime;
use chat_udp::{Endpoint, UdpConfig};

use crate::choices::Choices;

/// An endpoint sends fewer datagrams than this after one step. At most it sends the whole log to every peer.
const DATAGRAMS_PER_STEP_MAX: usize = 20_000;

/// If all peers are silent, an endpoint has forgotten them after fewer deadlines than this.
const DEADLINES_MAX: usize = 2_000;

/// Two addresses whose plain peers become members at once, and four whose peers must prove their address.
const ADDRESSES: [&str; 6] =
    ["127.0.0.1:1", "10.0.0.2:2", "198.51.100.3:3", "198.51.100.3:4", "[2001:db8::5]:5", "203.0.113.6:6"];
const LOCAL_ADDRESSES: usize = 2;

/// Runs an endpoint. The bytes are the choices of what happens to it.
pub fn endpoint(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut run = Run::new(&mut choices);
    while !choices.is_empty() {
        run.step(&mut choices);
        run.settle();
    }
    run.close();
}

/// What a peer knows, and what this test knows of it.
#[derive(Debug)]
struct Peer {
    address: SocketAddr,
    /// Bytes that it sent, and bytes that it received. Both matter only until it has proven its address.
    sent: usize,
    received: usize,
    proven: bool,
    cookie: Option<Cookie>,
    challenge: Option<Cookie>,
    session: Option<SessionId>,
    welcome: Option<Welcome>,
    /// The number of its next message, and the slot of the next entry that it expects.
    says: u64,
    slot: u64,
}

struct Run {
    time: VirtualTime,
    room: Room,
    local: LocalMember,
    endpoint: Endpoint,
    peers: Vec<Peer>,
    /// For each session, the peers that were admitted to it or proved that it has moved to their address.
    holders: HashMap<SessionId, Vec<usize>>,
    last: Vec<u8>,
    /// The newest message that the local member has heard.
    heard: u64,
    /// For each session, the sender's number of the message that was accepted last.
    accepted: HashMap<u64, u64>,
    /// A datagram was changed on its way, so a message may have become another one.
    is_tampered: bool,
}

impl Run {
    fn new(choices: &mut Choices<'_>) -> Self {
        let time = VirtualTime::default();
        let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [1; 32] };
        let config = RoomConfig::default()
            .with_log_bytes_max(RoomConfig::LOG_BYTES_MIN)
            .with_members_max(1 + choices.below(8));
        let room = Room::in_world(config, world);
        let local = room.join("local").expect("the first local member");
        let server = "192.0.2.1:5555".parse().expect("an address");
        let config = UdpConfig::default()
            .with_trusted("10.0.0.0/8".parse().expect("a network"))
            .with_announce(choices.yes());
        let endpoint = Endpoint::new(&room, Waker::new(|| {}), config, server, [2; 32], time.now());
        let peer = |address: &str| Peer {
            address: address.parse().expect("an address"),
            sent: 0,
            received: 0,
            proven: false,
            cookie: None,
            challenge: None,
            session: None,
            welcome: None,
            says: 1,
            slot: 0,
        };
        Self {
            time,
            room,
            local,
            endpoint,
            peers: ADDRESSES.into_iter().map(peer).collect(),
            holders: HashMap::new(),
            last: Vec::new(),
            heard: 0,
            accepted: HashMap::new(),
            is_tampered: false,
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let (from, about) = (choices.below(ADDRESSES.len()), choices.below(ADDRESSES.len()));
        match choices.below(15) {
            0 => {
                let length = usize::from(choices.byte());
                self.is_tampered = true;
                self.receive(from, choices.bytes(length).to_vec());
            }
            1 => self.hello(from, None, choices),
            2 => self.hello(from, self.peers[from].cookie, choices),
            3 => self.hello(from, self.peers[about].cookie, choices),
            4 => self.traffic(from, from, choices),
            5 => self.traffic(from, about, choices),
            6 => self.path(from, from),
            7 => self.path(from, about),
            8 => {
                let Some(session) = self.peers[about].session else { return };
                let who = choices.yes();
                self.send(
                    from,
                    &if who { MemberDatagram::Who { session } } else { MemberDatagram::Bye { session } },
                );
            }
            9 => {
                let mut changed = self.last.clone();
                let at = usize::from(choices.byte());
                if let Some(byte) = changed.get_mut(at) {
                    *byte = choices.byte();
                    self.is_tampered = true;
                    self.receive(from, changed);
                }
            }
            10 => self.receive(from, self.last.clone()),
            11 => {
                let ms = choices.number().min(100_000);
                self.time.advance_to(self.time.now() + Duration::from_millis(ms));
            }
            12 => self.skip_to_deadline(),
            13 => self.host(choices),
            _ => self.later_version(from, choices),
        }
    }

    /// The host of the room kicks a peer or says something.
    fn host(&mut self, choices: &mut Choices<'_>) {
        let peer = PeerAddr::from(self.peers[choices.below(ADDRESSES.len())].address);
        match choices.below(4) {
            0 => drop(self.room.kick(peer.into(), "why not")),
            1 => self.notice("a notice"),
            2 => {
                for _ in 0..choices.byte() {
                    self.notice(&"flood ".repeat(100));
                }
            }
            _ => self.notice(&"x".repeat(usize::from(choices.byte()) * 4)),
        }
    }

    fn notice(&mut self, text: &str) {
        self.room.notice(text).expect("the room is open");
        self.listen();
    }

    fn hello(&mut self, from: usize, cookie: Option<Cookie>, choices: &mut Choices<'_>) {
        let known = self.peers[choices.below(ADDRESSES.len())].welcome.clone().filter(|_| choices.yes());
        let resume = known.map(|known| Resume {
            epoch: known.epoch,
            session: known.session,
            have: choices.number(),
            direct: choices.number(),
        });
        let hello = Hello { resume, history: u16::from(choices.byte()), ..Hello::default() };
        if cookie.is_some() && cookie == self.peers[from].cookie {
            self.peers[from].proven = true;
        }
        self.send(from, &MemberDatagram::Hello { nonce: nonce(from), cookie, hello });
    }

    /// Sends traffic in the session of `whose`, who need not be the sender.
    fn traffic(&mut self, from: usize, whose: usize, choices: &mut Choices<'_>) {
        let Peer { session: Some(session), says: next, slot, .. } = self.peers[whose] else { return };
        let mut beyond = SlotSet::default();
        for _ in 0..choices.below(4) {
            beyond.insert(choices.number());
        }
        let acked = if choices.below(4) == 0 { choices.number() } else { slot };
        let first = match choices.below(4) {
            0 => choices.number(),
            1 => next.saturating_sub(2),
            _ => next,
        };
        let says: Vec<Text> = (0..choices.below(4) as u64)
            .filter_map(|n| Text::one_line(&format!("{} {}", session.number(), first.checked_add(n)?)).ok())
            .collect();
        if first == next && from == whose {
            self.peers[whose].says += says.len() as u64;
        }
        let ack = Ack { next: acked, beyond };
        let (ping, direct) = (choices.yes(), choices.number());
        let settled = if choices.below(16) == 1 { choices.number() } else { 0 };
        let traffic = Traffic { ping, ack, direct, settled, first, says };
        self.send(from, &MemberDatagram::Traffic { session, traffic });
    }

    /// A peer of a later version sends something that this version does not know: a kind, or additional fields after
    /// the known ones.
    fn later_version(&mut self, from: usize, choices: &mut Choices<'_>) {
        let more = usize::from(choices.byte());
        let more = choices.bytes(more).to_vec();
        let (session, cookie) = (self.peers[from].session, self.peers[from].cookie);
        let known = match (choices.below(5), session) {
            (0, _) => {
                let hello =
                    Hello { versions: vec![9, 2], capabilities: choices.number(), ..Hello::default() };
                if cookie.is_some() {
                    self.peers[from].proven = true;
                }
                MemberDatagram::Hello { nonce: nonce(from), cookie, hello }
            }
            (1, Some(session)) => MemberDatagram::Who { session },
            (2, Some(session)) => MemberDatagram::Bye { session },
            (3, Some(session)) => MemberDatagram::Path { session, cookie: cookie.unwrap_or(Cookie([0; 12])) },
            _ => {
                let before = self.room.stats();
                self.receive(
                    from,
                    [&PREFACE[..], &[[7, 0x7f, 0x81, 0xff][choices.below(4)]], &more].concat(),
                );
                let after = self.room.stats();
                assert_eq!(after.unknown, before.unknown + 1, "it is counted");
                assert_eq!(
                    (after.messages, after.joined, after.left),
                    (before.messages, before.joined, before.left)
                );
                return;
            }
        };
        let mut bytes = Vec::new();
        known.encode(&mut bytes);
        // Padding follows the fields of a hello, and it may hold anything.
        let end = if matches!(known, MemberDatagram::Hello { .. }) {
            bytes.len() - more.len()
        } else {
            bytes.len()
        };
        bytes.truncate(end);
        bytes.extend_from_slice(&more);
        assert_eq!(MemberDatagram::decode(&bytes), Ok(known), "what follows the known fields is ignored");
        self.receive(from, bytes);
    }

    fn path(&mut self, from: usize, whose: usize) {
        let (Some(session), Some(cookie)) = (self.peers[whose].session, self.peers[from].challenge) else {
            return;
        };
        self.peers[from].proven = true;
        self.holders.entry(session).or_default().push(from);
        self.send(from, &MemberDatagram::Path { session, cookie });
    }

    fn send(&mut self, from: usize, datagram: &MemberDatagram) {
        let mut bytes = Vec::new();
        datagram.encode(&mut bytes);
        assert_eq!(MemberDatagram::decode(&bytes).as_ref(), Ok(datagram), "read back as it was written");
        self.receive(from, bytes);
    }

    /// The endpoint receives the datagram. Only a peer that was admitted may get a message into the room.
    fn receive(&mut self, from: usize, bytes: Vec<u8>) {
        let said = self.room.stats().messages;
        self.peers[from].sent += wire_bytes(self.peers[from].address, &bytes);
        self.endpoint.receive(self.peers[from].address, &bytes, self.time.now());
        let may_speak = match MemberDatagram::decode(&bytes) {
            Ok(MemberDatagram::Traffic { session, .. }) => {
                self.holders.get(&session).is_some_and(|holders| holders.contains(&from))
            }
            _ => !is_framed(&bytes) && from < LOCAL_ADDRESSES,
        };
        assert!(may_speak || self.room.stats().messages == said, "a stranger is heard");
        self.last = bytes;
        self.listen();
    }
}

/// Bytes on the wire, with the headers of UDP and IP.
fn wire_bytes(address: SocketAddr, bytes: &[u8]) -> usize {
    bytes.len() + if address.is_ipv4() { 28 } else { 48 }
}

/// The nonce of a peer's hellos.
fn nonce(peer: usize) -> u64 {
    7 + peer as u64
}
