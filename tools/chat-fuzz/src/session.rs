//! The client side of a UDP session and the conversation on top: a hostile server acts on one [`ClientSession`].

use std::sync::Arc;
use std::time::Duration;

use chat_core::ClientEvent;
use chat_core::client::Conversation;
use chat_proto::limits::DATAGRAM_BYTES_MAX;
use chat_proto::{
    Author, Cookie, Direct, DirectItem, Entry, Event, LeaveReason, MemberDatagram, MemberFrame, MemberId,
    Origin, PREFACE, PeerAddr, Present, RoomDatagram, RoomFrame, SessionId, Text, encode_direct,
};
use chat_testkit::VirtualTime;
use chat_udp::{ClientSession, SessionEnd};

use crate::choices::Choices;
use crate::memory_limit;

const NONCE: u64 = 7;
const SESSION: SessionId = SessionId::new(9);

/// The most that a session and its conversation may hold: the window of entries that arrived too early, a thousand
/// frames that wait for the user, and a thousand messages that wait for the server.
const HELD_BYTES_MAX: usize = 4 << 20;

/// A client sends fewer datagrams than this after one step. At most it sends every message that it keeps in a datagram
/// of its own.
const DATAGRAMS_PER_STEP_MAX: usize = 4_000;

/// How long a client may wait for a silent server: until its keep-alive, for the answer to it, and for a goodbye.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a session. The bytes are the choices of what happens to it.
pub fn session(bytes: &[u8]) {
    memory_limit::at_most(HELD_BYTES_MAX, || {
        let mut choices = Choices::new(bytes);
        let mut run = Run::new();
        if choices.yes() {
            run.receive(&RoomDatagram::Retry { nonce: NONCE, cookie: Cookie([1; 12]) });
            run.settle();
            run.welcome(&mut choices);
            run.settle();
        }
        while !choices.is_empty() {
            run.step(&mut choices);
            run.settle();
        }
        run.fall_silent();
    });
}

struct Run {
    time: VirtualTime,
    session: ClientSession,
    conversation: Conversation,
    last: Vec<u8>,
    /// What the user has read so far.
    reading: Reading,
    /// True while the user reads nothing.
    is_busy: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Nothing,
    /// The welcome, and possibly entries. A hostile server may send anything as entries.
    Log,
    /// The goodbye.
    End,
}

impl Run {
    fn new() -> Self {
        let time = VirtualTime::default();
        let conversation = Conversation::new(20);
        let session = ClientSession::new(NONCE, conversation.hello(), time.now());
        Self { time, session, conversation, last: Vec::new(), reading: Reading::Nothing, is_busy: false }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let session = if choices.below(16) == 1 { SessionId::new(choices.number()) } else { SESSION };
        match choices.below(20) {
            0 => {
                let length = usize::from(choices.byte());
                let bytes = choices.bytes(length).to_vec();
                self.receive_bytes(bytes);
            }
            1 => self.receive(&RoomDatagram::Retry { nonce: NONCE, cookie: Cookie([choices.byte(); 12]) }),
            2 => self.welcome(choices),
            3 => self.receive(&RoomDatagram::Refused { nonce: NONCE, reason: LeaveReason::RoomFull }),
            4..=6 => {
                let (taken, slot) = (choices.number(), choices.number());
                let entries = entries(choices);
                self.receive(&RoomDatagram::Entries { session, taken, slot, entries: &entries });
            }
            7 => {
                let (taken, slot, seq) = (choices.number(), choices.number(), choices.number());
                let head = choices.number();
                let entries = entries(choices);
                self.receive(&RoomDatagram::Lagged { session, taken, slot, seq, head, entries: &entries });
            }
            8 => self.receive(&RoomDatagram::Challenge { cookie: Cookie([choices.byte(); 12]) }),
            9 => {
                let authors = vec![peer().into()];
                let present = Present { members: u32::from(choices.byte()), authors, more: choices.yes() };
                self.receive(&RoomDatagram::Present { session, present });
            }
            10 => self.receive(&RoomDatagram::Bye { session, reason: LeaveReason::Stopping }),
            11 => {
                let mut changed = self.last.clone();
                let at = usize::from(choices.byte());
                if let Some(byte) = changed.get_mut(at) {
                    *byte = choices.byte();
                    self.receive_bytes(changed);
                }
            }
            12 => self.pass(Duration::from_millis(choices.number().min(100_000))),
            13 => self.skip_to_deadline(),
            14 => {
                for number in 0..choices.byte() {
                    let text = Text::one_line(&format!("message {number}")).expect("short");
                    drop(self.conversation.say(text));
                }
            }
            15 => self.session.send(MemberFrame::Who, self.time.now()),
            16 => self.is_busy = choices.yes(),
            17 => {
                let (after, items) = (choices.number(), items(choices));
                self.receive(&RoomDatagram::Direct { session, after, items: &items });
            }
            // A server of a later or an unknown version.
            18 => {
                let (version, kind, length) = (choices.below(4), choices.byte(), choices.below(40));
                let mut bytes = PREFACE.to_vec();
                bytes[5] = if version == 3 { choices.byte() } else { bytes[5] };
                bytes.push(kind);
                bytes.extend_from_slice(choices.bytes(length));
                self.receive_bytes(bytes);
            }
            _ => match choices.below(4) {
                0 => self.session.send(MemberFrame::Bye, self.time.now()),
                1 => self.session.refused(),
                _ => self.receive_bytes(self.last.clone()),
            },
        }
    }

