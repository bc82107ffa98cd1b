//! `chat client` with pipes that are closed, full or non-blocking, with no pipes, and with input that is not text.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use support::{
    CHAT, Directory, Killed, PATIENCE, Process, Server, client_command, client_command_over, free_address,
    now,
};

/// Runs a client with this input to its end. Returns the exit code, stdout and stderr.
fn run(command: &mut Command, input: &[u8]) -> (Option<i32>, Vec<String>, String) {
    let mut client = Process::start(command);
    client.stdin().write_all(input).unwrap();
    let code = client.exit_code();
    (code, client.stdout.all(), client.stderr.all().join("\n"))
}

/// The type of each object of `--json`. A refused line also has its number.
fn types(objects: &[String]) -> Vec<String> {
    let kind = |object: &String| {
        let object: serde_json::Value = serde_json::from_str(object).expect("an object");
        let kind = object["type"].as_str().expect("it has a type").to_owned();
        if kind == "refused" { format!("{kind} {}", object["line"]) } else { kind }
    };
    objects.iter().map(kind).collect()
}

#[test]
fn every_request_is_answered_in_order_before_the_end() {
    let server = Server::over(&["tcp", "udp"], &[]);
    for transport in ["tcp", "udp"] {
        let mut command = client_command_over(transport, server.address, &["--json"]);
        let input =
            b"{\"type\":\"say\",\"text\":\"one\\ntwo\"}\nbad\n{\"type\":\"who\"}\n{\"type\":\"who\"}\n\
            {\"type\":\"say\",\"text\":\"three\"}\n{\"type\":\"say\",\"text\":\"\"}\n{\"type\":\"who\"}\n";
        let (code, objects, stderr) = run(&mut command, input);
        let expected = [
            "connected",
            "message",
            "message",
            "refused 2",
            "present",
            "present",
            "message",
            "refused 6",
            "present",
            "ended",
        ];
        assert_eq!(types(&objects), expected, "{transport}");
        assert_eq!((code, stderr.as_str()), (Some(1), "error: 2 lines of the input refused"));
        let (code, objects, _) = run(&mut command, b"{\"type\":\"who\"}");
        assert_eq!(
            (code, types(&objects)),
            (Some(0), ["connected", "present", "ended"].map(str::to_owned).to_vec())
        );
        let (code, objects, _) = run(&mut command, &b"bad\n".repeat(2_000));
        assert_eq!(
            (code, objects.iter().filter(|object| object.contains("refused")).count()),
            (Some(1), 2_000)
        );
        assert!(objects.last().unwrap().contains("ended"));
    }
}

#[test]
fn no_part_of_a_command_that_is_too_long_is_said() {
    let server = Server::over(&["tcp"], &[]);
    for longer in [1_000, 200_000] {
        let input = format!("/msg bob {}\nhello\n", "x /".repeat(longer / 3));
        let mut command = client_command(server.address, &[]);
        let (code, _, stderr) = run(&mut command, input.as_bytes());
        assert_eq!(code, Some(1), "{stderr}");
        assert_eq!(
            stderr,
            "[*] Not sent: a command has at most 960 bytes\nerror: 1 line of the input refused"
        );
        let (_, said, _) = run(&mut client_command(server.address, &["--history", "9", "--json"]), b"");
        let said: Vec<_> = said.iter().filter(|line| line.contains("\"message\"")).collect();
        assert!(said.iter().all(|line| line.contains("hello")), "{said:?}");
        assert!(!said.is_empty());
    }
}

#[test]
fn a_byte_order_mark_is_no_text() {
    let server = Server::start();
    let mut reader = server.peer();
    let bom = "\u{feff}".as_bytes();
    let (code, ..) = run(&mut client_command(server.address, &[]), &[bom, b"hello\n"].concat());
    assert_eq!(code, Some(0));
    assert!(reader.read_up_to("hello").last().unwrap().ends_with("] hello"));
    let say = br#"{"type":"say","text":"hi"}"#;
    let (code, ..) = run(&mut client_command(server.address, &["--json"]), &[bom, say].concat());
    assert_eq!(code, Some(0));
    assert!(reader.read_up_to("hi").last().unwrap().ends_with("] hi"));
    for utf_16 in [b"\xff\xfeh\0", b"\xfe\xff\0h"] {
        let (code, _, stderr) = run(&mut client_command(server.address, &[]), utf_16);
        assert_eq!(code, Some(1));
        assert!(stderr.contains("UTF-16"), "{stderr}");
    }
}

