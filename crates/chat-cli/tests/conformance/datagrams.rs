//! Peers over UDP, made of a socket and `chat-proto`.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat_proto::limits::DATAGRAM_BYTES_MAX;
use chat_proto::{
    Ack, Cookie, Entry, FrameDecoder, Hello, LeaveReason, MemberDatagram, RoomDatagram, RoomFrame, SessionId,
    Traffic, Welcome,
};
use chat_testkit::uninterrupted;
use socket2::SockRef;

use crate::frames::text;
use crate::support::{PATIENCE, Server};

/// A peer that has only a socket.
pub(crate) struct Plain {
    pub(crate) socket: UdpSocket,
    pub(crate) name: String,
}

impl Plain {
    pub(crate) fn new(server: &Server) -> Self {
        Self::at("127.0.0.1:0", server.address)
    }

    pub(crate) fn at(local: &str, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(local).unwrap();
        // The system drops datagrams that do not fit into the buffer, and nobody reads while the test waits for
        // something else.
        SockRef::from(&socket).set_recv_buffer_size(1024 * 1024).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = socket.local_addr().unwrap().to_string();
        Self { socket, name }
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        self.socket.send(bytes).unwrap();
    }

    pub(crate) fn send_datagram(&self, datagram: &MemberDatagram) {
        self.send(&encoded(datagram));
    }

    pub(crate) fn recv(&self) -> Vec<u8> {
        let mut buffer = [0; 64 * 1024];
        let count = uninterrupted(|| self.socket.recv(&mut buffer)).expect("a datagram comes in time");
        assert!(count <= DATAGRAM_BYTES_MAX);
        buffer[..count].to_vec()
    }

    pub(crate) fn recv_text(&self) -> String {
        String::from_utf8(self.recv()).expect("plain peers get UTF-8")
    }

    /// Reads lines, however datagrams hold them, until one is `last`.
    pub(crate) fn lines_until(&self, last: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.iter().any(|line| line == last) {
            lines.extend(self.recv_text().lines().map(str::to_owned));
        }
        lines
    }

    /// Asks for the cookie for a hello with this nonce.
    pub(crate) fn cookie(&self, nonce: u64) -> Cookie {
        self.send_datagram(&hello(nonce, None));
        match RoomDatagram::decode(&self.recv()) {
            Ok(RoomDatagram::Retry { nonce: echoed, cookie }) if echoed == nonce => cookie,
            other => panic!("no retry: {other:?}"),
        }
    }

    /// Everything that has been sent to this socket, up to the answer to a hello of its own.
    pub(crate) fn all_that_came(&self) -> Vec<Vec<u8>> {
        let nonce = fresh_nonce();
        self.send_datagram(&hello(nonce, None));
        let mut came = Vec::new();
        loop {
            let bytes = self.recv();
            if matches!(RoomDatagram::decode(&bytes), Ok(RoomDatagram::Retry { nonce: echoed, .. }) if echoed == nonce)
            {
                return came;
            }
            came.push(bytes);
        }
    }

    /// Fails if this socket has received anything that it has not read. It says hello and waits for the answer.
    /// Everything that was sent earlier would arrive before it.
    pub(crate) fn has_heard_nothing(&self) {
        self.cookie(fresh_nonce());
    }
}

/// A framed member.
pub(crate) struct Member {
    pub(crate) peer: Plain,
    pub(crate) session: SessionId,
    pub(crate) welcome: Welcome,
    /// The first slot that this member does not have yet.
    pub(crate) slot: u64,
    /// The room has handled this member's messages up to this number.
    pub(crate) taken: u64,
}

impl Member {
    pub(crate) fn join(server: &Server) -> Self {
        Self::join_with(server, Hello::default())
    }

    pub(crate) fn join_with(server: &Server, hello: Hello) -> Self {
        let peer = Plain::new(server);
        let nonce = fresh_nonce();
        let cookie = Some(peer.cookie(nonce));
        peer.send_datagram(&MemberDatagram::Hello { nonce, cookie, hello });
        let mut member = Self::welcomed(peer, nonce);
        member.acknowledge(true);
        member.next(); // reads the answer to the ping, after which it is a member
        member
    }

