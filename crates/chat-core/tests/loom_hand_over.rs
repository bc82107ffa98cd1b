//! The hand-over between threads, in every order in which they can lock the room and sleep.
//!
//! This runs only with `--cfg loom`: `cargo xtask loom`. A reader that would sleep for ever is a deadlock, and the
//! model checker reports it with the schedule that leads to it. The channel is a model as well, so this does not test
//! crossbeam's channel.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::time::{Duration, Instant};

use chat_core::transport::{Attachment, Membership, Outcome, Update};
use chat_core::{Heard, LocalMember, Room, RoomClosed, RoomConfig, SayError, Waker, World};
use chat_proto::{Event, Hello, Resume, Text};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// Tries every order with at most three switches between threads that could have gone on.
fn in_every_order(test: impl Fn(Room, Instant) + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    let now = begin();
    model.check(move || {
        let world = World { clock: Box::new(move || now), unix_clock: Box::new(|| 0), seed: [7; 32] };
        test(Room::in_world(RoomConfig::default(), world), now);
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no other first instant; nothing depends on which it is"
)]
fn begin() -> Instant {
    Instant::now()
}

/// The place where a transport waits, as in a poll. A wake before the sleep ends the sleep at once.
#[derive(Default)]
struct Sleep {
    state: Mutex<Woken>,
    changed: Condvar,
}

#[derive(Default)]
struct Woken {
    is_woken: bool,
    times: usize,
}

impl Sleep {
    fn new() -> (Arc<Self>, Waker) {
        let sleep = Arc::new(Self::default());
        let wakes = Arc::clone(&sleep);
        let waker = Waker::new(move || {
            let mut state = wakes.state.lock().unwrap();
            state.is_woken = true;
            state.times += 1;
            drop(state);
            wakes.changed.notify_one();
        });
        (sleep, waker)
    }

    fn until_woken(&self) {
        let mut state = self.state.lock().unwrap();
        while !state.is_woken {
            state = self.changed.wait(state).unwrap();
        }
        state.is_woken = false;
    }

    fn times(&self) -> usize {
        self.state.lock().unwrap().times
    }
}

/// A transport without a medium that keeps the entries it has read.
struct Carrier {
    attachment: Attachment,
    sleep: Arc<Sleep>,
    pulls: usize,
    messages: Vec<String>,
    left: usize,
    dismissed: usize,
    is_closing: bool,
}

impl Carrier {
    fn new(room: &Room) -> Self {
        let (sleep, waker) = Sleep::new();
        let attachment = room.attach(waker);
        Self { attachment, sleep, pulls: 0, messages: Vec::new(), left: 0, dismissed: 0, is_closing: false }
    }

    fn join(&self, peer: &str, now: Instant) -> Membership {
        self.attachment.join(0, peer.parse::<std::net::SocketAddr>().unwrap(), now).unwrap().member
    }

    fn say(&self, member: Membership, text: &str, now: Instant) -> Result<u64, SayError> {
        match self.attachment.say(member, Text::one_line(text).unwrap(), now)?.outcome {
            Outcome::Accepted { seq } => Ok(seq),
            outcome => panic!("{outcome:?}"),
        }
    }

    fn pull(&mut self) {
        let mut update = Update::default();
        self.attachment.pull(&mut update);
        self.pulls += 1;
        for entry in &update.entries {
            if entry.event.is_message() {
                self.messages.push(entry.event.to_string());
                assert_eq!(entry.seq, self.messages.len() as u64);
            }
            self.left += usize::from(matches!(entry.event, Event::Left { .. }));
        }
        self.dismissed += update.dismissed.len();
        self.is_closing = update.closing.is_some();
    }

    /// Sleeps and pulls until it has read this many messages.
    fn read(&mut self, messages: usize) {
        while self.messages.len() < messages {
            self.sleep.until_woken();
            self.pull();
        }
    }
}

#[test]
fn a_reader_that_sleeps_until_it_is_woken_gets_every_message_and_no_wake_too_many() {
    in_every_order(|room, now| {
        let (speaker, mut reader) = (Carrier::new(&room), Carrier::new(&room));
        let member = speaker.join("192.0.2.1:1", now);
        let one = thread::spawn(move || {
            speaker.say(member, "one", now).unwrap();
            speaker.say(member, "two", now).unwrap();
            speaker
        });
        let other = thread::spawn(move || room.notice("three").unwrap());
        reader.read(3);
        let _speaker = one.join().unwrap();
        other.join().unwrap();
        // The reader pulls only when it was woken.
        assert_eq!(reader.sleep.times(), reader.pulls);
        assert_eq!(reader.messages.len(), 3);
    });
}

#[test]
fn a_reader_that_pulls_before_its_wake_is_woken_for_later_messages() {
    in_every_order(|room, _| {
        let mut reader = Carrier::new(&room);
        let speaker = thread::spawn(move || {
            room.notice("one").unwrap();
            room.notice("two").unwrap();
        });
        reader.pull();
        reader.pull();
        reader.read(2);
        speaker.join().unwrap();
        assert!(reader.sleep.times() <= reader.pulls + 1, "one for all between two pulls");
    });
}

#[test]
fn two_attachments_that_speak_and_read_at_once_see_one_order() {
    in_every_order(|room, now| {
        let turn = move |room: &Room, peer: &str| {
            let mut carrier = Carrier::new(room);
            let member = carrier.join(peer, now);
            carrier.say(member, "hello", now).unwrap();
            carrier.pull(); // at the end of its own turn, in which nothing wakes it
            carrier.read(2);
            carrier.messages
        };
        let other_room = room.clone();
        let other = thread::spawn(move || turn(&other_room, "192.0.2.2:2"));
        let messages = turn(&room, "192.0.2.1:1");
        assert_eq!(messages, other.join().unwrap());
    });
}

#[test]
fn a_room_that_closes_reaches_a_sleeping_attachment_and_a_waiting_local_member() {
    in_every_order(|room, _| {
        let mut carrier = Carrier::new(&room);
        let local = room.join("bot").unwrap();
        let attachment = thread::spawn(move || {
            while !carrier.is_closing {
                carrier.sleep.until_woken();
                carrier.pull();
            }
            carrier.messages.clone()
        });
        let listener = thread::spawn(move || listen(&local));
        room.close("farewell", Duration::ZERO);
        assert_eq!(attachment.join().unwrap(), ["[*] farewell"]);
        assert_eq!(listener.join().unwrap(), 1);
    });
}

#[test]
fn two_threads_that_listen_at_one_local_member_share_its_messages_and_both_hear_the_end() {
    in_every_order(|room, _| {
        let local = std::sync::Arc::new(room.join("bot").unwrap());
        let other_local = std::sync::Arc::clone(&local);
        let other = thread::spawn(move || listen(&other_local));
        let speaker = thread::spawn(move || {
            room.notice("one").unwrap();
            room.close("farewell", Duration::ZERO);
        });
        let heard = listen(&local);
        assert_eq!(heard + other.join().unwrap(), 2);
        speaker.join().unwrap();
    });
}

/// Listens until the end. Returns how many messages this thread has heard.
fn listen(local: &LocalMember) -> usize {
    let mut messages = 0;
    loop {
        match local.recv() {
            Ok(Heard::Entry(entry)) => messages += usize::from(entry.event.is_message()),
            Ok(other) => panic!("the log is large, and this member has no direct items: {other}"),
            Err(RoomClosed) => return messages,
        }
    }
}

#[test]
fn a_member_that_is_kicked_while_its_attachment_goes_leaves_once() {
    in_every_order(|room, now| {
        let (mut witness, leaving) = (Carrier::new(&room), Carrier::new(&room));
        leaving.join("192.0.2.1:1", now);
        let gone = thread::spawn(move || drop(leaving));
        let kicked = room.kick("192.0.2.1:1".parse().unwrap(), "why not");
        gone.join().unwrap();
        witness.sleep.until_woken();
        witness.pull();
        assert_eq!(witness.left, 1, "{kicked:?}");
    });
}

#[test]
fn nothing_of_the_old_connection_is_said_once_a_session_is_resumed() {
    in_every_order(|room, now| {
        let (mut old_port, new_port) = (Carrier::new(&room), Carrier::new(&room));
        let address = "192.0.2.1:1".parse().unwrap();
        let welcomed = old_port.attachment.welcome(0, address, &Hello::default(), now, now).unwrap();
        let (old, first) = (welcomed.member, welcomed.welcome);
        old_port.pull();
        let resumed = thread::spawn(move || {
            let resume = Some(Resume { epoch: first.epoch, session: first.session, have: 0, direct: 0 });
            let hello = Hello { resume, ..Hello::default() };
            let address = "192.0.2.1:2".parse().unwrap();
            let welcome = new_port.attachment.welcome(0, address, &hello, now, now).unwrap().welcome;
            (welcome.taken, new_port)
        });
        let said = old_port.say(old, "the last word", now);
        while old_port.dismissed == 0 {
            old_port.sleep.until_woken();
            old_port.pull();
        }
        let (taken, _new_port) = resumed.join().unwrap();
        match said {
            Ok(_) => assert_eq!(taken, Some(1), "the welcome says that it is taken, so it is not said again"),
            Err(error) => assert_eq!((error, taken), (SayError::NotMember, Some(0))),
        }
    });
}
