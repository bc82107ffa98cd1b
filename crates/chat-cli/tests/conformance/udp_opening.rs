//! Sections 9 and 11.4 to 11.7: what a datagram is, and how a peer proves its address.

use chat_proto::limits::DATAGRAM_BYTES_MAX;
use chat_proto::{Cookie, LeaveReason, MemberDatagram, RoomDatagram, SessionId, Traffic};

use crate::datagrams::{Got, Member, Plain, encoded, fresh_nonce, hello};
use crate::support::Server;

/// The members that have joined so far, according to the console. Another member joins, and everything that the
/// console prints before this join is older.
fn joined_before_a_newcomer(server: &Server) -> Vec<String> {
    let member = Member::join(server);
    server.has_accepted(member.name());
    let lines = server.process.stdout.lines();
    let names = lines.iter().filter_map(|line| line.strip_prefix("[*] Accepted connection from "));
    names.take_while(|name| *name != member.name()).map(str::to_owned).collect()
}

#[test]
fn clause_9_1_the_first_byte_decides_and_an_empty_datagram_is_nothing() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    peer.send(b"");
    peer.send(b"\xf5 is no text");
    peer.has_heard_nothing();
    peer.send(b"hello");
    assert_eq!(peer.recv_text(), format!("[{}] hello", peer.name));
    assert_eq!(joined_before_a_newcomer(&server), [peer.name.as_str()]);
}

#[test]
fn clause_9_2_what_makes_no_sense_is_not_answered() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    let right = encoded(&hello(1, None));
    let mut senseless: Vec<Vec<u8>> = vec![
        b"\xf5".to_vec(),
        b"\xf5chat\x02".to_vec(),
        b"\xf5chat\x03\x01".to_vec(),
        right[..right.len() - 1].to_vec(), // not padded to 1,200 bytes
        [&right[..], b"\0"].concat(),
        encoded(&MemberDatagram::Bye { session: SessionId::new(7) }),
        encoded(&MemberDatagram::Who { session: SessionId::new(7) }),
        encoded(&MemberDatagram::Path { session: SessionId::new(7), cookie: Cookie([0; 12]) }),
        vec![0xf5; 60_000],
    ];
    // Datagrams that only a server sends, and kinds that do not exist.
    senseless.extend(
        (0..=255).filter(|kind| *kind != 1).map(|kind| [b"\xf5chat\x02", &[kind][..], &right[7..]].concat()),
    );
    senseless.iter().for_each(|bytes| peer.send(bytes));
    peer.has_heard_nothing();
    assert_eq!(joined_before_a_newcomer(&server), [""; 0]);
}

#[test]
fn clause_9_2_an_unproven_address_never_gets_more_bytes_than_came_from_it() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    for nonce in 0..100 {
        peer.send_datagram(&hello(nonce, None));
        assert!(peer.recv().len() <= DATAGRAM_BYTES_MAX / 10, "a retry is small");
    }
}

#[test]
fn clause_11_4_a_peer_joins_with_a_cookie_and_hears_the_room_once_it_has_answered() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut speaker = server.peer();
    let peer = Plain::new(&server);
    let cookie = Some(peer.cookie(7));
    let joined = joined_before_a_newcomer(&server);
    assert_eq!(joined, [speaker.name.as_str()], "the server keeps nothing: it is no member yet");
    peer.send_datagram(&hello(7, cookie));
    let mut member = Member::welcomed(peer, 7);
    server.has_accepted(member.name());
    speaker.send("hello\n");
    server.process.stdout.wait_for_line(&speaker.line("hello"));
    // The member gets only the welcome until it shows that it has received it.
    member.acknowledge(true);
    assert_eq!(member.texts_until("hello"), ["hello"]);
}

#[test]
fn clause_11_5_a_wrong_cookie_is_answered_as_none() {
    let server = Server::over(&["udp"], &[]);
    let (peer, other) = (Plain::new(&server), Plain::new(&server));
    let cookie = peer.cookie(7);
    let mut bent = cookie;
    bent.0[5] ^= 1;
    // A cookie for another nonce, one for another address, and one with a wrong bit.
    for (from, nonce, cookie) in [(&peer, 8, cookie), (&other, 7, cookie), (&peer, 7, bent)] {
        from.send_datagram(&hello(nonce, Some(cookie)));
        let answer = from.recv();
        assert!(matches!(RoomDatagram::decode(&answer), Ok(RoomDatagram::Retry { .. })), "{answer:?}");
    }
    assert_eq!(joined_before_a_newcomer(&server), [""; 0]);
    peer.send_datagram(&hello(7, Some(cookie)));
    Member::welcomed(peer, 7);
}

#[test]
fn clause_11_6_a_hello_that_is_repeated_has_the_same_welcome() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    let again = hello(7, Some(peer.cookie(7)));
    peer.send_datagram(&again);
    let first = peer.recv();
    for _ in 0..3 {
        peer.send_datagram(&again);
        assert_eq!(peer.recv(), first);
    }
    peer.send_datagram(&again);
    let member = Member::welcomed(peer, 7);
    assert_eq!(joined_before_a_newcomer(&server), [member.name()]);
}

