//! The endpoint by example: datagrams in and out, time by hand.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::{Rate, Room, RoomConfig, Waker, World};
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

    /// With plain members from 10.0.0.0/8 that need not prove their address.
    fn with(config: RoomConfig, at: &str, now: Instant) -> Self {
        let trusting = UdpConfig::default().with_trusted("10.0.0.0/8".parse().unwrap());
        Self::with_config(config, trusting, at, now)
    }

    /// Asks every plain peer for a number, except on its own machine.
    fn asking(now: Instant) -> Self {
        Self::with_config(RoomConfig::default(), UdpConfig::default(), "192.0.2.1:5555", now)
    }

    fn with_config(config: RoomConfig, udp: UdpConfig, at: &str, now: Instant) -> Self {
        let address = address(at);
        let world = World { clock: Box::new(move || now), unix_clock: Box::new(|| 0), seed: [1; 32] };
        let room = Room::in_world(config, world);
        let local = room.join("seat").unwrap();
        let endpoint = Endpoint::new(&room, Waker::new(|| {}), udp, address, [2; 32], now);
        Self { address, room, local, endpoint }
    }

    /// The datagrams that it sends now.
    fn sends(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.endpoint.on_deadline(now);
        self.endpoint.pull(now);
        let mut out = Vec::new();
        std::iter::from_fn(|| self.endpoint.transmit(&mut out, now).map(|to| (to.peer, out.clone())))
            .collect()
    }

    /// Its answers to a datagram.
    fn answers(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        self.endpoint.receive(from, bytes, now);
        self.sends(now)
    }

    /// What members of the room hear, including joins and leaves.
    fn heard(&self) -> Vec<String> {
        std::iter::from_fn(|| self.local.try_recv().ok()).map(|heard| heard.to_string()).collect()
    }

    fn said(&self) -> Vec<String> {
        self.heard().into_iter().filter(|line| !line.starts_with("[*]")).collect()
    }

    /// The cookie for a hello.
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

    /// Joins a peer; returns its session.
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

// ---- hello -----------------------------------------------------------------------------------------

#[test]
fn a_hello_without_a_cookie_is_answered_with_less_than_it_was_and_nothing_is_kept() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let hello = encode(&MemberDatagram::Hello { nonce: 7, cookie: None, hello: Hello::default() });
    let answers = server.answers(ann, &hello, now);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].1.len() < hello.len() / 10);
    assert_eq!((server.endpoint.peers(), server.room.stats().joined), (0, 0));
}

#[test]
fn a_cookie_of_somebody_else_lets_nobody_in() {
    let (now, ann, eve) = (begin(), address("198.51.100.1:1"), address("198.51.100.2:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 7, now));
    for (from, nonce, later) in [(eve, 7, now), (ann, 8, now), (ann, 7, now + 16 * SECOND)] {
        let hello = encode(&MemberDatagram::Hello { nonce, cookie, hello: Hello::default() });
        let answers = server.answers(from, &hello, later);
        assert!(matches!(RoomDatagram::decode(&answers[0].1), Ok(RoomDatagram::Retry { .. })));
    }
    assert_eq!(server.endpoint.peers(), 0);
}

#[test]
fn a_hello_that_comes_again_has_the_same_welcome_and_joins_nobody() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 7, now));
    let hello = encode(&MemberDatagram::Hello { nonce: 7, cookie, hello: Hello::default() });
    let first = server.answers(ann, &hello, now);
    let (session, _) = welcome(&first, ann).unwrap();
    assert_eq!(server.answers(ann, &hello, now), first);
    server.answers(ann, &traffic(session, 1, &["hi"]), now);
    assert_eq!(server.answers(ann, &hello, now), [], "the peer has received the welcome by now");
    assert_eq!(server.room.stats().joined, 1);
}

#[test]
fn a_late_copy_of_an_old_hello_does_not_disturb_a_newer_session() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 1, now));
    let old = encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() });
    server.answers(ann, &old, now);
    let now = now + SECOND;
    let session = server.join(ann, 2, now);
    assert_eq!(server.answers(ann, &old, now), []);
    server.answers(ann, &traffic(session, 1, &["still here"]), now);
    assert_eq!(server.said(), ["[198.51.100.1:1] still here"]);
    assert_eq!(server.room.stats().members, 1);
}

#[test]
fn a_member_that_left_does_not_join_again_by_a_late_copy_of_its_hello() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 1, now));
    let hello = encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() });
    let (session, _) = welcome(&server.answers(ann, &hello, now), ann).unwrap();
    server.answers(ann, &encode(&MemberDatagram::Bye { session }), now);
    server.answers(ann, &hello, now + 5 * SECOND);
    assert_eq!((server.room.stats().joined, server.room.stats().members), (1, 0));
}

#[test]
fn a_welcome_that_is_never_heard_of_ends_the_membership() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let cookie = Some(server.cookie(ann, 1, now));
    server.answers(ann, &encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() }), now);
    assert_eq!(server.room.stats().members, 1);
    assert_eq!(server.sends(now + 10 * SECOND), [], "and nothing is sent to who may not be there");
    assert_eq!(server.room.stats().members, 0);
    server.sends(now + 40 * SECOND);
    assert_eq!(server.endpoint.peers(), 0, "it is forgotten in the end");
}

// ---- forged datagrams ------------------------------------------------------------------------------

