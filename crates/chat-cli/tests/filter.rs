//! `chat client tcp` in a pipe: lines go in, lines come out, and the exit code is reliable.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use support::{Killed, PATIENCE, Peer, Process, Server, client_command};

#[test]
fn a_hundred_thousand_lines_arrive_whole_and_in_order_and_then_the_sender_ends() {
    const LINES: usize = 100_000;
    let server = Server::start();
    let (mut listener, _) = server.client_that_hears(&["--stay"]);
    listener.end_of_input();
    let (mut sender, name) = server.client(&[]);
    let mut stdin = sender.stdin();
    let feed = thread::spawn(move || {
        let lines: String = (1..=LINES).map(|number| format!("{number}\n")).collect();
        stdin.write_all(lines.as_bytes())
    });
    assert_eq!(sender.exit_code(), Some(0), "{:?}", sender.stderr.lines());
    feed.join().expect("no panic").expect("the client reads all of its stdin");

    // Everything is accepted by now, so the lines of a peer that joins later come after it.
    let mut after = server.peer();
    after.send("after\n");
    listener.stdout.wait_for_line(&after.line("after"));
    let lines = listener.stdout.lines();
    assert_eq!(lines.len(), LINES + 1);
    for (number, line) in (1..=LINES).zip(&lines) {
        assert_eq!(*line, format!("[{name}] {number}"));
    }
    assert_eq!(sender.stdout.lines(), [""; 0], "nobody else spoke");
}

#[test]
fn at_the_end_of_input_it_has_said_everything_and_left_in_order() {
    let server = Server::start();
    let mut reader = server.peer();
    let (mut client, name) = server.client(&[]);
    client.stdin().write_all(b"one\ntwo\nunterminated").unwrap();
    client.end_of_input();
    assert_eq!(client.exit_code(), Some(0));
    assert_eq!(client.stderr.lines(), [""; 0]);
    let expected = ["one", "two", "unterminated"].map(|text| format!("[{name}] {text}"));
    assert_eq!(reader.read_up_to("unterminated"), expected);
    server.process.stdout.wait_for_line(&format!("[*] Connection closed by {name}"));
}

#[test]
fn messages_that_are_refused_for_one_reason_are_told_together() {
    const LINES: usize = 3_000;
    let server = Server::with(&["--names", "required"]);
    let (mut client, _) = server.client(&[]);
    client.stdin().write_all("hello\n".repeat(LINES).as_bytes()).unwrap();
    client.end_of_input();
    assert_eq!(client.exit_code(), Some(1));
    let mut told = client.stderr.all();
    assert_eq!(told.pop(), Some(format!("error: {LINES} messages refused by the room")));
    let not_said = "[*] Not said: Choose a name first: type /nick NAME";
    assert_eq!(told[0], not_said, "the first is told at once");
    let number = |line: &String| {
        let number = line.strip_prefix(not_said)?.strip_prefix(" (")?.strip_suffix(" messages)")?;
        number.parse::<usize>().ok()
    };
    let counted: usize = told[1..].iter().map(|line| number(line).unwrap_or(1)).sum();
    assert_eq!(1 + counted, LINES, "{told:?}");
    assert!(told.len() <= 40, "one line a second: {told:?}");
}

#[test]
fn what_is_piped_in_need_not_be_clean() {
    let server = Server::start();
    let mut reader = server.peer();
    let (mut client, name) = server.client(&[]);
    let long = "0123456789".repeat(200);
    let input = [b"\x1b[2J\xff\r\n\n", long.as_bytes(), b"\nlast\n"].concat();
    client.stdin().write_all(&input).unwrap();
    client.end_of_input();
    assert_eq!(client.exit_code(), Some(0));
    let lines = reader.read_up_to("last");
    let texts: Vec<_> = lines.iter().map(|line| line.strip_prefix(&format!("[{name}] ")).unwrap()).collect();
    assert_eq!(texts[0], "\u{241b}[2J\u{fffd}");
    assert_eq!(texts[1..texts.len() - 1].concat(), long, "nothing of a long line is lost");
}

