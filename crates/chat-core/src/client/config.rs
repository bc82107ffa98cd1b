//! The options of a client.

use chat_proto::Name;

use super::SavedSession;

/// The options of a client.
///
/// ```
/// use chat_core::ClientConfig;
///
/// let config = ClientConfig::default().with_history(20).with_reconnect(true);
/// assert!(!config.is_plain());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientConfig {
    pub(crate) history: u16,
    pub(crate) plain: bool,
    pub(crate) reconnect: bool,
    pub(crate) retry_first: bool,
    pub(crate) name: Option<Name>,
    pub(crate) room: Option<Name>,
    pub(crate) resume: SavedSession,
}

impl ClientConfig {
    /// Messages of history to begin with; the room may give fewer. Default 0.
    #[must_use]
    pub fn with_history(mut self, history: u16) -> Self {
        self.history = history;
        self
    }

    /// Speak and expect plain lines, for another kind of server. Default no.
    #[must_use]
    pub fn with_plain(mut self, plain: bool) -> Self {
        self.plain = plain;
        self
    }

    /// Connect again when the connection is lost, with growing pauses, and go on where it broke.
    /// Default no: the loss ends the client.
    #[must_use]
    pub fn with_reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// With [`reconnect`](Self::with_reconnect): the first connection is tried again like any later one, and
    /// `connect` returns before there is one. Default no: if the first attempt fails, `connect` does.
    #[must_use]
    pub fn with_retry_first(mut self, retry_first: bool) -> Self {
        self.retry_first = retry_first;
        self
    }

    /// The session to go on with, in its room. Default none.
    #[must_use]
    pub fn with_resume(mut self, resume: SavedSession) -> Self {
        self.resume = resume;
        self
    }

    /// The room to be in. Default: the server's first one.
    #[must_use]
    pub fn with_room(mut self, room: impl Into<Option<Name>>) -> Self {
        self.room = room.into();
        self
    }

    /// The name to ask for, each time there is a connection. If the room does not give it, it says why. Default none.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Option<Name>>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether it speaks plain lines.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }
}
