//! A peer's input: bytes in, lines or frames out.

pub(crate) mod plain;

#[cfg(feature = "web")]
use std::borrow::Cow;
#[cfg(feature = "web")]
use std::net::SocketAddr;
#[cfg(feature = "web")]
use std::time::Instant;

use chat_core::transport::Format;
#[cfg(feature = "web")]
use chat_proto::Text;
use chat_proto::{FrameDecoder, Hello, LeaveReason, LineEnding, MemberFrame, PrefaceDecoder, TextKind};

use crate::incoming::plain::Plain;
use crate::sniffing::FirstByte;
#[cfg(feature = "web")]
use crate::web::{Asked, Request, Web, WebSocket};

/// How an endpoint serves browsers, if it does.
#[cfg(feature = "web")]
pub(crate) type Offer = Option<Web>;
#[cfg(not(feature = "web"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {}

/// The receiving half of a connection, by the peer's protocol.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// No byte has arrived yet.
    Opening(Offer),
    /// No byte for a while: a plain peer that only listens, until it says something.
    Silent(Offer),
    /// Bytes that may be an HTTP request.
    #[cfg(feature = "web")]
    Request(Box<Request>),
    #[cfg(feature = "web")]
    WebSocket(Box<WebSocket>),
    Plain(Box<Plain>),
    Preface(PrefaceDecoder),
    /// The preface was valid; the hello must follow.
    Hello(FrameDecoder),
    Framed(FrameDecoder),
    /// The peer has shut down its side, or its input is ignored.
    Ended,
}

/// The result of decoding some bytes.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// The preface, with the version that the peer speaks.
    Version(u8),
    Hello(Hello),
    Frame(MemberFrame),
    /// A plain peer's line, and its kind. The peer must be told the kind's remark, if there is one.
    Line(&'a [u8], TextKind),
    /// The peer must be closed.
    Fault(LeaveReason),
    /// The peer has sent an HTTP request with this answer, behind which a WebSocket begins, or nothing.
    #[cfg(feature = "web")]
    Request {
        web: Web,
        answer: Cow<'static, [u8]>,
        is_upgrade: bool,
    },
    /// The peer says this, in a message that may have a number.
    #[cfg(feature = "web")]
    Said {
        number: Option<u64>,
        text: Text,
        is_command: bool,
    },
    /// The peer gets these bytes as its last, and leaves for this reason.
    #[cfg(feature = "web")]
    Farewell(Cow<'static, [u8]>, LeaveReason),
}

/// The input that must arrive next, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Nothing,
    /// The first byte.
    Opening,
    /// More bytes; without them the bytes so far are a message.
    Quiet,
    /// The rest of a line, which may take a while.
    Line,
    /// The rest of a frame or an opening, which must not take long.
    Rest,
}

impl Incoming {
    /// The input of a peer that speaks plain lines, whatever they begin with.
    pub(crate) fn plain() -> Self {
        Self::Plain(Box::new(Plain::known()))
    }

    /// The input of a peer that speaks frames.
    pub(crate) fn framed() -> Self {
        Self::Preface(PrefaceDecoder::new())
    }

