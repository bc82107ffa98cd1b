//! The events that a client reports to its user.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use chat_proto::{DirectItem, Entry, FrameError, LeaveReason, LookBack, Present, Text, Welcome};

/// What happens to a [`Client`](super::Client).
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The client has joined the room, for the first time or again.
    Connected {
        /// What the room says of itself and of the member.
        welcome: Welcome,
        /// Whether it is the same member as before, which misses nothing that the room still has. If not, its session
        /// was over, or this is the first time.
        resumed: bool,
    },
    /// An entry of the log. If `own`, it is this client's message, and this confirms it.
    ///
    /// A message whose [`seq`](Entry::seq) is at most the [`head`](Welcome::head) of the last `Connected` is history,
    /// or was said while the connection was lost; later ones are live.
    Entry {
        /// The entry.
        entry: Arc<Entry>,
        /// Whether this client said it.
        own: bool,
    },
    /// One of its messages was refused.
    Refused {
        /// The message, if it is still known.
        text: Option<Text>,
        /// Why.
        why: Text,
    },
    /// Something that the room has for this member alone, other than a refusal.
    Direct(DirectItem),
    /// A frame of a kind that only a later version of the protocol knows: there is nothing to show.
    Unknown {
        /// Its kind on the wire.
        kind: u8,
    },
    /// A line from a server that speaks plain text.
    Line(Text),
    /// The log's tail has passed its cursor: it missed exactly this many messages.
    Missed(u64),
    /// The answer to [`Speaker::ask_who`](super::Speaker::ask_who).
    Present(Present),
    /// The answer to [`Speaker::history`](super::Speaker::history).
    OldMessages(OldMessages),
    /// These messages were on their way when the connection broke, and the room no longer knows whether it
    /// took them. They are not said again.
    Unsure(Vec<Text>),
    /// The room has ended the membership.
    Dismissed(LeaveReason),
    /// The connection is lost, or an attempt to make one has failed. Another attempt comes after `retry_in`.
    Lost {
        /// What happened.
        error: io::Error,
        /// The pause before the next attempt.
        retry_in: Duration,
    },
    /// The client has ended. This is the last event.
    Ended(ClientEnd),
}

impl From<Welcome> for ClientEvent {
    fn from(welcome: Welcome) -> Self {
        Self::Connected { resumed: welcome.resumed, welcome }
    }
}

/// Old messages that a client has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldMessages {
    /// The question.
    pub question: LookBack,
    /// The messages, oldest first: as many as fit into one answer.
    pub messages: Vec<Arc<Entry>>,
    /// Whether there are older ones: ask again for those before the first one.
    pub more: bool,
    /// Why they could not be read, if they could not.
    pub why: Option<Text>,
}

/// How a [`Client`](super::Client) ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientEnd {
    /// It left, and everything it said was confirmed (of a plain server: written out).
    #[error("left")]
    Left,
    /// It left at once ([`Speaker::leave`](super::Speaker::leave)), before the room had confirmed everything.
    #[error("left{}", unconfirmed_note(*unconfirmed))]
    Abandoned {
        /// Messages that were not confirmed.
        unconfirmed: usize,
    },
    /// The server ended it.
    #[error("the server closed the connection: {0}")]
    Dismissed(LeaveReason),
    /// The connection is lost. `unconfirmed` messages may or may not have been taken.
    #[error("connection lost{}", unconfirmed_note(*unconfirmed))]
    Lost {
        /// What happened.
        #[source]
        error: io::Error,
        /// Messages that were not confirmed.
        unconfirmed: usize,
    },
    /// The layer between the client and its socket refuses the server: its certificate is not trusted, for example, or
    /// it speaks no TLS.
    #[error("the connection was not opened")]
    NotOpened {
        /// What is wrong with the server.
        #[source]
        error: io::Error,
    },
    /// The server does not speak the framed protocol; this is how its answer begins.
    #[error("the server does not speak the framed chat protocol{}", said_note(said))]
    NotFramed {
        /// What it said instead, if anything.
        said: Vec<Text>,
    },
    /// The server accepted the connection and then sent nothing, or no welcome.
    #[error("the server does not answer")]
    NoAnswer,
    /// The server speaks another version of the framed protocol.
    #[error(
        "the server speaks version {theirs} of the chat protocol, and this client version {}",
        chat_proto::VERSION
    )]
    OtherVersion {
        /// The server's version.
        theirs: u8,
    },
    /// The server sent something that breaks the framed protocol.
    #[error("the server broke the chat protocol: {error}")]
    BadFrame {
        /// What is wrong with it.
        error: FrameError,
    },
}

impl ClientEnd {
    /// The end of a client that wanted to leave and did.
    #[must_use]
    pub fn left(unconfirmed: usize) -> Self {
        if unconfirmed == 0 { Self::Left } else { Self::Abandoned { unconfirmed } }
    }

    /// Whether a client that reconnects tries again after this. A server that has welcomed it before
    /// (`was_connected`) may be restarted, moved, full for a while or behind a proxy that answers for it. If there
    /// never was a connection, most such ends mean that the address is wrong.
    #[must_use]
    pub fn may_pass(&self, was_connected: bool) -> bool {
        match self {
            Self::Left | Self::Abandoned { .. } => false,
            Self::Lost { .. }
            | Self::NoAnswer
            | Self::Dismissed(LeaveReason::Stopping | LeaveReason::Idle) => true,
            Self::NotOpened { error } => was_connected && error.kind() != io::ErrorKind::PermissionDenied,
            Self::NotFramed { .. } | Self::OtherVersion { .. } | Self::BadFrame { .. } => was_connected,
            Self::Dismissed(
                LeaveReason::Lost
                | LeaveReason::TooSlow
                | LeaveReason::Lagged
                | LeaveReason::Unfinished
                | LeaveReason::RoomFull
                | LeaveReason::AddressFull,
            ) => was_connected,
            Self::Dismissed(_) => false,
        }
    }
}

fn unconfirmed_note(unconfirmed: usize) -> String {
    match unconfirmed {
        0 => String::new(),
        1 => " before the server confirmed 1 message".to_owned(),
        many => format!(" before the server confirmed {many} messages"),
    }
}

fn said_note(said: &[Text]) -> String {
    said.first().map_or_else(String::new, |said| format!(", it says: {said}"))
}
