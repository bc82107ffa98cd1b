//! Section 10: plain UDP.

use std::net::SocketAddr;

use chat_proto::limits::{PLAIN_ANSWER_BYTES_MAX, PLAIN_DATAGRAM_BYTES_MAX};
use chat_testkit::FOREIGN_PROTOCOLS_UDP;

use crate::datagrams::{Member, Plain};
use crate::support::{Server, own_address};

#[test]
fn clause_10_1_where_plain_datagrams_are_off_they_are_met_with_silence() {
    let server = Server::over(&["udp"], &["--udp-plain", "off"]);
    let peer = Plain::new(&server);
    peer.send(b"hello");
    peer.has_heard_nothing();
}

/// A server with these flags, and a peer that has said hello to it from an address other than loopback. `None` if
/// this machine has no such address.
fn said_hello_from_elsewhere(flags: impl FnOnce(&str) -> Vec<String>) -> Option<(Server, Plain)> {
    let Some(ip) = own_address() else {
        println!("skipped: this machine has only loopback addresses");
        return None;
    };
    let local = SocketAddr::new(ip, 0).to_string();
    let flags = flags(&ip.to_string());
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::at(&local, &["udp"], &flags);
    let peer = Plain::at(&local, server.address);
    peer.send(b"hello");
    Some((server, peer))
}

#[test]
fn clause_10_1_elsewhere_than_on_this_machine_a_peer_is_a_member_at_once_only_where_it_is_trusted() {
    let any = said_hello_from_elsewhere(|_| vec!["--udp-plain".into(), "any".into()]);
    let trusted = said_hello_from_elsewhere(|network| vec!["--udp-trust".into(), network.into()]);
    for (_server, peer) in any.into_iter().chain(trusted) {
        assert_eq!(peer.recv_text(), format!("[{}] hello", peer.name));
    }
    if let Some((_server, peer)) =
        said_hello_from_elsewhere(|_| vec!["--udp-plain".into(), "loopback".into()])
    {
        peer.has_heard_nothing();
    }
}

#[test]
fn clause_10_2_by_default_a_peer_from_elsewhere_is_asked_for_a_number_which_is_not_said() {
    let Some((server, peer)) = said_hello_from_elsewhere(|_| Vec::new()) else { return };
    let asked = peer.recv_text();
    let number = asked.strip_prefix("[*] Say ").unwrap().strip_suffix(" to join").unwrap();
    peer.send(number.as_bytes());
    assert_eq!(peer.recv_text(), "[*] You have joined");
    peer.send(number.as_bytes());
    peer.send(b"hello again");
    assert_eq!(peer.recv_text(), format!("[{}] hello again", peer.name));
    server.process.stdout.wait_for_line(&format!("[{}] hello again", peer.name));
    let said = server.process.stdout.lines();
    assert!(!said.iter().any(|line| line.contains(number) || line.ends_with("] hello")), "{said:?}");
}

#[test]
fn clause_10_3_each_line_of_a_datagram_is_a_message() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut reader = server.peer();
    let peer = Plain::new(&server);
    peer.send(b"one\ntwo\r\n\nthree");
    let expected = ["one", "two", "three"].map(|text| format!("[{}] {text}", peer.name));
    assert_eq!(reader.read_up_to(&expected[2]), expected);
}

#[test]
fn clause_10_3_of_a_datagram_longer_than_16_kib_the_rest_is_cut_off() {
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
fn clause_10_4_a_member_gets_what_is_said_its_own_too_in_whole_lines_of_at_most_1024_bytes() {
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
fn clause_10_4_lines_end_as_the_peers_own_datagrams_do() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    for end in ["\n", "\r\n", ""] {
        peer.send(format!("hello{end}").as_bytes());
        assert_eq!(peer.recv_text(), format!("[{}] hello{end}", peer.name));
    }
}

#[test]
fn clause_10_3_an_empty_datagram_joins_and_says_nothing() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let peer = Plain::new(&server);
    peer.send(b"");
    server.has_accepted(&peer.name);
    let mut speaker = server.peer();
    speaker.send("hello\n");
    assert_eq!(peer.recv_text(), speaker.line("hello"));
}

