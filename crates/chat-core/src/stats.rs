//! Counters of a room, as plain values.

/// The counters of a room since it began, and its current sizes.
///
/// ```
/// let room = chat_core::Room::new(chat_core::RoomConfig::default());
/// assert_eq!(room.stats().members, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Remote members present.
    pub members: usize,
    /// The most remote members that were present at once.
    pub members_peak: usize,
    /// Local members present.
    pub local_members: usize,
    /// Remote members that ever joined.
    pub joined: u64,
    /// Remote members that left.
    pub left: u64,
    /// Peers that were refused: room full, address full, or closing.
    pub refused: u64,
    /// Messages accepted, which is also the newest sequence number.
    pub messages: u64,
    /// Messages that were refused: by the moderator, by a mute, by slow mode, or because a name was missing.
    pub moderated: u64,
    /// Messages and topics that the room's [`Journal`](crate::Journal) could not keep, and that were refused for it.
    pub not_kept: u64,
    /// Messages that slow members were told they missed, counted once per member.
    pub missed: u64,
    /// Private messages whose recipients left before they acknowledged them.
    pub undelivered: u64,
    /// Frames and datagrams of members with a kind that only a later version of the protocol knows.
    pub unknown: u64,
    /// Times a member was throttled because it was over its rate limit.
    pub throttled: u64,
    /// Entries that the log holds.
    pub log_entries: usize,
    /// Bytes that the log holds, including overhead.
    pub log_bytes: usize,
}

impl Stats {
    /// Every counter as a line for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        // Each field is named, so that the compiler reports a new counter that is missing here.
        let Self {
            members,
            members_peak,
            local_members,
            joined,
            left,
            refused,
            messages,
            moderated,
            not_kept,
            missed,
            undelivered,
            unknown,
            throttled,
            log_entries,
            log_bytes,
        } = self;
        vec![
            format!("members: {members} now, {members_peak} at most, {local_members} local"),
            format!("came and went: {joined} joined, {left} left, {refused} not let in"),
            format!("messages: {messages} said, {moderated} refused, {missed} missed by slow members"),
            format!("slowed down: {throttled} times; private messages not delivered: {undelivered}"),
            format!("not kept in the history: {not_kept}"),
            format!("of a later protocol: {unknown} frames and datagrams"),
            format!("log: {log_entries} entries, {} KiB", log_bytes.div_ceil(1024)),
        ]
    }
}
