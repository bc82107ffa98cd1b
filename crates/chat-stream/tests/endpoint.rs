//! An endpoint on simulated streams, at moments that real sockets seldom meet.

use std::io::{self, Read, Write};
use std::time::Duration;

use chat_core::{Room, RoomConfig, Waker, World};
use chat_stream::{Endpoint, Readiness, Stream};
use chat_testkit::{StreamConditions, StreamEnd, StreamEvent, Streams, VirtualTime};

struct Socket(StreamEnd);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }
}

#[test]
fn a_socket_that_takes_bytes_again_is_tried_before_its_peer_counts_as_stalled() {
    let time = VirtualTime::default();
    let room =
        Room::in_world(RoomConfig::default(), World { clock: time.clock(), unix_ms: 0, seed: [7; 32] });
    let streams = Streams::new(1, &time);
    let (mut peer, socket) =
        streams.connect(StreamConditions { buffer_bytes: 4, ..StreamConditions::default() });
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    let token = endpoint.next_token();
    endpoint.adopt(Socket(socket), "192.0.2.1:1".parse().unwrap(), time.now());
    let _open = endpoint.turn(time.now());
    time.advance_to(time.now() + Duration::from_secs(1));
    let _open = endpoint.turn(time.now());
    assert_eq!(room.stats().members, 1);
    room.notice("hello").unwrap();
    let _open = endpoint.turn(time.now());

    // The peer reads in time, but the thread learns it only when the time is up: the thread was late, not the peer.
    let mut got = [0; 4];
    while let Some(next) = streams.next_event() {
        time.advance_to(next);
        let _late = streams.events();
        let _nothing = peer.read(&mut got);
    }
    assert_eq!(&got, b"[*] ");
    time.advance_to(time.now() + Duration::from_secs(120));
    endpoint.ready(token, Readiness { writable: true, ..Readiness::default() });
    let _open = endpoint.turn(time.now());
    assert_eq!(room.stats().members, 1);
    while let Some(next) = streams.next_event() {
        time.advance_to(next);
        assert!(
            streams.events().iter().any(|&StreamEvent { end, readable, .. }| end == peer.id() && readable)
        );
    }
    assert_eq!(peer.read(&mut got).unwrap(), 4);
    assert_eq!(&got, b"hell");

    // It does not read any more.
    time.advance_to(time.now() + Duration::from_secs(120));
    let _open = endpoint.turn(time.now());
    assert_eq!(room.stats().members, 0);
}

#[test]
fn idle_newcomers_lock_nobody_out() {
    let time = VirtualTime::default();
    let config = RoomConfig::default().with_members_max(4).with_members_per_address_max(4);
    let room = Room::in_world(config, World { clock: time.clock(), unix_ms: 0, seed: [7; 32] });
    let streams = Streams::new(1, &time);
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    let mut peers = Vec::new();
    let mut connect = |endpoint: &mut Endpoint<Socket>, address: String, first: &[u8]| {
        let (mut peer, socket) = streams.connect(StreamConditions::default());
        assert_eq!(peer.write(first).unwrap(), first.len());
        while let Some(next) = streams.next_event() {
            time.advance_to(next);
            let _events = streams.events();
        }
        let began = time.now();
        endpoint.adopt(Socket(socket), address.parse().unwrap(), began);
        let _open = endpoint.turn(began);
        peers.push(peer);
    };

    // A framed client's hello that is never finished, from one address again and again: its own oldest ones make way.
    for port in 1..=1_000 {
        connect(&mut endpoint, format!("192.0.2.1:{port}"), b"\xf5chat");
        assert!(endpoint.peers() <= 4);
    }
    connect(&mut endpoint, "192.0.2.2:1".into(), b"hello\n");
    assert_eq!((room.stats().members, room.stats().joined), (1, 1));

    // From as many addresses: the oldest of all make way. Members never do.
    for address in 0..3_000 {
        connect(&mut endpoint, format!("198.18.{}.{}:1", address / 256, address % 256), b"\xf5chat");
        assert!(endpoint.peers() <= 4 + 1024);
    }
    connect(&mut endpoint, "192.0.2.3:1".into(), b"hello\n");
    assert_eq!((room.stats().members, room.stats().joined), (2, 2));

    // None of them stays.
    time.advance_to(time.now() + Duration::from_secs(10));
    let _open = endpoint.turn(time.now());
    let _open = endpoint.turn(time.now() + Duration::from_secs(2));
    assert_eq!((endpoint.peers(), room.stats().joined), (2, 2));
}
