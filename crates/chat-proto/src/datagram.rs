//! The framed protocol over UDP: one datagram, one value.
//!
//! ```text
//! F5 'c' 'h' 'a' 't' version | kind | fields | rest
//! ```
//!
//! The highest bit of the kind is set in what a room sends, so that a server that is sent what
//! another server said finds no sense in it. The rest, where a kind has one, are messages or the
//! very bytes of a room's log.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Hello, LeaveReason, PREFACE, Present, SlotSet, Text, Welcome, codec,
    limits::{DATAGRAM_BYTES_MAX, DATAGRAM_PEERS_MAX, HELLO_DATAGRAM_BYTES_MIN, SAYS_PER_DATAGRAM_MAX},
};

/// Whether a datagram claims to be of the framed protocol, by its first byte; any other is plain
/// text.
pub fn is_framed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&PREFACE[0])
}

/// Which session a datagram is of: a random number, and the proof that its sender may speak in it.
///
/// Whoever knows it can speak as the member, so `Debug` leaves it out.
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

/// What a server has a peer echo to prove his address. Means nothing to anyone but the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie(pub [u8; 12]);

/// Which entries a member has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Everything before this slot.
    pub next: u64,
    /// And of what follows, counted from `next` on, these.
    pub beyond: SlotSet,
}

/// What a member sends.
///
/// ```
/// use chat_proto::{Ack, MemberDatagram, SessionId, Text};
///
/// let says = vec![Text::one_line("hi")?];
/// let session = SessionId::new(7);
/// let said = MemberDatagram::Traffic { session, ping: false, ack: Ack::default(), first: 1, says };
/// let mut bytes = Vec::new();
/// said.encode(&mut bytes);
/// assert_eq!(MemberDatagram::decode(&bytes)?, said);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberDatagram {
    /// Asks to join or to resume; without a cookie first, then again with the one he got.
    Hello {
        /// Tells this attempt from others.
        nonce: u64,
        /// What [`RoomDatagram::Retry`] brought.
        cookie: Option<Cookie>,
        /// The hello itself.
        hello: Hello,
    },
    /// What he has and what he says.
    Traffic {
        /// His session.
        session: SessionId,
        /// He wants an answer: is the server there?
        ping: bool,
        /// What he has.
        ack: Ack,
        /// Number of the first of `says`; the first of a session is 1.
        first: u64,
        /// Messages with consecutive numbers, at most [`SAYS_PER_DATAGRAM_MAX`].
        says: Vec<Text>,
    },
    /// Asks who is present.
    Who {
        /// His session.
        session: SessionId,
    },
    /// Proves an address.
    Path {
        /// His session.
        session: SessionId,
        /// What [`RoomDatagram::Challenge`] brought.
        cookie: Cookie,
    },
    /// Leaves, or has heard that he was made to.
    Bye {
        /// His session.
        session: SessionId,
    },
}

/// What a room sends.
///
/// ```
/// use chat_proto::{RoomDatagram, SessionId};
///
/// // The room's log follows as it is, without a copy in between.
/// let mut bytes = Vec::new();
/// RoomDatagram::Entries { session: SessionId::new(7), said: 3, slot: 12, entries: &[] }.encode(&mut bytes);
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
        /// What proves the address.
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
        welcome: Welcome,
    },
    /// The member is not let in.
    Refused {
        /// Of the hello.
        nonce: u64,
        /// Why.
        reason: LeaveReason,
    },
    /// Entries of the log; none if only `said` is to be told.
    Entries {
        /// The member's session.
        session: SessionId,
        /// His messages up to this number are accepted.
        said: u64,
        /// The first entry's slot.
        slot: u64,
        /// [`RoomFrame::Entry`](crate::RoomFrame::Entry)s as in a stream, of consecutive slots.
        entries: &'a [u8],
    },
    /// As [`Entries`](Self::Entries), where the log no longer reaches back to what the member lacks.
    Skip {
        /// The member's session.
        session: SessionId,
        /// His messages up to this number are accepted.
        said: u64,
        /// The oldest entry that is left. What he lacks before it will not come.
        slot: u64,
        /// Sequence number of the last message before it.
        seq: u64,
        /// As in [`Skipped`](crate::Skipped).
        accepted: u64,
        /// As in [`Skipped`](crate::Skipped).
        head: u64,
        /// Entries from `slot` on.
        entries: &'a [u8],
    },
    /// Was that you? Echo this cookie from the address that it came to.
    Challenge {
        /// What proves the address.
        cookie: Cookie,
    },
    /// Who is present.
    Present {
        /// The member's session.
        session: SessionId,
        /// With at most [`DATAGRAM_PEERS_MAX`] addresses; more are left out when encoding.
        present: Present,
    },
    /// The membership has ended.
    Bye {
        /// The member's session.
        session: SessionId,
        /// Why.
        reason: LeaveReason,
    },
}

