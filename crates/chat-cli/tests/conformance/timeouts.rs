//! Clauses about half a minute or more of silence. The tests run side by side, in a little over a minute.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use chat_proto::{LeaveReason, PREFACE};
use socket2::{Domain, Socket, Type};

use crate::datagrams::{Member, Plain, encoded, fresh_nonce, hello};
use crate::frames::{Framed, encoded as frame, say};
use crate::support::{Peer, Process, Server, client_command_over, now};

/// Longer than any of the timeouts, with some extra time for a busy machine.
const LONG: Duration = Duration::from_secs(150);

/// Reads `stream` to its end. Returns what it got and how long that took.
fn until_the_end(stream: &TcpStream) -> (Vec<u8>, Duration) {
    let since = now();
    let mut stream = stream;
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("it ends");
    (got, since.elapsed())
}

fn assert_took(what: &str, took: Duration, timeout: u64) {
    let timeout = Duration::from_secs(timeout);
    assert!(took + Duration::from_millis(100) >= timeout, "{what} after {took:?}");
    assert!(took < timeout + Duration::from_secs(20), "{what} after {took:?}");
    println!("{what}: after {took:.1?}");
}

#[test]
#[ignore = "takes 30 s"]
fn clause_5_2_the_beginning_of_a_line_that_does_not_go_on_for_30_seconds_is_a_message() {
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    speaker.send("JOIN /lobby\n");
    reader.read_up_to(&speaker.line("JOIN /lobby"));
    let since = now();
    speaker.send("hello");
    reader.socket.set_read_timeout(Some(LONG)).unwrap();
    reader.read_up_to(&speaker.line("hello"));
    assert_took("an unfinished line", since.elapsed(), 30);
    // The server now knows that this peer does not end its messages with line breaks.
    speaker.send("world");
    reader.read_up_to(&speaker.line("world"));
}

#[test]
#[ignore = "takes 30 s"]
fn clause_6_4_the_preface_and_the_hello_must_be_whole_within_10_seconds_and_a_frame_within_30() {
    let server = Server::start();
    let (mut inside, _) = Framed::join(&server);
    inside.send_bytes(&frame(&say("unfinished"))[..5]);
    let unfinished = [&PREFACE[..3], &PREFACE, &[&PREFACE[..], &[9, 0, 0]].concat()].map(<[u8]>::to_vec);
    let peers = unfinished.map(|bytes| {
        let mut peer = Framed::connect(&server);
        peer.send_bytes(&bytes);
        peer
    });
    for peer in &peers {
        let (_, took) = until_the_end(&peer.socket);
        // The timeouts of the others have run at the same time.
        if peer.name == peers[0].name {
            assert_took("an unfinished preface", took, 10);
        }
    }
    until_the_end(&inside.socket);
    server.has_closed(&inside.name, Some("frame not finished in time"));
}

#[test]
#[ignore = "takes 60 s"]
fn clause_4_5_a_peer_that_takes_nothing_for_60_seconds_is_too_slow() {
    let server = Server::start();
    // With loopback's default buffers the peer would seem to take megabytes.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.set_tcp_mss(1_400).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let (stalled, mut speaker, mut witness) = (Peer::of(socket.into()), server.peer(), server.peer());
    server.has_accepted(&stalled.name);
    // Send little by little. When the server's own buffer is full, the system has long noticed that the peer takes
    // nothing.
    let tick = "tick ".repeat(150) + "tock";
    let since = now();
    let closed = crate::support::closed(&stalled.name, Some("too slow to read"));
    while !server.process.stdout.written().lines.iter().rev().any(|line| *line == closed) {
        assert!(since.elapsed() < LONG);
        // Meanwhile the room goes on.
        speaker.send(format!("{tick}\n"));
        witness.read_up_to(&speaker.line(&tick));
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_took("too slow", since.elapsed(), 60);
}

#[test]
#[ignore = "takes 60 s"]
fn clause_10_4_a_plain_members_lease_is_60_seconds_and_it_is_told_of_its_end() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    peer.socket.set_read_timeout(Some(LONG)).unwrap();
    peer.send(b"hello");
    assert_eq!(peer.recv_text(), format!("[{}] hello", peer.name));
    let since = now();
    assert_eq!(peer.recv_text(), "[*] Closed: idle for too long");
    assert_took("the end of a lease", since.elapsed(), 60);
    server.has_closed(&peer.name, Some("idle for too long"));
}

#[test]
#[ignore = "takes 10 s"]
fn clause_11_6_a_peer_that_is_not_heard_after_its_welcome_is_gone_within_10_seconds() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    let nonce = fresh_nonce();
    let cookie = Some(peer.cookie(nonce));
    peer.send(&encoded(&hello(nonce, cookie)));
    let member = Member::welcomed(peer, nonce);
    server.has_accepted(member.name());
    let since = now();
    server.has_ended(member.name());
    assert_took("an opening without a word", since.elapsed(), 10);
}

#[test]
#[ignore = "takes 60 s"]
fn clause_11_12_a_member_of_whom_nothing_is_heard_for_60_seconds_has_left() {
    let server = Server::over(&["udp"], &[]);
    let mut member = Member::join(&server);
    member.peer.socket.set_read_timeout(Some(LONG)).unwrap();
    let since = now();
    assert_eq!(member.bye(), LeaveReason::Idle);
    assert_took("a silent member", since.elapsed(), 60);
}

#[test]
#[ignore = "takes 30 s"]
fn clause_11_12_a_client_without_an_answer_for_10_seconds_takes_the_server_for_gone() {
    let server = Server::over(&["udp"], &[]);
    let mut client = Process::start(&mut client_command_over("udp", server.address, &["--stay"]));
    server.process.stdout.wait_for_lines(2);
    // While it is stopped, the server exists and does not answer.
    server.process.signal("STOP");
    client.type_line("anyone?");
    let since = now();
    assert_eq!(client.exit_code(), Some(1));
    assert_took("no answer", since.elapsed(), 10);
}

#[test]
#[ignore = "takes 65 s"]
fn clause_11_12_what_has_arrived_is_read_before_an_idle_member_is_removed() {
    let server = Server::over(&["udp"], &[]);
    let plain = Plain::new(&server);
    plain.send(b"hello");
    plain.recv();
    let framed = Member::join(&server);
    framed.peer.socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    server.process.signal("STOP");
    let since = now();
    // This is longer than the lease. Both peers show often enough that they are there.
    while since.elapsed() < Duration::from_secs(65) {
        plain.send(b"");
        framed.acknowledge(true);
        // Nothing arrives while the server is stopped, so this takes ten seconds.
        let _nothing = framed.peer.socket.recv(&mut [0; 1]);
    }
    server.process.signal("CONT");
    plain.send(b"still here");
    plain.lines_until(&format!("[{}] still here", plain.name));
    server.process.stdout.wait_for_line(&format!("[{}] still here", plain.name));
    let closed = |line: &String| line.starts_with("[*] Connection closed");
    assert!(!server.process.stdout.lines().iter().any(closed), "{:?}", server.process.stdout.lines());
}
