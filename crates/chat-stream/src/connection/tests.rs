//! Connections without sockets: bytes in, bytes out, and the tests move the clock.

mod commands;
mod framed;
mod lagging;
mod leaving;
mod memory;
mod moderation;
mod opening;
mod output;
mod plain;
mod undelimited;
#[cfg(feature = "web")]
mod web;

use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chat_core::transport::{Dismissed, FeedId, Feeds, Membership, Told};
use chat_core::{Heard, LocalMember, Room, RoomConfig, Waker, World};
use chat_proto::{
    Event, FrameDecoder, Hello, LeaveReason, MemberFrame, PREFACE, Resume, RoomFrame, Text, Welcome,
};

use super::Connection;
use crate::context::Context;
use crate::incoming::Offer;
use crate::limits::OPENING_GRACE;
use crate::stream::Speaks;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Bytes that may be said between two turns: about ten messages.
const ROOM: usize = 2_000;

/// A room, the feed of one I/O thread, and the clock of both.
struct Stage {
    room: Room,
    feeds: Feeds,
    /// Hears every entry of the room.
    witness: LocalMember,
    /// A member without a connection, to say messages that the others read.
    other: Membership,
    dismissed: Vec<Dismissed>,
    told: Vec<Told>,
    guests: u16,
    now: Instant,
}

/// A connection, and the socket it would have.
struct Guest {
    connection: Connection,
    address: String,
    wire: Wire,
    /// The connection asked to shut down our side.
    is_shut: bool,
    /// Writing to the guest has failed.
    is_gone: bool,
    told: usize,
}

/// Takes bytes like a socket: as many as it has room for.
struct Wire {
    taken: Vec<u8>,
    /// Bytes it takes before it would block.
    free: usize,
    /// Bytes it takes at once.
    bite: usize,
    broken: Option<ErrorKind>,
}

impl Stage {
    /// A room without a rate limit.
    fn new() -> Self {
        Self::with(RoomConfig::default().with_rate(None))
    }