    fn welcome(&mut self, choices: &mut Choices<'_>) {
        let (slot, seq) = (choices.number(), choices.number());
        let mut welcome = chat_testkit::welcome(peer().as_socket_addr());
        (welcome.session.since, welcome.head, welcome.began_unix_ms) =
            (seq, choices.number(), choices.number());
        (welcome.resumed, welcome.taken) = (choices.yes(), choices.yes().then(|| choices.number()));
        let welcome = Box::new(welcome);
        self.receive(&RoomDatagram::Welcome { nonce: NONCE, session: SESSION, slot, seq, welcome });
    }

    fn receive(&mut self, datagram: &RoomDatagram<'_>) {
        let mut bytes = Vec::new();
        datagram.encode(&mut bytes);
        assert_eq!(RoomDatagram::decode(&bytes).as_ref(), Ok(datagram), "read back as it was written");
        self.receive_bytes(bytes);
    }

    fn receive_bytes(&mut self, bytes: Vec<u8>) {
        self.session.receive(&bytes, self.time.now());
        self.last = bytes;
    }

    // ---- effects -------------------------------------------------------------------------------

    fn settle(&mut self) {
        while !self.is_busy
            && let Some(frame) = self.session.next_frame()
        {
            self.read(frame);
        }
        let now = self.time.now();
        let (mut out, mut datagrams) = (Vec::new(), 0);
        loop {
            while self.session.is_ready()
                && let Some(frame) = self.conversation.next_frame()
            {
                self.session.send(frame, now);
            }
            if !self.session.transmit(&mut out, now) {
                break;
            }
            datagrams += 1;
            assert!(datagrams < DATAGRAMS_PER_STEP_MAX, "there is no end to what is sent");
            assert!(out.len() <= DATAGRAM_BYTES_MAX);
            MemberDatagram::decode(&out).expect("the client knows how to say it");
        }
        assert!(self.session.deadline().is_none_or(|at| at > now), "what is due is done: {:?}", self.session);
    }

    fn read(&mut self, frame: RoomFrame) {
        self.reading = match (&self.reading, &frame) {
            (Reading::Nothing, RoomFrame::Welcome(_)) => Reading::Log,
            (
                Reading::Log,
                RoomFrame::Entry(_)
                | RoomFrame::Lagged(_)
                | RoomFrame::Present(_)
                | RoomFrame::Direct(_)
                | RoomFrame::Unknown { .. },
            ) => Reading::Log,
            (Reading::Log | Reading::Nothing, RoomFrame::Bye(_)) => Reading::End,
            (reading, frame) => panic!("{frame:?} after {reading:?}"),
        };
        let is_message = matches!(&frame, RoomFrame::Entry(entry) if entry.event.is_message());
        let mut shown = 0;
        self.conversation
            .receive(frame, |event| shown += u64::from(matches!(event, ClientEvent::Entry { .. })));
        assert!(shown <= 1 || !is_message, "a message is shown once");
    }

    fn pass(&mut self, duration: Duration) {
        self.time.advance_to(self.time.now() + duration);
    }

    fn skip_to_deadline(&mut self) {
        if let Some(deadline) = self.session.deadline() {
            self.time.advance_to(deadline);
        }
    }

    /// Lets the server fall silent, and checks that the user sees the session end.
    fn fall_silent(&mut self) {
        self.is_busy = false;
        self.settle();
        let until = self.time.now() + PATIENCE;
        while self.session.deadline().is_some_and(|at| at <= until) {
            self.skip_to_deadline();
            self.settle();
        }
        let end = self.session.end();
        assert!(end.is_some(), "{:?}", self.session);
        assert_eq!(self.reading == Reading::End, matches!(end, Some(SessionEnd::Dismissed(_))));
    }
}

/// Zero to four entries, encoded as in a datagram. The last one may be cut.
fn entries(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..choices.below(5) {
        let seq = choices.number();
        let event = match choices.below(4) {
            0 => Event::Joined { member: MemberId::new(choices.number()), author: peer().into(), members: 3 },
            1 => Event::Unknown { kind: choices.byte() | 0x40 },
            _ => {
                let text = Text::one_line(&"x".repeat(choices.below(200))).expect("short");
                let author = if choices.yes() { Author::Peer(peer()) } else { Author::Room };
                Event::Said {
                    from: Origin { member: MemberId::new(choices.below(3) as u64), number: choices.number() },
                    author,
                    text,
                }
            }
        };
        RoomFrame::Entry(Arc::new(Entry { seq, at_ms: 0, event })).encode(&mut bytes);
    }
    let cut = if choices.below(8) == 1 { choices.below(16) } else { 0 };
    bytes.truncate(bytes.len().saturating_sub(cut));
    bytes
}

/// Zero to four items of the direct lane, encoded as in a datagram.
fn items(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..choices.below(5) {
        let (number, text) = (choices.number(), Text::default());
        let item = match choices.below(4) {
            0 => DirectItem::Refused { number: choices.number(), why: text },
            1 => DirectItem::Unknown { kind: choices.byte() | 0x40 },
            2 => DirectItem::Private { from: MemberId::new(choices.number()), author: peer().into(), text },
            _ => DirectItem::Notice { text },
        };
        encode_direct(&Direct { number, item }, &mut bytes);
    }
    bytes
}

/// The member itself, as the room sees it.
fn peer() -> PeerAddr {
    PeerAddr::from(std::net::SocketAddr::from(([192, 0, 2, 1], 5)))
}
