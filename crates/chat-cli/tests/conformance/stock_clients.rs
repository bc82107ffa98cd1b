//! The programs that people have already.

mod support;

use std::process::Command;

use support::{Process, Server};

/// All that a chat program needs: it says a line when it has typed one, and prints what each `recv` returns.
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

/// `program` with `arguments` and the address of the server, if it is installed here.
fn start(program: &str, arguments: &[&str], server: &Server) -> Option<(Process, String)> {
    if Command::new(program).arg("--help").output().is_err() {
        println!("skipped: {program} is not installed");
        return None;
    }
    let before = server.process.stdout.written().lines.len();
    let (ip, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let process = Process::start(Command::new(program).args(arguments).args([&ip, &port]));
    let name = server.process.stdout.wait_until(program, |output| {
        let new = output.lines[before..].iter();
        new.filter_map(|line| line.strip_prefix("[*] Accepted connection from "))
            .next_back()
            .map(str::to_owned)
    });
    Some((process, name))
}

#[test]
fn python_netcat_telnet_and_ncat_talk_with_each_other_and_with_our_client() {
    let server = Server::start();
    let python = ["-c", TEN_LINES_OF_PYTHON];
    let programs = [
        ("python3", &python[..]),
        ("python3", &python[..]),
        ("nc", &[][..]),
        ("telnet", &[][..]),
        ("ncat", &[][..]),
    ];
    let mut members: Vec<_> = programs
        .into_iter()
        .filter_map(|(program, arguments)| {
            let (process, name) = start(program, arguments, &server)?;
            Some((program, process, name))
        })
        .collect();
    let (client, name) = server.client(&[]);
    members.push(("chat client tcp", client, name));

    let mut said = Vec::new();
    for round in 1..=2 {
        for (program, process, name) in &mut members {
            process.type_line(&format!("hello from {program}, {round}"));
            said.push(format!("[{name}] hello from {program}, {round}"));
            server.process.stdout.wait_for_line(said.last().unwrap());
        }
    }
    let mut last = server.peer();
    last.send("that is all\n");
    said.push(last.line("that is all"));
    for (program, process, name) in &members {
        // telnet prints about itself, and what it read with the breaks of a terminal.
        let read = |lines: &[String]| -> Vec<String> {
            let lines = lines.iter().map(|line| line.trim_end_matches('\r').to_owned());
            lines.filter(|line| line.starts_with('[')).collect()
        };
        let others: Vec<_> =
            said.iter().filter(|line| !line.starts_with(&format!("[{name}] "))).cloned().collect();
        process
            .stdout
            .wait_until(program, |output| (read(&output.lines).last() == said.last()).then_some(()));
        assert_eq!(read(&process.stdout.lines()), others, "{program}");
    }
}

#[test]
fn what_is_piped_into_netcat_is_heard_to_the_last_unterminated_line() {
    let server = Server::start();
    let Some((mut nc, name)) = start("nc", &["-N"], &server) else { return };
    let mut stdin = nc.stdin();
    std::io::Write::write_all(&mut stdin, b"one\ntwo").unwrap();
    drop(stdin);
    server.process.stdout.wait_for_line(&format!("[{name}] one"));
    server.process.stdout.wait_for_line(&format!("[{name}] two"));
    let mut other = server.peer();
    other.send("still there?\n");
    nc.stdout.wait_for_line(&other.line("still there?"));
}
