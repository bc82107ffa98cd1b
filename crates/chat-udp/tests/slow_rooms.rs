//! Rooms whose journals take long to be read, over both transports: nobody but those that wait for such a room notices.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]
#![allow(clippy::disallowed_methods, reason = "a loop of its own reads the clock")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Client, ClientConfig, ClientEvent, ConnectError, Name, Rooms, RoomsConfig, Running, Text};
use chat_tcp::{TcpConfig, TcpServer};
use chat_testkit::ScriptedJournal;
use chat_udp::{UdpConfig, UdpServer};

use support::{PATIENCE, Peer};

/// A server whose rooms are opened when the test says so.
struct Stage {
    rooms: Rooms,
    journal: ScriptedJournal,
    running: Running,
    address: SocketAddr,
}

impl Stage {
    fn new() -> Self {
        let journal = ScriptedJournal::default();
        let rooms =
            Rooms::restore(RoomsConfig::default().with_open_max(4), Arc::new(journal.clone())).unwrap();
        journal.hold_openings();
        let tcp = TcpServer::bind((support::own_loopback(), 0), &rooms, &TcpConfig::default()).unwrap();
        let address = tcp.local_addr();
        let mut running = tcp.spawn().unwrap();
        UdpServer::bind(address, &rooms, &UdpConfig::default()).unwrap().spawn_into(&mut running).unwrap();
        Self { rooms, journal, running, address }
    }

    /// Opens the rooms once some wait to be opened.
    fn open(&self, why_not: Option<&str>) {
        let begun = Instant::now();
        while self.journal.open_held(why_not) == 0 {
            assert!(begun.elapsed() < PATIENCE, "nobody has asked for the room");
            std::thread::yield_now();
        }
    }

    /// Keeps the messages that are said once there are this many.
    fn keep(&self, messages: usize) {
        let begun = Instant::now();
        while self.journal.waiting() < messages {
            assert!(begun.elapsed() < PATIENCE, "{} are said", self.journal.waiting());
            std::thread::yield_now();
        }
        self.journal.run();
    }

    fn stop(self) {
        self.rooms.close("bye all", Duration::ZERO); // nobody keeps the farewell
        self.running.join().unwrap();
    }
}

/// A plain peer over TCP.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&self, lines: &str) {
        self.0.get_ref().write_all(lines.as_bytes()).unwrap();
    }

    /// Reads up to a line with this in it.
    fn read_until(&mut self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains(end)) {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "it was closed after {lines:?}");
            lines.push(line.trim_end().to_owned());
        }
        lines
    }
}

type Connect = fn(SocketAddr, &ClientConfig) -> Result<Client, ConnectError>;

/// Why a client cannot join: some learn it while they connect.
fn why_not(connected: Result<Client, ConnectError>) -> String {
    match connected {
        Err(error) => error.to_string(),
        Ok(client) => support::wait_for(&client, |event| match event {
            ClientEvent::Ended(end) => Some(format!("{end:?}")),
            _ => None,
        }),
    }
}

fn dev() -> Option<Name> {
    Some("dev".parse().unwrap())
}

fn wait_for_room(client: &Client) -> String {
    support::wait_for(client, |event| match event {
        ClientEvent::Connected { welcome, .. } => Some(welcome.room.as_ref().unwrap().to_string()),
        _ => None,
    })
}

#[test]
fn members_go_to_a_room_once_it_is_open_and_say_there_what_they_said_meanwhile() {
    let stage = Stage::new();
    let (mut ann, bob, mut carol) =
        (Stream::new(stage.address), Peer::new(stage.address), Stream::new(stage.address));
    ann.say("/who\n");
    ann.read_until("present");
    bob.send(b"/who");
    bob.lines_until("present");
    carol.say("/who\n");
    carol.read_until("present");

    ann.say("/join dev\none\n");
    bob.send(b"/join dev\ntwo");
    bob.send(b"three");
    carol.say("/who\n"); // the I/O threads go on
    let here = carol.read_until("3 present");
    assert!(here.len() <= 1 + 3, "nobody has left: {here:?}");
    assert_eq!(stage.rooms.list().len(), 1);
    carol.say("to the lobby\n");
    stage.keep(1);
    ann.read_until("] to the lobby"); // its members get its messages, those that are about to go as well
    bob.lines_until("] to the lobby");

    let said = |text: &'static str| move |line: &String| line.ends_with(&format!("] {text}"));
    stage.open(None);
    ann.read_until("You are in dev now");
    while !bob.recv().contains("You are in dev now") {}
    stage.keep(3);
    let dev = stage.rooms.get(&dev().unwrap()).unwrap();
    assert_eq!((dev.info().members, stage.rooms.first().info().members), (2, 1));
    let from_bob = ann.read_until("] three");
    assert!(from_bob.iter().any(said("two")), "{from_bob:?}");
    assert_eq!(stage.rooms.first().stats().messages, 1, "nothing else was said in the lobby");
    stage.stop();
}

