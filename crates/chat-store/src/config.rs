//! The options of a history.

use std::time::Duration;

/// When a confirmed message is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sync {
    /// A confirmed message is with the operating system: it survives the end of the process, even by `kill -9`. Loss of
    /// power may cost the newest messages, and never damages the file.
    #[default]
    Os,
    /// A confirmed message is on the disk: it survives loss of power, too, provided that the disk really stores what it
    /// confirms.
    Disk,
}

/// How a history is kept.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct StoreConfig {
    pub(crate) sync: Sync,
    pub(crate) keep: Option<Duration>,
    pub(crate) keep_messages: Option<u64>,
}

impl StoreConfig {
    /// When a message counts as kept. Default [`Sync::Os`].
    #[must_use]
    pub fn with_sync(mut self, sync: Sync) -> Self {
        self.sync = sync;
        self
    }

    /// Older messages are deleted. Default: none are.
    #[must_use]
    pub fn with_keep(mut self, keep: impl Into<Option<Duration>>) -> Self {
        self.keep = keep.into();
        self
    }

    /// Only this many of the newest messages of each room are kept. Default: all are.
    #[must_use]
    pub fn with_keep_messages(mut self, keep_messages: impl Into<Option<u64>>) -> Self {
        self.keep_messages = keep_messages.into();
        self
    }
}
