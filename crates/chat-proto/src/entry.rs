//! Entries of a room's log.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Author, LeaveReason, PeerAddr, Text, limits::PRESENCE_MEMBERS_MAX};

/// One entry of a room's log.
///
/// Every member of a room sees the same entries in the same order.
///
/// ```
/// use chat_proto::{Author, Entry, Event, Text};
///
/// let text = Text::one_line("hello")?;
/// let entry = Entry { seq: 7, at_ms: 1_500, event: Event::Said { author: Author::Room, text } };
/// assert!(entry.event.is_message());
/// # Ok::<(), chat_proto::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Sequence number of a message: one more than that of the message before it. For any other event, the
    /// number of the last message before it; 0 before the first.
    pub seq: u64,
    /// When it was accepted, in milliseconds since the room began.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What an entry reports.
///
/// `Display` is one line for people: `[192.0.2.1:5] hello`, `[*] 192.0.2.1:5 joined`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// Somebody said something.
    Said {
        /// Who said it.
        author: Author,
        /// What was said.
        text: Text,
    },
    /// A peer became a member.
    Joined {
        /// Who joined.
        peer: PeerAddr,
        /// How many members are present after it.
        members: u32,
    },
    /// A member left.
    Left {
        /// Who left.
        peer: PeerAddr,
        /// Why.
        reason: LeaveReason,
        /// How many members are present after it.
        members: u32,
    },
    /// Joins and leaves of a large room, gathered into one entry so that they do not drown what
    /// is said.
    PresenceSummary {
        /// How many joined since the last such entry.
        joined: u32,
        /// How many left since the last such entry.
        left: u32,
        /// How many members are present after it.
        members: u32,
    },
    /// A member's message was not accepted. For its author it stands where his message would have been, and
    /// confirms that it was dealt with.
    Refused {
        /// Who said it.
        peer: PeerAddr,
        /// Which member that was, as in his [`Session`](crate::Session).
        member: u64,
        /// Which of his messages it was: the first that he said as this member is 1.
        said: u64,
        /// What he is told instead. Not what he said, and not a secret: it stands in the log.
        why: Text,
    },
}

impl Event {
    /// Whether this is something said, rather than a notice.
    pub fn is_message(&self) -> bool {
        matches!(self, Event::Said { .. })
    }

    /// Whether this tells who comes and goes.
    pub fn is_presence(&self) -> bool {
        matches!(self, Event::Joined { .. } | Event::Left { .. } | Event::PresenceSummary { .. })
    }

    /// Whether this is a single join or leave in a room so large that only its
    /// [`PresenceSummary`](Event::PresenceSummary) form is sent.
    pub fn is_crowd(&self) -> bool {
        match self {
            Event::Joined { members, .. } | Event::Left { members, .. } => *members > PRESENCE_MEMBERS_MAX,
            Event::Said { .. } | Event::PresenceSummary { .. } | Event::Refused { .. } => false,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Said { author, text } => write!(f, "[{author}] {text}"),
            Event::Joined { peer, .. } => write!(f, "[*] {peer} joined"),
            Event::Left { peer, reason: LeaveReason::Quit, .. } => write!(f, "[*] {peer} left"),
            Event::Left { peer, reason, .. } => write!(f, "[*] {peer} left ({reason})"),
            Event::PresenceSummary { joined, left, members } => {
                write!(f, "[*] {joined} joined, {left} left, {members} present")
            }
            Event::Refused { peer, why, .. } => write!(f, "[*] refused a message of {peer}: {why}"),
        }
    }
}