    /// A room whose log is soon full.
    fn small() -> Self {
        Self::with(RoomConfig::default().with_rate(None).with_log_bytes_max(RoomConfig::LOG_BYTES_MIN))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other first instant; nothing depends on which it is"
    )]
    fn with(config: RoomConfig) -> Self {
        let now = Instant::now();
        let room = Room::in_world(
            config,
            World { clock: Box::new(move || now), unix_clock: Box::new(|| 0), seed: [7; 32] },
        );
        let feeds = Feeds::new(&room, Waker::new(|| {}), false);
        let other = feeds
            .feed(FeedId::FIRST)
            .attachment()
            .join(0, "192.0.2.99:9".parse::<std::net::SocketAddr>().unwrap(), now)
            .unwrap()
            .member;
        let witness = room.join("witness").unwrap();
        Self { room, feeds, witness, other, dismissed: Vec::new(), told: Vec::new(), guests: 0, now }
    }

    fn join(&mut self) -> Guest {
        self.guests += 1;
        let address = format!("192.0.2.1:{}", self.guests);
        let mut connection = Connection::new(address.parse().unwrap(), Offer::default(), self.now);
        self.with_context(|cx| connection.opened(Speaks::Any, OPENING_GRACE, cx));
        let wire = Wire { taken: Vec::new(), free: usize::MAX, bite: usize::MAX, broken: None };
        Guest { connection, address, wire, is_shut: false, is_gone: false, told: 0 }
    }

    /// A guest that has sent these first bytes.
    fn guest_who_said(&mut self, first: &[u8]) -> Guest {
        let mut guest = self.join();
        self.hear(&mut guest, first);
        guest
    }

    /// A framed guest that has read its welcome.
    fn framed_guest(&mut self) -> (Guest, Welcome) {
        let mut guest = self.guest_who_said(&opening(None));
        match &self.read_frames(&mut guest)[..] {
            [RoomFrame::Welcome(welcome)] => (guest, Welcome::clone(welcome)),
            other => panic!("a welcome was expected, and no more: {other:?}"),
        }
    }

    /// A plain guest that has read everything and is silent.
    fn listener(&mut self) -> Guest {
        let mut guest = self.join();
        self.pass(&mut guest, SECOND);
        assert_eq!(self.read(&mut guest), "");
        guest
    }

    fn with_context<T>(&mut self, act: impl FnOnce(&mut Context<'_>) -> T) -> T {
        act(&mut Context {
            feeds: &mut self.feeds,
            at: FeedId::FIRST,
            key: 1,
            now: self.now,
            room_left: ROOM,
            line_left: usize::MAX,
        })
    }

    fn pull(&mut self) {
        let feed = self.feeds.feed_mut(FeedId::FIRST);
        feed.pull();
        self.dismissed.extend(std::iter::from_fn(|| feed.take_dismissed()));
        self.told.extend(std::iter::from_fn(|| feed.take_told()));
    }

    /// The guest sends `bytes`, which arrive in one read.
    fn hear(&mut self, guest: &mut Guest, bytes: &[u8]) {
        assert!(guest.connection.wants_bytes(), "a connection that wants no bytes is not read from");
        self.with_context(|cx| guest.connection.receive(bytes, cx));
        self.pull();
    }

    /// The guest has shut down its side.
    fn hear_end(&mut self, guest: &mut Guest) {
        self.with_context(|cx| guest.connection.end_of_input(cx));
    }

    fn say(&mut self, text: &str) {
        let _said = self
            .feeds
            .feed(FeedId::FIRST)
            .attachment()
            .say(self.other, Text::one_line(text).unwrap(), self.now)
            .unwrap();
    }

    /// Serves the guest like a turn of the poll loop, as far as its socket takes bytes.
    fn serve(&mut self, guest: &mut Guest) {
        self.pull();
        for Told { member, direct, .. } in std::mem::take(&mut self.told) {
            if guest.connection.member() == Some(member) {
                guest.connection.tell(direct, 0, self.now);
            }
        }
        self.dismissed.retain(|Dismissed { member, reason, .. }| {
            let is_it = guest.connection.member() == Some(*member);
            if is_it {
                guest.connection.dismiss(reason, self.now);
            }
            !is_it
        });
        match self.with_context(|cx| guest.connection.flush(cx, &mut guest.wire)) {
            Ok(shut) => guest.is_shut |= shut,
            Err(_) => guest.is_gone = true,
        }
        if guest.connection.has_backlog() {
            self.with_context(|cx| guest.connection.receive_backlog(cx));
        }
    }

    /// Serves the guest; returns the bytes it has got since the last time.
    fn read_bytes(&mut self, guest: &mut Guest) -> Vec<u8> {
        self.serve(guest);
        let got = guest.wire.taken[guest.told..].to_vec();
        guest.told = guest.wire.taken.len();
        got
    }

    fn read(&mut self, guest: &mut Guest) -> String {
        String::from_utf8(self.read_bytes(guest)).expect("plain guests get UTF-8")
    }

    fn read_frames(&mut self, guest: &mut Guest) -> Vec<RoomFrame> {
        frames(&self.read_bytes(guest))
    }

    /// Moves the clock; the guest's connection does the work that becomes due.
    fn pass(&mut self, guest: &mut Guest, duration: Duration) {
        let until = self.now + duration;
        for _ in 0..1_000 {
            let due = guest.connection.deadline().filter(|&deadline| deadline <= until);
            let Some(deadline) = due.filter(|_| !guest.connection.is_done()) else {
                self.now = until;
                return;
            };
            self.now = self.now.max(deadline);
            self.with_context(|cx| guest.connection.on_deadline(cx));
        }
        panic!("the deadline does not move: {:?}", guest.connection);
    }

    /// The room's entries since the last time: messages, and leaves in round brackets.
    fn heard(&self) -> Vec<String> {
        let entries = std::iter::from_fn(|| self.witness.try_recv().ok()).map(|heard| match heard {
            Heard::Entry(entry) => entry,
            other => panic!("the witness hears all, and is told nothing: {other}"),
        });
        let lines = entries.filter_map(|entry| match &entry.event {
            Event::Said { author, text, .. } => Some(format!("[{author}] {text}")),
            Event::Left { author, reason, .. } => Some(format!("({author} left: {reason})")),
            _ => None,
        });
        lines.collect()
    }

    /// The texts that the room has heard since the last time.
    fn texts(&self) -> Vec<String> {
        let heard = self.heard().into_iter();
        heard.map(|line| line.split_once("] ").expect("nobody left").1.to_owned()).collect()
    }
}

impl Guest {
    /// The one line that the room hears when the guest leaves for `reason`.
    fn left(&self, reason: &LeaveReason) -> Vec<String> {
        vec![format!("({} left: {reason})", self.address)]
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(broken) = self.broken {
            return Err(broken.into());
        }
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let count = bytes.len().min(self.bite).min(self.free);
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.free -= count;
        self.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first bytes of a framed guest.
fn opening(resume: Option<Resume>) -> Vec<u8> {
    opening_with(Hello { resume, ..Hello::default() })
}

fn opening_with(hello: Hello) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    MemberFrame::Hello(hello).encode(&mut bytes);
    bytes
}

/// A message of a framed guest. Each has a greater number than the ones made before it.
fn say_frame(text: &str) -> Vec<u8> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + 1;
    encoded(&MemberFrame::Say { number, text: Text::one_line(text).unwrap() })
}

fn encoded(frame: &MemberFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// The frames in `bytes`, after a preface or in the middle of a session.
fn frames(bytes: &[u8]) -> Vec<RoomFrame> {
    let mut input = bytes.strip_prefix(&PREFACE).unwrap_or(bytes);
    let mut decoder = FrameDecoder::new();
    let frames: Vec<_> = std::iter::from_fn(|| decoder.next(&mut input).expect("whole frames")).collect();
    assert!(!decoder.is_unfinished(), "the last frame is torn: {bytes:?}");
    frames
}

/// The lines of the messages among `frames`.
fn lines(frames: &[RoomFrame]) -> Vec<String> {
    let lines = frames.iter().filter_map(|frame| match frame {
        RoomFrame::Entry(entry) => match &entry.event {
            Event::Said { author, text, .. } => Some(format!("[{author}] {text}")),
            _ => None,
        },
        _ => None,
    });
    lines.collect()
}