#[test]
fn the_right_address_with_a_wrong_session_is_not_heard() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let session = server.join(ann, 1, now);
    for guess in 0..1_000 {
        let guess = SessionId::new(session.number().wrapping_add(1 + guess));
        assert_eq!(server.answers(ann, &traffic(guess, 1, &["forged"]), now), []);
        assert_eq!(server.answers(ann, &encode(&MemberDatagram::Bye { session: guess }), now), []);
        assert_eq!(server.answers(ann, &encode(&MemberDatagram::Who { session: guess }), now), []);
    }
    assert_eq!(server.said(), <[String; 0]>::default());
    assert_eq!(server.room.stats().members, 1);
}

#[test]
fn plain_text_from_a_framed_members_address_is_not_its_message() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::new(now);
    server.join(ann, 1, now);
    assert_eq!(server.answers(ann, b"forged", now), []);
    assert_eq!(server.said(), <[String; 0]>::default());
}

#[test]
fn nonsense_is_not_answered() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::new(now);
    let session = server.join(ann, 1, now);
    let mut datagrams = vec![vec![0xF5], b"\xf5chat\x03\x01".to_vec(), b"\xf5chat\x02\x7f".to_vec()];
    // A server's line.
    let mut entries = Vec::new();
    RoomDatagram::Entries { session, taken: 0, slot: 0, entries: b"x" }.encode(&mut entries);
    datagrams.push(entries);
    for bytes in datagrams {
        assert_eq!(server.answers(ann, &bytes, now), [], "{bytes:?}");
    }
}

#[test]
fn a_peer_with_port_0_and_the_server_itself_are_not_heard() {
    let now = begin();
    let mut server = Server::with(RoomConfig::default(), "10.0.0.9:5555", now);
    for from in ["10.0.0.1:0", "10.0.0.9:5555", "[::ffff:10.0.0.9]:5555"] {
        assert_eq!(server.answers(address(from), b"hello", now), [], "{from}");
    }
    let mut wildcard = Server::with(RoomConfig::default(), "[::]:5555", now);
    assert_eq!(wildcard.answers(address("[::ffff:127.0.0.1]:5555"), b"hello", now), []);
    assert_eq!(wildcard.answers(address("127.0.0.1:5556"), b"hello", now).len(), 1);
}

// ---- loops -----------------------------------------------------------------------------------------

#[test]
fn two_servers_that_are_made_to_talk_to_each_other_fall_silent() {
    let now = begin();
    let seeds = ["hello", "[*] hello", "", "[10.0.0.2:5555] x", "a\nb\nc\n"];
    for (seed, is_asked) in seeds.iter().flat_map(|seed| [(seed, false), (seed, true)]) {
        let server = |at| {
            let udp = UdpConfig::default();
            let udp = if is_asked { udp } else { udp.with_trusted("10.0.0.0/8".parse().unwrap()) };
            Server::with_config(RoomConfig::default(), udp, at, now)
        };
        let (mut a, mut b) = (server("10.0.0.1:5555"), server("10.0.0.2:5555"));
        a.endpoint.receive(b.address, seed.as_bytes(), now);
        let mut datagrams = 0;
        for round in 0..1_000 {
            let at = now + round * 500 * MS;
            if round % 100 == 50 {
                a.room.notice("a notice").unwrap();
                a.local.say("and someone in the room").unwrap();
            }
            for (to, bytes) in a.sends(at) {
                assert_eq!(to, b.address);
                b.endpoint.receive(a.address, &bytes, at);
                datagrams += 1;
            }
            for (to, bytes) in b.sends(at) {
                assert_eq!(to, a.address);
                a.endpoint.receive(b.address, &bytes, at);
                datagrams += 1;
            }
        }
        assert!(datagrams < 100, "{seed:?}: {datagrams} datagrams");
        assert!(!is_asked || datagrams <= 1, "{seed:?}: the number is all that is ever sent");
        assert_eq!((a.sends(now + 600 * SECOND), b.sends(now + 600 * SECOND)), (vec![], vec![]));
    }
}

#[test]
fn an_echo_service_is_not_talked_to_for_ever() {
    let (now, echo) = (begin(), address("10.0.0.7:7"));
    let mut server = Server::new(now);
    server.endpoint.receive(echo, b"hello", now);
    let mut datagrams = 0;
    for round in 0..1_000 {
        let at = now + round * 200 * MS;
        for (to, bytes) in server.sends(at) {
            datagrams += 1;
            server.endpoint.receive(to, &bytes, at);
        }
    }
    assert_eq!(datagrams, 2, "the peer's line, and the end of its lease");
    assert_eq!(server.room.stats().members, 0);
}

// ---- plain -----------------------------------------------------------------------------------------

#[test]
fn a_plain_members_lease_runs_for_a_minute_after_its_last_datagram() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::new(now);
    server.answers(ann, b"hello", now);
    server.answers(ann, b"hello again", now + 50 * SECOND);
    server.room.notice("one").unwrap();
    assert_eq!(server.sends(now + 109 * SECOND), [(ann, b"[*] one".to_vec())]);
    let last = server.sends(now + 110 * SECOND);
    assert_eq!(last, [(ann, b"[*] Closed: idle for too long".to_vec())]);
    server.room.notice("two").unwrap();
    assert_eq!(server.sends(now + 111 * SECOND), []);
    assert!(server.heard().contains(&"[*] 10.0.0.1:1 left (idle for too long)".to_owned()));
}

