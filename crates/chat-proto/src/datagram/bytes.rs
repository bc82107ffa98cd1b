//! The bytes of a datagram: the common header, the kinds, and the fields of each.

use serde::{Deserialize, Serialize};

use super::{DatagramError, MemberDatagram, RoomDatagram, Traffic};
use crate::{
    PREFACE, VERSION, codec,
    limits::{DATAGRAM_BYTES_MAX, HELLO_DATAGRAM_BYTES_MIN, SAYS_PER_DATAGRAM_MAX},
};

const HELLO: u8 = 0x01;
const TRAFFIC: u8 = 0x02;
const WHO: u8 = 0x03;
const PATH: u8 = 0x04;
const MEMBER_BYE: u8 = 0x05;
const LOOK_BACK: u8 = 0x06;

const RETRY: u8 = 0x81;
const WELCOME: u8 = 0x82;
const REFUSED: u8 = 0x83;
const ENTRIES: u8 = 0x84;
const LAGGED: u8 = 0x85;
const CHALLENGE: u8 = 0x86;
const PRESENT: u8 = 0x87;
const ROOM_BYE: u8 = 0x88;
const DIRECT: u8 = 0x89;

/// The bytes that the header of a datagram leaves for the fields of [`Present`].
const PRESENT_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - (PREFACE.len() + 1 + 8);

impl MemberDatagram {
    /// Appends the datagram to `out`, which must be empty: it goes out alone.
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
            MemberDatagram::Traffic { session, traffic } => {
                let Traffic { ping, ack, direct, settled, first, says } = traffic;
                debug_assert!(says.len() <= SAYS_PER_DATAGRAM_MAX, "{} messages", says.len());
                put(TRAFFIC, &(session, ping, ack, direct, settled, first), out);
                says.iter().for_each(|text| codec::encode(text, out));
            }
            MemberDatagram::Who { session } => put(WHO, session, out),
            MemberDatagram::Path { session, cookie } => put(PATH, &(session, cookie), out),
            MemberDatagram::Bye { session } => put(MEMBER_BYE, session, out),
            MemberDatagram::LookBack { session, number, question } => {
                put(LOOK_BACK, &(session, number, question), out);
            }
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
            HELLO if bytes.len() < HELLO_DATAGRAM_BYTES_MIN => Err(DatagramError::Unpadded),
            HELLO => {
                front(fields).map(|(nonce, cookie, hello)| MemberDatagram::Hello { nonce, cookie, hello })
            }
            TRAFFIC => {
                let ((session, ping, ack, direct, settled, first), mut rest) = take(fields)?;
                let mut says = Vec::new();
                while !rest.is_empty() {
                    if says.len() == SAYS_PER_DATAGRAM_MAX {
                        return Err(DatagramError::Malformed);
                    }
                    let (text, after) = take(rest)?;
                    says.push(text);
                    rest = after;
                }
                let traffic = Traffic { ping, ack, direct, settled, first, says };
                Ok(MemberDatagram::Traffic { session, traffic })
            }
            WHO => front(fields).map(|session| MemberDatagram::Who { session }),
            PATH => front(fields).map(|(session, cookie)| MemberDatagram::Path { session, cookie }),
            MEMBER_BYE => front(fields).map(|session| MemberDatagram::Bye { session }),
            LOOK_BACK => front(fields).map(|(session, number, question)| MemberDatagram::LookBack {
                session,
                number,
                question,
            }),
            kind => Err(DatagramError::Unknown { kind }),
        }
    }
}

