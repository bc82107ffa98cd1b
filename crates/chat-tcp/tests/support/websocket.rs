//! WebSocket, as a browser speaks it.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use chat_core::Room;
use chat_proto::{LeaveReason, Text};
use chat_tcp::chat_stream::Web;
use chat_tcp::{TcpConfig, TcpServer, TcpTransport};
use chat_testkit::conformance::{Heard, Medium, Peer, Promises};
use serde_json::{Value, json};

pub(crate) struct WebSocket;

pub(crate) struct WebPeer {
    socket: TcpStream,
    unread: Vec<u8>,
    /// Whether the answer to its request has been read.
    is_open: bool,
    /// Messages that it has said.
    said: u64,
}

impl Medium for WebSocket {
    type Transport = TcpTransport;
    type Address = SocketAddr;
    type Peer = WebPeer;

    fn promises(&self) -> Promises {
        Promises::default().with_unread_bytes_max(super::UNREAD_BYTES_MAX)
    }

    fn open(&self, room: &Room) -> (TcpTransport, SocketAddr) {
        let config = TcpConfig::default().with_threads(1).with_web(Web::new());
        let server = TcpServer::bind("127.0.0.1:0", room, &config).unwrap();
        let address = server.local_addr();
        (server.into_transports().pop().unwrap(), address)
    }

    fn connect(&self, address: &SocketAddr) -> WebPeer {
        let mut socket = super::connect(*address);
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let bytes = [request.into_bytes(), message(&json!({ "type": "hello" }))].concat();
        let _refused = socket.write_all(&bytes);
        WebPeer { socket, unread: Vec::new(), is_open: false, said: 0 }
    }
}

/// A text message of a client. Its mask is zero, so it changes nothing.
fn message(object: &Value) -> Vec<u8> {
    let text = object.to_string();
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x81, 0x80 | 126], &length[..], &[0; 4], text.as_bytes()].concat()
}

impl WebPeer {
    /// The next object, if it has arrived as a whole.
    fn object(&mut self) -> Option<Value> {
        if !self.is_open {
            let end = self.unread.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
            assert!(self.unread.starts_with(b"HTTP/1.1 101 "));
            self.unread.drain(..end);
            self.is_open = true;
        }
        let (&first, &short) = (self.unread.first()?, self.unread.get(1)?);
        let (begin, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes([*self.unread.get(2)?, *self.unread.get(3)?]))),
            short => (2, usize::from(short)),
        };
        let payload = self.unread.get(begin..begin + length)?.to_vec();
        self.unread.drain(..begin + length);
        Some(if first == 0x81 { serde_json::from_slice(&payload).unwrap() } else { Value::Null })
    }

    /// What the next object tells a person, if it tells anything.
    fn next(&mut self) -> Option<Heard> {
        loop {
            let object = self.object()?;
            let text = |field: &str| object[field].as_str().unwrap().to_owned();
            match object["type"].as_str() {
                Some("message") => {
                    return Some(Heard::Line(format!("[{}] {}", text("author"), text("text"))));
                }
                Some("private") => {
                    return Some(Heard::Line(format!("[{} -> you] {}", text("author"), text("text"))));
                }
                Some("sent") => {
                    return Some(Heard::Line(format!("[you -> {}] {}", text("to"), text("text"))));
                }
                Some("notice") => return Some(Heard::Line(format!("[*] {}", text("text")))),
                Some("not_said") => return Some(Heard::Line(format!("[*] Not said: {}", text("why")))),
                Some("missed") => return Some(Heard::Missed(object["messages"].as_u64().unwrap())),
                Some("ended") => return Some(Heard::Closed(text("reason"))),
                _ => {}
            }
        }
    }
}

impl Peer for WebPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        let mut bytes = Vec::new();
        for text in Text::split(line) {
            self.said += 1;
            let kind = if text.as_str().starts_with('/') { "command" } else { "say" };
            bytes.extend(message(&json!({ "type": kind, "text": text.as_str(), "number": self.said })));
        }
        super::write(&mut self.socket, &bytes, deadline)
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            if let Some(heard) = self.next() {
                return Some(heard);
            }
            let mut buffer = [0; 1024];
            self.socket.set_read_timeout(Some(super::left(deadline))).unwrap();
            match super::read(&mut self.socket, &mut buffer, deadline)? {
                0 => return Some(Heard::End),
                count => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn end(mut self) {
        self.socket.write_all(&message(&json!({ "type": "bye" }))).unwrap();
        // Closing with unread bytes would reset the connection and lose the goodbye.
        let deadline = super::now() + Duration::from_secs(30);
        while self.hear(deadline).is_some_and(|heard| heard != Heard::Closed(LeaveReason::Quit.to_string())) {
        }
    }

    fn vanish(self) {
        super::reset(&self.socket);
    }
}
