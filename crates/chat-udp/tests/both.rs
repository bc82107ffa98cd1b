//! One room over TCP and UDP at once.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "a loop of its own reads the clock")]

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use chat_core::crossbeam_channel;
use chat_core::transport::{Transport, Turn};
use chat_core::{ClientConfig, ClientEnd, ClientEvent, Heard, Moderator, Room, RoomConfig, Running, Verdict};
use chat_proto::{LeaveReason, Text};
use chat_tcp::{TcpConfig, TcpServer};
use chat_udp::{UdpConfig, UdpServer};

use support::{PATIENCE, Peer, connect, hear, own_loopback, say};

const MESSAGES: usize = 400;

#[test]
fn members_over_any_transport_see_the_same_messages_in_the_same_order() {
    let room = Room::new(RoomConfig::default());
    let mut running = Running::new(&room);
    let tcp = TcpServer::bind((own_loopback(), 0), &room, &TcpConfig::default()).unwrap();
    let address = tcp.local_addr();
    let udp = UdpServer::bind(address, &room, &UdpConfig::default()).unwrap();
    assert_eq!(udp.local_addr(), address, "one port number for both");
    tcp.spawn_into(&mut running).unwrap();
    udp.spawn_into(&mut running).unwrap();

    let over_tcp = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    let over_udp = connect(address);
    let plain = Peer::new(address);
    let local = room.join("seat").unwrap();
    // Everyone has joined before the first compared message.
    support::wait_for(&over_tcp, |event| matches!(event, ClientEvent::Connected { .. }).then_some(()));
    plain.send(b"plain 0");
    assert!(plain.recv().ends_with("] plain 0"));

    let (from_tcp, from_udp, from_plain, from_local) = std::thread::scope(|scope| {
        scope.spawn(|| (1..=MESSAGES / 4).for_each(|number| say(&over_tcp, &format!("tcp {number}"))));
        scope.spawn(|| (1..=MESSAGES / 4).for_each(|number| say(&over_udp, &format!("udp {number}"))));
        scope.spawn(|| {
            for number in 1..=MESSAGES / 4 {
                local.say(&format!("seat {number}")).unwrap();
            }
        });
        // The plain peer waits for its own line, as such programs do, so it loses no lines on this machine.
        let plain = scope.spawn(|| {
            let mut lines = Vec::new();
            for number in 1..=MESSAGES / 4 {
                plain.send(format!("plain {number}").as_bytes());
                lines.extend(plain.lines_until(&format!("] plain {number}")));
            }
            while lines.len() < MESSAGES {
                lines.extend(plain.recv().split('\n').map(str::to_owned));
            }
            lines
        });
        let lines = |client: &chat_core::Client| {
            let after_first = std::iter::from_fn(|| Some(hear(client).event.to_string()))
                .skip_while(|line| line.ends_with("] plain 0"));
            after_first.take(MESSAGES).collect::<Vec<_>>()
        };
        let heard = std::iter::from_fn(|| match local.recv_timeout(PATIENCE).unwrap() {
            Heard::Entry(entry) => Some(entry),
            other => panic!("{other}"),
        });
        let heard = heard.filter(|entry| entry.event.is_message()).map(|entry| entry.event.to_string());
        let from_local: Vec<_> = heard.filter(|line| !line.ends_with("] plain 0")).take(MESSAGES).collect();
        (lines(&over_tcp), lines(&over_udp), plain.join().unwrap(), from_local)
    });
    assert_eq!(from_tcp, from_local);
    assert_eq!(from_udp, from_local);
    assert_eq!(from_plain, from_local);

    room.close("bye all", PATIENCE);
    running.join().unwrap();
}

#[test]
fn one_moderator_checks_messages_over_both_transports() {
    let moderator = Moderator::new(|offer| match offer.text.as_str() {
        "spam" => Verdict::Refuse("no spam".parse().unwrap()),
        _ => Verdict::Accept,
    });
    let room = Room::new(RoomConfig::default().with_moderator(moderator));
    let mut running = Running::new(&room);
    let tcp = TcpServer::bind((own_loopback(), 0), &room, &TcpConfig::default()).unwrap();
    let address = tcp.local_addr();
    tcp.spawn_into(&mut running).unwrap();
    UdpServer::bind(address, &room, &UdpConfig::default()).unwrap().spawn_into(&mut running).unwrap();

    let plain = Peer::new(address);
    plain.send(b"spam");
    assert_eq!(plain.recv(), "[*] Not said: no spam");
    for client in [chat_tcp::connect(address, &ClientConfig::default()).unwrap(), connect(address)] {
        say(&client, "spam");
        say(&client, "hello");
        // The room has handled both messages, so it can close.
        client.finish().unwrap();
        let mut own = Vec::new();
        support::wait_for(&client, |event| {
            match &event {
                ClientEvent::Entry { entry, own: true } => own.push(entry.event.to_string()),
                ClientEvent::Refused { text, why } => {
                    assert_eq!(text.as_ref().map(Text::as_str), Some("spam"));
                    own.push(why.to_string());
                }
                _ => {}
            }
            matches!(event, ClientEvent::Ended(_)).then_some(())
        });
        assert_eq!(own.len(), 2, "{own:?}");
        assert!(own[0] == "no spam" && own[1].ends_with("] hello"), "{own:?}");
    }
    assert_eq!(room.stats().moderated, 3);
    room.close("bye", PATIENCE);
    running.join().unwrap();
}

#[test]
fn a_stuck_tcp_peer_does_not_keep_udp_members_of_its_thread_from_being_told_of_the_end() {
    let room = Room::new(RoomConfig::default());
    let tcp = TcpServer::bind((own_loopback(), 0), &room, &TcpConfig::default().with_threads(1)).unwrap();
    let address = tcp.local_addr();
    let udp = UdpServer::bind(address, &room, &UdpConfig::default()).unwrap();
    let (done, dones) = crossbeam_channel::unbounded();
    let (mut tcp, mut udp) = (tcp.into_transports().pop(), Some(udp.into_transport()));
    let serve = std::thread::spawn(move || {
        while tcp.is_some() || udp.is_some() {
            let soon = Instant::now() + Duration::from_millis(5);
            if let Some(transport) = &mut tcp
                && transport.turn(Some(soon)).unwrap() == Turn::Done
            {
                (tcp, _) = (None, done.send("tcp"));
            }
            if let Some(transport) = &mut udp
                && transport.turn(Some(soon)).unwrap() == Turn::Done
            {
                (udp, _) = (None, done.send("udp"));
            }
        }
    });

    // The peer reads nothing, and the server has more for it than its connection holds.
    let mut stuck = TcpStream::connect(address).unwrap();
    stuck.write_all(b"hello\n").unwrap();
    let host = room.join("host").unwrap();
    while room.stats().members == 0 {
        let _heard = host.recv_timeout(PATIENCE).unwrap();
    }
    let line = "x".repeat(900);
    (0..20_000).for_each(|_| assert!(host.say(&line).unwrap().is_some()));

    let over_udp = connect(address);
    room.close("That was all", PATIENCE);
    let end =
        support::wait_for(
            &over_udp,
            |event| {
                if let ClientEvent::Ended(end) = event { Some(end) } else { None }
            },
        );
    assert!(matches!(end, ClientEnd::Dismissed(LeaveReason::Stopping)), "{end}");
    assert_eq!(dones.recv_timeout(PATIENCE), Ok("udp"));
    assert!(dones.try_recv().is_err(), "the stuck one still has its grace");
    drop(stuck);
    assert_eq!(dones.recv_timeout(PATIENCE), Ok("tcp"));
    serve.join().unwrap();
}
