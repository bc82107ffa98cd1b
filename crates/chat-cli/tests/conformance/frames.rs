//! A framed peer, made of a socket and `chat-proto`.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_proto::{
    Entry, Event, FrameDecoder, Hello, LeaveReason, MemberFrame, PREFACE, PrefaceDecoder, RoomFrame, Welcome,
};
use chat_testkit::uninterrupted;

use crate::support::{PATIENCE, Server};

pub(crate) struct Framed {
    pub(crate) socket: TcpStream,
    pub(crate) name: String,
    preface: Option<PrefaceDecoder>,
    decoder: FrameDecoder,
    got: VecDeque<RoomFrame>,
}

impl Framed {
    /// A peer that has connected and sent nothing yet.
    pub(crate) fn connect(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        let name = socket.local_addr().unwrap().to_string();
        let preface = Some(PrefaceDecoder::new());
        Self { socket, name, preface, decoder: FrameDecoder::new(), got: VecDeque::new() }
    }

    pub(crate) fn join(server: &Server) -> (Self, Welcome) {
        Self::join_with(server, Hello::default())
    }

    pub(crate) fn join_with(server: &Server, hello: Hello) -> (Self, Welcome) {
        let mut peer = Self::connect(server);
        peer.send_bytes(&opening(hello));
        let welcome = peer.welcome();
        (peer, welcome)
    }

    pub(crate) fn welcome(&mut self) -> Welcome {
        match self.next() {
            Some(RoomFrame::Welcome(welcome)) => *welcome,
            other => panic!("not a welcome: {other:?}"),
        }
    }

    pub(crate) fn send(&mut self, frame: &MemberFrame) {
        self.send_bytes(&encoded(frame));
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.send(&say(text));
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server reads");
    }

    /// The next frame, or `None` at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<RoomFrame> {
        let mut buffer = [0; 64 * 1024];
        while self.got.is_empty() {
            let count = match uninterrupted(|| self.socket.read(&mut buffer)) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
                result => result.expect("something comes in time"),
            };
            let mut bytes = &buffer[..count];
            if bytes.is_empty() {
                return None;
            }
            if let Some(preface) = &mut self.preface {
                match preface.next(&mut bytes).expect("the server's preface comes first") {
                    Some(version) => assert_eq!(version, PREFACE[5]),
                    None => continue,
                }
                self.preface = None;
            }
            while let Some(frame) = self.decoder.next(&mut bytes).expect("the server frames well") {
                self.got.push_back(frame);
            }
        }
        self.got.pop_front()
    }

    /// The next frame, which must be an entry of any kind.
    pub(crate) fn entry(&mut self) -> Arc<Entry> {
        match self.next() {
            Some(RoomFrame::Entry(entry)) => entry,
            other => panic!("not an entry: {other:?}"),
        }
    }

    /// The next message. Joins and leaves before it are skipped.
    pub(crate) fn message(&mut self) -> Arc<Entry> {
        loop {
            let entry = self.entry();
            if entry.event.is_message() {
                return entry;
            }
        }
    }

    /// The texts of messages up to and including `last`.
    pub(crate) fn texts_until(&mut self, last: &str) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        while texts.last().is_none_or(|text| text != last) {
            texts.push(text(&self.message().event));
        }
        texts
    }

    /// Reads up to the goodbye, which must be followed by the end of the connection. Returns the reason.
    pub(crate) fn bye(&mut self) -> LeaveReason {
        loop {
            match self.next() {
                Some(RoomFrame::Bye(reason)) => {
                    assert_eq!(self.next(), None, "nothing follows a goodbye");
                    return reason;
                }
                Some(_) => {}
                None => panic!("the end without a goodbye"),
            }
        }
    }
}

/// The preface and a hello.
pub(crate) fn opening(hello: Hello) -> Vec<u8> {
    [&PREFACE[..], &encoded(&MemberFrame::Hello(hello))].concat()
}

pub(crate) fn encoded(frame: &MemberFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// A message of a member. Each has a greater number than those made before.
pub(crate) fn say(text: &str) -> MemberFrame {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    MemberFrame::Say { number, text: text.parse().expect("clean") }
}

pub(crate) fn text(event: &Event) -> String {
    match event {
        Event::Said { text, .. } => text.to_string(),
        other => panic!("not a message: {other:?}"),
    }
}
