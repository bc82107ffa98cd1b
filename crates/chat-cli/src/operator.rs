//! What the operator of a server can see and do: on the server's own terminal, or over its control socket.
//!
//! ```text
//! console (a terminal) --requests--> session (a room)
//!                      <--updates---
//! ```
//!
//! A session works for one console, in this process or at the other end of a socket, where each request and each
//! update is a line of JSON. A console that stalls stalls its session alone, which then lags in the room.

pub(crate) mod command;
pub(crate) mod console;
#[cfg(unix)]
pub(crate) mod control;
#[cfg(unix)]
pub(crate) mod hand_over;
pub(crate) mod member;
#[cfg(unix)]
pub(crate) mod stdin;
pub(crate) mod wording;

use std::fmt;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

use chat_core::Room;
use serde::{Deserialize, Serialize};

#[cfg(unix)]
use self::hand_over::{HandOver, Kind};

/// Requests and updates that may wait for the other side.
pub(crate) const QUEUE_MAX: usize = 1024;

/// What an operator looks after.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) room: Room,
    /// The addresses that the server listens on.
    pub(crate) listening: String,
    /// What the next server takes over.
    #[cfg(unix)]
    pub(crate) hand_over: Arc<HandOver>,
    pub(crate) server: Arc<dyn ServerActions>,
}

/// What an operator can have the server itself do.
pub(crate) trait ServerActions: Send + Sync {
    /// Reads the configuration again. Tells what became of it.
    ///
    /// # Errors
    ///
    /// What was wrong, in words.
    fn reload(&self) -> Result<String, String>;

    /// Writes the bans that are not in their file yet.
    ///
    /// # Errors
    ///
    /// Why the file does not say the same as the list, in words.
    fn store_bans(&self) -> Result<(), String>;

    /// Closes all rooms in order, and stops the server.
    fn close(&self);

    /// Closes all rooms for the server that takes over.
    #[cfg(unix)]
    fn close_for_next(&self);
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("listening", &self.listening).finish_non_exhaustive()
    }
}

/// What a console asks for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// What happens in the room, and its numbers, from now on. Asked for once.
    Watch,
    /// Do what this line says. [`Update::Done`] closes the answer.
    Line(String),
    /// Hand the listening sockets over. Answered with [`Update::Sockets`].
    #[cfg(unix)]
    TakeOver,
    /// End, because the next server is ready. Answered with [`Update::Ending`], and when everything is closed with [`Update::Done`].
    #[cfg(unix)]
    End,
    /// How the last word of this line may go on. Answered with [`Update::Choices`].
    Complete(String),
}

/// What a console is told.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Update {
    /// Something happened in the room, at this time.
    Heard { unix_ms: u64, author: String, what: String },
    /// The answer to a line.
    Answer(String),
    /// A line was refused, for this reason.
    Refused(String),
    /// The line is dealt with.
    Done,
    /// The sockets that come with it, as descriptors.
    #[cfg(unix)]
    Sockets {
        kinds: Vec<Kind>,
        /// The file that only one server at a time can have.
        history: Option<PathBuf>,
    },
    /// The server ends.
    #[cfg(unix)]
    Ending,
    /// How a word may go on.
    Choices(Vec<String>),
    /// What stands below the input.
    Status(Status),
}

/// The numbers of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The addresses that the server listens on.
    pub(crate) listening: String,
    pub(crate) members: usize,
    pub(crate) messages: u64,
    pub(crate) is_closing: bool,
}
