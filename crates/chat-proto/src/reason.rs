//! Why members leave: one vocabulary for events, statistics, logs and the peer himself.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Text, TextError, limits::REASON_BYTES_MAX};

/// Why a member left, or why a peer was not let in.
///
/// `Display` is a lower-case phrase for the brackets after `Connection of ADDR closed`. A console
/// prints nothing for [`Quit`](LeaveReason::Quit), which is how people leave. The phrases are for
/// people and may change; programs match on the variants.
///
/// ```
/// use chat_proto::LeaveReason;
///
/// assert_eq!(LeaveReason::Lost.to_string(), "connection lost");
/// assert_eq!(LeaveReason::kicked("spam")?.to_string(), "kicked: spam");
/// # Ok::<(), chat_proto::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LeaveReason {
    /// By the member's own choice.
    Quit,
    /// The connection was reset or the peer vanished.
    Lost,
    /// The lease ran out: nothing was heard from the peer for too long.
    Idle,
    /// The peer took none of what was written to him for too long.
    TooSlow,
    /// The peer fell behind the tail of the log, in a room that closes such members instead of
    /// telling them what they missed.
    Lagged,
    /// A plain peer's line exceeded [`PLAIN_LINE_BYTES_MAX`](crate::limits::PLAIN_LINE_BYTES_MAX).
    LineTooLong,
    /// A frame was begun and not finished in time.
    Unfinished,
    /// The peer broke the framed protocol.
    Protocol,
    /// The peer speaks something else, HTTP or TLS for example.
    NotChat,
    /// The same session was resumed over another connection.
    Replaced,
    /// The operator put the member out.
    Kicked {
        /// What the operator said about it; may be empty. At most [`REASON_BYTES_MAX`] bytes, which
        /// [`LeaveReason::kicked`] checks: a longer one is cut when it is encoded, and refused when
        /// it is decoded.
        #[serde(serialize_with = "serialize_why", deserialize_with = "deserialize_why")]
        why: Text,
    },
    /// The server stops.
    Stopping,
    /// The room has as many members as it may have. Refused at the door.
    RoomFull,
    /// The peer's address has as many members as it may have. Refused at the door.
    AddressFull,
}

impl LeaveReason {
    /// [`LeaveReason::Kicked`] with a reason of the operator's, which is cleaned and may be empty.
    ///
    /// # Errors
    ///
    /// [`TextError::TooLong`] if the cleaned reason is longer than [`REASON_BYTES_MAX`].
    pub fn kicked(why: &str) -> Result<LeaveReason, TextError> {
        check_why(Text::one_line(why)?).map(|why| LeaveReason::Kicked { why })
    }
}

impl fmt::Display for LeaveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LeaveReason::Quit => "by its own choice",
            LeaveReason::Lost => "connection lost",
            LeaveReason::Idle => "idle for too long",
            LeaveReason::TooSlow => "too slow to read",
            LeaveReason::Lagged => "fell too far behind",
            LeaveReason::LineTooLong => "line too long",
            LeaveReason::Unfinished => "frame not finished in time",
            LeaveReason::Protocol => "broke the protocol",
            LeaveReason::NotChat => "not a chat client",
            LeaveReason::Replaced => "session resumed elsewhere",
            LeaveReason::Kicked { why } if why.as_str().is_empty() => "kicked",
            LeaveReason::Kicked { why } => return write!(f, "kicked: {why}"),
            LeaveReason::Stopping => "server is stopping",
            LeaveReason::RoomFull => "room is full",
            LeaveReason::AddressFull => "too many members from this address",
        })
    }
}

fn check_why(why: Text) -> Result<Text, TextError> {
    match why.as_str().len() {
        bytes if bytes > REASON_BYTES_MAX => Err(TextError::TooLong { bytes }),
        _ => Ok(why),
    }
}

fn serialize_why<S: Serializer>(why: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(crate::text::front(why.as_str(), REASON_BYTES_MAX))
}

fn deserialize_why<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    check_why(Text::deserialize(deserializer)?).map_err(D::Error::custom)
}
