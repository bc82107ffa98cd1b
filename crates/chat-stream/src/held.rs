//! What an endpoint's members cost it at a moment.

use chat_core::Feed;

use crate::peer::Peer;

/// What an [`Endpoint`](crate::Endpoint) holds for its members at a moment, besides some 200 bytes for each.
/// Whatever its peers do, each has a maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// Bytes of the largest encoded log, its index included: at most
    /// [`log_bytes_max`](chat_core::RoomConfig::log_bytes_max).
    pub log_bytes_most: usize,
    /// The most bytes that wait to be written to a member alone: answers to what he asked, 4 KiB of them, a notice,
    /// and the rest of one entry.
    pub outbox_bytes_most: usize,
    /// The most bytes that were received from a member and not taken yet: what one turn reads, 64 KiB.
    pub backlog_bytes_most: usize,
    /// Bytes of lines that plain members have begun and not ended, all together: 4 MiB, and 1 KiB for each member.
    pub unfinished_bytes: usize,
}

impl Held {
    pub(crate) fn of<'a, S: 'a>(feed: &Feed, peers: impl Iterator<Item = &'a Peer<S>>) -> Self {
        let held = Self { log_bytes_most: feed.log_bytes_most(), ..Self::default() };
        peers.fold(held, |held, peer| Self {
            outbox_bytes_most: held.outbox_bytes_most.max(peer.connection.outbox_len()),
            backlog_bytes_most: held.backlog_bytes_most.max(peer.connection.backlog_len()),
            unfinished_bytes: held.unfinished_bytes + peer.connection.unfinished_len(),
            ..held
        })
    }
}
