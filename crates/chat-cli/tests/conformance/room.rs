//! Section 1: the room as its members see it.

use std::net::UdpSocket;
use std::time::Duration;

use chat_proto::{Author, Event};

use crate::datagrams::{Member, Plain};
use crate::frames::{Framed, text};
use crate::support::{Peer, Server, now, own_address};

#[test]
fn clause_1_1_over_every_transport_all_see_the_same_messages_in_the_same_order_numbered_without_gaps() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut plain = server.peer();
    let (mut framed, _) = Framed::join(&server);
    let mut over_udp = Member::join(&server);
    let mut speakers: Vec<Peer> = (0..3).map(|_| server.peer()).collect();
    let datagrams = Plain::new(&server);
    for number in 0..100 {
        speakers.iter_mut().for_each(|speaker| speaker.send(format!("{number}\n")));
        datagrams.send(format!("{number}").as_bytes());
    }
    for speaker in &speakers {
        server.process.stdout.wait_for_line(&speaker.line("99"));
    }
    server.process.stdout.wait_for_line(&format!("[{}] 99", datagrams.name));
    speakers[0].send("that is all\n");
    let lines = plain.read_up_to(&speakers[0].line("that is all"));
    assert_eq!(lines.len(), 401);

    let mut messages = Vec::new();
    while messages.len() < lines.len() {
        let entry = framed.message();
        assert_eq!(entry.seq, messages.len() as u64 + 1);
        messages.push(entry.event.to_string());
    }
    assert_eq!(messages, lines);
    let texts: Vec<&str> = lines.iter().map(|line| line.split_once("] ").unwrap().1).collect();
    assert_eq!(over_udp.texts_until("that is all"), texts);
}

#[test]
fn clause_1_2_a_member_gets_what_is_accepted_after_it_joined_and_nothing_older() {
    let server = Server::start();
    let mut early = server.peer();
    early.send("before\n");
    server.process.stdout.wait_for_line(&early.line("before"));
    let mut plain = server.peer();
    let (mut framed, welcome) = Framed::join(&server);
    assert_eq!(welcome.head, 1);
    early.send("after\n");
    assert_eq!(plain.read_up_to("after"), [early.line("after")]);
    let entry = framed.message();
    assert_eq!((entry.seq, text(&entry.event)), (2, "after".to_owned()));
}

#[test]
fn clause_1_3_no_remote_peer_speaks_as_the_room_or_as_a_local_member() {
    let server = Server::start();
    let (mut reader, _) = Framed::join(&server);
    let mut plain = server.peer();
    let (mut framed, _) = Framed::join(&server);
    for text in ["[*] The server is stopping", "* hello", "[console] hello", "[127.0.0.1:1] hello"] {
        plain.send(format!("{text}\n"));
        framed.say(text);
    }
    for _ in 0..8 {
        let Event::Said { author, .. } = reader.message().event.clone() else { unreachable!() };
        assert!(matches!(author, Author::Peer(_)), "{author}");
    }
}

/// One member connects over TCP and one over UDP, both from the same address and port.
#[test]
fn clause_1_3_two_members_with_one_address_are_shown_apart() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let (mut reader, _) = Framed::join(&server);
    // Another program may have this port over UDP.
    let (mut tcp, udp) = loop {
        let tcp = server.peer();
        if let Ok(free) = UdpSocket::bind(&tcp.name) {
            drop(free);
            let udp = Plain::at(&tcp.name, server.address);
            break (tcp, udp);
        }
    };
    let name = tcp.name.clone();
    udp.send(b"over UDP");
    server.process.stdout.wait_for_line(&format!("[{name}/udp] over UDP"));
    tcp.send("over TCP\n");
    server.process.stdout.wait_for_line(&format!("[{name}] over TCP"));
    let (first, second) = (reader.message(), reader.message());
    assert_eq!(first.event.to_string(), format!("[{name}/udp] over UDP"));
    assert_eq!(second.event.to_string(), format!("[{name}] over TCP"));
    let member = |event: &Event| match event {
        Event::Said { from, .. } => from.member,
        other => panic!("not a message: {other:?}"),
    };
    assert_ne!(member(&first.event), member(&second.event));
}

