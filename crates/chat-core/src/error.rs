//! The errors of the room, one enum per operation.

use chat_proto::{LeaveReason, Name, NameError, Text, TextError};
use thiserror::Error;

use crate::journal::JournalError;

/// Why a peer may not join. Usually this is not the peer's fault. The peer gets it as a [`LeaveReason`].
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// The room has the maximum of members.
    #[error("the room is full: {members_max} members are present")]
    RoomFull {
        /// [`RoomConfig::with_members_max`](crate::RoomConfig::with_members_max).
        members_max: usize,
    },
    /// The peer's address has the maximum of members.
    #[error("{members_per_address_max} members from this address are present, which is all it may have")]
    AddressFull {
        /// [`RoomConfig::with_members_per_address_max`](crate::RoomConfig::with_members_per_address_max).
        members_per_address_max: usize,
    },
    /// A later connection already resumed this session: the hello was late.
    #[error("the session goes on over a newer connection")]
    Superseded,
    /// The room's [`Gate`](crate::access::Gate) does not let it in.
    #[error("banned{}", because(why))]
    Refused {
        /// What the peer is told.
        why: Text,
    },
    /// The session that it resumes has read messages, through another server, which have not come here yet. It may try
    /// again soon.
    #[error("this server is still catching up")]
    Behind,
    /// The room is closing and accepts no new members.
    #[error("the room is closing")]
    Closing,
}

impl JoinError {
    /// The line for a member that may not go to this room and stays where it is. It has the same reason that a newcomer
    /// is told.
    #[must_use]
    pub fn advice(&self, room: Option<&Name>) -> String {
        let room = room.map(|room| format!(" {room}")).unwrap_or_default();
        format!("You cannot join{room}: {}", LeaveReason::from(self.clone()))
    }
}

impl From<JoinError> for LeaveReason {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::RoomFull { .. } => Self::RoomFull,
            JoinError::AddressFull { .. } => Self::AddressFull,
            JoinError::Superseded => Self::Replaced,
            JoinError::Refused { why } => Self::banned(&why),
            // A client that is told this connects again.
            JoinError::Behind => Self::Lost,
            JoinError::Closing => Self::Stopping,
        }
    }
}

/// Why nothing was said.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SayError {
    /// The member has left, or was kicked.
    #[error("not a member of the room any more")]
    NotMember,
    /// A command of the member has sent it to another room: it says the rest there.
    #[error("the member goes to another room")]
    Moving,
    /// The room is closing and accepts no more messages.
    #[error("the room is closing")]
    Closing,
    /// Too many messages wait for the room's [`Journal`](crate::journal::Journal). A local member's messages are then
    /// refused from the first one that did not fit: say them again later.
    #[error("the history cannot keep up")]
    Behind,
}

/// Why a private message was not sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TellError {
    /// There is no such member.
    #[error("no such member is here")]
    NotPresent,
    /// Its direct lane is full: it has not acknowledged earlier items
    /// ([`DIRECT_ITEMS_MAX`](chat_proto::limits::DIRECT_ITEMS_MAX),
    /// [`DIRECT_BYTES_MAX`](chat_proto::limits::DIRECT_BYTES_MAX)).
    #[error("the member has not read what it was told before")]
    Full,
    /// The member ignores the sender.
    #[error("the member ignores you")]
    Ignored,
    /// The sender is muted.
    #[error("you are muted")]
    Muted,
    /// The room wants names, and the sender has none.
    #[error("choose a name first: type /nick NAME")]
    NeedsName,
    /// The sender is not a member (any more).
    #[error("not a member of the room any more")]
    NotMember,
    /// The recipient is at another server, and too much waits to be passed on.
    #[error("the other servers cannot be reached now")]
    Behind,
}