#[test]
fn a_plain_member_that_lagged_is_told_how_many_messages_it_missed() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let config = RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN);
    let mut server = Server::with(config, "192.0.2.1:5555", now);
    server.answers(ann, b"hello", now);
    for number in 0..3_000 {
        server.room.notice(&format!("{number}")).unwrap();
    }
    let lines: Vec<String> = server
        .sends(now)
        .into_iter()
        .flat_map(|(_, bytes)| {
            String::from_utf8(bytes).unwrap().split('\n').map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let missed: usize =
        lines[0].strip_prefix("[*] You missed ").unwrap().strip_suffix(" messages").unwrap().parse().unwrap();
    assert_eq!(lines.len() - 1 + missed, 3_000);
    assert_eq!(lines[1], format!("[*] {missed}"));
    assert_eq!(lines.last().map(String::as_str), Some("[*] 2999"));
}

#[test]
fn no_more_than_16_kib_of_a_plain_datagram_are_taken() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::new(now);
    server.endpoint.receive(ann, &[b'x'; 60_000], now);
    let said: usize = server.said().iter().map(|line| line.len() - "[10.0.0.1:1] ".len()).sum();
    assert_eq!(said, 16 * 1024);
}

#[test]
fn in_a_full_room_a_plain_member_makes_way_for_a_framed_one_and_never_the_other_way_round() {
    let now = begin();
    let mut server = Server::with(RoomConfig::default().with_members_max(2), "192.0.2.1:5555", now);
    let framed = server.join(address("198.51.100.1:1"), 1, now);
    server.answers(address("10.0.0.1:1"), b"I am in", now);
    let refusal = (address("10.0.0.2:1"), b"[*] Closed: room is full".to_vec());
    for round in 0..10 {
        let answers = server.answers(refusal.0, b"I am not", now);
        assert_eq!(answers, if round < 3 { vec![refusal.clone()] } else { vec![] }, "it may be an echo");
    }
    assert_eq!(server.said(), ["[10.0.0.1:1] I am in"]);

    // After that no peer is left that could make room.
    server.join(address("198.51.100.2:1"), 1, now);
    let cookie = Some(server.cookie(address("198.51.100.3:1"), 1, now));
    let hello = encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() });
    let answers = server.answers(address("198.51.100.3:1"), &hello, now);
    let refused = answers.iter().find(|(to, _)| *to == address("198.51.100.3:1")).unwrap();
    let expected = RoomDatagram::Refused { nonce: 1, reason: LeaveReason::RoomFull };
    assert_eq!(RoomDatagram::decode(&refused.1).unwrap(), expected);
    server.answers(address("198.51.100.1:1"), &traffic(framed, 1, &["still here"]), now);
    assert_eq!(server.said(), ["[198.51.100.1:1] still here"]);
}

/// Sends the number that the server asked for.
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

#[test]
fn in_a_full_room_peers_that_said_a_valid_hello_and_nothing_more_make_way() {
    let now = begin();
    let mut server = Server::with(RoomConfig::default().with_members_max(3), "192.0.2.1:5555", now);
    let ann = server.join(address("198.51.100.1:1"), 1, now);
    // A hundred sockets that take the cookie, say hello, and then fall silent.
    for port in 1_000..1_100 {
        let from = address(&format!("203.0.113.1:{port}"));
        let cookie = Some(server.cookie(from, 1, now));
        let hello = encode(&MemberDatagram::Hello { nonce: 1, cookie, hello: Hello::default() });
        assert!(welcome(&server.answers(from, &hello, now), from).is_some(), "{from}");
        assert!(server.room.stats().members <= 3);
    }
    server.join(address("198.51.100.2:1"), 1, now);
    server.join(address("198.51.100.3:1"), 1, now);
    server.answers(address("198.51.100.1:1"), &traffic(ann, 1, &["still here"]), now);
    assert_eq!(server.said(), ["[198.51.100.1:1] still here"], "a peer that has answered stays");
    assert_eq!(server.room.stats().members, 3);
}

#[test]
fn a_plain_peer_from_elsewhere_joins_with_the_number_that_it_is_sent() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::asking(now);
    server.room.notice("before").unwrap();
    let number = prove(&mut server, ann, now + SECOND);
    assert_eq!(server.answers(ann, number.as_bytes(), now + SECOND), [], "a late copy");
    let said = server.answers(ann, b"hello again", now + SECOND);
    assert_eq!(said, [(ann, b"[198.51.100.1:1] hello again".to_vec())], "the number is nobody's message");
    assert_eq!(server.said(), ["[198.51.100.1:1] hello again"]);
    server.answers(ann, b"123456", now + SECOND);
    assert_eq!(server.said(), ["[198.51.100.1:1] 123456"], "other numbers are");
}

#[test]
fn the_number_of_one_address_lets_no_other_in_and_is_good_for_two_minutes() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::asking(now);
    let asked = |server: &mut Server, from| number_in(&server.answers(from, b"", now)[0].1);
    let number = asked(&mut server, ann);
    for eve in ["198.51.100.1:2", "198.51.100.2:1", "[2001:db8::1]:1"] {
        server.answers(address(eve), number.as_bytes(), now);
    }
    assert_eq!(server.room.stats().joined, 0);
    server.answers(ann, number.as_bytes(), now + 240 * SECOND);
    assert_eq!(server.room.stats().joined, 0, "too late");
    server.answers(ann, number.as_bytes(), now + 120 * SECOND);
    assert_eq!(server.room.stats().joined, 1);
}

