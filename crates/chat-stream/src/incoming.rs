//! What comes from a peer: bytes in, lines or frames out.

use chat_proto::{FrameDecoder, Hello, LeaveReason, LineEnding, MemberFrame, PlainSplitter, PrefaceDecoder};

use crate::opening::{Opening, begins_http_request, is_http_request};

/// The receiving half of a connection, by what the peer turned out to speak.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// Not a byte yet.
    Opening,
    /// Not a byte for a while: a plain peer that only listens, until it says something.
    Silent,
    Plain(Box<Plain>),
    Preface(PrefaceDecoder),
    /// The preface was right; the hello must follow.
    Hello(FrameDecoder),
    Framed(FrameDecoder),
    /// The peer has shut down its side, or nothing it sends is of interest any more.
    Ended,
}

/// A plain peer that has sent something.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    splitter: PlainSplitter,
    /// Its first line has come.
    spoke: bool,
}

/// What was made of some bytes.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// The preface, with the version that the peer speaks.
    Version(u8),
    Hello(Hello),
    Frame(MemberFrame),
    Line(&'a [u8]),
    /// The peer must go.
    Fault(LeaveReason),
}

/// What must come next, if anything must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Nothing,
    /// The first byte.
    Opening,
    /// More bytes; or else what there is, is a message.
    Silence,
    /// The rest of something.
    Rest,
}

impl Incoming {
    /// Of a peer that speaks plain lines, whatever they begin with.
    pub(crate) fn plain() -> Self {
        Self::Plain(Box::new(Plain { spoke: true, ..Plain::default() }))
    }

    /// Of a peer that speaks frames.
    pub(crate) fn framed() -> Self {
        Self::Preface(PrefaceDecoder::new())
    }

    /// The next thing in `input`, from the front of which its bytes are taken. `None` if it holds no
    /// whole one; its bytes are kept here then.
    pub(crate) fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Option<Heard<'a>> {
        if matches!(self, Self::Opening | Self::Silent) {
            *self = match Opening::of(*input.first()?) {
                Opening::Framed => Self::Preface(PrefaceDecoder::new()),
                Opening::Plain => Self::Plain(Box::default()),
                Opening::Tls => return Some(Heard::Fault(LeaveReason::NotChat)),
            };
        }
        let heard = match self {
            Self::Plain(plain) => match plain.splitter.next(input) {
                Ok(line) => {
                    let line = line?;
                    if begins_http(&mut plain.spoke, line) {
                        Heard::Fault(LeaveReason::NotChat)
                    } else {
                        Heard::Line(line)
                    }
                }
                Err(_) => Heard::Fault(LeaveReason::LineTooLong),
            },
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

    /// Not a byte came in time. If the peer does not end lines, what it has begun is a whole message then.
    /// `Err` if it shows that the peer must go.
    pub(crate) fn silence(&mut self) -> Result<Option<Vec<u8>>, LeaveReason> {
        match self {
            Self::Opening => {
                *self = Self::Silent;
                Ok(None)
            }
            Self::Plain(plain) => {
                let chunk = plain.splitter.quiet();
                if !plain.spoke && chunk.as_deref().is_some_and(begins_http_request) {
                    return Err(LeaveReason::NotChat);
                }
                plain.check(chunk)
            }
            _ => Ok(None),
        }
    }

    /// The input has ended: a plain peer's last line, if its break is missing. `Err` if it shows that the peer
    /// must go, or leaves something unfinished, which only a lost connection does.
    pub(crate) fn finish(&mut self) -> Result<Option<Vec<u8>>, LeaveReason> {
        match std::mem::replace(self, Self::Ended) {
            Self::Plain(mut plain) => {
                let line = plain.splitter.finish();
                plain.check(line)
            }
            Self::Opening | Self::Silent | Self::Ended => Ok(None),
            Self::Preface(_) | Self::Hello(_) | Self::Framed(_) => Err(LeaveReason::Lost),
        }
    }

    /// How a plain peer ends what it says.
    pub(crate) fn line_ending(&self) -> Option<LineEnding> {
        if let Self::Plain(plain) = self { plain.splitter.line_ending() } else { None }
    }

    /// Refusals of telnet options, to be sent back.
    pub(crate) fn take_reply(&mut self) -> Option<Vec<u8>> {
        if let Self::Plain(plain) = self { plain.splitter.take_reply() } else { None }
    }

    /// What must come next.
    pub(crate) fn wait(&self) -> Wait {
        match self {
            Self::Opening => Wait::Opening,
            Self::Plain(plain) if plain.splitter.is_unfinished() => match plain.splitter.line_ending() {
                // A line may take as long as a person takes to type it.
                Some(LineEnding::Lf | LineEnding::CrLf) => Wait::Nothing,
                Some(LineEnding::Chunk) | None => Wait::Silence,
            },
            Self::Preface(_) | Self::Hello(_) => Wait::Rest,
            Self::Framed(decoder) if decoder.is_unfinished() => Wait::Rest,
            Self::Silent | Self::Plain(_) | Self::Framed(_) | Self::Ended => Wait::Nothing,
        }
    }

    /// Whether it is known how the peer wants the log.
    pub(crate) fn is_decided(&self) -> bool {
        matches!(self, Self::Silent | Self::Plain(_) | Self::Framed(_) | Self::Ended)
    }
}

impl Plain {
    /// A line without a break, if it is not what a browser sends.
    fn check(&mut self, line: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, LeaveReason> {
        match line {
            Some(line) if begins_http(&mut self.spoke, &line) => Err(LeaveReason::NotChat),
            line => Ok(line),
        }
    }
}

/// Whether a peer that has not `spoke`n before begins with an HTTP request.
fn begins_http(spoke: &mut bool, line: &[u8]) -> bool {
    !std::mem::replace(spoke, true) && is_http_request(line)
}
