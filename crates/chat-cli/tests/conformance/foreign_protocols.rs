//! Clauses 2.7, 4.1 and 4.2, tested with what other programs send first. Scanners, browsers and misconfigured clients
//! come to every port.

use chat_testkit::{FOREIGN_PROTOCOLS_TCP, ForeignProtocol};

use crate::support::{Peer, Server};

/// Text protocols, and how a connection of each begins.
const TEXTS: &[(&str, &[u8])] = &[
    ("SMTP", b"EHLO mail.example.org\r\nMAIL FROM:<a@example.org>\r\n"),
    ("FTP", b"USER anonymous\r\nPASS guest@\r\n"),
    ("POP3", b"CAPA\r\nUSER ann\r\n"),
    ("IMAP", b"a001 CAPABILITY\r\na002 LOGIN ann secret\r\n"),
    ("NNTP", b"MODE READER\r\n"),
    ("IRC", b"CAP LS 302\r\nNICK ann\r\nUSER ann 0 * :Ann\r\n"),
    ("XMPP", b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client'>"),
    ("Redis RESP", b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"),
    ("memcached text", b"set key 0 60 5\r\nvalue\r\n"),
    ("rsync", b"@RSYNCD: 31.0 sha512\n"),
    ("a terminal that answers", b"\x1b[?62;22c\x1b[24;80R\x1b]0;gotcha\x07\n"),
];

/// The members that a stranger might disturb.
struct Room {
    server: Server,
    plain: Peer,
    speaker: Peer,
    spoken: usize,
}

impl Room {
    fn new() -> Self {
        let server = Server::start();
        let (plain, speaker) = (server.peer(), server.peer());
        Self { server, plain, speaker, spoken: 0 }
    }

    /// Lets the members go on talking and checks what they hear. Returns what else was heard since the last call.
    fn goes_on(&mut self) -> Vec<String> {
        self.spoken += 1;
        let text = format!("still here {}", self.spoken);
        self.speaker.send(format!("{text}\n"));
        let line = self.speaker.line(&text);
        let mut lines = self.plain.read_up_to(&line);
        assert_eq!(lines.pop(), Some(line));
        lines
    }
}

#[test]
fn clause_2_7_of_protocols_of_text_the_room_hears_nothing_but_clean_lines_that_say_who_sent_them() {
    let mut room = Room::new();
    let (client, _) = room.server.client(&["--stay"]);
    let mut heard = 0;
    for (protocol, bytes) in TEXTS {
        for piece in [usize::MAX, 1] {
            let mut stranger = room.server.peer();
            stranger.socket.set_nodelay(true).unwrap();
            bytes.chunks(piece).for_each(|piece| stranger.send(piece));
            stranger.shut_down();
            stranger.read_up_to("[*] You ended your side; you still hear the room");
            for line in room.goes_on() {
                assert!(line.starts_with(&stranger.line("")), "{protocol}: {line:?}");
                assert!(!line.contains(char::is_control), "{protocol}: {line:?}");
                heard += 1;
            }
            let name = stranger.name.clone();
            drop(stranger);
            room.goes_on();
            room.server.has_ended(&name);
        }
    }
    assert!(heard >= 2 * TEXTS.len(), "each is a message");
    client.stdout.wait_for_line(&room.speaker.line(&format!("still here {}", room.spoken)));
    let lines = [client.stdout.lines(), room.server.process.stdout.lines()].concat();
    assert!(lines.iter().all(|line| !line.contains(char::is_control)));
    assert_eq!(room.server.process.stderr.lines(), [""; 0]);
}

#[test]
fn clause_4_2_sixty_other_protocols_are_closed_without_a_byte_and_not_heard() {
    let mut room = Room::new();
    assert!(FOREIGN_PROTOCOLS_TCP.len() >= 60);
    for ForeignProtocol { protocol, bytes } in FOREIGN_PROTOCOLS_TCP {
        let mut stranger = room.server.peer();
        stranger.send(bytes);
        assert_eq!(stranger.read_to_end(), [""; 0], "{protocol}");
        room.server.has_closed(&stranger.name, Some("not a chat client"));
        assert_eq!(room.goes_on(), [""; 0], "{protocol}");
    }
}

#[test]
fn clause_4_2_a_request_or_a_handshake_that_comes_byte_by_byte_is_closed_without_a_byte() {
    let mut room = Room::new();
    let drips = |stranger: &&ForeignProtocol| {
        ["HTTP", "TLS", "WebSocket", "SIP", "STUN", "MQTT"]
            .iter()
            .any(|name| stranger.protocol.starts_with(name))
    };
    for ForeignProtocol { protocol, bytes } in FOREIGN_PROTOCOLS_TCP.iter().filter(drips) {
        let mut stranger = room.server.peer();
        stranger.socket.set_nodelay(true).unwrap();
        if !stranger.send_without_a_pause(bytes.chunks(1)) {
            println!("not looked at, since this machine paused: {protocol}");
            room.goes_on();
            continue;
        }
        assert_eq!(stranger.read_to_end(), [""; 0], "{protocol}");
        room.server.has_closed(&stranger.name, Some("not a chat client"));
        assert_eq!(room.goes_on(), [""; 0], "{protocol}");
    }
}

#[test]
fn clause_4_1_a_byte_that_opens_the_framed_protocol_and_does_not_go_on_so_is_closed_without_a_byte() {
    let mut room = Room::new();
    let mut stranger = room.server.peer();
    stranger.send(b"\xf5 not the preface\n");
    assert_eq!(stranger.read_to_end(), [""; 0]);
    room.server.has_closed(&stranger.name, Some("not a chat client"));
    assert_eq!(room.goes_on(), [""; 0]);
}
