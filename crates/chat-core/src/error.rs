//! What the room refuses, one enum per operation.

use chat_proto::{LeaveReason, Name, PeerAddr, TextError};
use thiserror::Error;

/// Why a peer may not join. Not the peer's fault as a rule; [`LeaveReason`] tells him.
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
    /// The room takes in no one any more.
    #[error("the room is closing")]
    Closing,
}

impl From<JoinError> for LeaveReason {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::RoomFull { .. } => Self::RoomFull,
            JoinError::AddressFull { .. } => Self::AddressFull,
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
    /// No remote member has this address.
    #[error("no member has the address {peer}")]
    NotPresent {
        /// The address asked for.
        peer: PeerAddr,
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