#[test]
fn an_address_may_try_three_numbers_per_lease() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::asking(now);
    let number = number_in(&server.answers(ann, b"", now)[0].1);
    let wrong = if number == "999999" { "999998" } else { "999999" };
    for _ in 0..3 {
        server.answers(ann, wrong.as_bytes(), now);
    }
    assert_eq!(server.answers(ann, number.as_bytes(), now), [], "the right one is the fourth");
    assert_eq!(server.room.stats().joined, 0);
    server.answers(ann, number.as_bytes(), now + 60 * SECOND);
    assert_eq!(server.room.stats().joined, 1);
}

#[test]
fn words_before_the_number_do_not_use_up_the_tries() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::asking(now);
    let number = number_in(&server.answers(ann, b"hello?", now)[0].1);
    for _ in 0..20 {
        server.answers(ann, b"is anybody there?", now);
    }
    server.answers(ann, format!("{number}\r\n").as_bytes(), now);
    assert_eq!((server.room.stats().joined, server.room.stats().messages), (1, 0));
}

#[test]
fn an_unproven_address_gets_at_most_three_times_its_bytes_whatever_it_sends() {
    let now = begin();
    let mut server = Server::asking(now);
    let from = [("198.51.100.1:1", 28), ("[2001:db8::1]:1", 48)];
    let datagrams: [&[u8]; 9] =
        [b"", b"\0", b"x", b"\n", b"\r\n", b"123456", b"[*] x", &[b'x'; 1_400], &[0xF5; 1_400]];
    for (from, headers) in from {
        let from = address(from);
        for datagram in datagrams {
            let mut server = Server::asking(now);
            server.room.notice("something is going on here").unwrap();
            let answers = server.answers(from, datagram, now);
            let sent: usize = answers.iter().map(|(_, bytes)| headers + bytes.len()).sum();
            assert!(sent <= 3 * (headers + datagram.len()), "{datagram:?}: {answers:?}");
            assert!(answers.iter().all(|(_, bytes)| bytes.starts_with(b"[*] Say ")), "{answers:?}");
        }
        let mut sent = 0;
        for _ in 0..1_000 {
            sent += server.answers(from, b"x", now).len();
        }
        assert_eq!(sent, 3, "and three answers per lease");
    }
    assert_eq!((server.endpoint.peers(), server.room.stats().joined), (0, 0), "nothing is kept");
}

#[test]
fn services_that_answer_everything_are_not_talked_to_for_ever() {
    let now = begin();
    let numbers = |bytes: &[u8]| [&b"[192.0.2.1:5555] "[..], bytes].concat();
    // An echo, a character generator, another chat server, and empty datagrams.
    type Service<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let services: [Service<'_>; 5] = [
        &|bytes| bytes.to_vec(),
        &|_| b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ".to_vec(),
        &numbers,
        &|_| Vec::new(),
        &|bytes| bytes.iter().copied().filter(u8::is_ascii_digit).rev().collect(),
    ];
    for (which, service) in services.into_iter().enumerate() {
        let (mut server, at) = (Server::asking(now), address("198.51.100.1:7"));
        let mut waiting = server.answers(at, b"forged", now);
        let mut sent = 0;
        while let Some((_, bytes)) = waiting.pop() {
            sent += 1;
            assert!(sent <= 3, "service {which}");
            waiting.extend(server.answers(at, &service(&bytes), now));
        }
        assert_eq!(server.room.stats().joined, 0, "service {which}");
    }
}

#[test]
fn on_its_own_machine_a_plain_peer_is_a_member_at_once() {
    let now = begin();
    for ann in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        let mut server = Server::asking(now);
        let ann = address(ann);
        let line = format!("[{}] hello", chat_proto::PeerAddr::from(ann));
        assert_eq!(server.answers(ann, b"hello", now), [(ann, line.into_bytes())]);
    }
}

#[test]
fn an_empty_datagram_joins_and_keeps_the_lease_and_says_nothing() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::new(now);
    assert_eq!(server.answers(ann, b"", now), []);
    for minute in 1..=5 {
        assert_eq!(server.answers(ann, b"", now + minute * 59 * SECOND), []);
    }
    server.room.notice("hello").unwrap();
    assert_eq!(server.sends(now + 350 * SECOND), [(ann, b"[*] hello".to_vec())]);
    assert_eq!((server.room.stats().members, server.room.stats().messages), (1, 1));
}

#[test]
fn an_icmp_message_ends_a_plain_membership_and_no_framed_one_since_anybody_can_forge_it() {
    let now = begin();
    let (plain, framed) = (address("10.0.0.1:1"), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    server.answers(plain, b"", now);
    server.join(framed, 1, now);
    for gone in [plain, framed, address("203.0.113.1:1")] {
        server.endpoint.unreachable(gone, now);
    }
    assert_eq!(server.room.stats().members, 1);
    assert!(server.heard().contains(&"[*] 10.0.0.1:1 left (connection lost)".to_owned()));
    assert!(server.sends(now).iter().all(|(to, _)| *to == framed), "and nothing more is sent there");
}

#[test]
fn answers_go_out_from_the_address_that_was_asked() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|ip| Some(ip.parse().unwrap()));
    let mut server = Server::new(now);
    let routes = |server: &mut Server| {
        server.endpoint.pull(now);
        let mut out = Vec::new();
        std::iter::from_fn(|| server.endpoint.transmit(&mut out, now)).collect::<Vec<_>>()
    };
    for local in [first, second] {
        let route = Route { peer: ann, local };
        server.endpoint.receive(route, b"hello", now);
        server.room.notice("hello").unwrap();
        assert_eq!(routes(&mut server), [route]);
    }
    server.room.kick(ann.into(), "enough").unwrap();
    assert_eq!(routes(&mut server), [Route { peer: ann, local: second }], "the last word, too");

    // For a session only datagrams with its number count: anybody could forge the others.
    let bob = address("198.51.100.1:1");
    let session = server.join(bob, 1, now);
    server.endpoint.receive(Route { peer: bob, local: first }, &traffic(session, 1, &["a"]), now);
    server.endpoint.receive(Route { peer: bob, local: second }, b"forged", now);
    let guess = SessionId::new(session.number().wrapping_add(1));
    server.endpoint.receive(Route { peer: bob, local: second }, &traffic(guess, 2, &["b"]), now);
    assert!(routes(&mut server).iter().all(|&route| route == Route { peer: bob, local: first }));
    server.room.notice("hello").unwrap();
    assert_eq!(routes(&mut server), [Route { peer: bob, local: first }]);
}

