//! Entries of a room's log.

use std::fmt;

use crate::{
    Author, FrameError, LeaveReason, MemberId, Origin, Spelling, Text, codec, limits::PRESENCE_MEMBERS_MAX,
    line::write_line,
};

/// One entry of a room's log.
///
/// Every member of a room sees the same entries in the same order.
///
/// ```
/// use chat_proto::{Author, Entry, Event, Origin, Text};
///
/// let text = Text::one_line("hello")?;
/// let event = Event::Said { from: Origin::default(), author: Author::Room, text };
/// let entry = Entry { seq: 7, at_ms: 1_500, event };
/// assert!(entry.event.is_message());
/// # Ok::<(), chat_proto::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Sequence number of a message: one more than that of the message before it. For any other event, the
    /// number of the last message before it; 0 before the first.
    pub seq: u64,
    /// When it was accepted, in milliseconds since the room began.
    pub at_ms: u64,
    /// The event.
    pub event: Event,
}

/// The event of an entry.
///
/// `Display` is one line for people: `[192.0.2.1:5] hello`, `[*] 192.0.2.1:5 joined`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A message.
    Said {
        /// Which member, and which of its messages this is.
        from: Origin,
        /// The author, as people see it.
        author: Author,
        /// The text.
        text: Text,
    },
    /// A peer became a member.
    Joined {
        /// Which member.
        member: MemberId,
        /// The member as people see it.
        author: Author,
        /// How many members are present after it.
        members: u32,
    },
    /// A member left.
    Left {
        /// Which member.
        member: MemberId,
        /// The member as people saw it.
        author: Author,
        /// Why.
        reason: LeaveReason,
        /// How many members are present after it.
        members: u32,
    },
    /// A presence summary: joins and leaves of a large room, counted in one entry so that they do not drown the
    /// messages.
    PresenceSummary {
        /// How many joined since the last such entry.
        joined: u32,
        /// How many left since the last such entry.
        left: u32,
        /// How many members are present after it.
        members: u32,
    },
    /// A member is shown otherwise from now on: it took a name, changed it, or gave it up.
    Renamed {
        /// Which member.
        member: MemberId,
        /// The member as people saw it.
        from: Author,
        /// The member as people see it now.
        to: Author,
    },
    /// The room has another topic.
    Topic {
        /// Which member set it.
        member: MemberId,
        /// That member as people see it.
        author: Author,
        /// The topic; empty if the room has none any more. At most [`TOPIC_BYTES_MAX`](crate::limits::TOPIC_BYTES_MAX)
        /// bytes.
        text: Text,
    },
    /// An event of a later version of the protocol. It has its place in the log, and there is nothing to show.
    Unknown {
        /// Its kind on the wire.
        kind: u8,
    },
}

impl Event {
    /// Whether this is something said, rather than a notice.
    pub fn is_message(&self) -> bool {
        matches!(self, Event::Said { .. })
    }

    /// Which message of its author this is; `None` for anything that was not said.
    pub fn origin(&self) -> Option<Origin> {
        match self {
            Event::Said { from, .. } => Some(*from),
            Event::Joined { .. }
            | Event::Left { .. }
            | Event::PresenceSummary { .. }
            | Event::Renamed { .. }
            | Event::Topic { .. }
            | Event::Unknown { .. } => None,
        }
    }

    /// Whether this reports a join, a leave or a new name.
    pub fn is_presence(&self) -> bool {
        matches!(
            self,
            Event::Joined { .. } | Event::Left { .. } | Event::PresenceSummary { .. } | Event::Renamed { .. }
        )
    }

    /// Whether this is a single join or leave in a room so large that only its
    /// [`PresenceSummary`](Event::PresenceSummary) form is sent.
    pub fn is_crowd(&self) -> bool {
        match self {
            Event::Joined { members, .. } | Event::Left { members, .. } => *members > PRESENCE_MEMBERS_MAX,
            Event::Said { .. }
            | Event::PresenceSummary { .. }
            | Event::Renamed { .. }
            | Event::Topic { .. }
            | Event::Unknown { .. } => false,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Said { author, text, .. } => write_line(f, author, text),
            Event::Joined { author, .. } => write!(f, "[*] {author} joined"),
            Event::Left { author, reason: LeaveReason::Quit, .. } => write!(f, "[*] {author} left"),
            Event::Left { author, reason, .. } => write!(f, "[*] {author} left ({reason})"),
            Event::PresenceSummary { joined, left, members } => {
                write!(f, "[*] {joined} joined, {left} left, {members} present")
            }
            Event::Renamed { from, to, .. } => write!(f, "[*] {from} is now {to}"),
            Event::Topic { author, text, .. } if text.as_str().is_empty() => {
                write!(f, "[*] {author} removed the topic")
            }
            Event::Topic { author, text, .. } => write!(f, "[*] {author} set the topic: {text}"),
            Event::Unknown { .. } => Ok(()),
        }
    }
}

const SAID: u8 = 1;
const JOINED: u8 = 2;
const LEFT: u8 = 3;
const PRESENCE_SUMMARY: u8 = 4;
const RENAMED: u8 = 5;
const TOPIC: u8 = 6;

impl Entry {
    /// Appends the fields of an `Entry` frame.
    pub(crate) fn encode(&self, spelling: &mut Spelling, out: &mut Vec<u8>) {
        let Entry { seq, at_ms, event } = self;
        match event {
            Event::Said { from, author, text } => {
                codec::encode(&(seq, at_ms, SAID, from, spelling.of(author), text), out);
            }
            Event::Joined { member, author, members } => {
                codec::encode(&(seq, at_ms, JOINED, member, author, members), out);
            }
            Event::Left { member, author, reason, members } => {
                codec::encode(&(seq, at_ms, LEFT, member, author, reason, members), out);
            }
            Event::PresenceSummary { joined, left, members } => {
                codec::encode(&(seq, at_ms, PRESENCE_SUMMARY, joined, left, members), out);
            }
            Event::Renamed { member, from, to } => {
                codec::encode(&(seq, at_ms, RENAMED, member, from, to), out);
            }
            Event::Topic { member, author, text } => {
                codec::encode(&(seq, at_ms, TOPIC, member, author, text), out);
            }
            Event::Unknown { kind } => codec::encode(&(seq, at_ms, kind), out),
        }
    }

    /// Reads the fields of an `Entry` frame.
    pub(crate) fn decode(payload: &[u8]) -> Result<Entry, FrameError> {
        let ((seq, at_ms, kind), fields) = codec::decode(payload).ok_or(FrameError::Malformed)?;
        let event = match kind {
            SAID => codec::decode(fields).map(|((from, author, text), _)| Event::Said { from, author, text }),
            JOINED => codec::decode(fields).map(|((member, author, members), _)| Event::Joined {
                member,
                author,
                members,
            }),
            LEFT => codec::decode(fields).map(|((member, author, reason, members), _)| Event::Left {
                member,
                author,
                reason,
                members,
            }),
            PRESENCE_SUMMARY => codec::decode(fields)
                .map(|((joined, left, members), _)| Event::PresenceSummary { joined, left, members }),
            RENAMED => {
                codec::decode(fields).map(|((member, from, to), _)| Event::Renamed { member, from, to })
            }
            TOPIC => {
                codec::decode(fields).map(|((member, author, text), _)| Event::Topic { member, author, text })
            }
            kind => Some(Event::Unknown { kind }),
        };
        event.map(|event| Entry { seq, at_ms, event }).ok_or(FrameError::Malformed)
    }
}
