//! Plain peers: their leases, numbers and lines.

use super::*;

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
fn lines_that_are_refused_for_one_reason_are_told_with_one_datagram() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let moderator = Moderator::new(|offer| match offer.text.as_str() {
        "hello" => Verdict::Accept,
        _ => Verdict::Refuse(offer.text.clone()),
    });
    let config = RoomConfig::default().with_moderator(moderator);
    let mut server = Server::with(config, "192.0.2.1:5555", now);
    server.answers(ann, b"hello\n", now);
    let told = server.answers(ann, b"no\nno\nno\nso\n", now);
    let told: Vec<_> = told.iter().map(|(_, bytes)| str::from_utf8(bytes).unwrap()).collect();
    assert_eq!(told, ["[*] Not said: no (3 messages)\n", "[*] Not said: so\n"]);
    let again = server.answers(ann, b"so\n", now);
    assert_eq!(again, [(ann, b"[*] Not said: so\n".to_vec())], "the one before is sent");
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

    // After that, no peer is left that could make way.
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

#[test]
fn in_a_full_room_peers_that_said_a_valid_hello_and_nothing_more_make_way() {
    let now = begin();
    let mut server = Server::with(RoomConfig::default().with_members_max(3), "192.0.2.1:5555", now);
    let ann = server.join(address("198.51.100.1:1"), 1, now);
    // A hundred sockets get the cookie, say hello with it, and then fall silent.
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
    // Services that answer: an echo, a character generator, another chat server, and one that sends empty datagrams.
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

    // For a session only datagrams with its number count, because anybody could forge the others.
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