    /// Reads the welcome that answers a hello with this nonce.
    pub(crate) fn welcomed(peer: Plain, nonce: u64) -> Self {
        let bytes = peer.recv();
        match RoomDatagram::decode(&bytes) {
            Ok(RoomDatagram::Welcome { nonce: echoed, session, slot, welcome, .. }) if echoed == nonce => {
                Self { peer, session, welcome: *welcome, slot, taken: 0 }
            }
            other => panic!("no welcome: {other:?}"),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.peer.name
    }

    pub(crate) fn acknowledge(&self, ping: bool) {
        self.send_says(ping, 1, &[]);
    }

    /// Sends these texts as messages of this member, numbered from `first`.
    pub(crate) fn send_says(&self, ping: bool, first: u64, says: &[&str]) {
        let ack = Ack { next: self.slot, ..Ack::default() };
        let says = says.iter().map(|text| text.parse().expect("clean")).collect();
        let traffic = Traffic { ping, ack, first, says, ..Traffic::default() };
        self.peer.send_datagram(&MemberDatagram::Traffic { session: self.session, traffic });
    }

    /// Reads and decodes the next datagram. Entries that follow what the member has are taken.
    pub(crate) fn next(&mut self) -> Got {
        let bytes = self.peer.recv();
        let (skip, taken, slot, entries) = match RoomDatagram::decode(&bytes).expect("the server makes sense")
        {
            RoomDatagram::Entries { session, taken, slot, entries } => {
                assert_eq!(session, self.session);
                (None, taken, slot, entries)
            }
            RoomDatagram::Lagged { session, taken, slot, seq, head, entries } => {
                assert_eq!(session, self.session);
                (Some(Skip { seq, head }), taken, slot, entries)
            }
            RoomDatagram::Bye { session, reason } => {
                assert_eq!(session, self.session);
                return Got::Bye(reason);
            }
            RoomDatagram::Present { present, .. } => return Got::Present(present),
            other => panic!("not of a session: {other:?}"),
        };
        self.taken = self.taken.max(taken);
        let entries = frames(entries);
        let count = entries.len() as u64;
        let is_next = slot == self.slot || (skip.is_some() && slot > self.slot);
        if is_next {
            self.slot = slot + count;
        }
        Got::Entries { slot, skip, entries, is_next }
    }

    /// Reads the texts of messages in order and acknowledges each, up to and including `last`.
    pub(crate) fn texts_until(&mut self, last: &str) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        while texts.last().is_none_or(|text| text != last) {
            if let Got::Entries { entries, is_next: true, .. } = self.next() {
                let messages = entries.iter().filter(|entry| entry.event.is_message());
                texts.extend(messages.map(|entry| text(&entry.event)));
                self.acknowledge(false);
            }
        }
        texts
    }

    /// Reads up to the next goodbye. Returns its reason.
    pub(crate) fn bye(&mut self) -> LeaveReason {
        loop {
            if let Got::Bye(reason) = self.next() {
                return reason;
            }
        }
    }
}

/// What a member has received.
#[derive(Debug)]
pub(crate) enum Got {
    Entries {
        slot: u64,
        skip: Option<Skip>,
        entries: Vec<Arc<Entry>>,
        /// Whether they follow what the member had.
        is_next: bool,
    },
    Present(chat_proto::Present),
    Bye(LeaveReason),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) seq: u64,
    pub(crate) head: u64,
}

fn frames(mut bytes: &[u8]) -> Vec<Arc<Entry>> {
    let mut decoder = FrameDecoder::new();
    let mut entries = Vec::new();
    while let Some(frame) = decoder.next(&mut bytes).expect("whole frames") {
        match frame {
            RoomFrame::Entry(entry) => entries.push(entry),
            other => panic!("not an entry: {other:?}"),
        }
    }
    assert!(!decoder.is_unfinished(), "an entry is never cut");
    entries
}

pub(crate) fn hello(nonce: u64, cookie: Option<Cookie>) -> MemberDatagram {
    MemberDatagram::Hello { nonce, cookie, hello: Hello::default() }
}

pub(crate) fn encoded(datagram: &MemberDatagram) -> Vec<u8> {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    bytes
}

pub(crate) fn fresh_nonce() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
