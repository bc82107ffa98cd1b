//! When something fails, the program says so in helpful words and with an exit code.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Command;
use std::thread;

use support::{CHAT, Process, Server, client_command, refusing_address};

/// Runs the program to its end. Returns the exit code and what it wrote on stderr.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    ended(Process::start(Command::new(CHAT).args(arguments)))
}

fn ended(mut process: Process) -> (Option<i32>, String) {
    let code = process.exit_code();
    (code, process.stderr.all().join("\n"))
}

fn assert_says(stderr: &str, words: &[&str]) {
    for word in words {
        assert!(stderr.contains(word), "nothing of {word:?} in:\n{stderr}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let server = Server::start();
    let address = server.address.to_string();
    let (code, stderr) = run(&["server", "tcp", "--bind", &address]);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["error: ", &address, "hint: ", "--bind"]);
}

#[test]
fn an_address_that_this_machine_does_not_have_is_named_with_what_to_do() {
    let (code, stderr) = run(&["server", "tcp", "--bind", "192.0.2.1:0"]);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["192.0.2.1:0", "hint: ", "0.0.0.0"]);
}

#[test]
fn what_cannot_be_understood_ends_with_two_and_a_hint() {
    let wrong: [(&[&str], &str); 36] = [
        (&["server", "tcp", "--no-such-flag"], "--help"),
        (&["server", "pigeon"], "tcp"),
        (&["server"], "--help"),
        (&["sevrer", "tcp"], "server"),
        (&[], "Usage"),
        (&["server", "tcp", "--bind", "no host"], "127.0.0.1:5555"),
        (&["client", "tcp", "127.0.0.1:99999"], "127.0.0.1:5555"),
        (&["client", "tcp", "::1:5555"], "[::1]:5555"),
        (&["client", "tcp", "5555"], "127.0.0.1:5555"),
        (&["client", "tcp", "127.0.0.1", "5555"], "write host and port as one: 127.0.0.1:5555"),
        (&["client", "tcp", "::1", "7000"], "write host and port as one: [::1]:7000"),
        (&["client", "tcp", "udp"], "'udp' is a transport"),
        (&["client", "tcp", "localhost", "udp"], "a client takes one transport"),
        (&["client", "localhost"], "chat client tcp localhost"),
        (&["server", "tcp", "7000"], "--bind 127.0.0.1:7000"),
        (&["client", "udp", "--port", "7000"], "chat client udp HOST:7000"),
        (&["client", "udp", "--port=7000"], "chat client udp HOST:7000"),
        (&["server", "tcp", "--port", "7000"], "--bind 127.0.0.1:7000"),
        (&["server", "tcp", "0.0.0.0:7000"], "--bind 0.0.0.0:7000"),
        (&["server", "tcp", "--room", "a", "--room", "a"], "two rooms have the name a"),
        (&["server", "udp", "--web"], "--web is for tcp"),
        (&["server", "udp", "--tls", "self-signed"], "add tcp, or leave --tls out"),
        (&["server", "udp", "--proxy-from", "10.0.0.0/8"], "--proxy-from is for tcp"),
        (&["server", "udp", "--threads", "2"], "--threads is for tcp"),
        (&["server", "tcp", "--udp-plain", "off"], "add udp, or leave --udp-plain out"),
        (&["server", "udp", "--udp-plain", "off", "--udp-trust", "10.0.0.0/8"], "or leave --udp-trust out"),
        (&["server", "tcp", "--names", "off", "--hide-addresses"], "or leave --hide-addresses out"),
        (
            &["server", "tcp", "--history", "a", "--log-file", "a"],
            "--history and --log-file name the same file",
        ),
        (&["server", "tcp", "--udp-trust", "10.0.0.0/8"], "--udp-trust is for udp"),
        (&["server", "tcp", "--open-rooms-per-ip", "5"], "--open-rooms <N>"),
        (&["client", "tcp", "--plain", "--history", "5"], "'--plain' cannot be used with"),
        (&["server", "tcp", "--admin", "99999"], "'99999' is no port"),
        (&["server", "tcp", "--admin", "localhost"], "expected HOST:PORT"),
        (&["server", "tcp", "--admin", "::1"], "expected HOST:PORT"),
        (&["client", "tcp", "--history", "-1"], "expected a number of messages"),
        (&["history", "redact", "chat.db", "--seq", "x"], "expected the number of a message"),
    ];
    for (arguments, hint) in wrong {
        let (code, stderr) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert_says(&stderr, &[hint]);
    }
}

#[test]
fn nobody_listening_ends_the_client_with_one_and_a_hint() {
    let (_keeps_the_port, address) = refusing_address();
    let address = address.to_string();
    let (code, stderr) = run(&["client", "tcp", &address]);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["error: ", &address, "hint: ", "chat server tcp"]);
}

#[test]
fn a_host_that_does_not_exist_ends_the_client_with_one_and_a_hint() {
    let (code, stderr) = run(&["client", "tcp", "no-such-host.invalid:5555"]);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["error: ", "hint: ", "no-such-host.invalid"]);
}

#[test]
fn a_server_of_another_kind_is_told_from_ours_with_a_hint() {
    for greeting in [&b"220 mail.example.org ESMTP\r\n"[..], b"", b"[10.0.0.1:1] hello"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(greeting).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            // Closing a socket with unread data would cause a reset, which is not an answer.
            socket.read_to_end(&mut Vec::new()).unwrap();
        });
        let (code, stderr) = run(&["client", "tcp", &address]);
        server.join().unwrap();
        assert_eq!(code, Some(1));
        assert_says(&stderr, &["framed", "hint: ", "--plain", std::str::from_utf8(greeting).unwrap().trim()]);
    }
}

#[test]
fn a_server_that_dies_ends_the_client_with_one_and_the_reason() {
    let mut server = Server::start();
    let (client, _) = server.client(&["--stay"]);
    let mut speaker = server.peer();
    client.hears(&mut speaker);
    server.process.kill();
    let (code, stderr) = ended(client);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["error: ", "connection lost"]);
}

#[test]
fn a_full_room_says_so_to_every_kind_of_client() {
    let server = Server::with(&["--max-members", "1"]);
    let _inside = server.peer();
    let mut outside = support::Peer::connect(server.address);
    assert_eq!(outside.read_to_end(), ["[*] Closed: room is full"]);
    let (code, stderr) = ended(Process::start(&mut client_command(server.address, &[])));
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["room is full"]);
    assert!(!stderr.contains("--plain"), "{stderr}");
}
