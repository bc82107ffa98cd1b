//! Streams that open with a handshake or hold bytes back.

use chat_core::access::Identity;

use super::*;

/// Holds written bytes back until a flush. Its handshake comes first and takes one byte from the peer.
struct Buffering {
    socket: Socket,
    kept: Vec<u8>,
    is_open: bool,
}

impl Read for Buffering {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.is_open, "nothing is read before the handshake is done");
        self.socket.read(buffer)
    }
}

impl Write for Buffering {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(self.is_open, "nothing is written before the handshake is done");
        if self.kept.len() >= 1_000 {
            self.flush()?;
        }
        self.kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.kept.is_empty() {
            let count = self.socket.write(&self.kept)?;
            self.kept.drain(..count);
        }
        Ok(())
    }
}

impl Stream for Buffering {
    fn open(&mut self) -> io::Result<bool> {
        match self.socket.read(&mut [0]) {
            Ok(1) => self.is_open = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(self.is_open)
    }

    fn speaks(&self) -> Speaks {
        Speaks::Plain
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.shutdown_write()
    }
}

#[test]
fn a_stream_that_opens_with_a_handshake_and_keeps_bytes_back_is_flushed_to_the_last_one() {
    let time = VirtualTime::default();
    let room = Room::in_world(
        RoomConfig::default(),
        World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] },
    );
    let streams = Streams::new(1, &time);
    let conditions = StreamConditions { buffer_bytes: 100, ..StreamConditions::default() };
    let (mut peer, socket) = streams.connect(conditions);
    let (idle, idle_socket) = streams.connect(conditions);
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    let mut tokens = Vec::new();
    for socket in [socket, idle_socket] {
        tokens.push((socket.id(), endpoint.next_token()));
        let buffering = Buffering { socket: Socket(socket), kept: Vec::new(), is_open: false };
        endpoint.adopt(buffering, "192.0.2.1:1".parse().unwrap(), time.now());
    }
    let _open = endpoint.turn(time.now());
    assert_eq!((room.stats().members, endpoint.peers()), (0, 2), "the handshakes are not done");
    assert_eq!(peer.write(b"!").unwrap(), 1);

    let mut got = String::new();
    let mut said = String::new();
    while let Some(next) = streams.next_event() {
        time.advance_to(next);
        for StreamEvent { end, readable, ended, writable, hung_up } in streams.events() {
            if let Some((_, token)) = tokens.iter().find(|(id, _)| *id == end) {
                endpoint.ready(*token, Readiness { readable, ended, writable, hung_up });
            }
        }
        let _open = endpoint.turn(time.now());
        if room.stats().members == 1 && said.is_empty() {
            for number in 0..100 {
                room.notice(&format!("message {number}")).unwrap();
                said.push_str(&format!("[*] message {number}\n"));
            }
            let _open = endpoint.turn(time.now());
        }
        let mut bytes = [0; 30];
        while let Ok(count @ 1..) = peer.read(&mut bytes) {
            got.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    }
    assert!(!said.is_empty() && got == said, "{got}");

    // The other peer has 10 s for its handshake.
    time.advance_to(time.now() + Duration::from_secs(10));
    let _open = endpoint.turn(time.now());
    assert_eq!((endpoint.peers(), room.stats().joined), (1, 1));
    drop(idle);
}

/// A stream that waits for a first byte before it is open.
struct Waiting {
    /// Whether it can open without that byte.
    can_do_without: bool,
    written: std::rc::Rc<std::cell::Cell<usize>>,
}

impl Read for Waiting {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.set(self.written.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Waiting {
    fn open(&mut self) -> io::Result<bool> {
        Ok(false)
    }

    fn silent(&mut self) -> bool {
        self.can_do_without
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_listener_joins_after_200_ms_if_its_stream_can_open_without_a_byte() {
    let time = VirtualTime::default();
    let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] };
    let room = Room::in_world(RoomConfig::default(), world);
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    let written = [true, false].map(|can_do_without| {
        let written = std::rc::Rc::<std::cell::Cell<usize>>::default();
        let stream = Waiting { can_do_without, written: std::rc::Rc::clone(&written) };
        endpoint.adopt(stream, "192.0.2.1:1".parse().unwrap(), time.now());
        written
    });
    let begun = time.now();
    let mut turn_at = |after| {
        time.advance_to(begun + Duration::from_millis(after));
        let _open = endpoint.turn(time.now());
        endpoint.peers()
    };
    assert_eq!((turn_at(199), room.stats().members), (2, 0));
    assert_eq!((turn_at(200), room.stats().members), (2, 1));
    room.notice("welcome").unwrap();
    assert_eq!(turn_at(9_999), 2);
    assert_eq!((turn_at(10_000), room.stats().members), (1, 1), "the other one had its 10 s");
    assert_eq!(written.map(|written| written.get() > 0), [true, false]);
}

/// A stream that knows where its peer really is once it has been asked twice to open, and is not open then.
struct Behind {
    asked: u32,
    at: SocketAddr,
}

impl Read for Behind {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Behind {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Behind {
    fn open(&mut self) -> io::Result<bool> {
        self.asked += 1;
        Ok(false)
    }

    fn identity(&self, address: SocketAddr) -> Identity {
        if self.asked < 2 { address.into() } else { self.at.into() }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_newcomer_counts_where_it_really_is_before_its_stream_is_open() {
    let time = VirtualTime::default();
    let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] };
    let room = Room::in_world(RoomConfig::default().with_members_per_address_max(2), world);
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    for (network, peers) in [(1, 1), (2, 2), (3, 3), (4, 4), (4, 5), (4, 5)] {
        let at = SocketAddr::from(([192, 0, 2, network], 1));
        endpoint.adopt(Behind { asked: 0, at }, "198.51.100.1:1".parse().unwrap(), time.now());
        let _open = endpoint.turn(time.now());
        assert_eq!(endpoint.peers(), peers, "{network}");
    }
}

/// Its handshake takes three calls, and the last one has read what follows it, too, as one read of a TLS session may.
struct ReadAhead {
    calls: u8,
    ahead: &'static [u8],
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.ahead.read(buffer) }
    }
}

impl Write for ReadAhead {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for ReadAhead {
    fn open(&mut self) -> io::Result<bool> {
        self.calls += 1;
        Ok(self.calls == 3)
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn bytes_that_came_with_the_end_of_a_handshake_are_read_without_another_event() {
    let room = Room::new(RoomConfig::default());
    let mut endpoint = Endpoint::new(&room, Waker::new(|| {}), false);
    let (token, now) = (endpoint.next_token(), VirtualTime::default().now());
    endpoint.adopt(ReadAhead { calls: 0, ahead: b"hello\n" }, "192.0.2.1:1".parse().unwrap(), now);
    let _open = endpoint.turn(now);
    assert_eq!(room.stats().messages, 0, "the handshake is not done");
    // The bytes have gone from the system by the time at which it tells what the stream is ready for.
    endpoint.ready(token, Readiness { writable: true, ..Readiness::default() });
    let _open = endpoint.turn(now);
    assert_eq!(room.stats().messages, 1);
}