/// Why a member does not get a name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NickError {
    /// Another member has the name, or one that looks like it, or has left only minutes ago.
    #[error("the name {name} is taken")]
    Taken {
        /// The name asked for.
        name: Name,
        /// One like it that is free.
        suggestion: Option<Name>,
    },
    /// It is not a valid name.
    #[error(transparent)]
    Invalid(#[from] NameError),
    /// Only members of the room's own process may have the name: it reads like the room or an operator.
    #[error("the name {name} is reserved")]
    Reserved {
        /// The name asked for.
        name: Name,
    },
    /// The room's [`Gate`](crate::access::Gate) does not allow it.
    #[error("this name is banned{}", because(why))]
    Refused {
        /// What the member is told.
        why: Text,
    },
    /// The room has no names.
    #[error("there are no names in this room")]
    Off,
    /// Members of this room must have a name, and so must local members.
    #[error("you need a name in this room")]
    Required,
    /// It is muted, so nobody is to read a name that it chooses.
    #[error("you are muted")]
    Muted,
    /// Too much waits for the other servers of the room to be told. Ask again later.
    #[error("the other servers cannot be asked for the name now")]
    Behind,
    /// There is no such member.
    #[error("not a member of the room any more")]
    NotPresent,
}

impl NickError {
    /// What the member is told: why it does not get the name, and which one it could have.
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Taken { suggestion: Some(free), .. } => sentence(&format!("{self}. {free} is free.")),
            _ => sentence(&self.to_string()),
        }
    }
}

/// Why a member cannot ignore another one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IgnoreError {
    /// It ignores [`IGNORED_MAX`](crate::limits::IGNORED_MAX) members already.
    #[error("you ignore as many as you can")]
    TooMany,
    /// There is no such remote member. A local member is read by the embedder's own code, which can skip any entry.
    #[error("only members with a connection can ignore others")]
    NotPresent,
}

/// Why there is no such room.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomError {
    /// There is no room of this name, and members cannot open rooms.
    #[error("there is no room {name}")]
    NotThere {
        /// The name asked for.
        name: Name,
    },
    /// Members have opened as many rooms as they may.
    #[error("no more rooms can be opened: the server allows {open_max}")]
    TooManyOpen {
        /// [`RoomsConfig::with_open_max`](crate::RoomsConfig::with_open_max).
        open_max: usize,
    },
    /// This address, or IPv6 /64 network, has opened as many rooms as one may.
    #[error("your address has opened {open_per_address_max} rooms, which is the limit")]
    AddressFull {
        /// [`RoomsConfig::with_open_per_address_max`](crate::RoomsConfig::with_open_per_address_max).
        open_per_address_max: usize,
    },
    /// There are more rooms than a server can have.
    #[error("{rooms} rooms are more than {}", crate::limits::ROOMS_MAX)]
    TooMany {
        /// How many were configured, with those that could be opened.
        rooms: usize,
    },
    /// Its past cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Two rooms have the same name, or names that look alike.
    #[error("two rooms have the name {name}")]
    Twice {
        /// The name of the second one.
        name: Name,
    },
}

/// Why a member was not muted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MuteError {
    /// No remote member is shown like this.
    #[error("no such member is here")]
    NotPresent,
    /// As many mutes are in force as there can be.
    #[error("there are {} mutes, which is the most there may be", crate::limits::MUTES_MAX)]
    Full,
}

/// Why the topic was not set.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// It is longer than [`TOPIC_BYTES_MAX`](chat_proto::limits::TOPIC_BYTES_MAX).
    #[error("the topic is longer than {} bytes", chat_proto::limits::TOPIC_BYTES_MAX)]
    TooLong,
    /// Too much waits for the room's [`Journal`](crate::journal::Journal): set it again later.
    #[error("the history cannot keep up")]
    Behind,
    /// There is no such member.
    #[error("not a member of the room any more")]
    NotPresent,
}

/// Why no member was kicked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KickError {
    /// There is no such remote member.
    #[error("no such member is here")]
    NotPresent,
    /// The reason is longer than the limit.
    #[error(transparent)]
    Why(#[from] TextError),
    /// It is at another server, and too much waits to be passed on. Try again later.
    #[error("the other servers cannot be reached now")]
    Behind,
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

/// Why [`LocalMember::recv_timeout`](crate::LocalMember::recv_timeout) has nothing. There is no third case, and never
/// will be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// Nothing arrived in time.
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

/// An error as a sentence for people.
pub(crate) fn sentence(error: &str) -> String {
    let mut characters = error.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn because(why: &Text) -> String {
    if why.as_str().is_empty() { String::new() } else { format!(": {why}") }
}