#[test]
fn lines_to_a_plain_peer_end_as_its_datagrams_do() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::new(now);
    for (datagram, end) in [
        (&b"a"[..], ""),
        (b"b\n", "\n"),
        (b"", "\n"),
        (b"c\r\n", "\r\n"),
        (b"d\r\n\0\0", "\r\n"),
        (b"e\0", ""),
        (b"\n", "\n"),
    ] {
        server.answers(ann, datagram, now);
        for text in ["one", "two"] {
            server.room.notice(text).unwrap();
        }
        let sent: Vec<u8> = server.sends(now).into_iter().flat_map(|(_, bytes)| bytes).collect();
        let between = if end.is_empty() { "\n" } else { end };
        assert_eq!(String::from_utf8(sent).unwrap(), format!("[*] one{between}[*] two{end}"), "{datagram:?}");
    }
    server.room.kick(ann.into(), "enough").unwrap();
    assert_eq!(server.sends(now), [(ann, b"[*] Closed: kicked: enough\n".to_vec())]);
}

#[test]
fn the_longest_lines_fit_into_1024_bytes_however_they_end() {
    let now = begin();
    for end in ["", "\n", "\r\n"] {
        let (mut server, ann) = (Server::new(now), address("10.0.0.1:1"));
        server.answers(ann, format!("x{end}").as_bytes(), now);
        for length in 940..=960 {
            server.room.notice(&"y".repeat(length)).unwrap();
            server.room.notice(&"z".repeat(961 - length)).unwrap();
        }
        let sent = server.sends(now);
        assert!(sent.iter().all(|(_, bytes)| bytes.len() <= 1024 && bytes.ends_with(end.as_bytes())));
        let lines: usize =
            sent.iter().map(|(_, bytes)| std::str::from_utf8(bytes).unwrap().lines().count()).sum();
        assert_eq!(lines, 42, "none is lost");
    }
}

#[test]
fn bytes_that_are_not_text_are_not_said_and_not_answered() {
    let now = begin();
    for ann in ["10.0.0.1:1", "198.51.100.1:1"].map(address) {
        let mut server = Server::new(now);
        for datagram in [
            &b"\0\x01\0\x1c\x21\x12\xa4\x42abcdefghijkl\0\x06\0\x12Visit+evil/example\0\0"[..],
            b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x33",
            b"\x61\x62\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01",
            b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n",
        ] {
            assert_eq!(server.answers(ann, datagram, now), [], "{datagram:?}");
        }
        assert_eq!((server.room.stats().joined, server.room.stats().messages), (0, 0));
    }
    let (mut server, ann) = (Server::new(now), address("10.0.0.1:1"));
    server.answers(ann, b"J\xf6rg\0", now);
    server.answers(ann, b"hello\0", now);
    assert_eq!(server.said(), ["[10.0.0.1:1] J\u{fffd}rg", "[10.0.0.1:1] hello"]);
}

// ---- framed members --------------------------------------------------------------------------------

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

    /// Exchanges datagrams without delay until both are silent; `passes` tells which get through, by
    /// whether they go to the server and what they are.
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

#[test]
fn a_members_messages_come_back_to_it_in_order() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.say("one", now);
    ann.say("two", now);
    ann.open(&mut server, now);
    assert_eq!(ann.messages(), ["[198.51.100.1:1] one", "[198.51.100.1:1] two"]);
    assert!(ann.session.is_sent());
}

#[test]
fn the_last_datagram_of_all_arrives_even_if_it_is_lost_three_times() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    server.room.notice("the tail").unwrap();
    let mut lost = 0;
    while ann.messages() != ["[*] the tail"] {
        ann.exchange(&mut server, now, |_, bytes| {
            let passes = !is_entries(bytes) || lost == 3;
            lost += u32::from(!passes);
            passes
        });
        now = now.max(ann.next_deadline(&server));
        assert!(lost <= 3);
    }
    assert_eq!(lost, 3);
    assert!(now < begin() + 60 * SECOND);
}

#[test]
fn a_message_whose_acknowledgement_is_lost_is_said_once() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.say("once", now);
    for _ in 0..5 {
        ann.exchange(&mut server, now, |to_server, _| to_server);
        now = now.max(ann.session.deadline().unwrap());
    }
    ann.open(&mut server, now);
    assert_eq!(ann.messages(), ["[198.51.100.1:1] once"]);
    assert_eq!(server.room.stats().messages, 1);
}