impl<'a> RoomDatagram<'a> {
    /// Appends the datagram to `out`, which must be empty: it goes out alone.
    ///
    /// Entries and items are its end, so that they may be appended later.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            RoomDatagram::Retry { nonce, cookie } => put(RETRY, &(nonce, cookie), out),
            RoomDatagram::Welcome { nonce, session, slot, seq, welcome } => {
                put(WELCOME, &(nonce, session, slot, seq, welcome), out);
            }
            RoomDatagram::Refused { nonce, reason } => put(REFUSED, &(nonce, reason), out),
            RoomDatagram::Entries { session, taken, slot, entries } => {
                put(ENTRIES, &(session, taken, slot), out);
                out.extend_from_slice(entries);
            }
            RoomDatagram::Lagged { session, taken, slot, seq, head, entries } => {
                put(LAGGED, &(session, taken, slot, seq, head), out);
                out.extend_from_slice(entries);
            }
            RoomDatagram::Challenge { cookie } => put(CHALLENGE, cookie, out),
            RoomDatagram::Present { session, present } => {
                put(PRESENT, &(session, present.fitting(PRESENT_BYTES_MAX)), out);
            }
            RoomDatagram::Bye { session, reason } => put(ROOM_BYE, &(session, reason), out),
            RoomDatagram::Direct { session, after, items } => {
                put(DIRECT, &(session, after), out);
                out.extend_from_slice(items);
            }
        }
        debug_assert!(out.len() <= DATAGRAM_BYTES_MAX, "a datagram of {} bytes", out.len());
    }

    /// Reads a datagram, up to its entries or items: those are for a [`FrameDecoder`](crate::FrameDecoder).
    ///
    /// # Errors
    ///
    /// [`DatagramError`]; such a datagram is not to be answered.
    pub fn decode(bytes: &'a [u8]) -> Result<RoomDatagram<'a>, DatagramError> {
        let (kind, fields) = open(bytes)?;
        match kind {
            RETRY => front(fields).map(|(nonce, cookie)| RoomDatagram::Retry { nonce, cookie }),
            WELCOME => front(fields).map(|(nonce, session, slot, seq, welcome)| RoomDatagram::Welcome {
                nonce,
                session,
                slot,
                seq,
                welcome: Box::new(welcome),
            }),
            REFUSED => front(fields).map(|(nonce, reason)| RoomDatagram::Refused { nonce, reason }),
            ENTRIES => {
                let ((session, taken, slot), entries) = take(fields)?;
                Ok(RoomDatagram::Entries { session, taken, slot, entries })
            }
            LAGGED => {
                let ((session, taken, slot, seq, head), entries) = take(fields)?;
                Ok(RoomDatagram::Lagged { session, taken, slot, seq, head, entries })
            }
            CHALLENGE => front(fields).map(|cookie| RoomDatagram::Challenge { cookie }),
            PRESENT => front(fields).map(|(session, present)| RoomDatagram::Present { session, present }),
            ROOM_BYE => front(fields).map(|(session, reason)| RoomDatagram::Bye { session, reason }),
            DIRECT => {
                let ((session, after), items) = take(fields)?;
                Ok(RoomDatagram::Direct { session, after, items })
            }
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

/// Checks the common part of all datagrams; returns the kind and the bytes after it.
fn open(bytes: &[u8]) -> Result<(u8, &[u8]), DatagramError> {
    if bytes.len() > DATAGRAM_BYTES_MAX {
        return Err(DatagramError::TooLong { bytes: bytes.len() });
    }
    let (mark, rest) = bytes.split_at_checked(PREFACE.len() - 1).ok_or(DatagramError::NotFramed)?;
    if mark != &PREFACE[..PREFACE.len() - 1] {
        return Err(DatagramError::NotFramed);
    }
    match rest {
        [version, rest @ ..] if *version != VERSION => {
            let nonce = match rest {
                [HELLO, fields @ ..] if bytes.len() >= HELLO_DATAGRAM_BYTES_MIN => take(fields).ok(),
                [REFUSED, fields @ ..] => take(fields).ok(),
                _ => None,
            };
            Err(DatagramError::Version { version: *version, nonce: nonce.map(|(nonce, _)| nonce) })
        }
        [_, kind, fields @ ..] => Ok((*kind, fields)),
        _ => Err(DatagramError::NotFramed),
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), DatagramError> {
    codec::decode(bytes).ok_or(DatagramError::Malformed)
}

/// The fields of a datagram without a rest.
fn front<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DatagramError> {
    take(bytes).map(|(fields, _)| fields)
}
