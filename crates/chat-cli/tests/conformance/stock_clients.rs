//! Programs that people already have: they join, talk, end their input, and are interrupted.
#![cfg(unix)]

use std::io::Write;
use std::process::Command;

use crate::datagrams::Plain;
use crate::support::{Peer, Process, Server};

/// A minimal chat program. It sends each line that is typed, and prints what each `recv` returns.
const TEN_LINES_OF_PYTHON: &str = r#"
import socket, sys, threading
room = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def listen():
    while data := room.recv(1024):
        print(data.decode(), flush=True)
threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:
    room.send(line.strip().encode())
"#;

/// The same over UDP, where a datagram holds several lines.
const TEN_LINES_OF_PYTHON_OVER_UDP: &str = r#"
import socket, sys, threading
room = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
room.connect((sys.argv[1], int(sys.argv[2])))
def listen():
    while True:
        print(room.recv(1024).decode(), flush=True)
threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:
    room.send(line.strip().encode())
"#;

/// A command line in which IP and PORT stand for the server's.
type Program = &'static [&'static str];

const OVER_TCP: [Program; 6] = [
    &["python3", "-c", TEN_LINES_OF_PYTHON, "IP", "PORT"],
    &["nc", "IP", "PORT"],
    &["telnet", "IP", "PORT"],
    &["ncat", "IP", "PORT"],
    &["socat", "-", "TCP:IP:PORT"],
    &["busybox", "nc", "IP", "PORT"],
];

const OVER_UDP: [Program; 4] = [
    &["python3", "-c", TEN_LINES_OF_PYTHON_OVER_UDP, "IP", "PORT"],
    &["nc", "-u", "IP", "PORT"],
    &["ncat", "-u", "IP", "PORT"],
    &["socat", "-", "UDP:IP:PORT"],
];

/// A running program, and its address.
struct Stock {
    program: &'static str,
    process: Process,
    name: String,
}

impl Stock {
    /// `None` if the program is not installed. Over UDP the server does not know of it before its `first` line.
    fn start(program: Program, server: &Server, first: Option<&str>) -> Option<Self> {
        let (name, arguments) = program.split_first().expect("a program has a name");
        if Command::new(name).arg("--help").output().is_err() {
            println!("skipped: {name} is not installed");
            return None;
        }
        let before = server.process.stdout.written().lines.len();
        let (ip, port) = (server.address.ip().to_string(), server.address.port().to_string());
        let arguments = arguments.iter().map(|argument| match *argument {
            TEN_LINES_OF_PYTHON | TEN_LINES_OF_PYTHON_OVER_UDP => (*argument).to_owned(),
            argument => argument.replace("IP", &ip).replace("PORT", &port),
        });
        let mut process = Process::start(Command::new(name).args(arguments));
        if let Some(first) = first {
            process.type_line(first);
        }
        let program = name;
        let name = server.process.stdout.wait_until(program, |output| {
            let new = output.lines[before..].iter();
            new.filter_map(|line| line.strip_prefix("[*] Accepted connection from "))
                .next_back()
                .map(str::to_owned)
        });
        Some(Self { program, process, name })
    }

    /// The lines of members that it has printed.
    fn read(lines: &[String]) -> Vec<String> {
        // telnet prints messages of its own, and prints what it has read with the line breaks of a terminal.
        let lines = lines.iter().map(|line| line.trim_end_matches('\r'));
        lines.filter(|line| line.starts_with('[')).flat_map(Peer::unglued).collect()
    }

    fn has_read(&self, line: &str) {
        self.process.stdout.wait_until(self.program, |output| {
            Self::read(&output.lines).iter().any(|l| l == line).then_some(())
        });
    }
}

