//! Many threads speak and read at once.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use chat_core::transport::{Attachment, Membership, Update};
use chat_core::{Heard, LocalMember, Room, RoomConfig};
use chat_proto::Entry;
use crossbeam_channel::Receiver;
use support::{NEVER, Time, in_time, local, room_with, show, text, waker};

const PORTS: usize = 4;
const SEATS: usize = 4;
const MESSAGES_EACH: u64 = 1_000;
const MESSAGES: u64 = (PORTS + SEATS) as u64 * MESSAGES_EACH;

/// What one reader has read.
#[derive(Default)]
struct Read {
    /// The newest message, read or missed.
    seq: u64,
    messages: BTreeMap<u64, String>,
    missed: u64,
}

impl Read {
    fn entry(&mut self, entry: &Entry) {
        if entry.event.is_message() {
            self.seq += 1;
            assert_eq!(entry.seq, self.seq, "the next message arrives");
            self.messages.insert(entry.seq, show(entry));
        }
    }

    fn skip(&mut self, messages: u64) {
        self.missed += messages;
        self.seq += messages;
    }
}

/// A transport with one member that speaks.
struct SpeakingAttachment {
    attachment: Attachment,
    woken: Receiver<()>,
    member: Membership,
    time: Time,
}

impl SpeakingAttachment {
    fn new(room: &Room, time: &Time, number: usize) -> Self {
        let (waker, woken) = waker();
        let attachment = room.attach(waker);
        let peer: std::net::SocketAddr = format!("127.0.0.1:{}", 1_000 + number).parse().unwrap();
        let member = attachment.join(0, peer, time.now()).unwrap().member;
        Self { attachment, woken, member, time: time.clone() }
    }

    /// Says a few messages, pulls, and waits when there is nothing to do, as an I/O thread does.
    fn run(mut self) -> Read {
        let (mut read, mut update, mut said) = (Read::default(), Update::default(), 0);
        while read.seq < MESSAGES {
            if said == MESSAGES_EACH {
                self.woken
                    .recv_timeout(NEVER)
                    .unwrap_or_else(|_| panic!("nobody woke us at message {}", read.seq));
            }
            while said < MESSAGES_EACH {
                let _said = self
                    .attachment
                    .say(self.member, text(&format!("number {said}")), self.time.now())
                    .unwrap();
                said += 1;
                if said % 7 == 0 {
                    break;
                }
            }
            self.attachment.pull(&mut update);
            if let Some(seq) = update.missed_up_to {
                read.skip(seq - read.seq);
            }
            update.entries.iter().for_each(|entry| read.entry(entry));
        }
        read
    }
}

/// One thread speaks through the local member while another listens.
fn run_local(local: &LocalMember) -> Read {
    let mut read = Read::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            for said in 0..MESSAGES_EACH {
                local.say(&format!("number {said}")).unwrap();
            }
        });
        while read.seq < MESSAGES {
            match local.recv_timeout(NEVER) {
                Ok(Heard::Entry(entry)) => read.entry(&entry),
                Ok(Heard::Missed(messages)) => read.skip(messages),
                Ok(other) => panic!("{other}"),
                Err(error) => panic!("at message {}: {error}", read.seq),
            }
        }
    });
    read
}

/// Lets everyone speak and read at once. Returns what each has read.
fn everyone_at_once(config: RoomConfig) -> Vec<Read> {
    let (room, time) = room_with(config);
    let attachments: Vec<_> =
        (0..PORTS).map(|number| SpeakingAttachment::new(&room, &time, number)).collect();
    let locals: Vec<_> = (0..SEATS).map(|number| local(&room, &format!("seat{number}"))).collect();
    let read = thread::scope(|scope| {
        let attachments: Vec<_> =
            attachments.into_iter().map(|attachment| scope.spawn(|| attachment.run())).collect();
        let locals: Vec<_> = locals.iter().map(|local| scope.spawn(|| run_local(local))).collect();
        attachments.into_iter().chain(locals).map(|reader| reader.join().unwrap()).collect()
    });
    assert_eq!(room.stats().messages, MESSAGES);
    read
}

#[test]
fn all_readers_get_every_message_in_one_order_while_all_speak() {
    let read = everyone_at_once(RoomConfig::default());
    for reader in &read {
        assert_eq!(reader.missed, 0);
        assert!(reader.messages == read[0].messages, "another order");
    }
    for author in ["127.0.0.1:1000", "127.0.0.1:1003", "seat0", "seat3"] {
        let own =
            read[0].messages.values().filter_map(|line| line.split_once(&format!("[{author}] number ")));
        let numbers: Vec<u64> = own.map(|(_, number)| number.parse().unwrap()).collect();
        assert_eq!(
            numbers,
            (0..MESSAGES_EACH).collect::<Vec<_>>(),
            "the messages of {author} in their order"
        );
    }
}

#[test]
fn readers_of_a_small_log_get_or_are_told_they_miss_every_message() {
    let config = RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN);
    let read = everyone_at_once(config);
    let mut order = BTreeMap::new();
    for reader in &read {
        assert_eq!(reader.messages.len() as u64 + reader.missed, MESSAGES);
        for (seq, line) in &reader.messages {
            assert_eq!(order.entry(seq).or_insert(line), &line, "the same message at the same place for all");
        }
    }
}

#[test]
fn local_members_that_wait_on_many_threads_hear_the_end() {
    let (room, time) = room_with(RoomConfig::default());
    let attachment = SpeakingAttachment::new(&room, &time, 0);
    let locals: Vec<_> = (0..SEATS).map(|number| local(&room, &format!("seat{number}"))).collect();
    let listen = |local: LocalMember| thread::spawn(move || std::iter::from_fn(|| local.recv().ok()).count());
    let listeners: Vec<_> = locals.into_iter().map(listen).collect();
    for _ in 0..100 {
        room.notice("hello").unwrap();
    }
    room.close("Good night", Duration::ZERO);
    drop(attachment);
    for listener in listeners {
        let heard = in_time(|| listener.join().unwrap());
        assert_eq!(heard, 100 + 1 + 1, "what was said, the farewell, and that the member left");
    }
}
