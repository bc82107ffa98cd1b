//! Section 10: plain UDP.

use chat_proto::limits::{PLAIN_ANSWER_BYTES_MAX, PLAIN_DATAGRAM_BYTES_MAX};

use crate::datagrams::{Member, Plain};
use crate::support::{Server, own_address};

#[test]
fn clause_10_1_where_plain_datagrams_are_off_they_are_met_with_silence() {
    let server = Server::over(&["udp"], &["--udp-plain", "off"]);
    let peer = Plain::new(&server);
    peer.send(b"hello");
    peer.has_heard_nothing();
}

#[test]
fn clause_10_1_by_default_they_are_taken_from_this_machine_and_private_networks_only() {
    let Some(std::net::IpAddr::V4(ip)) = own_address() else {
        println!("skipped: this machine has only loopback addresses");
        return;
    };
    let local = format!("{ip}:0");
    let is_private = ip.is_private() || ip.is_link_local();
    for (policy, is_taken) in [("local", is_private), ("any", true)] {
        let server = Server::at(&local, &["udp"], &["--udp-plain", policy]);
        let peer = Plain::at(&local, server.address);
        peer.send(b"hello");
        if is_taken {
            assert_eq!(peer.recv_text(), format!("[{}] hello", peer.name));
        } else {
            peer.has_heard_nothing();
        }
    }
}

#[test]
fn clause_10_2_each_line_of_a_datagram_is_a_message() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut reader = server.peer();
    let peer = Plain::new(&server);
    peer.send(b"one\ntwo\r\n\nthree");
    let expected = ["one", "two", "three"].map(|text| format!("[{}] {text}", peer.name));
    assert_eq!(reader.read_up_to(&expected[2]), expected);
}

#[test]
fn clause_10_2_of_a_datagram_longer_than_16_kib_the_rest_is_cut_off() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut reader = server.peer();
    let peer = Plain::new(&server);
    peer.send(&[b'x'; PLAIN_DATAGRAM_BYTES_MAX + 100]);
    peer.send(b"that is all");
    let prefix = format!("[{}] ", peer.name);
    let lines = reader.read_up_to(&format!("{prefix}that is all"));
    let bytes: usize = lines.iter().map(|line| line.strip_prefix(&prefix).unwrap().len()).sum();
    assert_eq!(bytes, PLAIN_DATAGRAM_BYTES_MAX + "that is all".len());
}

#[test]
fn clause_10_3_he_gets_what_is_said_his_own_too_in_whole_lines_of_at_most_1024_bytes() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let peer = Plain::new(&server);
    peer.send(b"hello");
    assert_eq!(peer.recv_text(), format!("[{}] hello", peer.name), "alone, and without a line break");
    let mut speaker = server.peer();
    let texts: Vec<String> = (0..300).map(|number| format!("{number} {}", "x".repeat(number))).collect();
    speaker.send(texts.iter().map(|text| format!("{text}\n")).collect::<String>());
    let mut lines = Vec::new();
    while lines.len() < texts.len() {
        let datagram = peer.recv_text();
        assert!(datagram.len() <= PLAIN_ANSWER_BYTES_MAX && !datagram.ends_with('\n'));
        lines.extend(datagram.split('\n').map(str::to_owned));
    }
    let expected: Vec<String> = texts.iter().map(|text| speaker.line(text)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn clause_10_5_what_a_chat_server_says_is_ignored() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    peer.send(b"hello");
    let line = peer.recv_text();
    for echo in ["[*] You missed 3 messages", &line, &format!("before {line}"), &format!("a\n{line}\nb")] {
        peer.send(echo.as_bytes());
    }
    peer.has_heard_nothing();
    // A line of somebody else is a quotation.
    peer.send(b"[127.0.0.1:1] hello");
    assert_eq!(peer.recv_text(), format!("[{}] [127.0.0.1:1] hello", peer.name));
}

#[test]
fn clause_10_5_two_servers_that_are_made_to_talk_fall_silent() {
    // A relay that gives each what the other says is what a forged address makes of two servers.
    let servers = [Server::over(&["udp"], &[]), Server::over(&["udp"], &[])];
    let relays = [Plain::new(&servers[0]), Plain::new(&servers[1])];
    relays[0].send(b"hello");
    let mut passed = relays[0].recv();
    relays.iter().for_each(|relay| {
        relay.socket.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
    });
    let mut buffer = [0; 2048];
    for to in [1, 0].into_iter().cycle().take(20) {
        relays[to].send(&passed);
        match relays[to].socket.recv(&mut buffer) {
            Ok(count) => passed = buffer[..count].to_vec(),
            Err(_) => return,
        }
    }
    panic!("they talk for ever");
}

#[test]
fn clause_10_6_who_is_there_when_the_room_closes_reads_its_farewell() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    peer.send(b"hello");
    peer.recv();
    server.process.terminate();
    assert_eq!(peer.recv_text(), "[*] The server is stopping");
}

#[test]
fn clause_10_6_in_a_full_room_the_one_silent_longest_makes_way_for_a_proven_peer_and_is_told_so() {
    let server = Server::over(&["udp"], &["--max-members", "2"]);
    let (silent, talker, third) = (Plain::new(&server), Plain::new(&server), Plain::new(&server));
    silent.send(b"one");
    silent.recv();
    talker.send(b"two");
    talker.recv();
    // Not for another who has proven nothing: he is met with silence.
    third.send(b"three");
    third.has_heard_nothing();

    let member = Member::join(&server);
    server.has_accepted(member.name());
    server.has_closed(&silent.name, Some("room is full"));
    silent.lines_until("[*] Closed: room is full");
    talker.send(b"still here");
    talker.lines_until(&format!("[{}] still here", talker.name));
}
