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
    /// Peers that were refused: the room or their address was full, they were banned or kept out by the gate, the room
    /// was closing, or their session was ahead of the room or had gone on over a newer connection.
    pub refused: u64,
    /// Messages accepted, which is also the newest sequence number.
    pub messages: u64,
    /// Messages that were refused: by the moderator, by a mute, by slow mode, or because a name was missing.
    pub moderated: u64,
    /// Messages and topics that the room's [`Journal`](crate::journal::Journal) could not keep, and so refused.
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

/// A room's counters of one transport's members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Members present.
    pub members: usize,
    /// Members that ever joined.
    pub joined: u64,
    /// Members that left. One that goes on over another transport has not left.
    pub left: u64,
    /// Peers that were refused.
    pub refused: u64,
    /// Those of them that a ban or a gate has kept out.
    pub banned: u64,
    /// Connections that ended in their handshake: TLS, for example. The server's first room counts them.
    pub handshakes_failed: u64,
    /// Connections that ended after it, before they were members and without a refusal. The server's first room counts
    /// them.
    pub openings_failed: u64,
    /// Messages that members said, and that were not refused at once.
    pub messages: u64,
    /// Messages that were refused: by the moderator, by a mute, by slow mode, or because a name was missing.
    pub moderated: u64,
    /// Messages that slow members were told they missed, counted once per member.
    pub missed: u64,
    /// Private messages whose recipients left before they acknowledged them.
    pub undelivered: u64,
    /// Frames and datagrams of members with a kind that only a later version of the protocol knows.
    pub unknown: u64,
    /// Times a member was throttled because it was over its rate limit.
    pub throttled: u64,
}

/// One number, for code that passes all of them on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Measure {
    /// Its name: lower-case letters and `_`.
    pub name: &'static str,
    /// What it counts, for people.
    pub help: &'static str,
    /// Its value now.
    pub value: u64,
    /// Whether it only ever grows.
    pub is_counter: bool,
}

fn gauge(name: &'static str, help: &'static str, value: usize) -> Measure {
    Measure { name, help, value: value as u64, is_counter: false }
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Measure {
    Measure { name, help, value, is_counter: true }
}

impl TransportStats {
    /// Every number.
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        // Each field is named, so that the compiler reports a new one that is missing here.
        let &Self {
            members,
            joined,
            left,
            refused,
            banned,
            handshakes_failed,
            openings_failed,
            messages,
            moderated,
            missed,
            undelivered,
            unknown,
            throttled,
        } = self;
        vec![
            gauge("members", "Members present", members),
            counter("joined", "Members that joined", joined),
            counter("left", "Members that left", left),
            counter("refused", "Peers that were not let in", refused),
            counter("banned", "Peers that a ban or a gate kept out", banned),
            counter("handshakes_failed", "Connections that ended in their handshake", handshakes_failed),
            counter("openings_failed", "Connections that ended before they were members", openings_failed),
            counter("messages", "Messages said", messages),
            counter("moderated", "Messages refused", moderated),
            counter("missed", "Messages that slow members missed", missed),
            counter("undelivered", "Private messages that were not delivered", undelivered),
            counter("unknown", "Frames and datagrams of a later protocol", unknown),
            counter("throttled", "Times a member was over its rate limit", throttled),
        ]
    }

    /// Adds what only grows.
    pub(crate) fn add_counters(&mut self, other: &Self) {
        self.joined += other.joined;
        self.left += other.left;
        self.refused += other.refused;
        self.banned += other.banned;
        self.handshakes_failed += other.handshakes_failed;
        self.openings_failed += other.openings_failed;
        self.messages += other.messages;
        self.moderated += other.moderated;
        self.missed += other.missed;
        self.undelivered += other.undelivered;
        self.unknown += other.unknown;
        self.throttled += other.throttled;
    }
}

/// A room's counters of each transport. There are few, so a list finds them fastest.
#[derive(Clone, Debug, Default)]
pub(crate) struct ByTransport(Vec<(&'static str, TransportStats)>);

impl ByTransport {
    pub(crate) fn of(&mut self, tag: &'static str) -> &mut TransportStats {
        let place = self.0.iter().position(|(other, _)| *other == tag).unwrap_or_else(|| {
            // Most rooms have members of one transport.
            self.0.reserve_exact(1);
            self.0.push((tag, TransportStats::default()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    pub(crate) fn all(&self) -> &[(&'static str, TransportStats)] {
        &self.0
    }

    /// The counters that only grow, of all transports together.
    pub(crate) fn sum(&self) -> TransportStats {
        let mut sum = TransportStats::default();
        self.0.iter().for_each(|(_, stats)| sum.add_counters(stats));
        sum
    }
}

impl Stats {
    /// Every number.
    #[must_use]
    pub fn measures(&self) -> Vec<Measure> {
        // Each field is named, so that the compiler reports a new one that is missing here.
        let &Self {
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
            gauge("members", "Remote members present", members),
            gauge("members_peak", "The most remote members at once", members_peak),
            gauge("local_members", "Local members present", local_members),
            counter("joined", "Remote members that joined", joined),
            counter("left", "Remote members that left", left),
            counter("refused", "Peers that were not let in", refused),
            counter("messages", "Messages accepted", messages),
            counter("moderated", "Messages refused", moderated),
            counter("not_kept", "Messages refused because the history could not keep them", not_kept),
            counter("missed", "Messages that slow members missed", missed),
            counter("undelivered", "Private messages that were not delivered", undelivered),
            counter("unknown", "Frames and datagrams of a later protocol", unknown),
            counter("throttled", "Times a member was over its rate limit", throttled),
            gauge("log_entries", "Entries the log holds", log_entries),
            gauge("log_bytes", "Bytes the log holds", log_bytes),
        ]
    }

    /// Adds what only grows.
    pub(crate) fn add_counters(&mut self, other: &Self) {
        self.joined += other.joined;
        self.left += other.left;
        self.refused += other.refused;
        self.messages += other.messages;
        self.moderated += other.moderated;
        self.not_kept += other.not_kept;
        self.missed += other.missed;
        self.undelivered += other.undelivered;
        self.unknown += other.unknown;
        self.throttled += other.throttled;
    }

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
