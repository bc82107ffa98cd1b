//! A layer between the sockets and the chat, as TLS is one.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use chat_core::{Room, RoomConfig};
use chat_stream::Stream;
use chat_tcp::{Layer, TcpConfig, TcpServer, TcpSocket};

/// Turns each byte over, once the peer has said which way.
#[derive(Clone, Debug)]
struct Turned;

#[derive(Debug)]
struct TurnedSocket {
    socket: TcpSocket,
    mask: u8,
}

impl Layer for Turned {
    type Stream = TurnedSocket;

    fn wrap(&self, socket: TcpSocket) -> io::Result<TurnedSocket> {
        Ok(TurnedSocket { socket, mask: 0 })
    }
}

impl Read for TurnedSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(buffer)?;
        buffer[..count].iter_mut().for_each(|byte| *byte ^= self.mask);
        Ok(count)
    }
}

impl Write for TurnedSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let turned: Vec<u8> = bytes.iter().map(|byte| byte ^ self.mask).collect();
        self.socket.write(&turned)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Stream for TurnedSocket {
    fn open(&mut self) -> io::Result<bool> {
        let mut mask = [0];
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

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.socket.shutdown_write()
    }
}

#[test]
fn a_server_may_put_a_layer_between_its_sockets_and_the_chat() {
    let room = Room::new(RoomConfig::default());
    let config = TcpConfig::default().with_threads(2);
    let server = TcpServer::bind_over("127.0.0.1:0", &room, &config, &Turned).unwrap();
    let address = server.local_addr();
    let running = server.spawn().unwrap();

    // A peer whose handshake makes no sense is closed without a word.
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
