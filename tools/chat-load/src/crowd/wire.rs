//! How to join and speak in each system, as far as a load generator must know.

use chat_proto::{Hello, MemberFrame, PREFACE, Text};

use crate::stamp::TEXT_BYTES;

/// How members reach a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Over TCP.
    Stream(Wire),
    /// Over UDP: lines in datagrams, or the sessions of `chat-proto`.
    Datagrams { framed: bool },
}

/// The bytes that members exchange with a system over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Lines that everyone else gets. A connection is a member without saying anything.
    Lines,
    /// The frames of `chat-proto`.
    Frames,
    /// The objects of `chat-proto` over WebSocket.
    Objects,
    /// Text messages over WebSocket that everyone else gets.
    WebSocket,
    /// `PUBLISH` and `SUBSCRIBE` of Redis, in its protocol version 3, where one connection may do both.
    Redis,
    /// `PUB` and `SUB` of NATS.
    Nats,
    /// `PRIVMSG` to a channel of IRC.
    Irc,
    /// `PUBLISH` and `SUBSCRIBE` of MQTT 3.1.1 with quality of service 0.
    Mqtt,
}

/// One exchange while joining: the bytes to send, and a test whether the bytes received since are the whole answer.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) send: Vec<u8>,
    pub(crate) is_answered: fn(&[u8]) -> bool,
}

impl Wire {
    /// The steps that make a connection a member that receives everything and may speak. `who` is unique in the run.
    pub(crate) fn join(self, who: usize) -> Vec<Step> {
        match self {
            Self::Lines => Vec::new(),
            Self::Frames => vec![hello()],
            Self::Objects => vec![upgrade(), objects_hello()],
            Self::WebSocket => vec![upgrade()],
            Self::Redis => {
                let send = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nroom\r\n";
                vec![step(send, |heard| contains(heard, b"$4\r\nroom\r\n:1\r\n"))]
            }
            Self::Nats => vec![step(
                "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\nSUB room 1\r\nPING\r\n",
                |heard| heard.ends_with(b"PONG\r\n"),
            )],
            Self::Irc => irc(who),
            Self::Mqtt => vec![mqtt_connect(who), mqtt_subscribe()],
        }
    }

    /// How many may be joining at once. If the server's queue of connections to accept is full, a further connection
    /// is not refused but forgotten, and the queue of ngIRCd is short.
    pub(crate) fn entering_max(self) -> usize {
        if self == Self::Irc { 8 } else { 100 }
    }

    /// Appends message number `number` of its author, as the author sends it.
    pub(crate) fn say(self, number: u64, text: &[u8; TEXT_BYTES], out: &mut Vec<u8>) {
        match self {
            Self::Lines => {}
            Self::Objects => {
                let text = str::from_utf8(text).expect("stamps are ASCII");
                return message(&format!(r#"{{"type":"say","text":"{text}","number":{number}}}"#), out);
            }
            Self::WebSocket => return message(str::from_utf8(text).expect("stamps are ASCII"), out),
            Self::Frames => {
                let text = str::from_utf8(text).ok().and_then(|text| Text::one_line(text).ok());
                MemberFrame::Say { number, text: text.expect("stamps are short ASCII") }.encode(out);
                return;
            }
            Self::Redis => out.extend_from_slice(b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nroom\r\n$64\r\n"),
            Self::Nats => out.extend_from_slice(b"PUB room 64\r\n"),
            Self::Irc => out.extend_from_slice(b"PRIVMSG #room :"),
            Self::Mqtt => out.extend_from_slice(&[0x30, 2 + 4 + 64, 0, 4, b'r', b'o', b'o', b'm']),
        }
        out.extend_from_slice(text);
        match self {
            Self::Lines => out.push(b'\n'),
            Self::Redis | Self::Nats | Self::Irc => out.extend_from_slice(b"\r\n"),
            Self::Frames | Self::Objects | Self::WebSocket | Self::Mqtt => {}
        }
    }

    /// Whether an author gets its own message back.
    pub(crate) fn echoes(self) -> bool {
        matches!(self, Self::Frames | Self::Objects | Self::Redis | Self::Mqtt)
    }
}

const _: () = assert!(TEXT_BYTES == 64, "the literals above say so");

fn step(send: impl Into<Vec<u8>>, is_answered: fn(&[u8]) -> bool) -> Step {
    Step { send: send.into(), is_answered }
}

/// Preface and hello, answered by the server's preface and a welcome frame.
fn hello() -> Step {
    let mut send = PREFACE.to_vec();
    MemberFrame::Hello(Hello::default()).encode(&mut send);
    step(send, |heard| {
        let frame = heard.get(PREFACE.len()..).unwrap_or_default();
        frame.first_chunk().is_some_and(|length| frame.len() >= 2 + usize::from(u16::from_le_bytes(*length)))
    })
}

/// Opens a WebSocket with the first example of RFC 6455.
fn upgrade() -> Step {
    let request = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    step(request, |heard| contains(heard, b"\r\n\r\n"))
}

fn objects_hello() -> Step {
    let mut send = Vec::new();
    message(r#"{"type":"hello"}"#, &mut send);
    step(send, |heard| contains(heard, b"\"connected\"") && heard.ends_with(b"}"))
}

/// Appends a short text message of a client. Its mask is zero, so it changes nothing.
fn message(text: &str, out: &mut Vec<u8>) {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("stamps are short");
    out.extend_from_slice(&[0x81, 0x80 | length, 0, 0, 0, 0]);
    out.extend_from_slice(text.as_bytes());
}

fn irc(who: usize) -> Vec<Step> {
    let register = format!("NICK m{who:06}\r\nUSER m 0 * :m\r\n");
    vec![
        step(register, |heard| contains(heard, b" 376 ") || contains(heard, b" 422 ")),
        step("JOIN #room\r\n", |heard| contains(heard, b" 366 ")),
    ]
}

fn contains(heard: &[u8], what: &[u8]) -> bool {
    memchr::memmem::find(heard, what).is_some()
}

fn mqtt_connect(who: usize) -> Step {
    let id = format!("m{who:06}");
    // Protocol level 4, clean session, no keep-alive.
    let mut body = b"\x00\x04MQTT\x04\x02\x00\x00\x00\x07".to_vec();
    body.extend_from_slice(id.as_bytes());
    let length = u8::try_from(body.len()).expect("an id has seven bytes");
    let mut send = vec![0x10, length];
    send.extend(body);
    step(send, |heard| heard.len() >= 4)
}

fn mqtt_subscribe() -> Step {
    step(b"\x82\x09\x00\x01\x00\x04room\x00".to_vec(), |heard| heard.len() >= 5)
}
