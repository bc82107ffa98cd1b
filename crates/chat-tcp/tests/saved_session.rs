//! A session that goes on in another process, from a value that was stored.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::net::SocketAddr;
use std::time::Duration;

use chat_core::{
    Client, ClientConfig, ClientEnd, ClientEvent, LocalMember, Moderator, Room, RoomConfig, Running,
    SavedSession, Verdict,
};
use chat_proto::{Event, LookBack};
use chat_tcp::{TcpConfig, TcpServer};

/// A generous limit for everything that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn next(client: &Client) -> ClientEvent {
    client.events().recv_timeout(PATIENCE).expect("something happens in time")
}

/// A room that refuses what is bad, a member in it, and its server.
fn serve(config: RoomConfig) -> (Room, LocalMember, SocketAddr, Running) {
    let moderator = Moderator::new(|offer| match offer.text.as_str() {
        "bad" => Verdict::refuse("bad"),
        _ => Verdict::Accept,
    });
    let room = Room::new(config.with_moderator(moderator).with_rate(None));
    let host = room.join("host").unwrap();
    let server = TcpServer::bind("127.0.0.1:0", &room, &TcpConfig::default()).unwrap();
    let address = server.local_addr();
    let running = server.spawn().unwrap();
    (room, host, address, running)
}

/// Waits until there is no remote member.
fn wait_until_alone(room: &Room, host: &LocalMember) {
    while room.stats().members > 0 {
        host.recv_timeout(PATIENCE).unwrap();
    }
}

/// Notes events until `is_last`.
fn note_until(client: &Client, saved: &mut SavedSession, is_last: impl Fn(&ClientEvent) -> bool) {
    loop {
        let event = next(client);
        saved.note(&event);
        if is_last(&event) {
            return;
        }
    }
}

fn is_own(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::Entry { own: true, .. })
}

#[test]
fn a_session_goes_on_in_another_process_from_a_stored_text() {
    let room = Room::new(RoomConfig::default());
    let server = TcpServer::bind("127.0.0.1:0", &room, &TcpConfig::default()).unwrap();
    let address = server.local_addr();
    let running = server.spawn().unwrap();
    let first = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    first.say("one").unwrap();
    let mut saved = SavedSession::default();
    loop {
        let event = next(&first);
        saved.note(&event);
        if matches!(event, ClientEvent::Entry { own: true, .. }) {
            break;
        }
    }
    let stored = saved.token();
    let host = room.join("host").unwrap();
    host.say("two").unwrap();
    drop(first);
    while room.stats().members > 0 {
        host.recv_timeout(PATIENCE).unwrap();
    }
    host.say("three").unwrap();

    let config = ClientConfig::default().with_resume(stored.parse().unwrap());
    let second = chat_tcp::connect(address, &config).unwrap();
    second.say("four").unwrap();
    let ClientEvent::Connected { welcome, .. } = next(&second) else { panic!("it is welcomed") };
    assert!(welcome.resumed);
    let mut heard = Vec::new();
    while heard.len() < 3 {
        if let ClientEvent::Entry { entry, own } = next(&second)
            && let Event::Said { text, .. } = &entry.event
        {
            heard.push((text.to_string(), own));
        }
    }
    assert_eq!(heard, [("two".to_owned(), false), ("three".to_owned(), false), ("four".to_owned(), true)]);
    room.close("That was all", Duration::from_secs(5));
    running.join().unwrap();
}

#[test]
fn what_a_new_process_says_is_said_even_if_the_room_has_lost_what_it_answered_the_old_one() {
    const BAD: usize = 400;
    const GOOD: usize = 100;
    let (room, host, address, running) = serve(RoomConfig::default());
    let first = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    let mut saved = SavedSession::default();
    first.say("one").unwrap();
    note_until(&first, &mut saved, is_own);
    let stored = saved.token();
    // More refusals than its direct lane holds, and the old process has stored none of them.
    (0..BAD).for_each(|_| first.say("bad").unwrap());
    let mut refused = 0;
    while refused < BAD {
        refused += usize::from(matches!(next(&first), ClientEvent::Refused { .. }));
    }
    drop(first);
    wait_until_alone(&room, &host);

    let second =
        chat_tcp::connect(address, &ClientConfig::default().with_resume(stored.parse().unwrap())).unwrap();
    (0..GOOD).for_each(|number| second.say(&format!("good {number}")).unwrap());
    second.finish().unwrap();
    let mut own = 0;
    loop {
        match next(&second) {
            event if is_own(&event) => own += 1,
            ClientEvent::Ended(end) => {
                assert!(matches!(end, ClientEnd::Left), "{end}");
                break;
            }
            _ => {}
        }
    }
    assert_eq!(own, GOOD, "each message was said, and confirmed");
    room.close("That was all", PATIENCE);
    running.join().unwrap();
}

#[test]
fn a_new_process_may_ask_about_the_past_as_the_old_one_did() {
    let (room, _host, address, running) = serve(RoomConfig::default());
    let first = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    let mut saved = SavedSession::default();
    first.say("one").unwrap();
    for _ in 0..3 {
        first.history(LookBack::newest(5)).unwrap();
        note_until(&first, &mut saved, |event| matches!(event, ClientEvent::OldMessages(_)));
    }
    let resume = saved.token().parse().unwrap();
    let second = chat_tcp::connect(address, &ClientConfig::default().with_resume(resume)).unwrap();
    second.history(LookBack::newest(5)).unwrap();
    second.say("two").unwrap();
    note_until(&second, &mut saved, |event| matches!(event, ClientEvent::OldMessages(_)));
    note_until(&second, &mut saved, is_own);
    drop(first);
    room.close("That was all", PATIENCE);
    running.join().unwrap();
}

#[test]
fn what_the_old_process_missed_is_not_counted_again() {
    const SAID: u64 = 40_000;
    let (room, host, address, running) =
        serve(RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN));
    let first = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    let mut saved = SavedSession::default();
    note_until(&first, &mut saved, |event| matches!(event, ClientEvent::Connected { .. }));
    for number in 0..SAID {
        host.say(&format!("number {number}")).unwrap();
    }
    let mut heard = 0;
    let mut count = |event: &ClientEvent| match event {
        ClientEvent::Entry { entry, .. } if matches!(entry.event, Event::Said { .. }) => heard += 1,
        ClientEvent::Missed(messages) => heard += messages,
        _ => {}
    };
    // The old process ends with the first word that it has missed something.
    loop {
        let event = next(&first);
        saved.note(&event);
        count(&event);
        if matches!(event, ClientEvent::Missed(_)) {
            break;
        }
    }
    drop(first);
    let resume = saved.token().parse().unwrap();
    let second = chat_tcp::connect(address, &ClientConfig::default().with_resume(resume)).unwrap();
    host.say("the last").unwrap();
    loop {
        let event = next(&second);
        count(&event);
        if matches!(&event, ClientEvent::Entry { entry, .. } if entry.seq == SAID + 1) {
            break;
        }
    }
    assert_eq!(heard, SAID + 1, "each message was heard or is counted among those that it missed, once");
    room.close("That was all", PATIENCE);
    running.join().unwrap();
}
