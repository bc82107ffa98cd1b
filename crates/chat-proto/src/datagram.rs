//! The framed protocol over UDP: one datagram, one value.
//!
//! ```text
//! F5 'c' 'h' 'a' 't' version | kind | fields | rest
//! ```
//!
//! The highest bit of the kind is set in what a room sends, so a server ignores a datagram that
//! another server has sent. The rest, where a kind has one, are messages, or frames as they stand in
//! a stream. Kinds that are not known are ignored, and so are bytes behind the known fields where there is no rest.

mod bytes;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Hello, LeaveReason, LookBack, PREFACE, Present, SlotSet, Text, Welcome,
    limits::{COOKIE_BYTES, DATAGRAM_BYTES_MAX, HELLO_DATAGRAM_BYTES_MIN},
};

/// Whether a datagram claims to be of the framed protocol, by its first byte; any other is plain
/// text.
pub fn is_framed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&PREFACE[0])
}

/// Which session a datagram is of: a random number, and the proof that its sender may speak in it.
///
/// Anyone who knows it can speak as the member, so `Debug` does not print it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionId([u8; 8]);

impl SessionId {
    /// The session of this number.
    pub const fn new(number: u64) -> SessionId {
        SessionId(number.to_le_bytes())
    }

    /// Its number.
    pub fn number(self) -> u64 {
        u64::from_le_bytes(self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId")
    }
}

/// The bytes that a peer echoes to the server to prove its address. Only the server knows their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie(pub [u8; COOKIE_BYTES]);

/// Which entries a member has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Everything before this slot.
    pub next: u64,
    /// These of the slots after it, counted from `next` on.
    pub beyond: SlotSet,
}

/// A datagram of a member.
///
/// ```
/// use chat_proto::{MemberDatagram, SessionId, Text, Traffic};
///
/// let says = vec![Text::one_line("hi")?];
/// let said = MemberDatagram::Traffic { session: SessionId::new(7), traffic: Traffic { first: 1, says, ..Traffic::default() } };
/// let mut bytes = Vec::new();
/// said.encode(&mut bytes);
/// assert_eq!(MemberDatagram::decode(&bytes)?, said);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberDatagram {
    /// Asks to join or to resume; without a cookie first, then again with the one it got.
    Hello {
        /// Distinguishes this attempt from others.
        nonce: u64,
        /// The cookie of [`RoomDatagram::Retry`].
        cookie: Option<Cookie>,
        /// The hello itself.
        hello: Hello,
    },
    /// Its acknowledgements and its messages.
    Traffic {
        /// Its session.
        session: SessionId,
        /// Its acknowledgements and its messages.
        traffic: Traffic,
    },
    /// Asks for the list of members.
    Who {
        /// Its session.
        session: SessionId,
    },
    /// Proves an address.
    Path {
        /// Its session.
        session: SessionId,
        /// The cookie of [`RoomDatagram::Challenge`].
        cookie: Cookie,
    },
    /// Leaves, or has heard that it was made to.
    Bye {
        /// Its session.
        session: SessionId,
    },
    /// Asks for old messages; sent again until the answer comes.
    LookBack {
        /// Its session.
        session: SessionId,
        /// The question's number. One that is not greater than all earlier ones is a copy.
        number: u64,
        /// Which messages.
        question: LookBack,
    },
}

/// A member's acknowledgements and messages, in one datagram.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// It wants an answer: is the server there?
    pub ping: bool,
    /// The entries that it has.
    pub ack: Ack,
    /// It has the items of the direct lane up to this number.
    pub direct: u64,
    /// Nothing numbered up to this is said over this session any more: it is dealt with, or nobody knows.
    pub settled: u64,
    /// Number of the first of `says`.
    pub first: u64,
    /// Messages with consecutive numbers, at most [`SAYS_PER_DATAGRAM_MAX`](crate::limits::SAYS_PER_DATAGRAM_MAX).
    pub says: Vec<Text>,
}