#[test]
fn clause_9_3_what_is_not_text_is_nobodys_message() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let (mut reader, peer) = (server.peer(), Plain::new(&server));
    for stranger in FOREIGN_PROTOCOLS_UDP {
        peer.send(stranger.bytes);
    }
    peer.send(b"J\xf6rg");
    reader.read_up_to(&format!("[{}] J\u{fffd}rg", peer.name));
    assert_eq!(reader.lines().len(), 1, "{:?}", reader.lines());
}

#[test]
#[cfg(target_os = "linux")]
fn clause_9_4_answers_come_from_the_address_that_was_asked() {
    let server = Server::at("0.0.0.0:0", &["udp"], &[]);
    for asked in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
        // The peer is connected, so it accepts nothing from another address.
        let peer = Plain::at("127.0.0.1:0", SocketAddr::new(asked.parse().unwrap(), server.address.port()));
        peer.send(b"hello");
        assert_eq!(peer.recv_text(), format!("[{}] hello", peer.name));
    }
}

#[test]
fn clause_2_7_a_peer_that_sends_another_encoding_is_told_once_how_to_send_utf_8() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let (speaker, mut peer) = (Plain::new(&server), server.peer());
    let of_encoding = |line: &&String| line.starts_with("[*] Not all of that is UTF-8");
    for text in [&b"J\xf6rg"[..], b"gr\xfc\xdfe", "gr\u{fc}\u{df}e".as_bytes()] {
        speaker.send(text);
    }
    let last = format!("[{}] gr\u{fc}\u{df}e", speaker.name);
    assert_eq!(speaker.lines_until(&last).iter().filter(of_encoding).count(), 1);

    for text in [&b"J\xf6rg\n"[..], b"gr\xfc\xdfe\n"] {
        peer.send(text);
    }
    peer.is_in();
    assert_eq!(peer.lines().iter().filter(of_encoding).count(), 1);
}

#[test]
fn clause_10_6_what_a_chat_server_says_is_ignored() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    peer.send(b"hello");
    let line = peer.recv_text();
    for echo in ["[*] You missed 3 messages", &line, &format!("before {line}"), &format!("a\n{line}\nb")] {
        peer.send(echo.as_bytes());
    }
    peer.has_heard_nothing();
    // A line of somebody else is a quotation and is said.
    peer.send(b"[127.0.0.1:1] hello");
    assert_eq!(peer.recv_text(), format!("[{}] [127.0.0.1:1] hello", peer.name));
}

#[test]
fn clause_10_6_two_servers_that_are_made_to_talk_fall_silent() {
    // The test relays between two servers what each of them says. A forged address would have the same effect.
    let servers = [Server::over(&["udp"], &[]), Server::over(&["udp"], &[])];
    let relays = [Plain::new(&servers[0]), Plain::new(&servers[1])];
    relays[0].send(b"hello");
    let mut passed = relays[0].recv();
    for to in [1, 0].into_iter().cycle().take(20) {
        relays[to].send(&passed);
        match relays[to].all_that_came().pop() {
            Some(answer) => passed = answer,
            None => return,
        }
    }
    panic!("they talk for ever");
}

#[test]
fn clause_10_7_members_that_are_there_when_the_room_closes_read_its_farewell() {
    let server = Server::over(&["udp"], &[]);
    let peer = Plain::new(&server);
    peer.send(b"hello");
    peer.recv();
    server.process.terminate();
    assert_eq!(peer.recv_text(), "[*] The server is stopping");
}

#[test]
fn clause_10_7_in_a_full_room_the_one_silent_longest_makes_way_for_a_framed_peer_and_is_told_so() {
    let server = Server::over(&["udp"], &["--max-members", "2"]);
    let (silent, talker, third) = (Plain::new(&server), Plain::new(&server), Plain::new(&server));
    silent.send(b"one");
    silent.recv();
    talker.send(b"two");
    talker.recv();
    // Nobody makes way for another plain peer.
    third.send(b"three");
    assert_eq!(third.recv_text(), "[*] Closed: room is full");

    let member = Member::join(&server);
    server.has_accepted(member.name());
    server.has_closed(&silent.name, Some("room is full"));
    silent.lines_until("[*] Closed: room is full");
    talker.send(b"still here");
    talker.lines_until(&format!("[{}] still here", talker.name));
}
