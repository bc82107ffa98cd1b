//! An endpoint on simulated streams, in situations that real sockets seldom meet.

mod moving;
mod opening;
mod slow_rooms;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use chat_core::{Room, RoomConfig, Waker, World};
use chat_proto::limits::TEXT_BYTES_MAX;
use chat_stream::{Endpoint, Readiness, Speaks, Stream};
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

/// A plain listener that takes this many bytes.
struct Takes(usize);

impl Read for Takes {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Takes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Takes {
    fn speaks(&self) -> Speaks {
        Speaks::Plain
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_survey_tells_how_far_behind_the_members_are() {
    let (time, room) = (VirtualTime::default(), Room::new(RoomConfig::default()));
    let rooms = chat_core::Rooms::from(&room);
    let mut endpoint = Endpoint::new(&rooms, Waker::new(|| {}), false).with_tag("mem");
    for (port, takes) in [(1, usize::MAX), (2, 1_000), (3, 0)] {
        endpoint.adopt(Takes(takes), SocketAddr::from(([192, 0, 2, 1], port)), time.now());
    }
    let _open = endpoint.turn(time.now());
    for number in 0..150 {
        room.notice(&format!("message {number:03}")).unwrap(); // 16 bytes each
    }
    let _open = endpoint.turn(time.now());
    let asker = std::thread::spawn(move || rooms.survey(Duration::from_secs(60)));
    while !asker.is_finished() {
        let _open = endpoint.turn(time.now());
        std::thread::yield_now();
    }
    let answers = asker.join().unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].room.clone(), answers[0].transport), (room, "mem"));
    let members: Vec<u64> = answers[0].lags.up_to().map(|(_, members)| members).collect();
    assert_eq!(members, [1, 1, 2, 3, 3, 3]);
}

#[test]
fn a_socket_that_takes_bytes_again_is_tried_before_its_peer_counts_as_stalled() {
    let time = VirtualTime::default();
    let room = Room::in_world(
        RoomConfig::default(),
        World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] },
    );
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

    // The peer reads in time, but the thread learns it only after the deadline. The thread was late, not the peer.
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

    // The peer does not read any more.
    time.advance_to(time.now() + Duration::from_secs(120));
    let _open = endpoint.turn(time.now());
    assert_eq!(room.stats().members, 0);
}

#[test]
fn idle_newcomers_lock_nobody_out() {
    let time = VirtualTime::default();
    let config = RoomConfig::default().with_members_max(4).with_members_per_address_max(4);
    let room =
        Room::in_world(config, World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] });
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

    // One address opens connections again and again and never finishes a framed client's hello. Its own oldest
    // connections make way.
    for port in 1..=1_000 {
        connect(&mut endpoint, format!("192.0.2.1:{port}"), b"\xf5chat");
        assert!(endpoint.peers() <= 4);
    }
    connect(&mut endpoint, "192.0.2.2:1".into(), b"hello\n");
    assert_eq!((room.stats().members, room.stats().joined), (1, 1));

    // The same from many addresses: the oldest connections of all make way. Members never do.
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

/// A peer that has sent these bytes and takes everything.
struct Sender(io::Cursor<Vec<u8>>);

impl Read for Sender {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Sender {
    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn unfinished_lines_share_a_budget_and_become_messages_after_half_a_minute() {
    const BUDGET: usize = 4 * 1024 * 1024;
    const LONG: usize = 60_000;
    let time = VirtualTime::default();
    let config = RoomConfig::default().with_members_per_address_max(1_000).with_rate(None);
    let room =
        Room::in_world(config, World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] });
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    let adopt = |endpoint: &mut Endpoint<Sender>, port: u16, line: usize| {
        let bytes = [b"hello\n".to_vec(), vec![b'x'; line]].concat();
        endpoint.adopt(Sender(io::Cursor::new(bytes)), ([192, 0, 2, 1], port).into(), time.now());
    };
    // The first peers type. The others hold as much unfinished input as they can.
    (1..=100).for_each(|port| adopt(&mut endpoint, port, 1_000));
    (101..=300).for_each(|port| adopt(&mut endpoint, port, LONG));
    for _ in 0..300 {
        let _open = endpoint.turn(time.now());
        assert!(endpoint.held().unfinished_bytes <= BUDGET + 100 * 1024, "{:?}", endpoint.held());
    }
    assert_eq!(endpoint.held().unfinished_bytes, 100 * 1_000 + (BUDGET - 100 * 1_000) / LONG * LONG);
    let long = (BUDGET - 100 * 1_000) / LONG;
    assert_eq!(room.stats().members, 100 + long, "too much is closed, and nobody who types");

    // Nothing more arrives.
    time.advance_to(time.now() + Duration::from_secs(30));
    let before = room.stats().messages;
    for _ in 0..10 {
        let _open = endpoint.turn(time.now());
    }
    assert_eq!(endpoint.held().unfinished_bytes, 0);
    let messages = 100 * 2 + long * LONG.div_ceil(TEXT_BYTES_MAX);
    assert_eq!(room.stats().messages - before, messages as u64, "nothing is lost");
}

#[test]
fn an_answer_that_came_in_time_counts_although_the_thread_is_late() {
    let time = VirtualTime::default();
    let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] };
    let room = Room::in_world(RoomConfig::default(), world);
    let streams = Streams::new(1, &time);
    let (mut peer, socket) = streams.connect(StreamConditions::default());
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    let token = endpoint.next_token();
    endpoint.adopt(Socket(socket), "192.0.2.1:1".parse().unwrap(), time.now());
    peer.write_all(b"is anybody there?\n").unwrap();
    peer.shutdown_write().unwrap();
    let arrive = || {
        while let Some(next) = streams.next_event() {
            time.advance_to(next);
            let _of_both = streams.events();
        }
    };
    arrive();
    endpoint.ready(token, Readiness { readable: true, ended: true, ..Readiness::default() });
    let _open = endpoint.turn(time.now());
    assert_eq!(room.stats().members, 1);

    // The room answers within the 10 s for which the peer waits. The thread learns of both only after these 10 s.
    time.advance_to(time.now() + Duration::from_secs(9));
    room.notice("I am").unwrap();
    time.advance_to(time.now() + Duration::from_secs(2));
    let _open = endpoint.turn(time.now());
    arrive();
    let mut got = [0; 200];
    let count = peer.read(&mut got).unwrap();
    assert!(got[..count].ends_with(b"[*] I am\n"), "{}", String::from_utf8_lossy(&got));
    assert_eq!(room.stats().members, 1, "it goes on listening");
}
