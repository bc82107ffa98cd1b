//! The client with servers that talk without end, break off, or are gone for a while.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{Read, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent, Heard, Room, RoomConfig, Waker};
use chat_proto::{
    Author, Direct, DirectItem, Entry, Event, FrameDecoder, LeaveReason, MemberFrame, Origin, PREFACE,
    RoomFrame, Text,
};
use chat_tcp::{TcpConfig, TcpServer};

/// A generous limit for everything that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the test measures how long a client waits")]
fn now() -> Instant {
    Instant::now()
}

fn text(text: &str) -> Text {
    text.parse().unwrap()
}

fn next(client: &Client) -> ClientEvent {
    client.events().recv_timeout(PATIENCE).expect("something happens in time")
}

fn end(client: &Client) -> ClientEnd {
    loop {
        if let ClientEvent::Ended(end) = next(client) {
            return end;
        }
    }
}

/// The welcome with which a server begins, made by hand.
fn welcome(you: SocketAddr) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    RoomFrame::Welcome(Box::new(chat_testkit::welcome(you))).encode(&mut bytes);
    bytes
}

/// A server that does `act` with its first connection.
fn server(act: impl FnOnce(TcpStream, SocketAddr) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (socket, peer) = listener.accept().unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        act(socket, peer);
    });
    address
}

#[test]
fn its_own_words_get_through_however_much_the_server_has_to_say() {
    let (heard, hears) = crossbeam_channel::bounded(1);
    let address = server(move |mut socket, peer| {
        socket.write_all(&welcome(peer)).unwrap();
        let mut flood = socket.try_clone().unwrap();
        thread::spawn(move || {
            let event =
                Event::Said { from: Origin::default(), author: Author::Room, text: text(&"x".repeat(900)) };
            let mut frames = Vec::new();
            (1..=1_000).for_each(|seq| {
                RoomFrame::Entry(Arc::new(Entry { seq, at_ms: 0, event: event.clone() })).encode(&mut frames);
            });
            while flood.write_all(&frames).is_ok() {}
        });
        let mut decoder = FrameDecoder::new();
        let mut buffer = [0; 1024];
        socket.read_exact(&mut buffer[..PREFACE.len()]).unwrap();
        loop {
            let count = socket.read(&mut buffer).unwrap();
            let mut input = &buffer[..count];
            while let Some(frame) = decoder.next(&mut input).unwrap() {
                if let MemberFrame::Say { text, .. } = frame {
                    let _nobody_waits = heard.send(text);
                    return socket.shutdown(Shutdown::Both).unwrap();
                }
            }
        }
    });
    let client = Arc::new(chat_tcp::connect(address, &ClientConfig::default()).unwrap());
    let reader = Arc::clone(&client);
    thread::spawn(move || while !matches!(next(&reader), ClientEvent::Ended(_)) {});
    client.say("may I?").unwrap();
    assert_eq!(hears.recv_timeout(PATIENCE), Ok(text("may I?")));
}

// Other systems drop the data that was received before a reset.
#[cfg(target_os = "linux")]
#[test]
fn the_reason_that_was_given_before_a_reset_is_the_one_that_counts() {
    let address = server(|mut socket, peer| {
        socket.peek(&mut [0]).unwrap();
        let mut bytes = welcome(peer);
        RoomFrame::Bye(LeaveReason::TooSlow).encode(&mut bytes);
        socket.write_all(&bytes).unwrap();
        // Closing with the hello unread causes a reset.
    });
    let client = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    assert!(matches!(end(&client), ClientEnd::Dismissed(LeaveReason::TooSlow)));
}

