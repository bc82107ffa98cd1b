//! Plain datagrams over real sockets.
#![allow(clippy::unwrap_used)]

mod support;

use chat_core::{Heard, RoomConfig};
use chat_proto::Event;
use chat_udp::{PlainPolicy, UdpConfig};

use support::{PATIENCE, Peer, Server};

#[test]
fn a_bare_socket_gets_its_own_line_back() {
    let server = Server::new();
    let peer = Peer::new(server.address);
    peer.send(b"hello");
    assert_eq!(peer.recv(), format!("[{}] hello", peer.address));
    peer.send("sn\u{f6}\r\n".as_bytes());
    assert_eq!(peer.recv(), format!("[{}] sn\u{f6}\r\n", peer.address), "and it ends as its own words did");
}

#[test]
fn the_others_get_a_plain_peers_messages_from_its_first_word_on() {
    let server = Server::new();
    let (ann, bob) = (Peer::new(server.address), Peer::new(server.address));
    ann.send(b"I am here");
    ann.recv();
    bob.send(b"so am I");
    assert_eq!(bob.recv(), format!("[{}] so am I", bob.address), "and nothing of what was before");
    assert_eq!(ann.recv(), format!("[{}] so am I", bob.address));
}

#[test]
fn several_lines_in_a_datagram_are_several_messages() {
    let server = Server::new();
    let local = server.room.join("seat").unwrap();
    let peer = Peer::new(server.address);
    peer.send(b"one\ntwo\r\n\nthree");
    let mut heard = Vec::new();
    while heard.len() < 3 {
        if let Heard::Entry(entry) = local.recv_timeout(PATIENCE).unwrap()
            && let Event::Said { text, .. } = &entry.event
        {
            heard.push(text.to_string());
        }
    }
    assert_eq!(heard, ["one", "two", "three"], "an empty line is none");
    let own = peer.address;
    assert_eq!(peer.recv(), format!("[{own}] one\n[{own}] two\n[{own}] three"), "and they share a datagram");
}

#[test]
fn lines_are_joined_up_to_1024_bytes() {
    let server = Server::new();
    let peer = Peer::new(server.address);
    let line = "x".repeat(400);
    peer.send(format!("{line}\n{line}\n{line}").as_bytes());
    let (first, second) = (peer.recv(), peer.recv());
    assert_eq!((first.split('\n').count(), second.split('\n').count()), (2, 1));
    assert!(first.len() <= 1024 && !first.ends_with('\n') && !second.ends_with('\n'));
}

#[test]
fn where_plain_datagrams_are_off_there_is_silence() {
    let config = UdpConfig::default().with_plain(PlainPolicy::Off);
    let server = Server::with(RoomConfig::default(), &config);
    let peer = Peer::new(server.address);
    peer.send(b"hello");
    // If the server serves a framed client afterwards, it has seen the datagram.
    let client = support::connect(server.address);
    support::say(&client, "on");
    support::hear(&client);
    peer.socket.set_nonblocking(true).unwrap();
    assert!(peer.socket.recv(&mut [0; 10]).is_err());
    assert_eq!(server.room.stats().messages, 1);
}

#[test]
fn a_datagram_to_nobody_does_not_end_the_loop() {
    let server = Server::new();
    let gone = Peer::new(server.address);
    gone.send(b"hello");
    gone.recv();
    drop(gone); // its port answers with an ICMP message from now on
    let peer = Peer::new(server.address);
    for number in 0..50 {
        peer.send(format!("{number}").as_bytes());
        assert_eq!(peer.recv(), format!("[{}] {number}", peer.address));
        peer.send(b"");
    }
}

#[test]
fn a_kicked_plain_member_is_told_so() {
    let server = Server::new();
    let peer = Peer::new(server.address);
    peer.send(b"hello");
    peer.recv();
    server.room.kick(peer.address.into(), "enough").unwrap();
    assert_eq!(peer.recv(), "[*] Closed: kicked: enough");
}

#[test]
fn a_closing_room_says_farewell_to_plain_members_too() {
    let mut server = Server::new();
    let peer = Peer::new(server.address);
    peer.send(b"hello");
    peer.recv();
    server.stop();
    assert_eq!(peer.recv(), "[*] bye all");
}