#[test]
fn clause_11_7_the_right_address_with_another_session_is_not_heard() {
    let server = Server::over(&["udp"], &[]);
    let mut member = Member::join(&server);
    let right = member.session;
    member.session = SessionId::new(right.number() ^ 1);
    member.send_says(false, 1, &["forged"]);
    member.peer.send_datagram(&MemberDatagram::Bye { session: member.session });
    member.session = right;
    member.send_says(false, 1, &["mine"]);
    assert_eq!(member.texts_until("mine"), ["mine"]);
}

#[test]
fn clause_4_4_a_full_room_refuses_a_peer_that_has_proven_its_address() {
    let server = Server::over(&["tcp", "udp"], &["--max-members", "1"]);
    let _inside = server.peer();
    let peer = Plain::new(&server);
    let nonce = fresh_nonce();
    peer.send_datagram(&hello(nonce, Some(peer.cookie(nonce))));
    let answer = peer.recv();
    let expected = RoomDatagram::Refused { nonce, reason: LeaveReason::RoomFull };
    assert_eq!(RoomDatagram::decode(&answer), Ok(expected));
}

#[test]
fn clause_11_13_another_address_is_challenged_and_followed_once_it_is_proven() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut speaker = server.peer();
    let mut member = Member::join(&server);
    let session = member.session;
    let elsewhere = Plain::new(&server);
    let traffic = Traffic {
        ping: true,
        ack: chat_proto::Ack { next: member.slot, ..Default::default() },
        first: 1,
        says: vec!["from elsewhere".parse().unwrap()],
        ..Traffic::default()
    };
    let ping = MemberDatagram::Traffic { session, traffic };
    elsewhere.send_datagram(&ping);
    let challenge = elsewhere.recv();
    assert!(challenge.len() <= encoded(&ping).len());
    let Ok(RoomDatagram::Challenge { cookie }) = RoomDatagram::decode(&challenge) else {
        panic!("{challenge:?}")
    };
    // Until the new address is proven, everything goes to the old one, and nothing is taken from the new one.
    speaker.send("before\n");
    assert_eq!(member.texts_until("before"), ["before"]);
    elsewhere.send_datagram(&MemberDatagram::Path { session, cookie: Cookie([0; 12]) });
    elsewhere.has_heard_nothing();
    let name = member.name().to_owned();
    elsewhere.send_datagram(&MemberDatagram::Path { session, cookie });
    let old = std::mem::replace(&mut member.peer, elsewhere);
    member.send_says(true, 1, &["moved"]);
    assert_eq!(member.texts_until("moved"), ["moved"]);
    server.process.stdout.wait_for_line(&format!("[{name}] moved")); // the address that it joined from
    speaker.send("after\n");
    assert_eq!(member.texts_until("after"), ["after"]);
    old.has_heard_nothing();
}

#[test]
fn clause_11_14_a_goodbye_is_answered_with_one_and_once_more_if_it_comes_late() {
    let server = Server::over(&["udp"], &[]);
    let mut member = Member::join(&server);
    let bye = MemberDatagram::Bye { session: member.session };
    for _ in 0..3 {
        member.peer.send_datagram(&bye);
        assert_eq!(member.bye(), LeaveReason::Quit);
    }
    server.has_closed(member.name(), None);
    member.send_says(false, 1, &["too late"]);
    assert_eq!(member.bye(), LeaveReason::Quit);
    assert!(!server.process.stdout.lines().iter().any(|line| line.ends_with("too late")));
}

#[test]
fn clause_11_14_the_servers_goodbye_is_repeated_until_it_is_answered_and_three_times_at_most() {
    let mut server = Server::over(&["udp"], &[]);
    let mut member = Member::join(&server);
    server.process.terminate();
    assert_eq!(member.texts_until("The server is stopping").len(), 1);
    for _ in 0..3 {
        assert_eq!(member.bye(), LeaveReason::Stopping);
    }
    // Once the server has ended, everything that it has sent has arrived.
    assert_eq!(server.process.exit_code(), Some(0));
    member.peer.socket.set_nonblocking(true).unwrap();
    let fourth = member.peer.socket.recv(&mut [0; 1500]);
    assert!(fourth.is_err(), "{fourth:?}");

    let server = Server::over(&["udp"], &[]);
    let mut polite = Member::join(&server);
    server.process.terminate();
    loop {
        match polite.next() {
            Got::Bye(reason) => break assert_eq!(reason, LeaveReason::Stopping),
            _ => polite.acknowledge(false),
        }
    }
    let mut server = server;
    polite.peer.send_datagram(&MemberDatagram::Bye { session: polite.session });
    assert_eq!(server.process.exit_code(), Some(0));
}
