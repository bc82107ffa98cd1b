//! What a member and a room send each other in the framed protocol.
//!
//! The order of variants and fields is the wire format. Adding a variant at the end or changing
//! anything else needs a new [`VERSION`](crate::VERSION); the golden bytes in the tests notice.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use crate::{
    Entry, LeaveReason, PeerAddr, Text, codec,
    limits::{FRAME_BYTES_MAX, PRESENT_PEERS_MAX},
};

/// What a member sends.
///
/// ```
/// use chat_proto::{MemberFrame, Text};
///
/// let mut out = Vec::new();
/// MemberFrame::Say(Text::one_line("hi")?).encode(&mut out);
/// assert_eq!(out, [4, 0, 1, 2, b'h', b'i']);
/// # Ok::<(), chat_proto::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberFrame {
    /// Asks to join or to resume; the first frame, and only the first.
    Hello(Hello),
    /// Says something to the room.
    Say(Text),
    /// Asks who is present; answered with [`RoomFrame::Present`].
    Who,
    /// Leaves. Nothing follows it.
    Bye,
}

/// What a room sends.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomFrame {
    /// The member is in; the first frame.
    Welcome(Welcome),
    /// The next entry of the log.
    Entry(Arc<Entry>),
    /// Some entries were missed, and exactly how many messages were among them.
    Skipped(Skipped),
    /// Who is present, or a page of it.
    Present(Present),
    /// The room ends the membership, and why. Nothing follows it.
    Bye(LeaveReason),
}

/// How a member introduces himself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The session to go on with, if he had one.
    pub resume: Option<Resume>,
    /// How many messages of history he wants, at most; 0 for none. Of no effect on a resumed
    /// session, which gets what it has missed.
    pub history: u16,
}

/// What identifies a membership across connections.
///
/// Whoever knows the key can resume the session, so that it is a secret between the member and the
/// room: `Debug` leaves it out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    /// Which member of the room.
    pub member: u64,
    /// The message after which the membership began: nothing older can be asked for.
    pub since: u64,
    /// The secret that proves it.
    pub key: u64,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("member", &self.member)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// Where a member wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The room's epoch, as its [`Welcome`] said it. A room that began anew has another one.
    pub epoch: u64,
    /// The session, as the [`Welcome`] said it.
    pub session: Session,
    /// The member has every message up to and including this one.
    pub have: u64,
}

/// What a room says to a new or resumed member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Which life of the room this is; sequence numbers compare only within one.
    pub epoch: u64,
    /// What to show when resuming.
    pub session: Session,
    /// The member's address as the room sees it, which is the author of what he says.
    pub you: PeerAddr,
    /// Sequence number of the newest message at the time.
    pub head: u64,
    /// When the room began, in milliseconds of Unix time. Add an entry's `at_ms` to it.
    pub began_unix_ms: u64,
    /// How many members are present, this one included.
    pub members: u32,
}

/// Says that the log's tail passed the member's cursor, and what that cost him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// How many messages were missed, exactly. Notices are not counted.
    pub messages: u64,
    /// Sequence number of the first message that follows.
    pub next: u64,
    /// Sequence number of the newest message when this was written.
    pub head: u64,
    /// How many [`MemberFrame::Say`] of this member the room had accepted by then, so that he
    /// knows about those whose echo was skipped.
    pub accepted: u64,
}

/// Who is present, as far as one frame can tell.
///
/// `Display` is a phrase for people: `2 present: 192.0.2.1:5, 192.0.2.2:6`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// How many remote members are present.
    pub members: u32,
    /// Addresses of remote members: at most [`PRESENT_PEERS_MAX`], more are left out when encoding
    /// (in debug builds it panics) and refused when decoding.
    #[serde(with = "codec::peers")]
    pub peers: Vec<PeerAddr>,
    /// Whether there are others, who are not listed.
    pub more: bool,
}

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} present", self.members)?;
        let mut separator = ": ";
        for peer in &self.peers {
            write!(f, "{separator}{peer}")?;
            separator = ", ";
        }
        f.write_str(if self.more { ", and others" } else { "" })
    }
}

impl MemberFrame {
    /// Appends the frame to `out`: its length as 2 bytes, little-endian, and its payload.
    ///
    /// Never fails: the parts of a frame bound its size. Costs one pass over the frame and, if
    /// `out` has room, no allocation.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(self, out);
    }
}

impl RoomFrame {
    /// Appends the frame to `out`: its length as 2 bytes, little-endian, and its payload.
    ///
    /// Never fails: the parts of a frame bound its size. Costs one pass over the frame and, if
    /// `out` has room, no allocation.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(self, out);
    }
}

/// Appends an entry to `out`, byte for byte as [`RoomFrame::Entry`] does, without an [`Arc`]
/// around it.
pub fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    encode(&EntryFrame(entry), out);
}

/// A frame that [`FrameDecoder`](crate::FrameDecoder) can return: [`MemberFrame`] or
/// [`RoomFrame`], and no other type.
pub trait Frame: sealed::Sealed + DeserializeOwned {}

impl Frame for MemberFrame {}
impl Frame for RoomFrame {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::MemberFrame {}
    impl Sealed for super::RoomFrame {}
}

/// [`RoomFrame::Entry`] around a borrowed entry.
struct EntryFrame<'a>(&'a Entry);

impl Serialize for EntryFrame<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_variant("RoomFrame", 1, "Entry", self.0)
    }
}

fn encode<T: Serialize>(frame: &T, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    codec::encode(frame, out);
    let bytes = out.len() - start - 2;
    debug_assert!(bytes <= FRAME_BYTES_MAX, "a frame of {bytes} bytes");
    let length = u16::try_from(bytes).expect("invariant: every part of a frame has a maximum");
    out[start..start + 2].copy_from_slice(&length.to_le_bytes());
}

// What the doc of `Present::peers` promises.
const _: () = assert!(PRESENT_PEERS_MAX < 251, "the count takes one byte");