    /// Takes the next item from the front of `input`. `None` if it holds no
    /// whole item; then its bytes are kept here.
    pub(crate) fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Option<Heard<'a>> {
        if let Self::Opening(offer) | Self::Silent(offer) = self {
            let first = *input.first()?;
            *self = match FirstByte::of(first) {
                FirstByte::Framed => Self::Preface(PrefaceDecoder::new()),
                FirstByte::Plain => Self::text(first, offer),
                FirstByte::Foreign => return Some(Heard::Fault(LeaveReason::NotChat)),
            };
        }
        #[cfg(feature = "web")]
        if let Self::Request(request) = self {
            let (asked, web) = (request.next(input)?, request.web());
            match asked {
                Asked::Plain(begun) => *self = Self::begun(&begun),
                Asked::Answer(answer) => return Some(Heard::Request { web, answer, is_upgrade: false }),
                Asked::WebSocket(answer) => {
                    *self = Self::WebSocket(Box::default());
                    return Some(Heard::Request { web, answer: answer.into(), is_upgrade: true });
                }
            }
        }
        let heard = match self {
            #[cfg(feature = "web")]
            Self::WebSocket(socket) => return socket.next(input),
            Self::Plain(plain) => return plain.next(input),
            Self::Preface(preface) => match preface.next(input) {
                Ok(version) => {
                    let version = version?;
                    *self = Self::Hello(FrameDecoder::new());
                    Heard::Version(version)
                }
                Err(_) => Heard::Fault(LeaveReason::NotChat),
            },
            Self::Hello(decoder) => match decoder.next(input) {
                Ok(frame) => match frame? {
                    MemberFrame::Hello(hello) => {
                        *self = Self::Framed(std::mem::take(decoder));
                        Heard::Hello(hello)
                    }
                    frame @ MemberFrame::Unknown { .. } => Heard::Frame(frame),
                    _ => Heard::Fault(LeaveReason::Protocol),
                },
                Err(_) => Heard::Fault(LeaveReason::Protocol),
            },
            Self::Framed(decoder) => match decoder.next(input) {
                Ok(frame) => match frame? {
                    MemberFrame::Hello(_) => Heard::Fault(LeaveReason::Protocol),
                    frame => Heard::Frame(frame),
                },
                Err(_) => Heard::Fault(LeaveReason::Protocol),
            },
            _ => return None,
        };
        Some(heard)
    }

    /// The input of a peer whose first byte may begin text.
    #[cfg(not(feature = "web"))]
    fn text(_first: u8, _offer: &Offer) -> Self {
        Self::Plain(Box::default())
    }

    /// The input of a peer whose first byte may begin text, and so a request, too.
    #[cfg(feature = "web")]
    fn text(first: u8, offer: &Offer) -> Self {
        match offer.as_ref().and_then(|web| Request::of(first, web)) {
            Some(request) => Self::Request(Box::new(request)),
            None => Self::Plain(Box::default()),
        }
    }

    /// The input of a plain peer that has sent these bytes, which are not a whole line.
    #[cfg(feature = "web")]
    fn begun(mut bytes: &[u8]) -> Self {
        let mut plain = Box::<Plain>::default();
        let line = plain.next(&mut bytes);
        debug_assert!(line.is_none(), "what begins a request has no line break");
        Self::Plain(plain)
    }

    /// No byte arrived in time. A line that a plain peer has begun may then be whole. `Err` if the peer must be closed.
    pub(crate) fn silence(&mut self) -> Result<Option<(Vec<u8>, TextKind)>, LeaveReason> {
        #[cfg(feature = "web")]
        if let Self::Request(request) = self
            && let Some(bytes) = request.as_plain()
        {
            *self = Self::begun(bytes);
            return match self {
                Self::Plain(plain) if plain.wait() == Wait::Quiet => plain.quiet(),
                _ => Ok(None),
            };
        }
        match self {
            Self::Opening(offer) => {
                *self = Self::Silent(std::mem::take(offer));
                Ok(None)
            }
            Self::Plain(plain) if plain.wait() == Wait::Quiet => plain.quiet(),
            Self::Plain(plain) => plain.lapse(),
            _ => Ok(None),
        }
    }

    /// The input has ended: a plain peer's last line, if its break is missing. `Err` if it shows that the peer
    /// must go, or leaves something unfinished, which only a lost connection does.
    pub(crate) fn finish(&mut self) -> Result<Option<(Vec<u8>, TextKind)>, LeaveReason> {
        match std::mem::replace(self, Self::Ended) {
            Self::Plain(mut plain) => plain.finish(),
            Self::Opening(_) | Self::Silent(_) | Self::Ended => Ok(None),
            Self::Preface(_) | Self::Hello(_) | Self::Framed(_) => Err(LeaveReason::Lost),
            #[cfg(feature = "web")]
            Self::Request(request) => match request.as_plain().map(Self::begun) {
                Some(Self::Plain(mut plain)) => plain.finish(),
                _ => Err(LeaveReason::NotChat),
            },
            #[cfg(feature = "web")]
            Self::WebSocket(_) => Err(LeaveReason::Lost),
        }
    }

    /// The format that a peer with a hello reads.
    pub(crate) fn format(&self) -> Format {
        match self {
            #[cfg(feature = "web")]
            Self::WebSocket(socket) => socket.format(),
            _ => Format::Framed,
        }
    }

    /// Whether the peer has begun an HTTP request, so that it cannot be told anything.
    pub(crate) fn is_request(&self) -> bool {
        match self {
            #[cfg(feature = "web")]
            Self::Request(_) => true,
            _ => false,
        }
    }

    /// Whether a peer that has sent nothing is likely a connection that a browser keeps in reserve.
    #[cfg(feature = "web")]
    pub(crate) fn is_spare(&self, from: SocketAddr, now: Instant) -> bool {
        matches!(self, Self::Opening(Some(web)) if web.is_spare(from, now))
    }

    /// Whether bytes are held that are not used up, besides an unfinished item.
    pub(crate) fn has_rest(&self) -> bool {
        match self {
            #[cfg(feature = "web")]
            Self::WebSocket(socket) => socket.has_rest(),
            _ => false,
        }
    }

    /// Checks a line that a plain peer has begun. `Err` if the peer must be closed.
    pub(crate) fn judge_beginning(&mut self) -> Result<(), LeaveReason> {
        if let Self::Plain(plain) = self { plain.judge_beginning() } else { Ok(()) }
    }

    /// Whether a plain peer has sent anything.
    pub(crate) fn has_sent(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Bytes of a plain peer's line, a request or a message over WebSocket that has begun and not ended.
    pub(crate) fn unfinished_len(&self) -> usize {
        match self {
            Self::Plain(plain) => plain.unfinished_len(),
            #[cfg(feature = "web")]
            Self::Request(request) => request.len(),
            #[cfg(feature = "web")]
            Self::WebSocket(socket) => socket.unfinished_len(),
            _ => 0,
        }
    }

    /// The line ending of a plain peer.
    pub(crate) fn line_ending(&self) -> Option<LineEnding> {
        if let Self::Plain(plain) = self { plain.line_ending() } else { None }
    }

    /// Refusals of telnet options to send back, or the answer to a ping.
    pub(crate) fn take_reply(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(plain) => plain.take_reply(),
            #[cfg(feature = "web")]
            Self::WebSocket(socket) => socket.take_pong(),
            _ => None,
        }
    }

    /// The input that must come next.
    pub(crate) fn wait(&self) -> Wait {
        match self {
            Self::Opening(_) => Wait::Opening,
            #[cfg(feature = "web")]
            Self::Request(request) if request.as_plain().is_some() => Wait::Quiet,
            #[cfg(feature = "web")]
            Self::Request(_) => Wait::Rest,
            #[cfg(feature = "web")]
            Self::WebSocket(socket) => socket.wait(),
            Self::Plain(plain) => plain.wait(),
            Self::Preface(_) | Self::Hello(_) => Wait::Rest,
            Self::Framed(decoder) if decoder.is_unfinished() => Wait::Rest,
            Self::Silent(_) | Self::Framed(_) | Self::Ended => Wait::Nothing,
        }
    }

    /// Whether the peer's format for the log is known.
    pub(crate) fn is_decided(&self) -> bool {
        match self {
            Self::Silent(_) | Self::Plain(_) | Self::Framed(_) | Self::Ended => true,
            #[cfg(feature = "web")]
            Self::WebSocket(socket) => socket.is_decided(),
            _ => false,
        }
    }
}