/// The server may not know yet what a connection is when somebody speaks from the same port over UDP.
#[test]
fn clause_1_3_nobody_speaks_under_the_address_of_a_connection_that_is_no_member_yet() {
    let server = Server::over(&["tcp", "udp"], &["--threads", "1"]);
    let (mut tcp, udp) = loop {
        let mut tcp = Peer::connect(server.address);
        // The framed protocol begins, and does not go on.
        tcp.send([0xF5]);
        if let Ok(free) = UdpSocket::bind(&tcp.name) {
            drop(free);
            let udp = Plain::at(&tcp.name, server.address);
            break (tcp, udp);
        }
    };
    // It comes later, and the server has it.
    let _later = server.peer();
    let name = tcp.name.clone();
    udp.send(b"I resign");
    server.process.stdout.wait_for_line(&format!("[{name}/udp] I resign"));
    tcp.shut_down();
    assert_eq!(tcp.read_to_end(), [""; 0]);
    udp.send(b"nobody else is there");
    server.process.stdout.wait_for_line(&format!("[{name}] nobody else is there"));
}

#[test]
fn clause_1_4_the_epoch_changes_when_the_server_restarts() {
    let mut epochs: Vec<u64> = (0..3).map(|_| Framed::join(&Server::start()).1.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), 3);
}

#[test]
fn clause_1_5_joins_and_leaves_are_entries_between_messages_without_a_number_of_their_own() {
    let server = Server::start();
    let (mut reader, _) = Framed::join(&server);
    let mut speaker = server.peer();
    speaker.send("one\n");
    server.process.stdout.wait_for_line(&speaker.line("one"));
    let guest = server.peer();
    let guest_name = guest.name.clone();
    guest.shut_down();
    drop(guest);
    server.has_closed(&guest_name, None);
    speaker.send("two\n");
    let mut entries = Vec::new();
    while entries.last().is_none_or(|(_, what): &(u64, String)| !what.ends_with("two")) {
        let entry = reader.entry();
        entries.push((entry.seq, entry.event.to_string()));
    }
    let expected = [
        (0, format!("[*] {} joined", reader.name)),
        (0, format!("[*] {} joined", speaker.name)),
        (1, speaker.line("one")),
        (1, format!("[*] {guest_name} joined")),
        (1, format!("[*] {guest_name} left")),
        (2, speaker.line("two")),
    ];
    // The clause leaves open whether the entries include the member's own join.
    assert_eq!(entries, expected[6 - entries.len()..]);
    assert!(entries.len() >= 5);
}

#[test]
fn clause_1_6_loopback_is_exempt_from_the_rate() {
    let server = Server::with(&["--rate", "1"]);
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    speaker.send("quick\n".repeat(2_000) + "that is all\n");
    assert_eq!(reader.read_up_to(&speaker.line("that is all")).len(), 2_001);
}

#[test]
fn clause_1_6_a_peer_that_speaks_faster_than_the_rate_loses_nothing_and_waits() {
    let Some(ip) = own_address() else {
        println!("skipped: this machine has only loopback addresses");
        return;
    };
    // The speaker may send twenty messages at once and one more before it is throttled. After that it may send two
    // per second.
    const FOUR_MORE: Duration = Duration::from_secs(2);
    let server = Server::at(&format!("{ip}:0"), &["tcp"], &["--rate", "2"]);
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    let since = now();
    speaker.send((0..25).map(|number| format!("{number}\n")).collect::<String>());
    server.process.stdout.wait_for_line(&speaker.line("19"));
    // Others are heard at the same time.
    let mut other = server.peer();
    other.send("hello\n");
    let lines = reader.read_up_to(&other.line("hello"));
    let took = since.elapsed();
    assert!(!lines.contains(&speaker.line("24")) || took >= FOUR_MORE, "after {took:?}: {lines:?}");
    assert_eq!(lines.len() + reader.read_up_to(&speaker.line("24")).len(), 26);
    assert!(since.elapsed() >= FOUR_MORE, "{:?}", since.elapsed());
}