const HELLO: u8 = 0x01;
const TRAFFIC: u8 = 0x02;
const WHO: u8 = 0x03;
const PATH: u8 = 0x04;
const MEMBER_BYE: u8 = 0x05;

const RETRY: u8 = 0x81;
const WELCOME: u8 = 0x82;
const REFUSED: u8 = 0x83;
const ENTRIES: u8 = 0x84;
const SKIP: u8 = 0x85;
const CHALLENGE: u8 = 0x86;
const PRESENT: u8 = 0x87;
const ROOM_BYE: u8 = 0x88;

impl MemberDatagram {
    /// Appends the datagram to `out`, which is to be empty: it goes out alone.
    ///
    /// # Panics
    ///
    /// In debug builds, if the messages are more than a datagram may hold.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            MemberDatagram::Hello { nonce, cookie, hello } => {
                put(HELLO, &(nonce, cookie, hello), out);
                out.resize(out.len().max(HELLO_DATAGRAM_BYTES_MIN), 0);
            }
            MemberDatagram::Traffic { session, ping, ack, first, says } => {
                debug_assert!(says.len() <= SAYS_PER_DATAGRAM_MAX, "{} messages", says.len());
                put(TRAFFIC, &(session, ping, ack, first), out);
                says.iter().for_each(|text| codec::encode(text, out));
            }
            MemberDatagram::Who { session } => put(WHO, session, out),
            MemberDatagram::Path { session, cookie } => put(PATH, &(session, cookie), out),
            MemberDatagram::Bye { session } => put(MEMBER_BYE, session, out),
        }
        debug_assert!(out.len() <= DATAGRAM_BYTES_MAX, "a datagram of {} bytes", out.len());
    }

    /// Reads a datagram.
    ///
    /// # Errors
    ///
    /// [`DatagramError`]; such a datagram is not to be answered.
    pub fn decode(bytes: &[u8]) -> Result<MemberDatagram, DatagramError> {
        let (kind, fields) = open(bytes)?;
        match kind {
            HELLO => {
                let ((nonce, cookie, hello), padding) = take(fields)?;
                match padding.iter().position(|&byte| byte != 0) {
                    Some(at) => Err(DatagramError::Leftover { bytes: padding.len() - at }),
                    None if bytes.len() < HELLO_DATAGRAM_BYTES_MIN => Err(DatagramError::Unpadded),
                    None => Ok(MemberDatagram::Hello { nonce, cookie, hello }),
                }
            }
            TRAFFIC => {
                let ((session, ping, ack, first), mut rest) = take(fields)?;
                let mut says = Vec::new();
                while !rest.is_empty() {
                    if says.len() == SAYS_PER_DATAGRAM_MAX {
                        return Err(DatagramError::Malformed);
                    }
                    let (text, after) = take(rest)?;
                    says.push(text);
                    rest = after;
                }
                Ok(MemberDatagram::Traffic { session, ping, ack, first, says })
            }
            WHO => whole(fields).map(|session| MemberDatagram::Who { session }),
            PATH => whole(fields).map(|(session, cookie)| MemberDatagram::Path { session, cookie }),
            MEMBER_BYE => whole(fields).map(|session| MemberDatagram::Bye { session }),
            kind => Err(DatagramError::Unknown { kind }),
        }
    }
}

