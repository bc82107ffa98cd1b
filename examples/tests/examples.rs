//! Runs every example as a user does and checks that it does what it says.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A generous limit for everything that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running example, killed when dropped.
struct Example {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        // Cargo builds the examples with the tests, next to them.
        let mut path: PathBuf = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.push("examples");
        path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&path);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    fn server(name: &str) -> (Self, String) {
        let mut example = Self::start(name, &["127.0.0.1:0"]);
        let address = example.address();
        (example, address)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "it has ended");
        line.trim_end().to_owned()
    }

    /// The address in the next line of its output.
    fn address(&mut self) -> String {
        let line = self.line();
        let from = line.find("127.0.0.1:").unwrap_or_else(|| panic!("no address: {line}"));
        line[from..].split(['/', ';', ' ']).next().unwrap().to_owned()
    }

    fn lines_until(&mut self, end: &str) -> Vec<String> {
        let mut lines = vec![self.line()];
        while !lines.last().unwrap().contains(end) {
            lines.push(self.line());
        }
        lines
    }

    fn type_line(&mut self, line: &str) {
        self.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Closes its input. The example must end well.
    fn ends(mut self) -> String {
        self.stdin = None;
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A plain member.
struct Peer(BufReader<TcpStream>);

impl Peer {
    fn join(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(socket))
    }

    fn address(&self) -> String {
        self.0.get_ref().local_addr().unwrap().to_string()
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Returns once `other` hears this peer. Then both are members.
    fn meet(&mut self, other: &mut Peer) {
        let timeout = |peer: &Peer, timeout| peer.0.get_ref().set_read_timeout(Some(timeout)).unwrap();
        timeout(other, PATIENCE / 100);
        let mut heard = String::new();
        while !heard.ends_with("are you there?\n") {
            self.say("are you there?");
            // An error is the timeout. The next read continues the same line.
            let _heard = other.0.read_line(&mut heard);
        }
        timeout(other, PATIENCE);
    }

    /// The next line, or an empty one at the end.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

#[test]
fn threads_talk_without_a_network_in_one_order() {
    let mut example = Example::start("threads", &[]);
    let lines: Vec<_> = (0..12).map(|_| example.line()).collect();
    for (number, line) in (1..).zip(&lines) {
        assert!(line.starts_with(&format!("{number} [")), "{line}");
    }
    assert_eq!(lines.iter().filter(|line| line.ends_with("] done")).count(), 3);
    assert_eq!(example.ends(), "");
}

#[test]
fn a_game_serves_the_room_in_its_own_loop() {
    let (example, address) = Example::server("game_loop");
    let mut peer = Peer::join(&address);
    peer.say("jump");
    let (heard, jumps) = (peer.hear(), format!("[game] {} jumps in frame ", peer.address()));
    assert!(heard.starts_with(&jumps), "{heard}");
    peer.say("quit");
    assert_eq!((peer.hear().as_str(), peer.hear().as_str()), ("[*] The game is over", ""));
    drop(peer);
    example.ends();
}

#[cfg(unix)]
#[test]
fn one_thread_of_somebody_elses_runtime_serves_tcp_udp_and_the_keyboard() {
    let (mut example, address) = Example::server("event_loop");
    let mut ann = Peer::join(&address);
    ann.say("hello");
    assert!(example.line().contains(&ann.address()));
    example.lines_until("hello");
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(b"over UDP\n", &address).unwrap();
    assert!(ann.hear().ends_with("] over UDP"));
    example.type_line("from the keyboard");
    assert_eq!(ann.hear(), "[host] from the keyboard");
    example.type_line("quit");
    assert_eq!((ann.hear().as_str(), ann.hear().as_str()), ("[*] The server is stopping", ""));
    drop(ann);
    example.ends();
}

#[test]
fn a_host_speaks_listens_moderates_and_kicks() {
    let (mut example, address) = Example::server("host");
    let (mut ann, mut bob) = (Peer::join(&address), Peer::join(&address));
    let prefix = format!("[{}]", ann.address());
    let mut missing = vec![ann.address(), bob.address()];
    while !missing.is_empty() {
        let line = example.line();
        missing.retain(|peer| line != format!("[*] {peer} joined"));
    }
    for said in ["hello", "buy spam", "/roll", "/roll 3d1", "damn it"] {
        ann.say(said);
    }
    // What ann is told comes at once, and what is said comes in the order of the room.
    assert_eq!(ann.hear(), "[*] Not said: no spam in here");
    assert_eq!(ann.hear(), "[*] Type /roll 2d6: two dice of six sides");
    let heard = example.lines_until("dear it");
    assert!(heard.contains(&format!("{prefix} hello")), "{heard:?}");
    assert!(heard.contains(&format!("{prefix} rolls 3d1: 3")), "{heard:?}");
    assert!(!heard.iter().any(|line| line.contains("spam")), "a refusal is private: {heard:?}");
    assert!(bob.hear().ends_with("] hello"));
    assert!(bob.hear().ends_with("] rolls 3d1: 3"));
    assert!(bob.hear().ends_with("] dear it"));
    example.type_line("welcome");
    assert_eq!((ann.hear(), bob.hear()), ("[host] welcome".into(), "[host] welcome".into()));
    example.type_line(&format!("/kick {} enough", ann.address()));
    assert_eq!(ann.hear(), "[*] Closed: kicked: enough");
    example.type_line("/kick nobody");
    example.lines_until("nobody is not here. /who tells who is.");
    example.stdin = None;
    assert_eq!((bob.hear().as_str(), bob.hear().as_str()), ("[*] The host has gone home", ""));
    drop((ann, bob));
    example.ends();
}

#[test]
fn a_room_goes_on_where_it_stopped() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("history-example");
    let _not_there = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("chat.db");
    for before in 0..3 {
        let mut example = Example::start("history", &[file.to_str().unwrap()]);
        assert_eq!(example.line(), format!("there were {before} messages"));
        for number in 1..=before + 1 {
            assert_eq!(example.line(), format!("{number} [bot] the tea is ready"));
        }
        assert_eq!(example.ends(), "");
    }
}

#[test]
fn one_thread_waits_for_the_room_and_for_its_own_channels() {
    let (mut example, address) = Example::server("select");
    let mut peer = Peer::join(&address);
    peer.say("hello");
    example.lines_until("] hello");
    example.type_line("good day");
    assert_eq!(peer.hear(), "[host] good day");
    example.stdin = None;
    assert_eq!((peer.hear().as_str(), peer.hear().as_str()), ("[*] The server is stopping", ""));
    drop(peer);
    example.ends();
}

#[test]
fn a_bot_answers() {
    let (_server, address) = Example::server("select");
    let mut bot = Example::start("bot", &[&address]);
    assert!(bot.line().starts_with("joined as 127.0.0.1:"));
    let mut peer = Peer::join(&address);
    peer.say("!count");
    assert!(peer.hear().ends_with("] I have heard 1 messages"));
    peer.say("!roll");
    assert!(peer.hear().contains(&format!("] {} rolls a ", peer.address())));
}

#[test]
fn a_client_over_tcp_and_one_over_udp_are_used_alike() {
    let (mut server, address) = Example::server("host");
    let mut peer = Peer::join(&address);
    server.lines_until(&format!("{} joined", peer.address()));
    for transport in ["tcp", "udp"] {
        let mut client = Example::start("client", &[transport, &address]);
        client.type_line(&format!("hello over {transport}"));
        assert!(peer.hear().ends_with(&format!("] hello over {transport}")));
        client.lines_until("] hello over");
        peer.say("hello to you");
        client.lines_until("] hello to you");
        client.ends();
    }
}

#[cfg(unix)]
#[test]
fn a_room_is_shut_down_in_order() {
    let (mut example, address) = Example::server("shutdown");
    let mut peer = Peer::join(&address);
    let mut other = Peer::join(&address);
    peer.meet(&mut other);
    let killed = Command::new("kill").arg("-TERM").arg(example.child.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert_eq!((peer.hear().as_str(), peer.hear().as_str()), ("[*] See you tomorrow", ""));
    drop((peer, other));
    assert!(example.line().ends_with(" messages were said by 2 members"));
    example.ends();
}

#[test]
fn the_rooms_numbers_are_scraped() {
    let mut example = Example::start("metrics", &["127.0.0.1:0", "127.0.0.1:0"]);
    let (chat, metrics) = (example.address(), example.address());
    let (mut ann, mut bob) = (Peer::join(&chat), Peer::join(&chat));
    while !scrape(&metrics).contains("\nchat_members 2\n") {}
    ann.say("hello");
    assert!(bob.hear().ends_with("] hello"));
    let scraped = scrape(&metrics);
    assert!(scraped.starts_with("HTTP/1.1 200 OK\r\n"), "{scraped}");
    for line in ["chat_members 2", "chat_joined_total 2", "chat_messages_total 1", "# EOF"] {
        assert!(scraped.lines().any(|scraped| scraped == line), "{line} in {scraped}");
    }
}

fn scrape(address: &str) -> String {
    let mut scraper = TcpStream::connect(address).unwrap();
    scraper.set_read_timeout(Some(PATIENCE)).unwrap();
    scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    scraper.shutdown(Shutdown::Write).unwrap();
    let mut scraped = String::new();
    scraper.read_to_string(&mut scraped).unwrap();
    scraped
}

#[test]
fn web_server_has_browsers_and_netcat_in_one_room() {
    let mut example = Example::start("web_server", &[]);
    let (plain, web) = (example.address(), example.address());
    let open = |origin: &str| {
        let socket = TcpStream::connect(&web).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = tungstenite::handshake::client::generate_key();
        let request = tungstenite::http::Request::get(format!("ws://{web}/ws"))
            .header("Host", &web)
            .header("Origin", origin)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", request);
        tungstenite::client(request.body(()).unwrap(), socket).map_err(|error| error.to_string())
    };
    assert!(open("http://evil.example").is_err());
    let (mut browser, _) = open(&format!("http://{web}")).unwrap();
    browser.send(r#"{"type":"hello","name":"ann"}"#.into()).unwrap();
    // Once the browser has its welcome, it hears everything that is said.
    while !browser.read().unwrap().to_text().unwrap().contains("connected") {}
    let mut netcat = Peer::join(&plain);
    netcat.say("hello browser");
    while !browser.read().unwrap().to_text().unwrap().contains("hello browser") {}
    browser.send(r#"{"type":"say","text":"hello netcat"}"#.into()).unwrap();
    let mut line = String::new();
    netcat.0.read_line(&mut line).unwrap();
    assert_eq!(line, "[ann] hello netcat\n");
}
