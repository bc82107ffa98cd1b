//! A WebSocket peer's input: messages in, what it says out.

use chat_core::transport::Format;
use chat_proto::json::Request;
use chat_proto::{LeaveReason, MemberFrame, Text, WebSocketFrame};

use super::frames::{Fault, Frames, Message};
use crate::incoming::{Heard, Incoming, Wait};

/// A peer that has opened a WebSocket.
#[derive(Debug, Default)]
pub(crate) struct WebSocket {
    frames: Frames,
    says: Says,
    /// Bytes of a binary message that are not decoded yet, and how many of them are.
    bytes: Vec<u8>,
    decoded: usize,
    /// The answer to a ping.
    pong: Option<Vec<u8>>,
    /// The number of its last question for old messages.
    question: u64,
}

/// The content of its messages.
#[derive(Debug, Default)]
enum Says {
    /// No message has arrived.
    #[default]
    Unknown,
    /// Objects, in text messages.
    Objects {
        /// The hello was among them.
        greeted: bool,
    },
    /// The framed protocol, in binary messages.
    Frames(Box<Incoming>),
}

impl WebSocket {
    /// The next item, as [`Incoming::next`] has it.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Heard<'static>> {
        loop {
            if let Some(heard) = self.decode() {
                return Some(heard);
            }
            let message = match self.frames.next(input) {
                Ok(message) => message?,
                Err(Fault::Protocol) => return Some(Heard::Fault(LeaveReason::Protocol)),
                Err(Fault::TooLong) => return Some(Heard::Fault(LeaveReason::LineTooLong)),
            };
            match message {
                // Only the last of several pings needs an answer (RFC 6455, section 5.5.3).
                Message::Ping(payload) => self.pong = Some(payload),
                Message::Pong => {}
                Message::Close(code) => return Some(closed(code)),
                Message::Text(object) => return Some(self.object(object.as_bytes())),
                Message::Binary(bytes) => {
                    if let Says::Unknown = self.says {
                        self.says = Says::Frames(Box::new(Incoming::framed()));
                    }
                    (self.bytes, self.decoded) = (bytes, 0);
                }
            }
        }
    }

    /// The next item of the binary message.
    fn decode(&mut self) -> Option<Heard<'static>> {
        if !self.has_rest() {
            return None;
        }
        let Says::Frames(frames) = &mut self.says else { return Some(Heard::Fault(LeaveReason::Protocol)) };
        let mut rest = &self.bytes[self.decoded..];
        let heard = match frames.next(&mut rest) {
            Some(Heard::Version(version)) => Some(Heard::Version(version)),
            Some(Heard::Hello(hello)) => Some(Heard::Hello(hello)),
            Some(Heard::Frame(frame)) => Some(Heard::Frame(frame)),
            Some(_) => Some(Heard::Fault(LeaveReason::Protocol)),
            None => None,
        };
        self.decoded = self.bytes.len() - rest.len();
        if !self.has_rest() {
            (self.bytes, self.decoded) = (Vec::new(), 0);
        }
        heard
    }

    fn object(&mut self, object: &[u8]) -> Heard<'static> {
        let fault = || Heard::Fault(LeaveReason::Protocol);
        if let Says::Unknown = self.says {
            self.says = Says::Objects { greeted: false };
        }
        let Says::Objects { greeted } = &mut self.says else { return fault() };
        let Ok(request) = Request::parse(object) else { return fault() };
        let is_hello = matches!(request, Request::Hello { .. });
        if is_hello == std::mem::replace(greeted, true) {
            return fault(); // a second hello, or none at first
        }
        let text = |text: &str| Text::one_line(text).ok();
        let heard = match &request {
            Request::Hello { .. } => request.to_hello().map(Heard::Hello),
            Request::Say { text: said, number } => {
                text(said).map(|text| Heard::Said { number: *number, text, is_command: false })
            }
            Request::Command { text: command, number } => text(command)
                .filter(|text| text.as_str().starts_with('/'))
                .map(|text| Heard::Said { number: *number, text, is_command: true }),
            Request::Who {} => Some(Heard::Frame(MemberFrame::Who)),
            Request::Got { direct } => Some(Heard::Frame(MemberFrame::Got { direct: *direct })),
            Request::Bye {} => Some(Heard::Frame(MemberFrame::Bye)),
            Request::History { question: number, .. } => request.to_look_back().ok().map(|question| {
                self.question = number.unwrap_or_else(|| self.question.saturating_add(1));
                Heard::Frame(MemberFrame::LookBack { number: self.question, question })
            }),
            _ => None,
        };
        heard.unwrap_or_else(fault)
    }

    /// Bytes of a message that has begun and not ended.
    pub(crate) fn unfinished_len(&self) -> usize {
        self.frames.len()
    }

    /// Whether a message that has arrived is not used up.
    pub(crate) fn has_rest(&self) -> bool {
        self.decoded < self.bytes.len()
    }

    /// The format in which it reads the log.
    pub(crate) fn format(&self) -> Format {
        match self.says {
            Says::Frames(_) => Format::WebSocketFramed,
            Says::Unknown | Says::Objects { .. } => Format::WebSocketText,
        }
    }

    /// Whether it has said hello.
    pub(crate) fn is_decided(&self) -> bool {
        match &self.says {
            Says::Unknown => false,
            Says::Objects { greeted } => *greeted,
            Says::Frames(frames) => frames.is_decided(),
        }
    }

    /// The input that must come next.
    pub(crate) fn wait(&self) -> Wait {
        match &self.says {
            _ if self.frames.is_unfinished() || !self.is_decided() => Wait::Rest,
            Says::Frames(frames) => frames.wait(),
            _ => Wait::Nothing,
        }
    }

    /// The answer to a ping.
    pub(crate) fn take_pong(&mut self) -> Option<Vec<u8>> {
        let payload = self.pong.take()?;
        let mut pong = Vec::new();
        WebSocketFrame::Pong.encode(&mut pong, |out| out.extend_from_slice(&payload));
        Some(pong)
    }
}

/// The peer has closed its WebSocket, which is answered with the same code. A page that goes away, as when it is loaded
/// again, may come back.
fn closed(code: Option<u16>) -> Heard<'static> {
    const GOING_AWAY: u16 = 1001;
    let mut farewell = Vec::new();
    WebSocketFrame::Close
        .encode(&mut farewell, |out| out.extend(code.into_iter().flat_map(u16::to_be_bytes)));
    let reason = if code == Some(GOING_AWAY) { LeaveReason::Lost } else { LeaveReason::Quit };
    Heard::Farewell(farewell.into(), reason)
}

/// The code with which a WebSocket is closed for a reason (RFC 6455, section 7.4).
pub(crate) fn close_code(reason: &LeaveReason) -> u16 {
    match reason {
        LeaveReason::Quit => 1000,
        LeaveReason::Stopping => 1001,
        LeaveReason::Protocol | LeaveReason::Unfinished | LeaveReason::Version { .. } => 1002,
        LeaveReason::LineTooLong => 1009,
        LeaveReason::Kicked { .. } | LeaveReason::Banned { .. } => 1008,
        LeaveReason::RoomFull | LeaveReason::AddressFull | LeaveReason::TooSlow | LeaveReason::Lagged => 1013,
        _ => 4000 + u16::from(reason.code()),
    }
}
