//! Framed clients over real sockets.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chat_core::{ClientConfig, ClientEnd, ClientEvent, Room, RoomConfig, Waker};
use chat_proto::{Event, LeaveReason};
use chat_udp::{ConnectError, Endpoint, UdpConfig};

use support::{LossyPath, Peer, Server, connect, hear, instant, own_loopback, say, wait_for};

fn text(event: &Event) -> String {
    match event {
        Event::Said { text, .. } => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_clients_and_a_bare_socket_talk() {
    let server = Server::new();
    let (ann, bob) = (connect(server.address), connect(server.address));
    let plain = Peer::new(server.address);
    plain.send(b"first");
    plain.recv();
    for client in [&ann, &bob] {
        assert_eq!(text(&hear(client).event), "first");
    }
    say(&ann, "second");
    let line = hear(&bob).event.to_string();
    assert_eq!(hear(&ann).event.to_string(), line);
    assert_eq!(plain.recv(), line);
}

#[test]
fn ten_thousand_lines_arrive_whole_and_in_order_through_a_path_that_loses_a_fifth() {
    let server = Server::new();
    let path = LossyPath::new(server.address, 20);
    let (speaker, listener) = (connect(path.address), connect(server.address));
    std::thread::scope(|scope| {
        scope.spawn(|| (1..=10_000).for_each(|number| say(&speaker, &number.to_string())));
        // The speaker's own messages come back over the bad path as well.
        scope.spawn(|| {
            for number in 1..=10_000 {
                assert_eq!(text(&hear(&speaker).event), number.to_string());
            }
        });
        for number in 1..=10_000 {
            assert_eq!(text(&hear(&listener).event), number.to_string());
        }
    });
    speaker.finish().unwrap();
    let end = wait_for(&speaker, |event| if let ClientEvent::Ended(end) = event { Some(end) } else { None });
    assert!(matches!(end, ClientEnd::Left), "{end}");
}

#[test]
fn a_client_that_finds_no_server_is_told_so() {
    // A socket that is connected to itself occupies the port and accepts nothing from others.
    let keeps_the_port = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = keeps_the_port.local_addr().unwrap();
    keeps_the_port.connect(nobody).unwrap();
    match chat_udp::connect(nobody, &ClientConfig::default()) {
        Err(ConnectError::Connect { address, source }) => {
            assert_eq!((address, source.kind()), (nobody, ErrorKind::ConnectionRefused));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kicked_client_learns_why() {
    let server = Server::new();
    let client = connect(server.address);
    let you = wait_for(&client, |event| {
        if let ClientEvent::Connected { welcome, .. } = event { Some(welcome.you) } else { None }
    });
    server.room.kick(you, "enough").unwrap();
    let end = wait_for(&client, |event| if let ClientEvent::Ended(end) = event { Some(end) } else { None });
    assert!(matches!(end, ClientEnd::Dismissed(LeaveReason::Kicked { .. })), "{end}");
}

#[test]
fn a_full_room_says_so() {
    let server = Server::with(RoomConfig::default().with_members_max(1), &UdpConfig::default());
    let _first = connect(server.address);
    let second = connect(server.address);
    let end = wait_for(&second, |event| if let ClientEvent::Ended(end) = event { Some(end) } else { None });
    assert!(matches!(end, ClientEnd::Dismissed(LeaveReason::RoomFull)), "{end}");
}

#[test]
fn a_proven_peer_takes_the_place_of_an_unproven_one() {
    let server = Server::with(RoomConfig::default().with_members_max(1), &UdpConfig::default());
    let plain = Peer::new(server.address);
    plain.send(b"hello");
    plain.recv();
    let client = connect(server.address);
    say(&client, "mine");
    hear(&client);
    assert_eq!(server.room.stats().members, 1);
    assert_eq!(plain.recv(), "[*] Closed: room is full", "no member is closed without a reason");
}

#[test]
fn a_closing_room_lets_everyone_read_to_the_end() {
    let mut server = Server::new();
    let clients: Vec<_> = (0..5).map(|_| connect(server.address)).collect();
    say(&clients[0], "last words");
    hear(&clients[0]);
    server.stop();
    for (index, client) in clients.iter().enumerate() {
        if index > 0 {
            assert_eq!(text(&hear(client).event), "last words");
        }
        assert_eq!(text(&hear(client).event), "bye all");
        let end =
            wait_for(client, |event| if let ClientEvent::Ended(end) = event { Some(end) } else { None });
        assert!(matches!(end, ClientEnd::Dismissed(LeaveReason::Stopping)), "{end}");
    }
}

#[test]
fn a_client_comes_back_when_its_server_does_and_repeats_the_messages_not_taken() {
    // Nobody else takes this port while nobody listens at it.
    let own = SocketAddr::from((own_loopback(), 0));
    let mut first = Server::bind(own, RoomConfig::default(), &UdpConfig::default());
    let address = first.address;
    let config = ClientConfig::default().with_reconnect(true);
    let client = chat_udp::connect(address, &config).unwrap();
    say(&client, "one");
    hear(&client);
    first.stop();
    wait_for(&client, |event| matches!(event, ClientEvent::Lost { .. }).then_some(()));
    say(&client, "two");
    let second = Server::bind(address, RoomConfig::default(), &UdpConfig::default());
    assert_eq!(text(&hear(&client).event), "two");
    assert_eq!(second.room.stats().messages, 1);
}

#[test]
fn a_client_can_list_the_members() {
    let server = Server::new();
    let client = connect(server.address);
    client.ask_who().unwrap();
    let present =
        wait_for(
            &client,
            |event| if let ClientEvent::Present(present) = event { Some(present) } else { None },
        );
    assert_eq!((present.members, present.authors.len(), present.more), (1, 1, false));
}

#[test]
fn a_client_whose_user_does_not_read_lags_and_misses_nothing() {
    let server = Server::new();
    let client = connect(server.address);
    wait_for(&client, |event| matches!(event, ClientEvent::Connected { .. }).then_some(()));
    for number in 0..6_000 {
        server.room.notice(&number.to_string()).unwrap();
    }
    // Meanwhile everyone else is served.
    let other = connect(server.address);
    say(&other, "and on");
    assert_eq!(text(&hear(&other).event), "and on");
    for number in 0..6_000 {
        assert_eq!(text(&hear(&client).event), number.to_string());
    }
    assert_eq!(text(&hear(&client).event), "and on");
}

#[test]
fn a_client_that_was_silent_for_longer_than_its_lease_goes_on_where_it_was() {
    // The test can put the server's clock forward. A client that was stopped for a while sees the same.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let address = socket.local_addr().unwrap();
    let room = Room::new(RoomConfig::default());
    let mut endpoint =
        Endpoint::new(&room, Waker::new(|| {}), UdpConfig::default(), address, [7; 32], instant());
    let (ahead, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (seconds, over) = (Arc::clone(&ahead), Arc::clone(&is_over));
    let server = std::thread::spawn(move || {
        let (mut buffer, mut out) = ([0; 2048], Vec::new());
        while !over.load(Ordering::Relaxed) {
            let now = instant() + Duration::from_secs(seconds.load(Ordering::Relaxed));
            // Datagrams that arrive after the clock was put forward have the new time.
            endpoint.on_deadline(now);
            if let Ok((bytes, from)) = socket.recv_from(&mut buffer) {
                endpoint.receive(from, &buffer[..bytes], now);
            }
            endpoint.pull(now);
            while let Some(to) = endpoint.transmit(&mut out, now) {
                socket.send_to(&out, to.peer).unwrap();
            }
        }
    });

    let client = chat_udp::connect(address, &ClientConfig::default().with_reconnect(true)).unwrap();
    say(&client, "before");
    assert_eq!(text(&hear(&client).event), "before");
    let members = || room.stats().members;
    assert_eq!(members(), 1);
    ahead.store(61, Ordering::Relaxed);
    while room.stats().left == 0 {
        std::thread::yield_now();
    }
    room.notice("meanwhile").unwrap();
    wait_for(&client, |event| matches!(event, ClientEvent::Lost { .. }).then_some(()));
    wait_for(&client, |event| matches!(event, ClientEvent::Connected { .. }).then_some(()));
    assert_eq!(text(&hear(&client).event), "meanwhile", "nothing is missed and nothing comes twice");
    say(&client, "after");
    assert_eq!(text(&hear(&client).event), "after");
    assert_eq!(members(), 1);
    is_over.store(true, Ordering::Relaxed);
    server.join().unwrap();
}