#[test]
fn a_lagged_member_learns_exactly_what_it_missed() {
    let mut now = begin();
    let config = RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN);
    let mut server = Server::with(config, "192.0.2.1:5555", now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.messages();
    // No datagram arrives while the log's tail passes the member's cursor.
    for number in 1..=3_000 {
        server.room.notice(&format!("{number}")).unwrap();
        if number % 100 == 0 {
            ann.exchange(&mut server, now, |_, _| false);
        }
    }
    while ann.heard.last().is_none_or(|last| last != "[*] 3000") {
        now = now.max(ann.next_deadline(&server));
        ann.open(&mut server, now);
    }
    let heard = ann.messages();
    let missed: usize = heard[0].strip_prefix("missed ").unwrap().parse().unwrap();
    assert_eq!(heard.len() - 1 + missed, 3_000);
    assert_eq!(heard[1], format!("[*] {}", missed + 1));
    assert_eq!(server.room.stats().missed, missed as u64);
}

#[test]
fn a_member_over_its_rate_limit_waits_and_loses_nothing() {
    let mut now = begin();
    let rate = Rate { burst: 2.try_into().unwrap(), per_second: 10.try_into().unwrap() };
    let config = RoomConfig::default().with_rate(Some(rate));
    let mut server = Server::with(config, "192.0.2.1:5555", now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    (0..12).for_each(|number| ann.say(&number.to_string(), now));
    ann.open(&mut server, now);
    assert_eq!(ann.messages().len(), 3);
    let began = now;
    let mut heard = Vec::new();
    while heard.len() < 9 {
        now = now.max(ann.next_deadline(&server));
        ann.open(&mut server, now);
        heard.extend(ann.messages());
    }
    assert_eq!(heard, (3..12).map(|number| format!("[198.51.100.1:1] {number}")).collect::<Vec<_>>());
    assert_eq!(now - began, 900 * MS, "as fast as the rate allows");
}

#[test]
fn a_new_address_of_a_member_is_followed_only_after_it_is_proved() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    let (old, new) = (ann.address, address("203.0.113.9:9"));

    // The first datagram from the new address is answered there with a challenge and nothing else.
    ann.say("from elsewhere", now);
    let mut out = Vec::new();
    assert!(ann.session.transmit(&mut out, now));
    let answers = server.answers(new, &out, now);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].0 == new && answers[0].1.len() <= out.len());
    assert!(matches!(RoomDatagram::decode(&answers[0].1), Ok(RoomDatagram::Challenge { .. })));
    server.room.notice("to the old address").unwrap();
    let sent = server.sends(now);
    assert!(!sent.is_empty() && sent.iter().all(|(to, _)| *to == old));
    assert_eq!(server.room.stats().messages, 1, "what came from there is not taken yet");

    // A cookie that proves another address, or is invented, moves nothing.
    let RoomDatagram::Challenge { cookie } = RoomDatagram::decode(&answers[0].1).unwrap() else { panic!() };
    let Ok(MemberDatagram::Traffic { session, .. }) = MemberDatagram::decode(&out) else { panic!() };
    let path = |cookie| encode(&MemberDatagram::Path { session, cookie });
    server.answers(address("203.0.113.10:9"), &path(cookie), now);
    server.answers(new, &path(Cookie([0; 12])), now);
    server.room.notice("still to the old one").unwrap();
    assert!(server.sends(now).iter().all(|(to, _)| *to == old));

    // The echo does.
    ann.address = new;
    ann.session.receive(&answers[0].1, now);
    ann.open(&mut server, now);
    let later = now + 3 * SECOND;
    ann.open(&mut server, later);
    let messages = ann.messages();
    assert_eq!(messages.last().map(String::as_str), Some("[198.51.100.1:1] from elsewhere"), "{messages:?}");
    assert_eq!(messages.len(), 3);
    assert_eq!(server.room.stats().joined, 1);
}

#[test]
fn a_silent_member_is_asked_for_and_lost_after_a_minute() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    // With keep-alives the member stays for ever.
    let mut at = now;
    while at < now + 600 * SECOND {
        at = at.max(ann.next_deadline(&server));
        ann.open(&mut server, at);
    }
    assert_eq!(server.room.stats().members, 1);
    // Without them it leaves.
    server.sends(at + 61 * SECOND);
    assert_eq!(server.room.stats().members, 0);
    assert!(server.heard().last().is_some_and(|line| line.ends_with("left (idle for too long)")));
}

