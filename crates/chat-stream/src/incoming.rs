//! A peer's input: bytes in, lines or frames out.

use chat_proto::{FrameDecoder, Hello, LeaveReason, LineEnding, MemberFrame, PrefaceDecoder, TextKind};

use crate::opening::Opening;
use crate::plain::Plain;

/// The receiving half of a connection, by the peer's protocol.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// No byte has arrived yet.
    Opening,
    /// No byte for a while: a plain peer that only listens, until it says something.
    Silent,
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
    /// Of a peer that speaks plain lines, whatever they begin with.
    pub(crate) fn plain() -> Self {
        Self::Plain(Box::new(Plain::known()))
    }

    /// Of a peer that speaks frames.
    pub(crate) fn framed() -> Self {
        Self::Preface(PrefaceDecoder::new())
    }

    /// Takes the next item from the front of `input`. `None` if it holds no
    /// whole item; then its bytes are kept here.
    pub(crate) fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Option<Heard<'a>> {
        if matches!(self, Self::Opening | Self::Silent) {
            *self = match Opening::of(*input.first()?) {
                Opening::Framed => Self::Preface(PrefaceDecoder::new()),
                Opening::Plain => Self::Plain(Box::default()),
                Opening::Foreign => return Some(Heard::Fault(LeaveReason::NotChat)),
            };
        }
        let heard = match self {
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
            Self::Opening | Self::Silent | Self::Ended => return None,
        };
        Some(heard)
    }

    /// No byte arrived in time. A line that a plain peer has begun may then be whole. `Err` if the peer must be closed.
    pub(crate) fn silence(&mut self) -> Result<Option<(Vec<u8>, TextKind)>, LeaveReason> {
        match self {
            Self::Opening => {
                *self = Self::Silent;
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
            Self::Opening | Self::Silent | Self::Ended => Ok(None),
            Self::Preface(_) | Self::Hello(_) | Self::Framed(_) => Err(LeaveReason::Lost),
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

    /// Bytes of a plain peer's line that has begun and not ended.
    pub(crate) fn unfinished_len(&self) -> usize {
        if let Self::Plain(plain) = self { plain.unfinished_len() } else { 0 }
    }

    /// The line ending of a plain peer.
    pub(crate) fn line_ending(&self) -> Option<LineEnding> {
        if let Self::Plain(plain) = self { plain.line_ending() } else { None }
    }

    /// Refusals of telnet options to send back.
    pub(crate) fn take_reply(&mut self) -> Option<Vec<u8>> {
        if let Self::Plain(plain) = self { plain.take_reply() } else { None }
    }

    /// What must come next.
    pub(crate) fn wait(&self) -> Wait {
        match self {
            Self::Opening => Wait::Opening,
            Self::Plain(plain) => plain.wait(),
            Self::Preface(_) | Self::Hello(_) => Wait::Rest,
            Self::Framed(decoder) if decoder.is_unfinished() => Wait::Rest,
            Self::Silent | Self::Framed(_) | Self::Ended => Wait::Nothing,
        }
    }

    /// Whether the peer's format for the log is known.
    pub(crate) fn is_decided(&self) -> bool {
        matches!(self, Self::Silent | Self::Plain(_) | Self::Framed(_) | Self::Ended)
    }
}
