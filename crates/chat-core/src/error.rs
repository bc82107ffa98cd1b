//! What the room refuses, one enum per operation.

use chat_proto::{Author, LeaveReason, Name, TextError};
use thiserror::Error;

/// Why a peer may not join. Not the peer's fault as a rule; [`LeaveReason`] tells it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The room has all the members it may have.
    #[error("the room is full: {members_max} members are present")]
    RoomFull {
        /// [`RoomConfig::members_max`](crate::RoomConfig::members_max).
        members_max: usize,
    },
    /// The peer's address has all the members it may have.
    #[error("{members_per_address_max} members from this address are present, which is all it may have")]
    AddressFull {
        /// [`RoomConfig::members_per_address_max`](crate::RoomConfig::members_per_address_max).
        members_per_address_max: usize,
    },
    /// The session that was to be resumed goes on over a connection that came later: the hello was late.
    #[error("the session goes on over a newer connection")]
    Superseded,
    /// The room takes in no one any more.
    #[error("the room is closing")]
    Closing,
}

impl From<JoinError> for LeaveReason {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::RoomFull { .. } => Self::RoomFull,
            JoinError::AddressFull { .. } => Self::AddressFull,
            JoinError::Superseded => Self::Replaced,
            JoinError::Closing => Self::Stopping,
        }
    }
}

/// Why nothing was said.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SayError {
    /// The member has left, or was made to.
    #[error("not a member of the room any more")]
    NotMember,
    /// The room takes in nothing any more.
    #[error("the room is closing")]
    Closing,
}

/// Why a member was not told something.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TellError {
    /// There is no such remote member.
    #[error("no such member is here")]
    NotPresent,
    /// It has not acknowledged what it was told before
    /// ([`DIRECT_ITEMS_MAX`](chat_proto::limits::DIRECT_ITEMS_MAX),
    /// [`DIRECT_BYTES_MAX`](chat_proto::limits::DIRECT_BYTES_MAX)).
    #[error("the member has not read what it was told before")]
    Full,
    /// The sender is not a member (any more).
    #[error("not a member of the room any more")]
    NotMember,
}

/// Two local members of one room cannot share a name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the name {name} is taken in this room")]
pub struct NameTaken {
    /// The name asked for.
    pub name: Name,
}

/// Why nobody was kicked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KickError {
    /// No remote member is shown like this.
    #[error("{who} is not here")]
    NotPresent {
        /// Who was to be kicked.
        who: Author,
    },
    /// The reason is longer than a member can be told.
    #[error("the reason is too long")]
    Why(#[from] TextError),
}

/// Why [`LocalMember::try_recv`](crate::LocalMember::try_recv) has nothing. There is no third case, and never will be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing new so far.
    #[error("nothing new in the room")]
    Empty,
    /// The room is closed and everything was read.
    #[error("the room is closed")]
    Closed,
}

/// Why [`LocalMember::recv_timeout`](crate::LocalMember::recv_timeout) has nothing. There is no third case, and never will be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// Nothing came in time.
    #[error("nothing new in the room")]
    Timeout,
    /// The room is closed and everything was read.
    #[error("the room is closed")]
    Closed,
}

/// The room is closed and everything was read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the room is closed")]
pub struct RoomClosed;
