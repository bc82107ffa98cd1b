//! The memory that an endpoint holds for its members.

use chat_core::transport::{Feed, Feeds};

use crate::peer::Peer;

/// The memory that an [`Endpoint`](crate::Endpoint) holds for its members now, besides about 200 bytes for each.
/// Each value has a maximum, whatever the peers do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// Bytes of the largest encoded log, its index included: at most
    /// [`log_bytes_max`](chat_core::RoomConfig::log_bytes_max).
    pub log_bytes_most: usize,
    /// The most bytes that wait to be written to one member alone: answers to its requests (4 KiB), a notice,
    /// and the rest of one entry.
    pub outbox_bytes_most: usize,
    /// The most bytes that were received from one member and not processed yet: 64 KiB, what one turn reads.
    pub backlog_bytes_most: usize,
    /// Bytes of the unfinished lines of all plain members together: 4 MiB, and 1 KiB for each member.
    pub unfinished_bytes: usize,
}

impl Held {
    pub(crate) fn of<'a, S: 'a>(feeds: &Feeds, peers: impl Iterator<Item = &'a Peer<S>>) -> Self {
        let log_bytes_most = feeds.iter().map(Feed::log_bytes_most).max().unwrap_or(0);
        let held = Self { log_bytes_most, ..Self::default() };
        peers.fold(held, |held, peer| Self {
            outbox_bytes_most: held.outbox_bytes_most.max(peer.connection.outbox_len()),
            backlog_bytes_most: held.backlog_bytes_most.max(peer.connection.backlog_len()),
            unfinished_bytes: held.unfinished_bytes + peer.connection.unfinished_len(),
            ..held
        })
    }
}