#[test]
fn hellos_are_answered_once_the_room_is_open() {
    let stage = Stage::new();
    let config = ClientConfig::default().with_room(dev());
    let mut carol = Stream::new(stage.address);
    carol.say("/who\n");
    carol.read_until("present");
    assert_eq!(stage.rooms.list().len(), 1);
    std::thread::scope(|scope| {
        let connect = |connect: Connect| {
            let client = connect(stage.address, &config).unwrap();
            let room = wait_for_room(&client);
            (client, room)
        };
        let clients = [
            scope.spawn(move || connect(chat_tcp::connect)),
            scope.spawn(move || connect(chat_udp::connect)),
        ];
        let begun = Instant::now();
        while !clients.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            assert!(begun.elapsed() < PATIENCE);
            stage.journal.open_held(None);
            std::thread::yield_now();
        }
        let clients = clients.map(|client| client.join().unwrap());
        assert!(clients.iter().all(|(_, room)| room == "dev"));
        assert_eq!(stage.rooms.get(&dev().unwrap()).unwrap().info().members, 2);
    });
    stage.stop();
}

#[test]
fn a_peer_that_waits_for_a_room_that_cannot_be_opened_is_told_why() {
    let stage = Stage::new();
    let mut ann = Stream::new(stage.address);
    let bob = Peer::new(stage.address);
    ann.say("/join dev\n");
    stage.open(Some("the disk is gone"));
    ann.read_until("[*] the history cannot be read: the disk is gone");
    ann.say("/who\n");
    ann.read_until("1 present");
    bob.send(b"/join dev");
    stage.open(Some("the disk is gone"));
    bob.lines_until("[*] the history cannot be read: the disk is gone");
    bob.send(b"/who");
    bob.lines_until("2 present");

    let config = ClientConfig::default().with_room(dev()).with_reconnect(false);
    for connect in [chat_tcp::connect as Connect, chat_udp::connect] {
        std::thread::scope(|scope| {
            let end = scope.spawn(|| why_not(connect(stage.address, &config)));
            stage.open(Some("the disk is gone"));
            let why = end.join().unwrap();
            assert!(why.contains("the disk is gone"), "{why}");
        });
    }
    stage.stop();
}

#[test]
fn rooms_that_are_being_opened_count_for_the_address_that_opens_them() {
    let journal = ScriptedJournal::default();
    let config = RoomsConfig::default().with_open_max(9).with_open_per_address_max(1);
    let rooms = Rooms::restore(config, Arc::new(journal.clone())).unwrap();
    journal.hold_openings();
    let open =
        |room: &str, from: &str| rooms.named(Some(&Text::lossy(room)), from.parse::<SocketAddr>().unwrap());
    let full = "your address has opened 1 rooms, which is the limit";
    let one = open("one", "192.0.2.1:1").unwrap();
    assert_eq!(open("two", "192.0.2.1:2").unwrap_err().as_str(), full);
    assert_eq!(open("one", "192.0.2.1:2").unwrap(), one, "all wait for one attempt");
    journal.open_held(Some("the disk is gone"));
    let two = open("two", "192.0.2.1:2").expect("what could not be opened does not count");
    journal.open_held(None);
    assert_eq!(open("three", "192.0.2.1:3").unwrap_err().as_str(), full, "it counts once it is open, too");
    drop(two);
    assert!(open("three", "192.0.2.1:3").is_ok(), "the one that is gone makes room");
}
