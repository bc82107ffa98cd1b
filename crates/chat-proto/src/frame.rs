//! The frames between a member and a room, in the framed protocol over a stream.
//!
//! ```text
//! length u16 LE | kind u8 | fields
//! ```
//!
//! Kinds and the order of fields are the wire format, which golden bytes in the tests fix. It can grow: a
//! new kind is skipped by those that do not know it, and so are new fields behind the known ones. Anything else
//! needs a new [`VERSION`](crate::VERSION).

use std::sync::Arc;

use serde::Serialize;

use crate::{
    Direct, DirectItem, Entry, FrameError, Hello, Lagged, LeaveReason, LookBack, Present, Spelling, Text,
    Welcome, codec, limits::FRAME_BYTES_MAX,
};

/// A frame of a member.
///
/// ```
/// use chat_proto::{MemberFrame, Text};
///
/// let mut out = Vec::new();
/// MemberFrame::Say { number: 7, text: Text::one_line("hi")? }.encode(&mut out);
/// assert_eq!(out, [5, 0, 0x02, 7, 2, b'h', b'i']);
/// # Ok::<(), chat_proto::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberFrame {
    /// Asks to join or to resume; the first frame, and only the first.
    Hello(Hello),
    /// Says something to the room.
    Say {
        /// Which message of this session it is: 1, 2, 3, … The room takes no number twice, and none that is smaller
        /// than one it has taken.
        number: u64,
        /// The message.
        text: Text,
    },
    /// Asks for the list of members; the answer is [`RoomFrame::Present`].
    Who,
    /// Acknowledges the items of the direct lane up to this number.
    Got {
        /// The number.
        direct: u64,
    },
    /// Leaves. Nothing follows it.
    Bye,
    /// Asks for old messages. [`DirectItem::OldMessage`]s answer, and then [`DirectItem::OldEnd`].
    LookBack {
        /// The question's number, which the answer repeats; greater than those of the questions before.
        number: u64,
        /// Which messages.
        question: LookBack,
    },
    /// A kind that only a later version of the protocol knows: to be skipped.
    Unknown {
        /// Its kind on the wire.
        kind: u8,
    },
}

/// A frame of a room.
///
/// ```
/// use chat_proto::{FrameDecoder, LeaveReason, RoomFrame};
///
/// let bye = RoomFrame::Bye(LeaveReason::Stopping);
/// let mut out = Vec::new();
/// bye.encode(&mut out);
/// assert_eq!(FrameDecoder::new().next(&mut out.as_slice())?, Some(bye));
/// # Ok::<(), chat_proto::FrameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomFrame {
    /// The member is in; the first frame.
    Welcome(Box<Welcome>),
    /// The next entry of the log.
    Entry(Arc<Entry>),
    /// The member lagged: some entries were missed, and exactly how many messages were among them.
    Lagged(Lagged),
    /// The next item of the direct lane.
    Direct(Arc<Direct>),
    /// The members that are present, as many as fit into one frame.
    Present(Present),
    /// The room ends the membership, and why. Nothing follows it.
    Bye(LeaveReason),
    /// A kind that only a later version of the protocol knows: to be skipped.
    Unknown {
        /// Its kind on the wire.
        kind: u8,
    },
}

const HELLO: u8 = 0x01;
const SAY: u8 = 0x02;
const WHO: u8 = 0x03;
const GOT: u8 = 0x04;
const MEMBER_BYE: u8 = 0x05;
const LOOK_BACK: u8 = 0x06;

const WELCOME: u8 = 0x81;
const ENTRY: u8 = 0x82;
const LAGGED: u8 = 0x83;
const DIRECT: u8 = 0x84;
const PRESENT: u8 = 0x85;
const ROOM_BYE: u8 = 0x86;

const PRIVATE: u8 = 1;
const REFUSED: u8 = 2;
const NOTICE: u8 = 3;
const UNDELIVERED: u8 = 4;
const DONE: u8 = 5;
const SENT: u8 = 6;
const IGNORING: u8 = 7;
const MOVE: u8 = 8;
const OLD_MESSAGE: u8 = 9;
const OLD_END: u8 = 10;

