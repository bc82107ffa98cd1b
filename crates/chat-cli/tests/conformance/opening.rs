//! Section 4: how the server tells protocols apart, and who may join.

use std::io::{Read, Write};
use std::net::Shutdown;

use chat_proto::limits::PLAIN_LINE_BYTES_MAX;
use chat_proto::{Hello, RoomFrame};

use crate::frames::{Framed, opening};
use crate::support::{Peer, Server, own_address};

#[test]
fn clause_4_1_the_first_byte_decides() {
    let server = Server::start();
    let mut reader = server.peer();
    let (_framed, welcome) = Framed::join(&server);
    assert_eq!(welcome.members, 2);

    let mut tls = Peer::connect(server.address);
    tls.send(b"\x16\x03\x01\x00\x05hello\n");
    assert_eq!(tls.read_to_end(), [""; 0], "closed without a byte");

    // No text begins with one of these control characters.
    let of_keys = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x08 | 0x15 | 0x17 | 0x1b | 0x7f);
    for byte in (0..0x20).filter(|&byte| !of_keys(byte)) {
        let mut peer = server.peer();
        peer.send([&[byte][..], b"x\n"].concat());
        assert_eq!(peer.read_to_end(), [""; 0], "{byte:#x}: closed without a byte");
        server.has_closed(&peer.name, Some("not a chat client"));
    }
    // Every other byte begins plain text. A telnet command alone says nothing.
    for byte in (0..=255_u8).filter(|&byte| byte != 0xf5 && (byte >= 0x20 || of_keys(byte))) {
        let mut peer = server.peer();
        let mut first = [&[byte][..], b"x\n"].concat();
        if byte == 0xff {
            first = b"\xff\xf1x\n".to_vec(); // a whole telnet command has two bytes
        }
        peer.send(first);
        peer.send("there\n");
        reader.read_up_to(&peer.line("there"));
    }
}

#[test]
fn clause_4_2_a_path_longer_than_a_line_is_closed_without_a_byte() {
    let server = Server::start();
    let mut browser = server.peer();
    // The server may close before it has received everything.
    let _cut = browser.socket.write_all(&[&b"GET /"[..], &[b'x'; 70_000]].concat());
    assert_eq!(browser.read_to_end(), [""; 0]);
    server.has_closed(&browser.name, Some("not a chat client"));
}

#[test]
fn clause_4_2_only_methods_of_http_begin_a_request() {
    let server = Server::start();
    let mut reader = server.peer();
    for text in ["JOIN /lobby", "I /we think so", "GET me a coffee"] {
        let mut program = server.peer();
        program.send(text);
        reader.read_up_to(&program.line(text));
    }
}

#[test]
fn clause_4_2_an_http_request_is_closed_without_a_byte_however_it_is_cut() {
    let server = Server::start();
    let mut reader = server.peer();
    let request = b"POST /chat?a=b HTTP/1.1\r\nHost: localhost\r\n\r\nhello from a web page\r\n";
    let line = request.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let mut paused = Vec::new();
    for at in 1..line {
        let mut peer = Peer::connect(server.address);
        peer.socket.set_nodelay(true).unwrap();
        if peer.send_without_a_pause([&request[..at], &request[at..]].into_iter()) {
            assert_eq!(peer.read_to_end(), [""; 0], "cut at {at}");
        } else {
            paused.push(peer.name);
        }
    }
    let mut last = server.peer();
    last.send("that is all\n");
    let mut heard = reader.read_up_to(&last.line("that is all"));
    heard.retain(|line| !paused.iter().any(|name| line.starts_with(&format!("[{name}] "))));
    assert_eq!(heard, [last.line("that is all")], "nothing reached the room");
}

#[test]
fn clause_4_2_a_pause_within_the_path_of_a_request_makes_no_message_of_its_beginning() {
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    let mut browser = Peer::connect(server.address);
    browser.send("POST /hello-from-a-web-page");
    assert_eq!(browser.read_to_end(), [""; 0]);
    speaker.send("that is all\n");
    assert_eq!(reader.read_up_to("that is all"), [speaker.line("that is all")]);
}

