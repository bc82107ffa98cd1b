//! A session that goes on in another process, from a text that the first one has stored.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use chat_core::{ClientConfig, ClientEvent, Event, Room, RoomConfig, SavedSession};
use chat_udp::{UdpConfig, UdpServer};

const PATIENCE: Duration = Duration::from_secs(30);

/// Environment of the other process: the server, what to say, and the session to go on with.
const SERVER: &str = "CHAT_TEST_SERVER";
const SAYS: &str = "CHAT_TEST_SAYS";
const SESSION: &str = "CHAT_TEST_SESSION";

/// A process with a client. It is killed when this is dropped.
struct Other {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    fn start(server: SocketAddr, says: &str, session: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_other_process", "--ignored", "--nocapture"])
            .env(SERVER, server.to_string())
            .env(SAYS, says)
            .env(SESSION, session)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The rest of the next line that begins with `word`.
    fn tells(&mut self, word: &str) -> String {
        let found = self.lines.find_map(|line| line.unwrap().strip_prefix(word).map(str::to_owned));
        found.unwrap_or_else(|| panic!("it ends before it tells {word}"))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Tells how it is in, each message that it hears, and after its own message the session.
#[test]
#[ignore = "a process of the test below"]
fn the_other_process() {
    let session: SavedSession = env::var(SESSION).unwrap().parse().unwrap();
    let mut saved = session.clone();
    let config = ClientConfig::default().with_resume(session);
    let client = chat_udp::connect(env::var(SERVER).unwrap(), &config).unwrap();
    client.say(&env::var(SAYS).unwrap()).unwrap();
    loop {
        let event = client.events().recv_timeout(PATIENCE).unwrap();
        saved.note(&event);
        match event {
            ClientEvent::Connected { resumed, .. } => println!("\nresumed:{resumed}"),
            ClientEvent::Entry { entry, own } => {
                if let Event::Said { text, .. } = &entry.event {
                    println!("\nheard:{text}");
                }
                if own {
                    println!("\nsession:{}", saved.token());
                }
            }
            ClientEvent::Ended(end) => panic!("{end}"),
            _ => {}
        }
    }
}

#[test]
fn a_session_goes_on_in_a_new_process_after_the_first_was_killed() {
    let room = Room::new(RoomConfig::default());
    let server = UdpServer::bind("127.0.0.1:0", &room, &UdpConfig::default()).unwrap();
    let address = server.local_addr();
    let running = server.spawn().unwrap();
    let host = room.join("host").unwrap();

    let mut first = Other::start(address, "one", &SavedSession::default().token());
    assert_eq!(first.tells("resumed:"), "false");
    assert_eq!(first.tells("heard:"), "one");
    let session = first.tells("session:");
    drop(first); // without a goodbye
    host.say("two").unwrap();

    let mut second = Other::start(address, "three", &session);
    assert_eq!(second.tells("resumed:"), "true");
    assert_eq!([second.tells("heard:"), second.tells("heard:")], ["two", "three"]);
    assert_eq!(room.stats().members, 1, "it is the same member");
    drop(second);
    room.close("That was all", Duration::from_millis(1));
    running.join().unwrap();
}