impl MemberFrame {
    /// Appends the frame to `out`, its length first.
    ///
    /// Never fails: the parts of a frame bound its size. Costs one pass over the frame and, if
    /// `out` has room, no allocation.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            MemberFrame::Hello(hello) => put(HELLO, hello, out),
            MemberFrame::Say { number, text } => put(SAY, &(number, text), out),
            MemberFrame::Who => put(WHO, &(), out),
            MemberFrame::Got { direct } => put(GOT, direct, out),
            MemberFrame::Bye => put(MEMBER_BYE, &(), out),
            MemberFrame::LookBack { number, question } => put(LOOK_BACK, &(number, question), out),
            MemberFrame::Unknown { kind } => put(*kind, &(), out),
        }
    }
}

impl RoomFrame {
    /// Appends the frame to `out`, its length first.
    ///
    /// Never fails: the parts of a frame bound its size. Costs one pass over the frame and, if
    /// `out` has room, no allocation.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            RoomFrame::Welcome(welcome) => put(WELCOME, welcome, out),
            RoomFrame::Entry(entry) => encode_entry(entry, &mut Spelling::default(), out),
            RoomFrame::Lagged(lagged) => put(LAGGED, lagged, out),
            RoomFrame::Direct(direct) => encode_direct(direct, out),
            RoomFrame::Present(present) => put(PRESENT, &present.fitting(PRESENT_BYTES_MAX), out),
            RoomFrame::Bye(reason) => put(ROOM_BYE, reason, out),
            RoomFrame::Unknown { kind } => put(*kind, &(), out),
        }
    }
}

/// The bytes that a frame leaves for the fields of [`Present`].
const PRESENT_BYTES_MAX: usize = FRAME_BYTES_MAX - 1;

/// Appends an entry to `out`, byte for byte as [`RoomFrame::Entry`] does, without an [`Arc`]
/// around it.
pub fn encode_entry(entry: &Entry, spelling: &mut Spelling, out: &mut Vec<u8>) {
    frame(ENTRY, out, |out| entry.encode(spelling, out));
}

/// Appends an item of the direct lane to `out`, byte for byte as [`RoomFrame::Direct`] does.
pub fn encode_direct(direct: &Direct, out: &mut Vec<u8>) {
    let Direct { number, item } = direct;
    match item {
        DirectItem::Private { from, author, text } => {
            put(DIRECT, &(number, PRIVATE, from, author, text), out);
        }
        DirectItem::Refused { number: refused, why } => put(DIRECT, &(number, REFUSED, refused, why), out),
        DirectItem::Notice { text } => put(DIRECT, &(number, NOTICE, text), out),
        DirectItem::Undelivered { to, why } => put(DIRECT, &(number, UNDELIVERED, to, why), out),
        DirectItem::Done { number: done } => put(DIRECT, &(number, DONE, done), out),
        DirectItem::Sent { number: sent, to, text } => put(DIRECT, &(number, SENT, sent, to, text), out),
        DirectItem::Ignoring { member, is_ignored } => {
            put(DIRECT, &(number, IGNORING, member, is_ignored), out);
        }
        DirectItem::Move { room } => put(DIRECT, &(number, MOVE, room), out),
        DirectItem::OldMessage { question, entry } => frame(DIRECT, out, |out| {
            codec::encode(&(number, OLD_MESSAGE, question), out);
            entry.encode(&mut Spelling::default(), out);
        }),
        DirectItem::OldEnd { question, more, why } => {
            put(DIRECT, &(number, OLD_END, question, more, why), out);
        }
        DirectItem::Unknown { kind } => put(DIRECT, &(number, kind), out),
    }
}