#[test]
fn clause_4_3_a_silent_peer_is_a_plain_listener_and_may_still_open_the_framed_protocol() {
    let server = Server::start();
    let mut speaker = server.peer();
    let mut silent = Framed::connect(&server);
    server.has_accepted(&silent.name); // the grace period has passed
    speaker.send("said after it\n");
    let line = speaker.line("said after it\n");
    let mut got = vec![0; line.len()];
    silent.socket.read_exact(&mut got).expect("a listener gets it");
    assert_eq!(String::from_utf8(got).unwrap(), line);

    silent.send_bytes(&opening(Hello::default()));
    assert_eq!(silent.welcome().head, 1);
    speaker.send("said later\n");
    assert_eq!(silent.message().seq, 2);
}

#[test]
fn clause_4_4_a_peer_that_comes_to_a_full_room_is_told_so_in_its_own_format() {
    let server = Server::with(&["--max-members", "1"]);
    let inside = server.peer();
    for first in [&b""[..], b"hello\n", b"hello"] {
        let mut outside = Peer::connect(server.address);
        let _closed_already = outside.socket.write_all(first);
        assert_eq!(outside.read_to_end(), ["[*] Closed: room is full"]);
    }
    let mut outside = Framed::connect(&server);
    outside.send_bytes(&opening(Hello::default()));
    assert_eq!(outside.bye(), chat_proto::LeaveReason::RoomFull);
    inside.socket.shutdown(Shutdown::Both).unwrap();
    server.has_closed(&inside.name, None);
    server.peer();
}

#[test]
fn clause_4_4_a_peer_that_is_closed_before_it_is_a_member_was_never_there() {
    let server = Server::start();
    let mut reader = server.peer();
    let mut tls = Peer::connect(server.address);
    tls.send(b"\x16\x03\x01\x00\x05hello\n");
    let mut browser = Peer::connect(server.address);
    browser.send("GET / HTTP/1.1\r\nHost: room\r\n\r\n");
    drop(Peer::connect(server.address)); // a health check
    for mut peer in [tls, browser] {
        assert_eq!(peer.read_to_end(), [""; 0]);
    }
    let mut speaker = server.peer();
    speaker.send("that is all\n");
    assert_eq!(reader.read_up_to("that is all"), [speaker.line("that is all")]);
    let accepted = server.process.stdout.lines().iter().filter(|line| line.contains("Accepted")).count();
    assert_eq!(accepted, 2, "{:?}", server.process.stdout.lines());
}

#[test]
fn clause_4_4_an_address_has_its_own_limit_from_which_loopback_is_exempt() {
    let server = Server::with(&["--max-per-ip", "1"]);
    let _both = (server.peer(), server.peer());
    let Some(ip) = own_address() else {
        println!("skipped: this machine has only loopback addresses");
        return;
    };
    let server = Server::at(&format!("{ip}:0"), &["tcp"], &["--max-per-ip", "2"]);
    let _inside = (server.peer(), server.peer());
    let mut outside = Peer::connect(server.address);
    assert_eq!(outside.read_to_end(), ["[*] Closed: too many members from this address"]);
}

#[test]
fn clause_4_6_the_last_lines_are_not_destroyed_by_what_the_peer_still_sends() {
    for _ in 0..20 {
        let server = Server::start();
        let mut peer = server.peer();
        peer.send(vec![b'x'; PLAIN_LINE_BYTES_MAX + 1]);
        // The server reads on, so that closing does not cause a reset. It may have closed too early for this write.
        let _closed = peer.socket.write_all(&[b'y'; 100_000]);
        let mut rest = String::new();
        peer.socket.read_to_string(&mut rest).expect("an end, and not a reset");
        assert_eq!(rest, "[*] Closed: line too long\n");
    }
}

#[test]
fn clause_4_6_the_server_shuts_down_its_side_and_waits_for_the_peers() {
    let server = Server::start();
    let (mut framed, _) = Framed::join(&server);
    framed.send_bytes(&[0, 0]);
    assert_eq!(framed.bye(), chat_proto::LeaveReason::Protocol);
    // The server has shut down its side and ours is still open. The server reads what we send and ignores it.
    framed.say("too late");
    framed.socket.shutdown(Shutdown::Write).unwrap();
    let mut reader = server.peer();
    let mut speaker = server.peer();
    speaker.send("that is all\n");
    assert_eq!(reader.read_up_to("that is all"), [speaker.line("that is all")]);
    assert!(!matches!(framed.next(), Some(RoomFrame::Entry(_))));
}
