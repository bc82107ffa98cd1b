//! Counters of a room, as plain values.

/// What a room has counted since it began, and what it holds now.
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
    /// Peers that were not let in: room full, address full, or closing.
    pub refused: u64,
    /// Messages accepted, which is also the newest sequence number.
    pub messages: u64,
    /// Messages that were refused: by the moderator, by a mute, by slow mode or for want of a name.
    pub moderated: u64,
    /// Messages that slow members were told they missed, counted once per member.
    pub missed: u64,
    /// Private messages whose recipients left before they acknowledged them.
    pub undelivered: u64,
    /// Frames and datagrams of members that are of a kind which only a later version of the protocol knows.
    pub unknown: u64,
    /// Times a member was over its rate limit and was made to wait.
    pub throttled: u64,
    /// Entries the log holds.
    pub log_entries: usize,
    /// Bytes the log holds, overhead included.
    pub log_bytes: usize,
}

impl Stats {
    /// Every counter as a line for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        // Named one by one, so that the compiler tells of a new counter.
        let Self {
            members,
            members_peak,
            local_members,
            joined,
            left,
            refused,
            messages,
            moderated,
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
            format!("of a later protocol: {unknown} frames and datagrams"),
            format!("log: {log_entries} entries, {} KiB", log_bytes.div_ceil(1024)),
        ]
    }
}
