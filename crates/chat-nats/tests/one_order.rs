//! Two chat servers in this process, with real NATS servers between them.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::thread;

use chat_core::journal::{Filter, Page};
use chat_core::transport::{Attachment, Outcome, Welcomed};
use chat_core::{Heard, JoinError, LocalMember, Text};
use support::{Server, nats, now, page, resume, welcome};

fn say(carrier: &Attachment, welcomed: &Welcomed, number: u64, text: &str) -> Outcome {
    carrier.say_numbered(welcomed.member, number, Text::one_line(text).unwrap(), now()).unwrap().outcome
}

/// Says `what` with the numbers 1, 2, 3, … after it.
fn say_all(local: &LocalMember, what: &str, count: u64) {
    for number in 1..=count {
        local.say(&format!("{what}{number}")).unwrap();
    }
}

/// The next message, as `seq text`.
fn next(local: &LocalMember) -> String {
    loop {
        if let Heard::Entry(entry) = local.recv().unwrap()
            && entry.event.is_message()
        {
            return format!("{} {}", entry.seq, entry.event);
        }
    }
}

fn hear_count(local: &LocalMember, count: usize) -> Vec<String> {
    std::iter::repeat_with(|| next(local)).take(count).collect()
}

/// The next messages, up to one that ends with this text.
fn hear(local: &LocalMember, until: &str) -> Vec<String> {
    let mut heard = vec![next(local)];
    while !heard.last().is_some_and(|text| text.ends_with(until)) {
        heard.push(next(local));
    }
    heard
}

fn texts(page: &Page) -> Vec<String> {
    page.messages.iter().map(|kept| format!("{} {}", kept.seq, kept.event)).collect()
}