#[test]
fn a_lost_connection_ends_it_with_the_count_of_what_is_not_confirmed() {
    let address = server(|mut socket, peer| {
        socket.write_all(&welcome(peer)).unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"two") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            got.push(byte[0]);
        }
    });
    let client = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    client.say("one").unwrap();
    client.say("two").unwrap();
    match end(&client) {
        ClientEnd::Lost { unconfirmed: 2, .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn over_a_line_that_breaks_again_and_again_nothing_is_lost_or_said_twice() {
    const MESSAGES: usize = 2_000;
    let room = Room::new(RoomConfig::default());
    let server = TcpServer::bind("127.0.0.1:0", &room, &TcpConfig::default()).unwrap();
    let witness = room.join("witness").unwrap();
    let address = breaking_line(server.local_addr(), &[40, 3_000, 5_000, 10]);
    let running = server.spawn().unwrap();

    let config = ClientConfig::default().with_reconnect(true);
    let client = chat_tcp::connect(address, &config).unwrap();
    let (mut losses, mut own, mut said) = (0, Vec::new(), 0);
    while own.len() < MESSAGES {
        while said < MESSAGES && client.try_say(&format!("message {said}")).is_ok() {
            said += 1;
        }
        match next(&client) {
            ClientEvent::Entry { entry, own: true } => {
                let Event::Said { text, .. } = &entry.event else { panic!("{entry:?}") };
                own.push(text.to_string());
            }
            ClientEvent::Lost { .. } => losses += 1,
            ClientEvent::Unsure(texts) => panic!("the log reaches back, but: {texts:?}"),
            ClientEvent::Ended(end) => panic!("{end}"),
            _ => {}
        }
    }
    assert_eq!(losses, 4);
    let expected: Vec<String> = (0..MESSAGES).map(|number| format!("message {number}")).collect();
    assert!(own == expected, "it reads each of its own once and in order");

    room.close("That was all", PATIENCE);
    let heard = std::iter::from_fn(|| witness.recv().ok()).filter_map(|heard| match heard {
        Heard::Entry(entry) => match &entry.event {
            Event::Said { author: Author::Peer(_), text, .. } => Some(text.to_string()),
            _ => None,
        },
        other => panic!("the witness hears all, and is told nothing: {other}"),
    });
    assert!(heard.eq(expected), "and so does the room");
    running.join().unwrap();
}

/// An address that forwards to `server`. The first connections break when they have sent this many bytes up.
fn breaking_line(server: SocketAddr, bytes_up: &'static [u64]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connection = AtomicUsize::new(0);
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let bytes_max =
                bytes_up.get(connection.fetch_add(1, Ordering::Relaxed)).copied().unwrap_or(u64::MAX);
            let upstream = TcpStream::connect(server).unwrap();
            let (mut down_from, mut down_to) = (upstream.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || copy(&mut down_from, &mut down_to));
            thread::spawn(move || {
                let _broken = copy(&mut (&client).take(bytes_max), &mut &upstream);
                let _gone = (client.shutdown(Shutdown::Both), upstream.shutdown(Shutdown::Both));
            });
        }
    });
    address
}

#[test]
fn a_client_that_rooms_send_on_for_ever_takes_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    let mut began = None;
    for _ in 0..4 {
        let (mut socket, peer) = listener.accept().unwrap();
        began.get_or_insert_with(now);
        let mut bytes = welcome(peer);
        for (number, item) in
            [(1, DirectItem::Move { room: text("dev") }), (2, DirectItem::Done { number: 1 })]
        {
            RoomFrame::Direct(Direct { number, item }.into()).encode(&mut bytes);
        }
        socket.write_all(&bytes).unwrap();
    }
    // The first move is followed at once. Each of the others waits half a second.
    assert!(now() - began.unwrap() >= Duration::from_secs(1));
    client.leave();
}

#[test]
fn a_client_whose_user_takes_no_events_still_speaks_and_leaves() {
    let room = Room::new(RoomConfig::default().with_rate(None));
    let server = TcpServer::bind("127.0.0.1:0", &room, &TcpConfig::default()).unwrap();
    let address = server.local_addr();
    let running = server.spawn().unwrap();
    let (woken, wakes) = crossbeam_channel::bounded(1);
    let deaf =
        chat_tcp::connect(address, &ClientConfig::default()).unwrap().with_waker(Waker::new(move || {
            let _full = woken.try_send(());
        }));
    wakes.recv_timeout(PATIENCE).unwrap();
    // Another thread speaks, even while there is no room for what is heard.
    let speaker = deaf.speaker();
    thread::spawn(move || (0..3_000).try_for_each(|number| speaker.say(&number.to_string())));
    let witness = room.join("witness").unwrap();
    loop {
        match witness.recv_timeout(PATIENCE).unwrap() {
            Heard::Entry(entry) if entry.event.to_string().ends_with("] 2000") => break,
            _ => {}
        }
    }
    deaf.leave();
    loop {
        match witness.recv_timeout(PATIENCE).unwrap() {
            Heard::Entry(entry) if matches!(entry.event, Event::Left { .. }) => break,
            _ => {}
        }
    }
    assert!(matches!(end(&deaf), ClientEnd::Left | ClientEnd::Abandoned { .. }));
    assert!(deaf.say("late").is_err());
    room.close("That was all", Duration::from_secs(5));
    running.join().unwrap();
}
