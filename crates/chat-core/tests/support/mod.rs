//! A room in virtual time, a transport without a medium, and entries as lines for comparison.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]
#![allow(dead_code, reason = "every test file is a crate of its own and uses its part of this")]

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chat_core::transport::{Attachment, Joined, Membership, Outcome, Said, Update, Welcomed};
use chat_core::{Heard, LocalMember, Rate, Room, RoomConfig, SayError, Waker, World};
use chat_proto::{Entry, Event, Hello, LeaveReason, Session, Text, VERSION, Welcome};
use crossbeam_channel::{Receiver, bounded};

/// Time that passes only when the test says so.
#[derive(Clone)]
pub(crate) struct Time {
    began: Instant,
    passed_ms: Arc<AtomicU64>,
    set_ms: Arc<AtomicU64>,
}

impl Time {
    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other first instant; nothing depends on which it is"
    )]
    fn new() -> Self {
        Self { began: Instant::now(), passed_ms: Arc::default(), set_ms: Arc::default() }
    }

    pub(crate) fn now(&self) -> Instant {
        self.began + Duration::from_millis(self.passed_ms.load(Ordering::SeqCst))
    }

    /// The wall clock. It began at 1,000 s, and [`set_wall`](Self::set_wall) may have set it since.
    pub(crate) fn unix_ms(&self) -> u64 {
        1_000_000 + self.passed_ms.load(Ordering::SeqCst) + self.set_ms.load(Ordering::SeqCst)
    }

    /// Sets the wall clock this much ahead of its first setting.
    pub(crate) fn set_wall(&self, forward: Duration) {
        self.set_ms.store(u64::try_from(forward.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn pass(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap();
        self.passed_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

/// A world with the test's clocks.
pub(crate) fn world(time: &Time) -> World {
    let (clock, wall) = (time.clone(), time.clone());
    World {
        clock: Box::new(move || clock.now()),
        unix_clock: Box::new(move || wall.unix_ms()),
        seed: [7; 32],
    }
}

/// A room with the test's clock, epoch and keys.
pub(crate) fn room_with(config: RoomConfig) -> (Room, Time) {
    let time = Time::new();
    (Room::in_world(config, world(&time)), time)
}

pub(crate) fn room() -> (Room, Time) {
    room_with(RoomConfig::default())
}

/// A room with the smallest log possible.
pub(crate) fn small_room() -> (Room, Time) {
    room_with(RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN).with_rate(None))
}

pub(crate) fn rate(burst: u32, per_second: u32) -> Rate {
    Rate { burst: NonZeroU32::new(burst).unwrap(), per_second: NonZeroU32::new(per_second).unwrap() }
}

/// A transport that carries nothing anywhere and counts how often it is woken.
pub(crate) struct Carrier {
    pub(crate) attachment: Attachment,
    wakes: Arc<AtomicUsize>,
    time: Time,
}

impl Carrier {
    pub(crate) fn new(room: &Room, time: &Time) -> Self {
        let wakes = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&wakes);
        let waker = Waker::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
        });
        Self { attachment: room.attach(waker), wakes, time: time.clone() }
    }

    pub(crate) fn with_tag(room: &Room, time: &Time, tag: &'static str) -> Self {
        let carrier = Self::new(room, time);
        Self { attachment: carrier.attachment.with_tag(tag), ..carrier }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    pub(crate) fn try_join(&self, peer: &str) -> Result<Joined, chat_core::JoinError> {
        self.attachment.join(0, peer.parse::<std::net::SocketAddr>().unwrap(), self.time.now())
    }

    pub(crate) fn join(&self, peer: &str) -> Membership {
        self.try_join(peer).unwrap().member
    }

    pub(crate) fn welcome(&self, peer: &str, hello: &Hello) -> Welcomed {
        let now = self.time.now();
        self.attachment.welcome(0, peer.parse::<std::net::SocketAddr>().unwrap(), hello, now, now).unwrap()
    }

    pub(crate) fn try_say(&self, member: Membership, what: &str) -> Result<Said, SayError> {
        self.attachment.say(member, text(what), self.time.now())
    }

    pub(crate) fn say(&self, member: Membership, what: &str) -> u64 {
        match self.try_say(member, what).unwrap().outcome {
            Outcome::Accepted { seq } => seq,
            outcome => panic!("{outcome:?}"),
        }
    }

    pub(crate) fn leave(&self, member: Membership, reason: LeaveReason) {
        self.attachment.leave(member, reason, self.time.now());
    }

    pub(crate) fn pull(&mut self) -> Update {
        let mut update = Update::default();
        self.attachment.pull(&mut update);
        update
    }

    /// Pulls. Returns the new entries as lines.
    pub(crate) fn read(&mut self) -> Vec<String> {
        let update = self.pull();
        update.entries.iter().map(|entry| show(entry)).collect()
    }
}

pub(crate) fn text(text: &str) -> Text {
    Text::one_line(text).unwrap()
}

/// The welcome of a member with this session.
pub(crate) fn welcome(session: Session) -> Welcome {
    Welcome {
        version: VERSION,
        capabilities: 0,
        epoch: 1,
        session,
        resumed: false,
        taken: Some(0),
        you: "127.0.0.1:1".parse().unwrap(),
        address: text("127.0.0.1:1"),
        room: None,
        name: None,
        topic: None,
        head: session.since,
        began_unix_ms: 0,
        members: 1,
    }
}

pub(crate) fn local(room: &Room, name: &str) -> LocalMember {
    room.join(name).unwrap()
}

pub(crate) fn show(entry: &Entry) -> String {
    match &entry.event {
        Event::Said { author, text, .. } => format!("{} [{author}] {text}", entry.seq),
        Event::Joined { author, members, .. } => format!("{author} joined, {members} here"),
        Event::Left { author, reason, members, .. } => format!("{author} left ({reason}), {members} here"),
        other => format!("{} {other}", entry.seq),
    }
}

/// Everything that the local member has to hear now.
pub(crate) fn hear(local: &LocalMember) -> Vec<String> {
    std::iter::from_fn(|| local.try_recv().ok())
        .map(|heard| match heard {
            Heard::Entry(entry) => show(&entry),
            Heard::Missed(messages) => format!("missed {messages}"),
            other => other.to_string(),
        })
        .collect()
}

/// The numbers of the messages among `entries`.
pub(crate) fn seqs<'a>(entries: impl IntoIterator<Item = &'a Arc<Entry>>) -> Vec<u64> {
    entries.into_iter().filter(|entry| entry.event.is_message()).map(|entry| entry.seq).collect()
}

/// A test that waits this long has failed.
pub(crate) const NEVER: Duration = Duration::from_secs(60);

/// Returns what `result` returns, and fails instead of waiting for ever.
pub(crate) fn in_time<T: Send + 'static>(result: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, returned) = bounded(1);
    thread::spawn(move || done.send(result()));
    returned.recv_timeout(NEVER).expect("it panicked, or waits for something that does not come")
}

/// A waker, and a channel that has a token once the waker was called.
pub(crate) fn waker() -> (Waker, Receiver<()>) {
    let (wake, woken) = bounded(1);
    let waker = Waker::new(move || {
        let _full = wake.try_send(()); // then a token is there already
    });
    (waker, woken)
}

/// Messages that together do not fit into the smallest log.
pub(crate) fn flood(room: &Room) {
    for number in 0..1_000 {
        room.notice(&format!("flood {number}")).unwrap();
    }
}
