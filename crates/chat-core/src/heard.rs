//! The events of a room for a program in the same process.

use std::fmt;
use std::sync::Arc;

use chat_proto::{DirectItem, Entry, Notice};

/// What a [`LocalMember`](crate::LocalMember) hears.
///
/// `Display` is one line for people: that of the [`Event`](chat_proto::Event), or `[*] You missed 3 messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// An entry of the log: a message, a join or a leave.
    Entry(Arc<Entry>),
    /// It missed this many messages, at least one: the log's tail has passed this local member, and the room has no
    /// journal that still holds them. It goes on with the oldest entry held.
    Missed(u64),
    /// Something for this member alone: a private message, for example.
    Direct(DirectItem),
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(entry) => entry.event.fmt(f),
            Self::Direct(item) => item.fmt(f),
            Self::Missed(messages) => write!(f, "[*] {}", Notice::Missed(*messages)),
        }
    }
}
