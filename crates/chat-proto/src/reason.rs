//! Why members leave: one vocabulary for events, statistics, logs and the peer itself.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Text, TextError, VERSION, limits::REASON_BYTES_MAX, text};

/// Why a member left, or why a peer was not let in.
///
/// `Display` is a lower-case phrase for the brackets after `Connection of ADDR closed`. A console
/// prints nothing for [`Quit`](LeaveReason::Quit), which is how people leave. The phrases are for
/// people and may change; programs match on the variants, or on [`code`](Self::code).
///
/// On the wire it is the code and the phrase, so that a peer which does not know a code can still show the reason.
///
/// ```
/// use chat_proto::LeaveReason;
///
/// assert_eq!(LeaveReason::Lost.to_string(), "connection lost");
/// assert_eq!(LeaveReason::kicked("spam")?.to_string(), "kicked: spam");
/// # Ok::<(), chat_proto::TextError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaveReason {
    /// By the member's own choice.
    Quit,
    /// The connection was reset or the peer vanished.
    Lost,
    /// The lease ran out: nothing was heard from the peer for too long.
    Idle,
    /// The peer took none of its pending output for too long.
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
    /// The operator kicked the member.
    Kicked {
        /// The operator's words about it; may be empty. At most [`REASON_BYTES_MAX`] bytes, which
        /// [`LeaveReason::kicked`] checks: a longer one is cut when it is encoded.
        why: Text,
    },
    /// The server stops.
    Stopping,
    /// The room has as many members as it may have. The peer was not let in.
    RoomFull,
    /// The peer's address has as many members as it may have. The peer was not let in.
    AddressFull,
    /// The peer speaks none of the versions of the framed protocol that the server speaks. Made by
    /// [`LeaveReason::version`].
    Version {
        /// What to show for it: which version the server speaks.
        text: Text,
    },
    /// The gate of the room does not let the peer in, or a ban has ended its membership.
    Banned {
        /// What the peer is told about it; may be empty. At most [`REASON_BYTES_MAX`] bytes.
        why: Text,
    },
    /// The peer has named a room that it cannot join. Made by [`LeaveReason::no_room`].
    NoRoom {
        /// What to show for it: which room, and why not.
        text: Text,
    },
    /// A reason of a later version of the protocol.
    Other {
        /// Its code on the wire.
        code: u8,
        /// The text to show for it.
        text: Text,
    },
}

impl LeaveReason {
    /// [`LeaveReason::Kicked`] with a reason of the operator's, which is cleaned and may be empty.
    ///
    /// # Errors
    ///
    /// [`TextError::TooLong`] if the cleaned reason is longer than [`REASON_BYTES_MAX`].
    pub fn kicked(why: &str) -> Result<LeaveReason, TextError> {
        let why = Text::one_line(why)?;
        match why.as_str().len() {
            bytes if bytes > REASON_BYTES_MAX => {
                Err(TextError::TooLong { bytes, bytes_max: REASON_BYTES_MAX })
            }
            _ => Ok(LeaveReason::Kicked { why }),
        }
    }

    /// [`LeaveReason::Banned`] for a reason, of which no more than [`REASON_BYTES_MAX`] bytes are kept.
    #[must_use]
    pub fn banned(why: &Text) -> LeaveReason {
        LeaveReason::Banned { why: cut(why.as_str(), REASON_BYTES_MAX) }
    }

    /// [`LeaveReason::Version`] of a server that speaks [`VERSION`].
    #[must_use]
    pub fn version() -> LeaveReason {
        let text = format!("the server speaks version {VERSION} of the protocol only");
        LeaveReason::Version { text: cut(&text, PHRASE_BYTES_MAX) }
    }

    /// [`LeaveReason::NoRoom`] with this text, of which as much is kept as a reason may have.
    #[must_use]
    pub fn no_room(why: &Text) -> LeaveReason {
        LeaveReason::NoRoom { text: cut(why.as_str(), PHRASE_BYTES_MAX) }
    }