fn decode_direct(payload: &[u8]) -> Option<Direct> {
    let ((number, kind), fields) = codec::decode(payload)?;
    let item = match kind {
        PRIVATE => {
            codec::decode(fields).map(|((from, author, text), _)| DirectItem::Private { from, author, text })
        }
        REFUSED => codec::decode(fields).map(|((number, why), _)| DirectItem::Refused { number, why }),
        NOTICE => codec::decode(fields).map(|(text, _)| DirectItem::Notice { text }),
        UNDELIVERED => codec::decode(fields).map(|((to, why), _)| DirectItem::Undelivered { to, why }),
        DONE => codec::decode(fields).map(|(number, _)| DirectItem::Done { number }),
        SENT => codec::decode(fields).map(|((number, to, text), _)| DirectItem::Sent { number, to, text }),
        IGNORING => {
            codec::decode(fields).map(|((member, is_ignored), _)| DirectItem::Ignoring { member, is_ignored })
        }
        MOVE => codec::decode(fields).map(|(room, _)| DirectItem::Move { room }),
        OLD_MESSAGE => codec::decode(fields).and_then(|(question, entry)| {
            let entry = Arc::new(Entry::decode(entry).ok()?);
            Some(DirectItem::OldMessage { question, entry })
        }),
        OLD_END => {
            codec::decode(fields).map(|((question, more, why), _)| DirectItem::OldEnd { question, more, why })
        }
        kind => Some(DirectItem::Unknown { kind }),
    };
    item.map(|item| Direct { number, item })
}

/// A frame that [`FrameDecoder`](crate::FrameDecoder) can return: [`MemberFrame`] or
/// [`RoomFrame`], and no other type.
pub trait Frame: sealed::Sealed {}

impl Frame for MemberFrame {}
impl Frame for RoomFrame {}

pub(crate) mod sealed {
    use crate::FrameError;

    /// How a [`FrameDecoder`](crate::FrameDecoder) reads a frame that it has cut out.
    pub trait Sealed: Sized {
        /// Reads the frame of this kind.
        fn decode(kind: u8, fields: &[u8]) -> Result<Self, FrameError>;
    }
}

impl sealed::Sealed for MemberFrame {
    fn decode(kind: u8, fields: &[u8]) -> Result<MemberFrame, FrameError> {
        let frame = match kind {
            HELLO => codec::decode(fields).map(|(hello, _)| MemberFrame::Hello(hello)),
            SAY => codec::decode(fields).map(|((number, text), _)| MemberFrame::Say { number, text }),
            WHO => Some(MemberFrame::Who),
            GOT => codec::decode(fields).map(|(direct, _)| MemberFrame::Got { direct }),
            MEMBER_BYE => Some(MemberFrame::Bye),
            LOOK_BACK => codec::decode(fields)
                .map(|((number, question), _)| MemberFrame::LookBack { number, question }),
            kind => Some(MemberFrame::Unknown { kind }),
        };
        frame.ok_or(FrameError::Malformed)
    }
}

impl sealed::Sealed for RoomFrame {
    fn decode(kind: u8, fields: &[u8]) -> Result<RoomFrame, FrameError> {
        let frame = match kind {
            WELCOME => codec::decode(fields).map(|(welcome, _)| RoomFrame::Welcome(Box::new(welcome))),
            ENTRY => Some(RoomFrame::Entry(Arc::new(Entry::decode(fields)?))),
            LAGGED => codec::decode(fields).map(|(lagged, _)| RoomFrame::Lagged(lagged)),
            DIRECT => decode_direct(fields).map(|direct| RoomFrame::Direct(Arc::new(direct))),
            PRESENT => codec::decode(fields).map(|(present, _)| RoomFrame::Present(present)),
            ROOM_BYE => codec::decode(fields).map(|(reason, _)| RoomFrame::Bye(reason)),
            kind => Some(RoomFrame::Unknown { kind }),
        };
        frame.ok_or(FrameError::Malformed)
    }
}

fn put<T: Serialize>(kind: u8, fields: &T, out: &mut Vec<u8>) {
    frame(kind, out, |out| codec::encode(fields, out));
}

fn frame(kind: u8, out: &mut Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0, kind]);
    fields(out);
    let bytes = out.len() - start - 2;
    debug_assert!(bytes <= FRAME_BYTES_MAX, "a frame of {bytes} bytes");
    let length = u16::try_from(bytes).expect("invariant: every part of a frame has a maximum");
    out[start..start + 2].copy_from_slice(&length.to_le_bytes());
}