#[test]
fn members_of_two_servers_read_one_order_with_the_same_numbers() {
    let Some(nats) = nats("one-order", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (ann, bob) = (one.room.join("ann").unwrap(), other.room.join("bob").unwrap());
    thread::scope(|scope| {
        for local in [&ann, &bob] {
            scope.spawn(|| say_all(local, "", 500));
        }
    });
    let (by_ann, by_bob) = (hear_count(&ann, 1_000), hear_count(&bob, 1_000));
    assert_eq!(by_ann, by_bob);
    for (place, text) in by_ann.iter().enumerate() {
        assert!(text.starts_with(&format!("{} ", place + 1)), "no number is left out: {text}");
    }
    for name in ["ann", "bob"] {
        let said =
            by_ann.iter().filter_map(|text| text.split_once(&format!("[{name}] "))?.1.parse::<u64>().ok());
        assert!(said.eq(1..=500), "each once, and in order");
    }
    let late = Server::new(&nats);
    let late = page(|| late.room.history(u64::MAX, 300));
    assert_eq!(texts(&late), by_ann[700..], "a server that comes later has the same");
}

#[test]
fn a_session_goes_on_at_another_server() {
    let Some(nats) = nats("session", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (first, second) = (one.carrier(), other.carrier());
    let bob = other.room.join("bob").unwrap();
    let session = welcome(&first, None).unwrap();
    assert_eq!(say(&first, &session, 1, "one"), Outcome::Submitted);
    hear(&bob, "one");
    let moved = welcome(&second, resume(&session, 1)).unwrap();
    assert!(moved.welcome.resumed && moved.welcome.taken == Some(1));
    assert_eq!(moved.welcome.session.member, session.welcome.session.member);
    assert_eq!(say(&second, &moved, 1, "one"), Outcome::Repeated);
    assert_eq!(say(&second, &moved, 2, "two"), Outcome::Submitted);
    assert_eq!(hear(&bob, "two"), ["2 [192.0.2.1:5] two"]);

    // The second number has come back here, too. So a client that returns says it in vain.
    let back = loop {
        match welcome(&first, resume(&moved, 2)) {
            Err(JoinError::Behind) => thread::yield_now(),
            back => break back.unwrap(),
        }
    };
    assert_eq!(back.welcome.taken, Some(2));
    let ahead = welcome(&first, resume(&back, 100));
    assert_eq!(ahead.unwrap_err(), JoinError::Behind, "it has read what is not here yet");

    let stranger = Server::with_secret(&nats, 8);
    let refused = welcome(&stranger.carrier(), resume(&session, 1)).unwrap();
    assert!(!refused.welcome.resumed, "another secret makes other keys");
}

#[test]
fn a_message_that_is_said_through_two_servers_is_said_once() {
    let Some(nats) = nats("said-twice", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (first, second) = (one.carrier(), other.carrier());
    let bob = other.room.join("bob").unwrap();
    let session = welcome(&first, None).unwrap();
    // The first server dies before its client learns that the message was taken.
    let moved = welcome(&second, resume(&session, 0)).unwrap();
    for number in 1..=50 {
        let text = Text::one_line(&format!("message {number}")).unwrap();
        // Once the first server hears that the session has moved, it takes nothing more of it.
        let _has_moved = first.say_numbered(session.member, number, text.clone(), now());
        say(&second, &moved, number, text.as_str());
    }
    say(&second, &moved, 51, "the end");
    let heard = hear(&bob, "the end");
    let expected = (1..=50).map(|number| format!("{number} [192.0.2.1:5] message {number}"));
    assert_eq!(heard, expected.chain(["51 [192.0.2.1:5] the end".to_owned()]).collect::<Vec<_>>());
    assert_eq!(second.taken(moved.member).number, 51);
}

#[test]
fn a_room_begins_with_what_the_stream_has_and_reads_older_pages_from_it() {
    let Some(nats) = nats("pages", 1) else { return };
    let ids = {
        let server = Server::new(&nats);
        let ann = server.room.join("ann").unwrap();
        say_all(&ann, "message ", 3_000);
        hear(&ann, "message 3000");
        welcome(&server.carrier(), None).unwrap().welcome.session.member
    };
    let server = Server::new(&nats);
    assert_eq!(server.room.stats().messages, 3_000);
    let newest = page(|| server.room.history(u64::MAX, 2));
    assert_eq!(texts(&newest), ["2999 [ann] message 2999", "3000 [ann] message 3000"]);
    assert!(newest.more);
    let older = page(|| server.room.history(3, 100));
    assert_eq!((texts(&older).len(), older.more), (2, false));
    let filter = Filter { author: None, words: Some("message 1234".to_owned()) };
    let found = page(|| server.room.search(u64::MAX, 3, filter.clone()));
    let seqs: Vec<u64> = found.messages.iter().map(|kept| kept.seq).collect();
    assert_eq!((seqs, found.more), (vec![1234], false));
    let member = welcome(&server.carrier(), None).unwrap().welcome.session.member;
    assert_ne!(member, ids, "no id is given twice");
}

#[test]
fn a_topic_is_set_at_every_server_and_the_next_one_knows_it() {
    let Some(nats) = nats("topic", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let bob = other.room.join("bob").unwrap();
    let carrier = one.carrier();
    let ann = welcome(&carrier, None).unwrap().welcome.session.member;
    one.room.set_topic(ann, "weather").unwrap();
    while other.room.info().topic.is_none() {
        bob.recv().unwrap();
    }
    assert_eq!(other.room.info().topic.unwrap().as_str(), "weather");
    assert_eq!(Server::new(&nats).room.info().topic.unwrap().as_str(), "weather");
}

#[test]
fn while_the_stream_does_not_answer_what_is_said_waits_and_members_are_told() {
    let Some(mut nats) = nats("outage", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (ann, bob) = (one.room.join("ann").unwrap(), other.room.join("bob").unwrap());
    ann.say("before").unwrap();
    hear(&bob, "before");
    nats.kill(0);
    ann.say("meanwhile").unwrap();
    let told = loop {
        if let Heard::Direct(item) = ann.recv().unwrap() {
            break item.to_string();
        }
    };
    assert!(told.contains("on hold") && told.contains("not lost"), "{told}");
    nats.restart(0);
    assert_eq!(hear(&bob, "meanwhile"), ["2 [ann] meanwhile"]);
    let told = loop {
        if let Heard::Direct(item) = ann.recv().unwrap() {
            break item.to_string();
        }
    };
    assert!(told.contains("go on"), "{told}");
}