#[test]
fn all_of_them_talk_with_each_other_and_with_our_client() {
    let server = Server::start();
    let (process, name) = server.client_that_hears(&[]);
    let mut members = vec![Stock { program: "chat client tcp", process, name }];
    members.extend(OVER_TCP.into_iter().filter_map(|program| Stock::start(program, &server, None)));

    let mut said = Vec::new();
    for round in 1..=2 {
        for Stock { program, process, name } in &mut members {
            process.type_line(&format!("hello from {program}, {round}"));
            said.push(format!("[{name}] hello from {program}, {round}"));
            server.process.stdout.wait_for_line(said.last().unwrap());
        }
    }
    let mut last = server.peer();
    last.send("that is all\n");
    said.push(last.line("that is all"));
    for member in &members {
        member.has_read(said.last().unwrap());
        let own = format!("[{}] ", member.name);
        let others: Vec<_> = said.iter().filter(|line| !line.starts_with(&own)).cloned().collect();
        assert_eq!(Stock::read(&member.process.stdout.lines()), others, "{}", member.program);
    }
}

#[test]
fn over_udp_they_talk_with_each_other_and_with_tcp() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut over_tcp = server.peer();
    let start = |program| Stock::start(program, &server, Some("I am here"));
    let mut members: Vec<Stock> = OVER_UDP.into_iter().filter_map(start).collect();
    for Stock { program, process, name } in &mut members {
        process.type_line(&format!("hello from {program}"));
        server.process.stdout.wait_for_line(&format!("[{name}] hello from {program}"));
    }
    over_tcp.send("hello over TCP\n");
    server.process.stdout.wait_for_line(&over_tcp.line("hello over TCP"));
    // Datagrams have no line break at their end, and these programs print them as they are. Messages that arrive in
    // one datagram are said together. So they also go out in one datagram, with breaks between the lines.
    let last = Plain::new(&server);
    last.send(b"that is all\nthe end\nafter the end");
    for member in &members {
        member.process.stdout.wait_until(member.program, |output| {
            let end = format!("[{}] the end", last.name);
            output.lines.iter().any(|line| line.ends_with(&end)).then_some(())
        });
        let printed = member.process.stdout.lines().concat();
        // From its first message on it also gets its own lines (10.4).
        assert!(printed.contains(&format!("[{}] I am here", member.name)), "{}: {printed}", member.program);
        assert!(printed.contains(&over_tcp.line("hello over TCP")), "{}: {printed}", member.program);
        for Stock { program, name, .. } in &members {
            assert!(
                printed.contains(&format!("[{name}] hello from {program}")),
                "{}: {printed}",
                member.program
            );
        }
    }
}

#[test]
fn what_is_piped_into_them_is_heard_to_the_last_unterminated_line_and_they_go_on_listening() {
    let server = Server::start();
    let piped: [Program; 3] =
        [&["nc", "-N", "IP", "PORT"], &["ncat", "IP", "PORT"], &["socat", "-t", "30", "-", "TCP:IP:PORT"]];
    for program in piped {
        let Some(mut stock) = Stock::start(program, &server, None) else { continue };
        stock.process.stdin().write_all(b"one\ntwo").unwrap();
        server.process.stdout.wait_for_line(&format!("[{}] one", stock.name));
        server.process.stdout.wait_for_line(&format!("[{}] two", stock.name));
        let mut other = server.peer();
        other.send("still there?\n");
        stock.has_read(&other.line("still there?"));
    }
}

#[test]
fn interrupted_they_are_gone_and_nobody_else_is() {
    if !Process::heeds("INT") {
        return;
    }
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    for program in OVER_TCP {
        let Some(mut stock) = Stock::start(program, &server, None) else { continue };
        stock.process.type_line("hello");
        server.process.stdout.wait_for_line(&format!("[{}] hello", stock.name));
        stock.process.signal("INT");
        // telnet takes the signal for a command to the other end, as it does at the keyboard. If it is killed, it
        // leaves as well.
        if stock.program == "telnet" {
            stock.process.kill();
        }
        server.has_ended(&stock.name);
        speaker.send(format!("after {}\n", stock.program));
        reader.read_up_to(&speaker.line(&format!("after {}", stock.program)));
    }
    assert_eq!(server.process.stderr.lines(), [""; 0]);
}
