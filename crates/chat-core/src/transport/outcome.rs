//! The results of an attachment's calls.

use std::time::Instant;

use chat_proto::{MemberId, Welcome};

use crate::commands::Action;
use crate::state::members::Membership;

/// A peer that has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a peer that is not made to leave stays a member"]
pub struct Joined {
    /// The transport's handle on the member.
    pub member: Membership,
    /// Which member of the room it is.
    pub id: MemberId,
    /// Sequence number of the newest message at that moment: the member gets what follows.
    /// [`Attachment::pull`](crate::transport::Attachment::pull) before you look up its cursor with
    /// [`EncodedLog::after`](crate::transport::EncodedLog::after).
    pub seq: u64,
}

/// A plain member that has gone to another room, from [`Attachment::move_to`](crate::transport::Attachment::move_to).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a peer that is not made to leave stays a member"]
pub struct Moved {
    /// The member in the other room.
    pub joined: Joined,
    /// Sequence number of the newest message of the room that it left, at that moment. Another thread may have added
    /// messages since the last [`pull`](crate::transport::Attachment::pull): up to this one, they are the member's,
    /// too.
    pub left_after: u64,
}

/// A framed peer that has joined, or whose session goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a peer that is not made to leave stays a member"]
pub struct Welcomed {
    /// The transport's handle on the member.
    pub member: Membership,
    /// Sequence number of the newest message at that moment. [`Attachment::pull`](crate::transport::Attachment::pull)
    /// before you look up the member's cursor.
    pub seq: u64,
    /// The answer to the hello.
    pub welcome: Welcome,
    /// Where the member starts to read.
    pub start: Start,
}

/// Where a welcomed member starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With this many of the newest messages as history.
    History(u16),
    /// After this message, the last one it has; if the log no longer reaches back to it, the member must
    /// be told how many messages it missed.
    After(u64),
}

/// The result of [`Attachment::say`](crate::transport::Attachment::say).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a member over its rate limit is to be paused"]
pub struct Said {
    /// The outcome for the message.
    pub outcome: Outcome,
    /// The member is over its rate limit, or it fills the log or its direct lane faster than a transport pulls: take
    /// nothing more from it before this moment.
    pub pause_until: Option<Instant>,
}

/// The outcome for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It has its place in the order.
    Accepted {
        /// Its sequence number.
        seq: u64,
    },
    /// It is on its way to the room's [`Journal`](crate::journal::Journal): it enters the order once the journal has
    /// it, or the member is told over its direct lane why it does not.
    Submitted,
    /// The [`Moderator`](crate::Moderator) has refused it, or the room's journal is full. The member is told why over
    /// its direct lane.
    Refused,
    /// The room has dealt with a message of this number, or a greater one, before. Nothing was said.
    Repeated,
    /// It was a command. The answer is in the member's direct lane.
    Answered {
        /// An action for the transport: make the member leave, or take it to another room.
        action: Option<Action>,
    },
}

/// How many of a member's messages the room has dealt with, from
/// [`Attachment::taken`](crate::transport::Attachment::taken).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The member's messages up to this number are dealt with; 0 if it is not a member.
    pub number: u64,
    /// The newest sequence number at that moment.
    pub head: u64,
}