    /// The text that a plain peer reads after `[*] Closed: `: the phrase, or for [`Quit`](Self::Quit) that it has left.
    #[must_use]
    pub fn farewell(&self) -> String {
        if *self == Self::Quit { "you have left".to_owned() } else { self.to_string() }
    }

    /// The number of the reason on the wire (PROTOCOL.md, section 7).
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            LeaveReason::Quit => 0,
            LeaveReason::Lost => 1,
            LeaveReason::Idle => 2,
            LeaveReason::TooSlow => 3,
            LeaveReason::Lagged => 4,
            LeaveReason::LineTooLong => 5,
            LeaveReason::Unfinished => 6,
            LeaveReason::Protocol => 7,
            LeaveReason::NotChat => 8,
            LeaveReason::Replaced => 9,
            LeaveReason::Kicked { .. } => 10,
            LeaveReason::Stopping => 11,
            LeaveReason::RoomFull => 12,
            LeaveReason::AddressFull => 13,
            LeaveReason::Version { .. } => 14,
            LeaveReason::Banned { .. } => 15,
            LeaveReason::NoRoom { .. } => 16,
            LeaveReason::Other { code, .. } => *code,
        }
    }

    /// The reason with this code and phrase.
    fn from_wire(code: u8, phrase: &str) -> LeaveReason {
        match code {
            0 => LeaveReason::Quit,
            1 => LeaveReason::Lost,
            2 => LeaveReason::Idle,
            3 => LeaveReason::TooSlow,
            4 => LeaveReason::Lagged,
            5 => LeaveReason::LineTooLong,
            6 => LeaveReason::Unfinished,
            7 => LeaveReason::Protocol,
            8 => LeaveReason::NotChat,
            9 => LeaveReason::Replaced,
            10 => LeaveReason::Kicked { why: why(phrase, KICKED) },
            11 => LeaveReason::Stopping,
            12 => LeaveReason::RoomFull,
            13 => LeaveReason::AddressFull,
            14 => LeaveReason::Version { text: cut(phrase, PHRASE_BYTES_MAX) },
            15 => LeaveReason::Banned { why: why(phrase, BANNED) },
            16 => LeaveReason::NoRoom { text: cut(phrase, PHRASE_BYTES_MAX) },
            code => LeaveReason::Other { code, text: cut(phrase, PHRASE_BYTES_MAX) },
        }
    }
}

const KICKED: &str = "kicked";
const BANNED: &str = "banned";

/// Longest phrase.
const PHRASE_BYTES_MAX: usize = KICKED.len() + ": ".len() + REASON_BYTES_MAX;

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
            LeaveReason::Kicked { why } if why.as_str().is_empty() => KICKED,
            LeaveReason::Kicked { why } => return write!(f, "{KICKED}: {why}"),
            LeaveReason::Stopping => "server is stopping",
            LeaveReason::RoomFull => "room is full",
            LeaveReason::AddressFull => "too many members from this address",
            LeaveReason::Banned { why } if why.as_str().is_empty() => BANNED,
            LeaveReason::Banned { why } => return write!(f, "{BANNED}: {why}"),
            LeaveReason::Version { text }
            | LeaveReason::NoRoom { text }
            | LeaveReason::Other { text, .. } => text.as_str(),
        })
    }
}

/// The text after `word` in a phrase; the whole phrase if it does not begin like that.
fn why(phrase: &str, word: &str) -> Text {
    let why = match phrase.strip_prefix(word).map(|rest| (rest, rest.strip_prefix(": "))) {
        Some(("", _)) => "",
        Some((_, Some(why))) => why,
        _ => phrase,
    };
    cut(why, REASON_BYTES_MAX)
}

/// A front part of a clean text, at most this long.
fn cut(text: &str, bytes_max: usize) -> Text {
    Text::one_line(text::front(text, bytes_max)).unwrap_or_default()
}

impl Serialize for LeaveReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let phrase = self.to_string();
        (self.code(), text::front(&phrase, PHRASE_BYTES_MAX)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LeaveReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LeaveReason, D::Error> {
        let (code, phrase) = <(u8, Text)>::deserialize(deserializer)?;
        Ok(LeaveReason::from_wire(code, phrase.as_str()))
    }
}