/// A datagram of a room.
///
/// ```
/// use chat_proto::{RoomDatagram, SessionId};
///
/// // The room's log follows as it is, without a copy in between.
/// let mut bytes = Vec::new();
/// RoomDatagram::Entries { session: SessionId::new(7), taken: 3, slot: 12, entries: &[] }.encode(&mut bytes);
/// bytes.extend_from_slice(b"log");
/// let entries = RoomDatagram::decode(&bytes)?;
/// assert!(matches!(entries, RoomDatagram::Entries { slot: 12, entries: b"log", .. }));
/// # Ok::<(), chat_proto::DatagramError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomDatagram<'a> {
    /// Say hello again, with this cookie.
    Retry {
        /// Of the hello.
        nonce: u64,
        /// The cookie that proves the address.
        cookie: Cookie,
    },
    /// The member is in.
    Welcome {
        /// Of the hello.
        nonce: u64,
        /// To be in all that follows.
        session: SessionId,
        /// The first entry that will come.
        slot: u64,
        /// Sequence number of the last message before it.
        seq: u64,
        /// The welcome itself.
        welcome: Box<Welcome>,
    },
    /// The member is not let in.
    Refused {
        /// Of the hello.
        nonce: u64,
        /// Why.
        reason: LeaveReason,
    },
    /// Entries of the log; none if the datagram only reports `taken`.
    Entries {
        /// The member's session.
        session: SessionId,
        /// The member's own messages up to this number are dealt with.
        taken: u64,
        /// The first entry's slot.
        slot: u64,
        /// [`RoomFrame::Entry`](crate::RoomFrame::Entry)s as in a stream, of consecutive slots.
        entries: &'a [u8],
    },
    /// Like [`Entries`](Self::Entries), if the log no longer holds the entries that the member lacks.
    Lagged {
        /// The member's session.
        session: SessionId,
        /// The member's own messages up to this number are dealt with.
        taken: u64,
        /// The oldest entry that is left. Missing entries before it are lost to the member.
        slot: u64,
        /// Sequence number of the last message before it.
        seq: u64,
        /// Sequence number of the newest message when this was written.
        head: u64,
        /// Entries from `slot` on.
        entries: &'a [u8],
    },
    /// Was that you? Echo this cookie from the address that it came to.
    Challenge {
        /// The cookie that proves the address.
        cookie: Cookie,
    },
    /// The list of members.
    Present {
        /// The member's session.
        session: SessionId,
        /// As many as fit into a datagram; others are left out when encoding.
        present: Present,
    },
    /// The membership has ended.
    Bye {
        /// The member's session.
        session: SessionId,
        /// Why.
        reason: LeaveReason,
    },
    /// Items of the direct lane.
    Direct {
        /// The member's session.
        session: SessionId,
        /// The number of the item before them; 0 if the member has acknowledged all that come before.
        after: u64,
        /// [`RoomFrame::Direct`](crate::RoomFrame::Direct)s as in a stream, in the order of their numbers.
        items: &'a [u8],
    },
}

/// Why bytes are not a datagram of the framed protocol. The sender is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramError {
    /// It is longer than [`DATAGRAM_BYTES_MAX`].
    #[error("a datagram of {bytes} bytes, the limit is {DATAGRAM_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It does not begin with the preface and a kind.
    #[error("a datagram that is not of the framed protocol")]
    NotFramed,
    /// It is of another version.
    #[error("a datagram of version {version} of the protocol")]
    Version {
        /// Which one.
        version: u8,
        /// The nonce, if it is a hello or the refusal of one: all versions have the kinds and the place of the nonce in
        /// common, so that the two can understand each other so far.
        nonce: Option<u64>,
    },
    /// There is no such kind, or it goes the other way.
    #[error("a datagram of unknown kind {kind:#04x}")]
    Unknown {
        /// The kind.
        kind: u8,
    },
    /// Its fields make no sense.
    #[error("a datagram whose fields make no sense")]
    Malformed,
    /// A hello that is shorter than the longest answer to it.
    #[error("a hello of less than {HELLO_DATAGRAM_BYTES_MIN} bytes")]
    Unpadded,
}
