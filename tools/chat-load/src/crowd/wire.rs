//! How to join and speak in each system, as far as a load generator must know.

use std::net::{Ipv4Addr, SocketAddr};

use chat_proto::json::Report;
use chat_proto::{
    Author, Entry, Event, Hello, Line, MemberFrame, MemberId, Origin, PREFACE, Text, WebSocketFrame,
};

use crate::stamp::{MARK, Stamp, TEXT_BYTES};

/// How members reach a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Over a connection.
    Stream { wire: Wire, carrier: Carrier },
    /// Over UDP: lines in datagrams, or the sessions of `chat-proto`.
    Datagrams { framed: bool },
}

/// What carries the bytes of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Tls,
    /// A message of the wire is one of the WebSocket.
    WebSocket,
}

/// The bytes that members exchange with a system over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Lines that everyone else gets. A connection is a member without saying anything.
    Lines,
    /// Such lines with this many bytes, so that a limit passes on as many bytes as a server that adds something.
    LongLines(usize),
    /// The frames of `chat-proto`.
    Frames,
    /// The objects of `chat-proto`.
    Objects,
    /// Messages of text that everyone else gets.
    Texts,
    /// `PUBLISH` and `SUBSCRIBE` of Redis, in its protocol version 3, where one connection may do both.
    Redis,
    /// `XADD` of Redis, which answers each with an id.
    RedisStream,
    /// `PUB` and `SUB` of NATS.
    Nats,
    /// `PUB` of NATS into a stream of JetStream, which answers each with a number.
    JetStream,
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
    pub(crate) fn join(self, who: usize, carrier: Carrier) -> Vec<Step> {
        let mut steps = self.steps(who);
        for step in &mut steps {
            let message = std::mem::take(&mut step.send);
            carrier.put(&message, self.opcode(), &mut step.send);
        }
        steps
    }

    fn steps(self, who: usize) -> Vec<Step> {
        match self {
            Self::Lines | Self::LongLines(_) | Self::Texts => Vec::new(),
            Self::Frames => vec![hello()],
            Self::Objects => vec![objects_hello()],
            Self::Redis => {
                let send = "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nroom\r\n";
                vec![step(send, |heard| contains(heard, b"$4\r\nroom\r\n:1\r\n"))]
            }
            Self::Nats => vec![step(
                "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\nSUB room 1\r\nPING\r\n",
                |heard| heard.ends_with(b"PONG\r\n"),
            )],
            Self::RedisStream => Vec::new(),
            Self::JetStream => vec![jetstream()],
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
            Self::Lines | Self::LongLines(_) | Self::Texts => {}
            Self::Objects => {
                let text = str::from_utf8(text).expect("stamps are ASCII");
                out.extend_from_slice(
                    format!(r#"{{"type":"say","text":"{text}","number":{number}}}"#).as_bytes(),
                );
                return;
            }
            Self::Frames => {
                let text = str::from_utf8(text).ok().and_then(|text| Text::one_line(text).ok());
                MemberFrame::Say { number, text: text.expect("stamps are short ASCII") }.encode(out);
                return;
            }
            Self::Redis => out.extend_from_slice(b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nroom\r\n$64\r\n"),
            Self::RedisStream => {
                out.extend_from_slice(b"*5\r\n$4\r\nXADD\r\n$4\r\nroom\r\n$1\r\n*\r\n$4\r\ntext\r\n$64\r\n");
            }
            Self::Nats => out.extend_from_slice(b"PUB room 64\r\n"),
            Self::JetStream => out.extend_from_slice(b"PUB room answers 64\r\n"),
            Self::Irc => out.extend_from_slice(b"PRIVMSG #room :"),
            Self::Mqtt => out.extend_from_slice(&[0x30, 2 + 4 + 64, 0, 4, b'r', b'o', b'o', b'm']),
        }
        out.extend_from_slice(text);
        match self {
            Self::Lines => out.push(b'\n'),
            Self::LongLines(bytes) => {
                out.resize(out.len() + bytes.saturating_sub(TEXT_BYTES + 1), b'.');
                out.push(b'\n');
            }
            Self::Redis | Self::RedisStream | Self::Nats | Self::JetStream | Self::Irc => {
                out.extend_from_slice(b"\r\n");
            }
            Self::Frames | Self::Objects | Self::Texts | Self::Mqtt => {}
        }
    }

    /// What each confirmation of a message has in it once: in ours, which is the message itself, the mark of its stamp.
    pub(crate) fn confirmation(self) -> &'static [u8] {
        match self {
            Self::RedisStream => b"$",
            Self::JetStream => b"\"seq\":",
            _ => MARK,
        }
    }

    /// The opcode of its messages over WebSocket: text or binary.
    pub(crate) fn opcode(self) -> u8 {
        if matches!(self, Self::Objects | Self::Texts) { 1 } else { 2 }
    }

    /// Whether an author gets its own message back.
    pub(crate) fn echoes(self) -> bool {
        matches!(self, Self::Frames | Self::Objects | Self::Redis | Self::Mqtt)
    }
}

impl Carrier {
    /// Appends a message of the wire to what a connection sends. The mask of WebSocket is zero, so it changes nothing.
    pub(crate) fn put(self, message: &[u8], kind: u8, out: &mut Vec<u8>) {
        if self == Self::WebSocket {
            let length = u8::try_from(message.len()).ok().filter(|length| *length < 126);
            out.extend_from_slice(&[0x80 | kind, 0x80 | length.expect("messages are short"), 0, 0, 0, 0]);
        }
        out.extend_from_slice(message);
    }
}

/// Bytes of a message as our server sends it to plain members.
pub(crate) fn plain_bytes() -> usize {
    Line { author: author(), text: sample() }.to_string().len() + 1
}

/// Bytes of a message as our server sends it to browsers.
pub(crate) fn object_bytes() -> usize {
    let event = Event::Said {
        from: Origin { member: MemberId::new(1000), number: SAMPLE },
        author: author(),
        text: sample(),
    };
    let mut out = Vec::new();
    if let Some(report) = Report::entry(&Entry { seq: SAMPLE, at_ms: 0, event }, None, 0) {
        WebSocketFrame::Text.encode(&mut out, |out| report.write(out));
    }
    out.len()
}

/// A number with as many digits as most have during a run.
const SAMPLE: u64 = 10_000;

fn author() -> Author {
    Author::Peer(SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000)).into())
}

fn sample() -> Text {
    Text::one_line(str::from_utf8(&Stamp::default().text()).expect("stamps are ASCII"))
        .expect("stamps are short")
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

fn objects_hello() -> Step {
    step(r#"{"type":"hello"}"#, |heard| contains(heard, b"\"connected\"") && heard.ends_with(b"}"))
}

/// Makes a stream in a file.
fn jetstream() -> Step {
    let stream = r#"{"name":"room","subjects":["room"],"storage":"file"}"#;
    let length = stream.len();
    let send = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false}}\r\nSUB answers 1\r\n\
         PUB $JS.API.STREAM.CREATE.room answers {length}\r\n{stream}\r\n"
    );
    step(send, |heard| contains(heard, b"\"did_create\":true") && heard.ends_with(b"}\r\n"))
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
