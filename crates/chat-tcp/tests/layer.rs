//! A layer between the sockets and the chat, as TLS is.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_core::access::Gate;
use chat_core::{ClientConfig, ClientEvent, Room, RoomConfig, Text};
use chat_stream::{Identity, Stream};
use chat_tcp::{Layer, TcpConfig, TcpServer, TcpSocket, connect_over};

/// The server's side. The peer first sends a mask, and then the server applies it to each byte.
#[derive(Clone, Debug, Default)]
struct Turned {
    fails_next: Arc<AtomicBool>,
}

/// The client's side. It sends the mask.
#[derive(Clone, Debug)]
struct Turns(u8);

/// A stream that applies the mask. It holds written bytes back until a flush.
#[derive(Debug)]
struct TurnedSocket {
    socket: TcpSocket,
    mask: u8,
    fails_next: Arc<AtomicBool>,
    is_client: bool,
    kept: Vec<u8>,
}

impl Layer for Turned {
    type Stream = TurnedSocket;

    fn wrap(&self, socket: TcpSocket) -> io::Result<TurnedSocket> {
        let fails_next = Arc::clone(&self.fails_next);
        Ok(TurnedSocket { socket, mask: 0, fails_next, is_client: false, kept: Vec::new() })
    }
}

impl Layer for Turns {
    type Stream = TurnedSocket;

    fn wrap(&self, socket: TcpSocket) -> io::Result<TurnedSocket> {
        Ok(TurnedSocket {
            socket,
            mask: self.0,
            fails_next: Arc::default(),
            is_client: true,
            kept: Vec::new(),
        })
    }
}

impl Read for TurnedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        if self.fails_next.swap(false, Ordering::Relaxed) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        buffer[..count].iter_mut().for_each(|byte| *byte ^= self.mask);
        Ok(count)
    }
}

impl Write for TurnedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept.extend(bytes.iter().map(|byte| byte ^ self.mask));
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

impl Stream for TurnedSocket {
    fn open(&mut self) -> io::Result<bool> {
        let mut mask = [0];
        if self.is_client {
            return self.socket.write(&[self.mask]).map(|count| count == 1);
        }
        match self.socket.read(&mut mask) {
            Ok(1) => self.mask = mask[0],
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            result => drop(result?),
        }
        match self.mask {
            0 => Err(ErrorKind::InvalidData.into()),
            _ => Ok(true),
        }
    }

    /// The mask tells who the peer is and where it really is.
    fn identity(&self, address: SocketAddr) -> Identity {
        let address = SocketAddr::from(([192, 0, 2, self.mask], address.port()));
        Identity::from(address).with_proof(&format!("uid:{}", self.mask))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.shutdown_write()
    }
}

#[test]
fn a_server_may_put_a_layer_between_its_sockets_and_the_chat() {
    let room = Room::new(RoomConfig::default());
    let config = TcpConfig::default().with_threads(2);
    let server = TcpServer::bind_over("127.0.0.1:0", &room, &config, &Turned::default()).unwrap();
    let address = server.local_addr();
    let running = server.spawn().unwrap();

    // A peer with a handshake that makes no sense is closed without a message.
    let mut wrong = TcpStream::connect(address).unwrap();
    wrong.write_all(&[0]).unwrap();
    assert_eq!(wrong.read(&mut [0]).unwrap(), 0);

    let mut ann = TcpStream::connect(address).unwrap();
    ann.write_all(&[0x80]).unwrap();
    ann.write_all(&b"/who\n".map(|byte| byte ^ 0x80)).unwrap();
    let mut heard = Vec::new();
    while heard.last() != Some(&b'\n') {
        let mut byte = [0];
        ann.read_exact(&mut byte).unwrap();
        heard.push(byte[0] ^ 0x80);
    }
    let heard = String::from_utf8(heard).unwrap();
    assert_eq!(heard, "[*] 1 present\n");
    assert_eq!(room.stats().joined, 1);
    drop(ann);
    room.close("That was all", Duration::from_secs(5));
    running.join().unwrap();
}

/// Waits for the line that somebody says. Returns it as it is shown.
fn heard(client: &chat_core::Client, text: &str) -> String {
    let lines = client.events().iter().filter_map(|event| match event {
        ClientEvent::Entry { entry, .. } => Some(entry.event.to_string()),
        ClientEvent::Line(line) => Some(line.to_string()),
        _ => None,
    });
    lines.into_iter().find(|line| line.ends_with(text)).expect("it is said")
}

#[test]
fn clients_connect_over_a_layer_that_shows_who_they_are() {
    let gate = Gate::new(|request| match request.proof.map(Text::as_str) {
        Some("uid:13") => Err("unlucky".into()),
        Some(_) if !request.address.is_loopback() => Ok(()),
        _ => Err("nobody".into()),
    });
    let room = Room::new(RoomConfig::default().with_gate(gate).with_members_per_address_max(3));
    let turned = Turned::default();
    let server = TcpServer::bind_over("127.0.0.1:0", &room, &TcpConfig::default(), &turned).unwrap();
    let address = server.local_addr();
    let running = server.spawn().unwrap();
    let connect = |mask, config: ClientConfig| connect_over(address, &config, &Turns(mask)).unwrap();

    let ann = connect(7, ClientConfig::default());
    ann.say("one").unwrap();
    assert_eq!(heard(&ann, "one"), "[uid:7] one");

    // Two members are never shown alike.
    let bob = connect(7, ClientConfig::default());
    bob.say("two").unwrap();
    assert_eq!(heard(&bob, "two"), "[uid:7/tcp] two");
    assert_eq!(heard(&ann, "two"), "[uid:7/tcp] two");
    assert!(room.find("uid:7/tcp").is_some() && room.find("uid:7").is_some() && room.find("uid:8").is_none());

    // A plain client, and one that loses its connection and reconnects.
    let plain = connect(8, ClientConfig::default().with_plain(true));
    plain.say("three").unwrap();
    assert_eq!(heard(&ann, "three"), "[uid:8] three");
    let again = connect(9, ClientConfig::default().with_reconnect(true));
    again.say("not lost yet").unwrap();
    heard(&again, "not lost yet");
    turned.fails_next.store(true, Ordering::Relaxed);
    again.say("four").unwrap();
    assert_eq!(heard(&again, "four"), "[uid:9] four");
    assert!(!turned.fails_next.load(Ordering::Relaxed));

    // The gate sees who the peer is, and the limits use the address where it really is.
    let carl = connect(7, ClientConfig::default());
    assert!(matches!(carl.events().recv().unwrap(), ClientEvent::Connected { .. }));
    let mut ends = Vec::new();
    for mask in [13, 7] {
        let refused = connect(mask, ClientConfig::default());
        let end = refused.events().iter().last().unwrap();
        let ClientEvent::Ended(end) = end else { panic!("{end:?}") };
        ends.push(end.to_string());
    }
    assert!(ends[0].contains("unlucky") && ends[1].contains("address"), "{ends:?}");
    room.close("That was all", Duration::from_secs(5));
    running.join().unwrap();
}