#[test]
fn with_plain_it_talks_to_a_server_that_knows_nothing_but_accept_recv_and_send() {
    let server = NaiveServer::start();
    let start = |flags: &[&str], members| {
        let client = Process::start(&mut client_command(server.address, flags));
        (client, server.wait_for_members(members))
    };
    let (mut ann, ann_name) = start(&["--plain", "--stay"], 1);
    let (bob, _) = start(&["--plain", "--stay"], 2);
    let mut bare = Peer::connect(server.address);
    server.wait_for_members(3);

    ann.type_line("hello");
    let hello = format!("[{ann_name}] hello");
    bob.stdout.wait_for_line(&hello);
    assert_eq!(bare.read_up_to("hello"), std::slice::from_ref(&hello));
    bare.send("no line break");
    let unbroken = bare.line("no line break");
    ann.stdout.wait_for_line(&unbroken);
    bob.stdout.wait_for_line(&unbroken);

    let (mut short, short_name) = start(&["--plain"], 4);
    short.stdin().write_all(b"one\ntwo").unwrap();
    short.end_of_input();
    assert_eq!(short.exit_code(), Some(0), "{:?}", short.stderr.lines());
    // One `recv` of that server may have returned both lines.
    let prefix = format!("[{short_name}] ");
    let last = |line: &String| line.strip_prefix(&prefix).unwrap_or(line) == "two";
    bob.stdout.wait_until("its last word", |output| output.lines.iter().any(last).then_some(()));
    assert_eq!(bob.stdout.lines()[..3], [hello, unbroken, format!("{prefix}one")]);
}

#[test]
fn the_reader_of_its_output_may_go_away() {
    let server = Server::start();
    let mut command = client_command(server.address, &["--stay"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = Killed(command.spawn().unwrap());
    let mut stdout = BufReader::new(client.0.stdout.take().unwrap());
    let mut speaker = server.peer();
    let mut line = String::new();
    server.process.stdout.wait_for_lines(3);
    speaker.send("one\n");
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, format!("{}\n", speaker.line("one")));
    drop(stdout);
    speaker.send("two\n");
    let mut stderr = String::new();
    client.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((client.0.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "as `| head` expects");
}

/// A server as people write their first one.
struct NaiveServer {
    address: SocketAddr,
    members: Arc<(Mutex<Members>, Condvar)>,
}

type Members = Vec<(SocketAddr, TcpStream)>;

impl NaiveServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let members: Arc<(Mutex<Members>, Condvar)> = Arc::default();
        let all = Arc::clone(&members);
        thread::spawn(move || {
            while let Ok((mut socket, name)) = listener.accept() {
                all.0.lock().unwrap().push((name, socket.try_clone().unwrap()));
                all.1.notify_all();
                let all = Arc::clone(&all);
                thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    while let Ok(count @ 1..) = socket.read(&mut buffer) {
                        let text = [format!("[{name}] ").as_bytes(), &buffer[..count]].concat();
                        let mut members = all.0.lock().unwrap();
                        let others = members.iter_mut().filter(|(other, _)| *other != name);
                        others.for_each(|(_, other)| drop(other.write_all(&text)));
                    }
                    all.0.lock().unwrap().retain(|(other, _)| *other != name);
                });
            }
        });
        Self { address, members }
    }

    /// Waits until this many members are connected. Returns the newest one's address.
    fn wait_for_members(&self, count: usize) -> SocketAddr {
        let members = self.members.0.lock().unwrap();
        let waits = |members: &mut Members| members.len() < count;
        let (members, _) = self.members.1.wait_timeout_while(members, PATIENCE, waits).unwrap();
        members.get(count - 1).expect("it connects in time").0
    }
}