impl<'a> RoomDatagram<'a> {
    /// Appends the datagram to `out`, which is to be empty: it goes out alone.
    ///
    /// Entries are its end, so that those of a log may be appended later.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            RoomDatagram::Retry { nonce, cookie } => put(RETRY, &(nonce, cookie), out),
            RoomDatagram::Welcome { nonce, session, slot, seq, welcome } => {
                put(WELCOME, &(nonce, session, slot, seq, welcome), out);
            }
            RoomDatagram::Refused { nonce, reason } => put(REFUSED, &(nonce, reason), out),
            RoomDatagram::Entries { session, said, slot, entries } => {
                put(ENTRIES, &(session, said, slot), out);
                out.extend_from_slice(entries);
            }
            RoomDatagram::Skip { session, said, slot, seq, accepted, head, entries } => {
                put(SKIP, &(session, said, slot, seq, accepted, head), out);
                out.extend_from_slice(entries);
            }
            RoomDatagram::Challenge { cookie } => put(CHALLENGE, cookie, out),
            RoomDatagram::Present { session, present } => {
                let Present { members, peers, more } = present;
                let shown = &peers[..peers.len().min(DATAGRAM_PEERS_MAX)];
                let more = *more || shown.len() < peers.len();
                put(PRESENT, &(session, Present { members: *members, peers: shown.to_vec(), more }), out);
            }
            RoomDatagram::Bye { session, reason } => put(ROOM_BYE, &(session, reason), out),
        }
        debug_assert!(out.len() <= DATAGRAM_BYTES_MAX, "a datagram of {} bytes", out.len());
    }

    /// Reads a datagram, up to its entries: those are for a [`FrameDecoder`](crate::FrameDecoder).
    ///
    /// # Errors
    ///
    /// [`DatagramError`]; such a datagram is not to be answered.
    pub fn decode(bytes: &'a [u8]) -> Result<RoomDatagram<'a>, DatagramError> {
        let (kind, fields) = open(bytes)?;
        match kind {
            RETRY => whole(fields).map(|(nonce, cookie)| RoomDatagram::Retry { nonce, cookie }),
            WELCOME => whole(fields).map(|(nonce, session, slot, seq, welcome)| RoomDatagram::Welcome {
                nonce,
                session,
                slot,
                seq,
                welcome,
            }),
            REFUSED => whole(fields).map(|(nonce, reason)| RoomDatagram::Refused { nonce, reason }),
            ENTRIES => {
                let ((session, said, slot), entries) = take(fields)?;
                Ok(RoomDatagram::Entries { session, said, slot, entries })
            }
            SKIP => {
                let ((session, said, slot, seq, accepted, head), entries) = take(fields)?;
                Ok(RoomDatagram::Skip { session, said, slot, seq, accepted, head, entries })
            }
            CHALLENGE => whole(fields).map(|cookie| RoomDatagram::Challenge { cookie }),
            PRESENT => whole(fields).map(|(session, present)| RoomDatagram::Present { session, present }),
            ROOM_BYE => whole(fields).map(|(session, reason)| RoomDatagram::Bye { session, reason }),
            kind => Err(DatagramError::Unknown { kind }),
        }
    }
}

fn put<T: Serialize>(kind: u8, fields: &T, out: &mut Vec<u8>) {
    debug_assert!(out.is_empty(), "a datagram goes out alone");
    out.extend_from_slice(&PREFACE);
    out.push(kind);
    codec::encode(fields, out);
}

/// Checks what all datagrams have in common; returns the kind and what follows it.
fn open(bytes: &[u8]) -> Result<(u8, &[u8]), DatagramError> {
    if bytes.len() > DATAGRAM_BYTES_MAX {
        return Err(DatagramError::TooLong { bytes: bytes.len() });
    }
    let (mark, rest) = bytes.split_at_checked(PREFACE.len() - 1).ok_or(DatagramError::NotFramed)?;
    if mark != &PREFACE[..PREFACE.len() - 1] {
        return Err(DatagramError::NotFramed);
    }
    match rest {
        [version, ..] if *version != PREFACE[PREFACE.len() - 1] => {
            Err(DatagramError::Version { version: *version })
        }
        [_, kind, fields @ ..] => Ok((*kind, fields)),
        _ => Err(DatagramError::NotFramed),
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), DatagramError> {
    codec::decode_front(bytes).ok_or(DatagramError::Malformed)
}

fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DatagramError> {
    match take(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(DatagramError::Leftover { bytes: rest.len() }),
    }
}

/// Why bytes are no datagram of the framed protocol; whoever sent them is to blame.
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
    /// There is something behind its fields.
    #[error("a datagram with {bytes} bytes after its end")]
    Leftover {
        /// How many bytes too many.
        bytes: usize,
    },
    /// A hello that is shorter than an answer to it may be.
    #[error("a hello of less than {HELLO_DATAGRAM_BYTES_MIN} bytes")]
    Unpadded,
}