#[test]
fn a_client_that_is_asked_for_proof_again_and_again_says_a_hello_per_second_and_gives_up() {
    let now = begin();
    let mut session = ClientSession::new(9, Hello::default(), now);
    let (mut at, mut hellos, mut out) = (now, 0, Vec::new());
    while session.end().is_none() {
        while session.transmit(&mut out, at) {
            hellos += 1;
            // Another cookie each time, as from two servers behind one address. And copies of it.
            for copy in 0..3 {
                let mut retry = Vec::new();
                let cookie = Cookie([hellos, copy, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                RoomDatagram::Retry { nonce: 9, cookie }.encode(&mut retry);
                session.receive(&retry, at);
            }
        }
        at = at.max(session.deadline().unwrap_or(at));
    }
    assert_eq!(session.end(), Some(&SessionEnd::NoWelcome));
    assert_eq!(at - now, 10 * SECOND);
    assert!(hellos <= 12, "{hellos} hellos");
}

#[test]
fn while_nothing_is_lost_a_client_acknowledges_every_eighth_datagram_and_after_a_loss_more_often() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    // Datagrams with entries, and acknowledgements, while so many messages pass.
    let mut pass = |messages: usize, mut is_lost: Box<dyn FnMut(usize) -> bool>| {
        let (mut datagrams, mut acks) = (0, 0);
        ann.messages();
        for number in 0..messages {
            server.room.notice(&format!("{number} {}", "x".repeat(900))).unwrap();
            ann.exchange(&mut server, now, |to_server, bytes| {
                acks += usize::from(to_server);
                datagrams += usize::from(!to_server && is_entries(bytes));
                to_server || !is_lost(datagrams)
            });
            now += MS;
        }
        while ann.heard.len() < messages {
            now = now.max(ann.next_deadline(&server));
            ann.exchange(&mut server, now, |to_server, _| {
                acks += usize::from(to_server);
                true
            });
        }
        assert_eq!(ann.messages().len(), messages);
        (datagrams, acks)
    };
    pass(100, Box::new(|_| false));
    let (datagrams, acks) = pass(400, Box::new(|_| false));
    assert!(datagrams >= 400 && acks * 7 <= datagrams, "{acks} for {datagrams}");
    let (datagrams, acks) = pass(400, Box::new(|datagram| datagram % 20 == 0));
    assert!(acks * 3 >= datagrams, "{acks} for {datagrams}");
}

#[test]
fn a_client_notices_within_10_seconds_that_its_server_is_gone() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.say("hello?", now);
    let mut at = now;
    let mut out = Vec::new();
    while ann.session.end().is_none() {
        while ann.session.transmit(&mut out, at) {}
        at = ann.session.deadline().unwrap_or(at);
    }
    assert_eq!(ann.session.end(), Some(&SessionEnd::NoAnswer));
    assert_eq!(at - now, 10 * SECOND);
}

#[test]
fn a_member_that_leaves_and_loses_the_goodbye_is_told_again() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.session.send(MemberFrame::Bye, now);
    let mut byes = 0;
    while ann.session.end().is_none() {
        ann.exchange(&mut server, now, |to_server, _| {
            byes += u32::from(!to_server);
            to_server || byes == 2
        });
        now = now.max(ann.next_deadline(&server));
    }
    assert_eq!((ann.session.end(), byes), (Some(&SessionEnd::Left), 2));
    assert!(server.heard().contains(&"[*] 198.51.100.1:1 left".to_owned()));
}

#[test]
fn a_session_that_is_resumed_elsewhere_ends_with_a_word() {
    let now = begin();
    let mut server = Server::new(now);
    let (old, new) = (address("198.51.100.1:1"), address("198.51.100.1:2"));
    let (_, welcome) = server.join_with(old, 1, Hello::default(), now);
    let resume =
        Some(Resume { epoch: welcome.epoch, session: welcome.session, have: welcome.head, direct: 0 });
    server.room.notice("meanwhile").unwrap();
    server.sends(now);
    let cookie = Some(server.cookie(new, 2, now));
    let hello = MemberDatagram::Hello { nonce: 2, cookie, hello: Hello { resume, ..Hello::default() } };
    let answers = server.answers(new, &encode(&hello), now);
    assert!(self::welcome(&answers, new).is_some());
    let bye = |(to, bytes): &(SocketAddr, Vec<u8>)| {
        *to == old
            && matches!(
                RoomDatagram::decode(bytes),
                Ok(RoomDatagram::Bye { reason: LeaveReason::Replaced, .. })
            )
    };
    assert!(answers.iter().any(bye), "{answers:?}");
}

#[test]
fn history_and_resumption_begin_where_they_should() {
    let now = begin();
    let mut server = Server::new(now);
    for number in 1..=30 {
        server.room.notice(&number.to_string()).unwrap();
    }
    let mut ann = Client::with("198.51.100.1:1", Hello { history: 3, ..Hello::default() }, now);
    ann.open(&mut server, now);
    assert_eq!(ann.messages(), ["[*] 28", "[*] 29", "[*] 30"]);
    let mut bob = Client::new("198.51.100.2:1", now);
    bob.open(&mut server, now);
    assert_eq!(bob.messages(), <[String; 0]>::default());
}

#[test]
fn a_closing_room_gives_every_member_its_pending_output_and_a_goodbye() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    server.room.close("farewell", 60 * SECOND);
    server.endpoint.drain(now);
    let mut lost = 0;
    while !server.endpoint.is_drained() {
        ann.exchange(&mut server, now, |_, _| {
            lost += 1;
            lost > 2
        });
        now = now.max(ann.next_deadline(&server));
    }
    assert_eq!(ann.messages(), ["[*] farewell", "bye: server is stopping"]);
    assert_eq!(ann.session.end(), Some(&SessionEnd::Dismissed(LeaveReason::Stopping)));
}

