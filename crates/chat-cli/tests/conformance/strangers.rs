//! Clauses 4.1, 4.2 and 2.2 against what other programs send first: scanners, browsers and misconfigured clients
//! come to every port.

use crate::support::{Peer, Server};

/// What a connection begins with, by protocol.
const PLAIN: &[(&str, &[u8])] = &[
    ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n"),
    ("SMTP", b"EHLO mail.example.org\r\nMAIL FROM:<a@example.org>\r\n"),
    ("FTP", b"USER anonymous\r\nPASS guest@\r\n"),
    ("POP3", b"CAPA\r\nUSER ann\r\n"),
    ("IMAP", b"a001 CAPABILITY\r\na002 LOGIN ann secret\r\n"),
    ("NNTP", b"MODE READER\r\n"),
    ("IRC", b"CAP LS 302\r\nNICK ann\r\nUSER ann 0 * :Ann\r\n"),
    ("XMPP", b"<?xml version='1.0'?><stream:stream to='example.org' xmlns='jabber:client'>"),
    ("Redis RESP", b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n"),
    ("memcached text", b"set key 0 60 5\r\nvalue\r\n"),
    ("memcached binary", b"\x80\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ("PostgreSQL SSLRequest", b"\0\0\0\x08\x04\xd2\x16\x2f"),
    ("PostgreSQL startup", b"\0\0\0\x21\0\x03\0\0user\0ann\0database\0chat\0\0"),
    ("MySQL login", b"\x54\0\0\x01\x8d\xa6\xff\x09\0\0\0\x01\x21\0\0\0ann\0\x14mysql_native_password\0"),
    ("MQTT 3.1.1", b"\x10\x10\0\x04MQTT\x04\x02\0\x3c\0\x04ann1"),
    ("AMQP 0.9.1", b"AMQP\0\0\x09\x01"),
    ("Kafka ApiVersions", b"\0\0\0\x1a\0\x12\0\x03\0\0\0\x01\0\x08producer\0\x05rdka\x01\0"),
    (
        "MongoDB hello",
        b"\x3f\0\0\0\x01\0\0\0\0\0\0\0\xd4\x07\0\0\x04\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff",
    ),
    ("Cassandra", b"\x04\0\0\0\x05\0\0\0\0"),
    ("RDP", b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0"),
    ("SMB 1", b"\0\0\0\x2f\xffSMB\x72\0\0\0\0\x18\x01\x28\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xfe"),
    ("SMB 2", b"\0\0\0\x40\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x1f\0"),
    (
        "NetBIOS session",
        b"\x81\0\0\x44 CKFDENECFDEFFCFGEFFCCACACACACACA\0 EEEBFEEBCACACACACACACACACACACACA\0",
    ),
    ("LDAP bind", b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0"),
    ("SIP", b"OPTIONS sip:ann@example.org SIP/2.0\r\nVia: SIP/2.0/TCP example.org\r\n\r\n"),
    ("RTSP", b"OPTIONS rtsp://example.org/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
    ("BitTorrent", b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05"),
    ("SOCKS 4", b"\x04\x01\0\x50\xcb\0\x71\x05ann\0"),
    ("SOCKS 5", b"\x05\x02\0\x02"),
    ("VNC", b"RFB 003.008\n"),
    ("X11", b"l\0\x0b\0\0\0\x12\0\x10\0\0\0MIT-MAGIC-COOKIE-1\0\0"),
    ("DNS over TCP", b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01"),
    ("STUN", b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl"),
    ("Modbus", b"\0\x01\0\0\0\x06\x01\x03\0\0\0\x0a"),
    ("git", b"0033git-upload-pack /project.git\0host=example.org\0"),
    ("rsync", b"@RSYNCD: 31.0 sha512\n"),
    ("PROXY protocol 1", b"PROXY TCP4 203.0.113.5 203.0.113.6 5 6\r\n"),
    ("PROXY protocol 2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x05\xcb\0\x71\x06\0\x05\0\x06"),
    ("Java RMI", b"JRMI\0\x02K"),
    ("Erlang distribution", b"\0\x15n\0\x05\0\x07\x49\x9cann@example"),
    ("Minecraft", b"\x10\0\xf2\x05\x09localhost\x15\xb3\x01"),
    ("a UTF-16 shell", b"\xff\xfed\0i\0r\0\r\0\n\0"),
    ("a terminal that answers", b"\x1b[?62;22c\x1b[24;80R\x1b]0;gotcha\x07\n"),
];

/// Whom the room must never hear of.
const CLOSED: &[(&str, &[u8])] = &[
    ("HTTP GET", b"GET / HTTP/1.1\r\nHost: localhost:5555\r\n\r\n[127.0.0.1:1] hello\r\n"),
    ("HTTP 1.0", b"GET /index.html HTTP/1.0\r\n\r\n"),
    ("HTTP POST", b"POST /chat HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"),
    ("HTTP OPTIONS", b"OPTIONS * HTTP/1.1\r\nOrigin: http://example.org\r\n\r\n"),
    ("HTTP CONNECT", b"CONNECT example.org:443 HTTP/1.1\r\n\r\n"),
    ("WebSocket", b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    ("HTTP 2 and gRPC", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0"),
    ("UPnP", b"SUBSCRIBE /event HTTP/1.1\r\n\r\n"),
    ("TLS 1.0", b"\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x01\nhello\n"),
    ("TLS 1.2", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\nhello\n"),
    ("TLS 1.3", b"\x16\x03\x03\x02\0\x01\0\x01\xfc\x03\x03\0\x2b\0\x03\x02\x03\x04\nhello\n"),
    ("another binary protocol", b"\xf5 not the preface\n"),
];

/// Everyone whom a stranger might disturb.
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

    /// The members go on talking, and hear what they must; returns what was heard besides since last time.
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
fn clause_4_1_of_forty_other_protocols_the_room_hears_nothing_but_clean_lines_that_say_who_sent_them() {
    let mut room = Room::new();
    let (client, _) = room.server.client(&["--stay"]);
    let mut heard = 0;
    for (protocol, bytes) in PLAIN {
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
    assert!(heard >= PLAIN.len(), "most is text of some kind, and so a message");
    client.stdout.wait_for_line(&room.speaker.line(&format!("still here {}", room.spoken)));
    let lines = [client.stdout.lines(), room.server.process.stdout.lines()].concat();
    assert!(lines.iter().all(|line| !line.contains(char::is_control)));
    assert_eq!(room.server.process.stderr.lines(), [""; 0]);
}

#[test]
fn clause_4_2_what_comes_from_a_browser_or_is_encrypted_is_closed_without_a_byte_and_nobody_hears_of_it() {
    let mut room = Room::new();
    for (protocol, bytes) in CLOSED {
        for piece in [usize::MAX, 1] {
            let mut stranger = room.server.peer();
            stranger.socket.set_nodelay(true).unwrap();
            if !stranger.send_without_a_pause(bytes.chunks(piece)) {
                println!("not looked at, since this machine paused: {protocol}");
                room.goes_on();
                continue;
            }
            assert_eq!(stranger.read_to_end(), [""; 0], "{protocol}");
            room.server.has_closed(&stranger.name, Some("not a chat client"));
            assert_eq!(room.goes_on(), [""; 0], "{protocol}");
        }
    }
}
