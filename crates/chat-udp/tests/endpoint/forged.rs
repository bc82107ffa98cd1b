//! Datagrams with a forged source address, and machines that answer each other.

use super::*;

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
    // Entries, which only a server sends.
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