#[test]
fn while_a_room_closes_members_that_leave_keep_nobody_from_its_goodbye() {
    let now = begin();
    let mut server = Server::new(now);
    let (ann, bob) = (address("198.51.100.1:1"), address("198.51.100.2:1"));
    let sessions = [(ann, server.join(ann, 1, now)), (bob, server.join(bob, 2, now))];
    server.room.close("farewell", 60 * SECOND);
    server.endpoint.drain(now);
    let sent = server.sends(now);
    for (peer, session) in sessions {
        let acks = sent.iter().filter(|(to, _)| *to == peer).filter_map(|(_, bytes)| {
            match RoomDatagram::decode(bytes).unwrap() {
                RoomDatagram::Entries { slot, entries, .. } => Some(slot + entry_count(entries)),
                _ => None,
            }
        });
        // Bob's acknowledgement was on its way when ann left: it does not cover that.
        let ack = Ack { next: acks.max().unwrap(), ..Ack::default() };
        let traffic = traffic_of(session, Traffic { ack, first: 1, ..Traffic::default() });
        let answers = server.answers(peer, &encode(&traffic), now);
        let goodbye = encode_bye(session);
        assert!(answers.contains(&(peer, goodbye)), "{peer} gets no goodbye: {answers:?}");
    }
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

#[test]
fn an_author_is_the_address_it_joined_from() {
    let now = begin();
    let mut server = Server::new(now);
    let ann = address("[2001:db8::1]:9");
    let session = server.join(ann, 1, now);
    server.answers(ann, &traffic(session, 1, &["hi"]), now);
    let entry = std::iter::from_fn(|| server.local.try_recv().ok()).find_map(|heard| match heard {
        chat_core::Heard::Entry(entry) => Some(entry).filter(|entry| entry.event.is_message()),
        _ => None,
    });
    assert!(
        matches!(&entry.unwrap().event, Event::Said { author: Author::Peer(peer), .. } if *peer == ann.into())
    );
}

#[test]
fn only_what_a_member_lacks_is_sent_again() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.messages();
    // Large ones, so that each has its own datagram.
    let large = |number: u32| format!("{number} {}", "x".repeat(900));
    (0..8).for_each(|number| server.room.notice(&large(number)).unwrap());
    let mut sent = Vec::new();
    while ann.heard.len() < 8 {
        ann.exchange(&mut server, now, |_, bytes| {
            let Ok(RoomDatagram::Entries { slot, entries, .. }) = RoomDatagram::decode(bytes) else {
                return true;
            };
            if entries.is_empty() {
                return true;
            }
            sent.push(slot);
            // The third and the fifth are lost at first.
            !(sent.len() == 3 || sent.len() == 5)
        });
        now = now.max(ann.next_deadline(&server));
    }
    let first = sent[0];
    let offsets: Vec<u64> = sent.iter().map(|slot| slot - first).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5, 6, 7, 2, 4]);
    assert_eq!(ann.messages(), (0..8).map(|number| format!("[*] {}", large(number))).collect::<Vec<_>>());
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_moves_nothing() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let session = server.join(ann, 1, now);
    let mut beyond = chat_proto::SlotSet::default();
    beyond.insert(1);
    for ack in [Ack { next: 50, ..Ack::default() }, Ack { next: 0, beyond }, Ack { next: u64::MAX, beyond }] {
        let lie = traffic_of(session, Traffic { ping: true, ack, first: 1, ..Traffic::default() });
        server.answers(ann, &encode(&lie), now);
    }
    server.room.notice("hello").unwrap();
    let sent = server.sends(now);
    assert!(sent.iter().any(|(to, bytes)| *to == ann && is_entries(bytes)), "{sent:?}");
}

#[test]
fn a_kicked_member_that_does_not_acknowledge_it_is_told_again_up_to_three_times() {
    for heard in 1..=3 {
        let mut now = begin();
        let mut server = Server::new(now);
        let mut ann = Client::new("198.51.100.1:1", now);
        ann.open(&mut server, now);
        server.room.kick(ann.address.into(), "enough").unwrap();
        let mut byes = 0;
        while ann.session.end().is_none() {
            ann.exchange(&mut server, now, |to_server, bytes| {
                byes += u32::from(matches!(RoomDatagram::decode(bytes), Ok(RoomDatagram::Bye { .. })));
                to_server || byes == heard
            });
            now = now.max(server.endpoint.deadline().unwrap());
        }
        assert_eq!(ann.session.end(), Some(&SessionEnd::Dismissed(LeaveReason::kicked("enough").unwrap())));
        assert_eq!(byes, heard, "and no more once the peer has received it");
        assert!(now < begin() + 10 * SECOND);
    }
}

#[test]
fn a_silent_path_is_sent_less_and_less() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    let began = now;
    (0..100).for_each(|number| server.room.notice(&format!("{number} {}", "x".repeat(900))).unwrap());
    let mut datagrams = 0;
    loop {
        datagrams += server.sends(now).len();
        if server.room.stats().members == 0 {
            break;
        }
        now = now.max(server.endpoint.deadline().unwrap());
    }
    assert_eq!(now - began, 60 * SECOND);
    // The first window of ten, then two each time, every 2 s once the timeout has doubled.
    assert!((20..=80).contains(&datagrams), "{datagrams}");
}

#[test]
fn a_framed_member_that_quits_leaves_once_it_has_the_confirmation() {
    let mut now = begin();
    let mut server = Server::new(now);
    let peer = address("192.0.2.7:4000");
    let session = server.join(peer, 1, now);
    server.heard();
    let answers = server.answers(peer, &traffic(session, 1, &["/quit", "not said"]), now);
    let done = answers
        .iter()
        .any(|(_, bytes)| matches!(RoomDatagram::decode(bytes), Ok(RoomDatagram::Direct { .. })));
    assert!(done, "{answers:?}");
    assert_eq!(server.heard(), Vec::<String>::new(), "it may not know that its command was taken");
    // The confirmation is lost, and sent again.
    now += 3 * SECOND;
    assert!(!server.sends(now).is_empty());
    let got = Traffic { direct: 1, first: 3, ..Traffic::default() };
    let answers = server.answers(peer, &encode(&traffic_of(session, got)), now);
    let [.., (_, bye)] = &answers[..] else { panic!("nothing is sent") };
    assert_eq!(RoomDatagram::decode(bye).unwrap(), RoomDatagram::Bye { session, reason: LeaveReason::Quit });
    assert_eq!(server.heard(), [format!("[*] {peer} left")]);
}
