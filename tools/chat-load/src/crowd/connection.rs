//! The connection of one peer: the wire's bytes over TCP, TLS or WebSocket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection};

use super::wire::Carrier;
use crate::failure::Result;
use crate::tls;

/// Opens the connections of a crowd.
#[derive(Debug)]
pub(super) enum Opener {
    Tcp,
    Tls(Arc<ClientConfig>),
    WebSocket,
}

pub(super) struct Connection {
    pub(super) socket: TcpStream,
    layer: Layer,
}

enum Layer {
    None,
    Tls(Box<ClientConnection>),
    /// The rest of the request is to be sent, and then its answer comes.
    Upgrade(&'static [u8]),
    WebSocket(Frames),
}

/// What one read has brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Got {
    pub(super) bytes: usize,
    /// There is no need to read again before the next event.
    pub(super) is_all: bool,
}

/// Opens a WebSocket with the first example of RFC 6455. The subprotocol is for brokers of MQTT.
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

impl Opener {
    pub(super) fn new(carrier: Carrier) -> Result<Self> {
        Ok(match carrier {
            Carrier::Tcp => Self::Tcp,
            Carrier::Tls => Self::Tls(tls::client()?),
            Carrier::WebSocket => Self::WebSocket,
        })
    }

    pub(super) fn open(&self, socket: TcpStream) -> Result<Connection> {
        let layer = match self {
            Self::Tcp => Layer::None,
            Self::Tls(config) => {
                let server = IpAddr::from(Ipv4Addr::LOCALHOST).into();
                Layer::Tls(Box::new(ClientConnection::new(Arc::clone(config), server)?))
            }
            Self::WebSocket => Layer::Upgrade(UPGRADE),
        };
        Ok(Connection { socket, layer })
    }
}

impl Connection {
    /// Goes on with the handshake. True once it is done.
    pub(super) fn open(&mut self) -> io::Result<bool> {
        match self.shake_hands() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            result => result.map(|()| true),
        }
    }

    fn shake_hands(&mut self) -> io::Result<()> {
        match &mut self.layer {
            Layer::Tls(tls) => {
                while tls.is_handshaking() {
                    send(tls, &mut self.socket)?;
                    if tls.is_handshaking() {
                        receive(tls, &mut self.socket)?;
                    }
                }
                send(tls, &mut self.socket)
            }
            Layer::Upgrade(request) => {
                while !request.is_empty() {
                    let sent = self.socket.write(request)?;
                    *request = &request[sent..];
                }
                // Frames may follow the answer at once.
                let mut head = [0; 1024];
                let count = self.socket.peek(&mut head)?;
                match memchr::memmem::find(&head[..count], b"\r\n\r\n") {
                    Some(at) => self.socket.read_exact(&mut head[..at + 4])?,
                    None if count == 0 => return Err(ErrorKind::UnexpectedEof.into()),
                    None => return Err(ErrorKind::WouldBlock.into()),
                }
                self.layer = Layer::WebSocket(Frames::default());
                Ok(())
            }
            Layer::None | Layer::WebSocket(_) => Ok(()),
        }
    }

    /// Reads bytes of the wire. The end of the connection is an error.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Got> {
        match &mut self.layer {
            Layer::Tls(tls) => loop {
                match tls.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => receive(tls, &mut self.socket)?,
                    result => return some(result?, false),
                }
            },
            Layer::WebSocket(frames) => loop {
                let count = self.socket.read(buffer)?;
                let is_all = count < buffer.len();
                let count = some(count, is_all)?.bytes;
                let bytes = frames.strip(&mut buffer[..count]);
                if bytes > 0 || is_all {
                    return Ok(Got { bytes, is_all });
                }
            },
            Layer::None | Layer::Upgrade(_) => {
                let count = self.socket.read(buffer)?;
                some(count, count < buffer.len())
            }
        }
    }

    /// Writes bytes that are already in the messages of a WebSocket, if this is one.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.layer {
            Layer::Tls(tls) => {
                send(tls, &mut self.socket)?;
                tls.writer().write(bytes)
            }
            _ => self.socket.write(bytes),
        }
    }

    /// Sends what is encrypted already.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.layer {
            Layer::Tls(tls) => send(tls, &mut self.socket),
            _ => Ok(()),
        }
    }
}

fn some(bytes: usize, is_all: bool) -> io::Result<Got> {
    if bytes == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(Got { bytes, is_all }) }
}

fn send(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}

fn receive(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<()> {
    some(tls.read_tls(socket)?, false)?;
    tls.process_new_packets().map(drop).map_err(io::Error::other)
}

/// The frames of a server, which have no mask. Their headers are taken away, because servers that put several messages into a
/// frame do so as it comes, and members with the same messages would have different numbers of bytes.
#[derive(Debug, Default)]
struct Frames {
    /// A header that has begun.
    header: Vec<u8>,
    /// Bytes of the payload that are still to come.
    rest: usize,
}

impl Frames {
    /// Moves the payload to the front, and returns its length.
    fn strip(&mut self, bytes: &mut [u8]) -> usize {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            if self.rest == 0 {
                self.header.push(bytes[from]);
                from += 1;
                if let Some(length) = payload_length(&self.header) {
                    self.rest = length;
                    self.header.clear();
                }
                continue;
            }
            let count = self.rest.min(bytes.len() - from);
            bytes.copy_within(from..from + count, to);
            (from, to, self.rest) = (from + count, to + count, self.rest - count);
        }
        to
    }
}

/// The length of the payload behind this header, once it is whole (RFC 6455, section 5.2).
fn payload_length(header: &[u8]) -> Option<usize> {
    let (_, rest) = header.split_first()?;
    let (&length, rest) = rest.split_first()?;
    match length {
        126 => rest.first_chunk().map(|bytes| usize::from(u16::from_be_bytes(*bytes))),
        127 => rest.first_chunk().and_then(|bytes| usize::try_from(u64::from_be_bytes(*bytes)).ok()),
        length => Some(usize::from(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_the_same_wherever_the_frames_are_cut() {
        let long = [b'x'; 300];
        let stream =
            [b"\x81\x02hi".as_slice(), b"\x82\x00", b"\x82\x7e\x01\x2c", &long, b"\x82\x03you"].concat();
        for at in 0..=stream.len() {
            let mut frames = Frames::default();
            let mut heard = Vec::new();
            for piece in [&stream[..at], &stream[at..]] {
                let mut piece = piece.to_vec();
                let count = frames.strip(&mut piece);
                heard.extend_from_slice(&piece[..count]);
            }
            assert_eq!(heard, [b"hi".as_slice(), &long, b"you"].concat(), "cut at {at}");
        }
    }
}