#[test]
fn a_stdin_that_cannot_be_read_is_a_failure() {
    let server = Server::start();
    let directory = || Stdio::from(File::open("/").unwrap());
    for flags in [&[][..], &["--stay"], &["--json"]] {
        let mut command = client_command(server.address, flags);
        let output = command.stdin(directory()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{flags:?}");
        assert!(stderr.starts_with("error: cannot read stdin: "), "{stderr}");
    }
}

#[test]
fn a_stdin_that_another_program_has_made_non_blocking_is_waited_for() {
    let server = Server::start();
    let mut reader = server.peer();
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap(); // this is a property of the pipe, not of the descriptor
    let mut command = client_command(server.address, &[]);
    command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
    let mut client = Killed(command.spawn().unwrap());
    drop(command);
    for line in ["one", "two"] {
        writeln!(&ours, "{line}").unwrap();
        reader.read_up_to(line);
    }
    drop(ours);
    assert_eq!(client.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_console_at_a_control_socket_waits_for_such_a_stdin_too() {
    let directory = Directory::new();
    let socket = directory.path("control");
    let server = Server::with(&["--socket", &socket]);
    let mut reader = server.peer();
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut command = Command::new(CHAT);
    command.args(["admin", "--socket"]).arg(&socket);
    let mut admin = Killed(command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).spawn().unwrap());
    drop(command);
    // The next line may be there before it is asked for, but not every time.
    for number in 0..50 {
        writeln!(&ours, "line {number}").unwrap();
        reader.read_up_to(&format!("[*] line {number}"));
    }
    drop(ours);
    assert_eq!(admin.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_full_stdout_that_does_not_block_is_waited_for() {
    const LINES: usize = 2_000;
    let server = Server::start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let mut command = client_command(server.address, &["--stay"]);
    command.stdin(Stdio::null()).stdout(OwnedFd::from(theirs)).stderr(Stdio::inherit());
    let _client = Killed(command.spawn().unwrap());
    drop(command);
    server.process.stdout.wait_until("the client", |output| (output.lines.len() > 1).then_some(()));
    let mut speaker = server.peer();
    let long = "x".repeat(900);
    (0..LINES).for_each(|number| speaker.send(format!("{number} {long}\n")));
    // By now everything is in the room, and the pipe is full.
    server.process.stdout.wait_for_line(&speaker.line(&format!("{} {long}", LINES - 1)));
    let mut lines = BufReader::new(ours).lines().map(Result::unwrap);
    for number in 0..LINES {
        assert_eq!(lines.next().unwrap(), speaker.line(&format!("{number} {long}")));
    }
}

#[test]
fn when_the_reader_of_its_output_ends_it_ends_too() {
    let server = Server::start();
    for flags in [&["--stay"][..], &["--stay", "--json"]] {
        let mut command = client_command(server.address, flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut client = Killed(command.spawn().unwrap());
        drop(client.0.stdout.take());
        // Nobody says anything, so the client has nothing to write.
        assert_eq!(client.0.wait().unwrap().code(), Some(0), "{flags:?}");
    }
}

#[test]
fn it_waits_for_a_server_that_is_not_there_yet() {
    let address = free_address();
    for transport in ["tcp", "udp"] {
        let mut client = Process::start(&mut client_command_over(transport, address, &["--reconnect"]));
        client.stderr.wait_until("a failed attempt", |output| {
            output.lines.iter().any(|line| line.starts_with("[*] Not connected yet: cannot")).then_some(())
        });
        client.type_line("at last");
        client.end_of_input();
        let server = Server::at(&address.to_string(), &["tcp", "udp"], &[]);
        assert_eq!(client.exit_code(), Some(0));
        server.process.stdout.wait_until("the line", |output| {
            output.lines.iter().any(|line| line.ends_with("] at last")).then_some(())
        });
    }
}

#[test]
fn a_signal_ends_it_soon_whatever_the_server_does_and_it_says_what_is_not_confirmed() {
    for (transport, signal) in [("tcp", "INT"), ("udp", "TERM"), ("tcp", "TERM")] {
        if !Process::heeds(signal) {
            continue;
        }
        let server = Server::over(&["tcp", "udp"], &[]);
        let mut client = Process::start(&mut client_command_over(transport, server.address, &[]));
        client.type_line("before");
        server.process.stdout.wait_until("the line", |output| {
            output.lines.iter().any(|line| line.ends_with("] before")).then_some(())
        });
        server.process.signal("STOP");
        // More than the pipe holds, so the client has read some of it, and nearly as much as the client can hold.
        let (mut stdin, (full, is_full)) = (client.stdin(), crossbeam_channel::bounded(1));
        let feed = thread::spawn(move || {
            let line = [&[b'x'; 899][..], b"\n"].concat();
            for number in 0.. {
                if number == 800 {
                    full.send(()).unwrap();
                }
                if stdin.write_all(&line).is_err() {
                    return;
                }
            }
        });
        is_full.recv_timeout(PATIENCE).expect("it reads its stdin");
        let begun = now();
        client.signal(signal);
        assert_eq!(client.exit_code(), Some(1));
        assert!(
            now() - begun < Duration::from_secs(10),
            "it is not the timeout of a connection that ends it"
        );
        let stderr = client.stderr.all().join("\n");
        assert!(stderr.contains("error: left before the server confirmed"), "{stderr}");
        server.process.signal("CONT");
        feed.join().unwrap();
    }
}

#[test]
fn a_signal_ends_it_soon_although_nobody_reads_its_output() {
    let server = Server::start();
    let (client, stdout) = Process::start_unread(&mut client_command(server.address, &["--stay"]));
    let mut client = client;
    server.process.stdout.wait_until("the client", |output| (output.lines.len() > 1).then_some(()));
    let mut speaker = server.peer();
    let long = "x".repeat(900);
    (0..500).for_each(|number| speaker.send(format!("{number} {long}\n")));
    server.process.stdout.wait_for_line(&speaker.line(&format!("499 {long}")));
    client.signal("TERM");
    assert_eq!(client.exit_code(), Some(1));
    assert!(client.stderr.all().concat().contains("Left without"));
    drop(stdout);
}

#[test]
fn a_client_that_was_in_once_does_not_give_up_for_a_silent_or_foreign_server() {
    let address = free_address();
    let server = Server::at(&address.to_string(), &["tcp"], &[]);
    let client = Process::start(&mut client_command(address, &["--reconnect", "--stay"]));
    server.process.stdout.wait_until("the client", |output| (output.lines.len() > 1).then_some(()));
    drop(server);
    // In its place come a server that hangs up, one that speaks another protocol, and one that says nothing.
    let listener = std::net::TcpListener::bind(address).unwrap();
    drop(listener.accept().unwrap());
    let (mut foreign, _) = listener.accept().unwrap();
    foreign.write_all(b"220 mail.example.org\r\n").unwrap();
    foreign.read_exact(&mut [0]).unwrap();
    drop(foreign);
    let (_silent, _) = listener.accept().unwrap();
    client.stderr.wait_until("a word about it", |output| {
        output
            .lines
            .iter()
            .any(|line| line.contains("the server does not answer. Trying again"))
            .then_some(())
    });
    drop(listener);
    let server = Server::at(&address.to_string(), &["tcp"], &[]);
    server.process.stdout.wait_until("the client", |output| (output.lines.len() > 1).then_some(()));
    drop(client);
}

#[test]
fn a_server_that_greets_and_says_no_more_has_failed_to_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new(CHAT);
    command.args(["client", "tcp", &listener.local_addr().unwrap().to_string()]);
    let mut client = Process::start(&mut command);
    let (mut socket, _) = listener.accept().unwrap();
    socket.write_all(&chat_proto::PREFACE).unwrap();
    assert_eq!(client.exit_code(), Some(1));
    let stderr = client.stderr.all().join("\n");
    assert!(stderr.starts_with("error: the server does not answer\n"), "{stderr}");
}
