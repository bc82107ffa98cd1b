//! A copy of the log as encoded bytes: one per wire format and I/O thread.
//!
//! Each entry is encoded once, into a ring. The output that is pending for a member *is* a slice of
//! that ring, so fan-out copies nothing and a member needs no queue:
//!
//! ```text
//!          tail                    cursor            head
//!   ring    | entry | entry | entry | entry | entry | |
//!                                   \______________/
//!                                    one write() for this member
//! ```
//!
//! A cursor always stands between two entries. When a socket takes only part of an entry, the
//! caller keeps the few bytes that are left of it ([`Advanced::torn`]) and the cursor moves on.
//! So the tail can pass any cursor at any time without breaking a peer's framing.

mod ring;

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};

use chat_proto::Entry;
use ring::{Ring, distance};

/// A member's position in an [`EncodedLog`]: before the next entry it will get.
///
/// It has a meaning only for the log that made it. The default is a placeholder for a peer that is not a member yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Number of the entry in its log.
    slot: u64,
    /// Sequence number of the last message before it.
    seq: u64,
}

impl Cursor {
    /// Sequence number of the last message before the cursor: the last one that the member has.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.seq
    }

    /// Number of the next entry in its log, for a wire format that names entries by this number.
    #[must_use]
    pub fn slot(self) -> u64 {
        self.slot
    }
}

/// What an [`EncodedLog`] holds for a cursor.
#[derive(Debug, PartialEq, Eq)]
pub enum Pending<'a> {
    /// Nothing: the cursor is at the head.
    Nothing,
    /// The tail has passed the cursor: tell the member that it missed this many messages, then go
    /// on at `resume`.
    Lagged {
        /// Exact number of missed messages; 0 if only joins and leaves were missed.
        missed: u64,
        /// The log's tail.
        resume: Cursor,
    },
    /// These bytes, in two parts where the ring wraps (the second may be empty).
    Bytes(&'a [u8], &'a [u8]),
}

/// Result of [`EncodedLog::advance`].
#[derive(Debug, PartialEq, Eq)]
pub struct Advanced<'a> {
    /// The new cursor, between two entries.
    pub cursor: Cursor,
    /// The rest of an entry that was written in part, in two parts where the ring wraps. The
    /// member must get these bytes before anything else.
    pub torn: Option<(&'a [u8], &'a [u8])>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Byte position at which the entry starts, counted since the log began.
    start: u64,
    /// Sequence number of the newest message once the entry is read.
    seq: u64,
}

/// A bounded ring of encoded entries, with an index of their positions.
///
/// It holds at most `bytes_max` bytes, including 16 bytes of index per entry. Its memory doubles as it fills.
/// An append costs one copy. Every other operation is O(1), or O(log entries) where its documentation says so.
///
/// ```
/// use chat_core::transport::{EncodedLog, Pending};
/// # use chat_proto::{Author, Entry, Event, Origin, Text};
/// # let entry = |seq| Entry { seq, at_ms: 0, event: Event::Said { from: Origin::default(), author: Author::Room, text: "hi".parse().unwrap() } };
/// let mut log = EncodedLog::new(64 * 1024);
/// let member = log.head();
/// log.push(&entry(1), |_, out| out.extend_from_slice(b"[*] hi\n"));
/// log.push(&entry(2), |_, out| out.extend_from_slice(b"[*] hi\n"));
/// assert_eq!(log.pending(member), Pending::Bytes(b"[*] hi\n[*] hi\n", b""));
/// // The socket took 9 bytes: one entry and a piece of the next.
/// let after = log.advance(member, 9);
/// assert_eq!(after.torn, Some((&b"] hi\n"[..], &b""[..])));
/// assert_eq!(log.pending(after.cursor), Pending::Nothing);
/// ```
#[derive(Debug)]
pub struct EncodedLog {
    ring: Ring,
    bytes_max: usize,
    slots: VecDeque<Slot>,
    /// Number of the oldest slot held.
    tail: u64,
    /// Sequence number of the last message before it.
    tail_seq: u64,
    /// Byte position after the newest entry.
    end: u64,
    /// Sequence number of the newest message seen, encoded or not.
    seq: u64,
    scratch: Vec<u8>,
}

impl EncodedLog {
    /// An empty log for at most `bytes_max` bytes, which must be more than the largest entry.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            ring: Ring::default(),
            bytes_max,
            slots: VecDeque::new(),
            tail: 0,
            tail_seq: 0,
            end: 0,
            seq: 0,
            scratch: Vec::new(),
        }
    }

    /// Appends the bytes that `encode` writes for `entry`, and drops the oldest entries that no longer fit.
    /// For a join or a leave that this format does not show, `encode` writes nothing. It must write every
    /// message, or the message would count as missed.
    ///
    /// # Panics
    ///
    /// If the entry alone is larger than the log may be.
    pub fn push(&mut self, entry: &Entry, encode: impl FnOnce(&Entry, &mut Vec<u8>)) {
        self.scratch.clear();
        let mut scratch = std::mem::take(&mut self.scratch);
        encode(entry, &mut scratch);
        assert!(scratch.len() <= self.bytes_max, "a log must be larger than its largest entry");
        if !scratch.is_empty() {
            self.make_room(scratch.len());
            self.slots.push_back(Slot { start: self.end, seq: entry.seq });
            self.ring.write(self.end, &scratch);
            self.end += scratch.len() as u64;
        }
        self.seq = entry.seq;
        self.scratch = scratch;
    }

    /// Forgets everything, because the reader of the room itself lagged. The next entry is the one after
    /// message `seq`. Every cursor will learn how many messages it missed.
    pub fn restart_after(&mut self, seq: u64) {
        // A gap in the messages leaves a gap in the numbers, too. So the slot after the gap is not mistaken
        // for the slot that would have followed without it.
        self.tail += self.slots.len() as u64 + u64::from(seq > self.seq);
        self.slots.clear();
        self.tail_seq = seq;
        self.seq = seq;
    }

    /// The cursor after everything, for a member that gets only later entries.
    #[must_use]
    pub fn head(&self) -> Cursor {
        Cursor { slot: self.tail + self.slots.len() as u64, seq: self.seq }
    }

    /// The cursor after message `seq`, which need not be held any more. O(log entries).
    ///
    /// If `seq` is the newest message, this is the head, so that a new member reads only what comes after its own join.
    ///
    /// If `seq` has not been pushed yet, this returns the head, and the messages up to `seq` would follow.
    /// So pull before you look up the start of a new member.
    #[must_use]
    pub fn after(&self, seq: u64) -> Cursor {
        if seq >= self.seq { self.head() } else { self.right_after(seq) }
    }

    /// Like [`after`](Self::after), for a member that was there before: joins, leaves and renames that followed the
    /// newest message come, too. The member may have some of them already.
    #[must_use]
    pub fn right_after(&self, seq: u64) -> Cursor {
        if seq > self.seq {
            return self.head();
        }
        let before = self.slots.partition_point(|slot| slot.seq < seq) as u64;
        // The slot found is message `seq` itself, unless that has left the log.
        let slot = if seq > self.tail_seq {
            self.tail + before + 1
        } else {
            // A member that lacks dropped messages stands before the tail. The tail is 0 only if no entry was shown.
            self.tail.saturating_sub(u64::from(seq < self.tail_seq))
        };
        Cursor { slot, seq }
    }

    /// The bytes that are pending for the member at `cursor`. O(1).
    #[must_use]
    pub fn pending(&self, cursor: Cursor) -> Pending<'_> {
        self.pending_before(cursor, u64::MAX)
    }

    /// Like [`pending`](Self::pending), but stops before message `seq` if that is ahead of the cursor.
    /// `seq` is the next message that this member said itself and must not get. O(log entries) if joins or leaves are
    /// in the log before that message, otherwise O(1).
    #[must_use]
    pub fn pending_before(&self, cursor: Cursor, seq: u64) -> Pending<'_> {
        if cursor.slot < self.tail || cursor.seq < self.tail_seq {
            let resume = Cursor { slot: self.tail, seq: self.tail_seq };
            return Pending::Lagged { missed: resume.seq - cursor.seq, resume };
        }
        let stop = if seq > self.seq || seq <= cursor.seq {
            self.end
        } else {
            self.start_of(self.slot_of(cursor, seq))
        };
        let start = self.start_of(cursor.slot);
        if start >= stop {
            return Pending::Nothing;
        }
        let (a, b) = self.ring.read(start..stop);
        Pending::Bytes(a, b)
    }

    /// The member's position after it took `written` of the bytes pending at `cursor`. O(log entries),
    /// or O(1) if it took all of them.
    ///
    /// # Panics
    ///
    /// If the log's tail has passed `cursor`: then no bytes are pending for it.
    #[must_use]
    pub fn advance(&self, cursor: Cursor, written: usize) -> Advanced<'_> {
        assert!(cursor.slot >= self.tail, "bytes were pending at this cursor, and nothing was pushed since");
        let at = self.start_of(cursor.slot) + written as u64;
        if at >= self.end {
            return Advanced { cursor: self.head(), torn: None };
        }
        // The first entry that starts at or after the byte we reached.
        let index = self.slots.partition_point(|slot| slot.start < at);
        let slot = self.tail + index as u64;
        let start = self.start_of(slot);
        let seq = self.slots.get(index.wrapping_sub(1)).map_or(self.tail_seq, |read| read.seq);
        let torn = (start > at).then(|| self.ring.read(at..start));
        Advanced { cursor: Cursor { slot, seq }, torn }
    }

    /// The cursor after the messages `seqs`, if they are the next entries. If something else follows the first of them,
    /// the cursor after that one. O(1).
    #[must_use]
    pub fn step_over(&self, cursor: Cursor, seqs: RangeInclusive<u64>) -> Option<Cursor> {
        let (first, last) = seqs.into_inner();
        let is_next =
            cursor.slot >= self.tail && cursor.seq + 1 == first && self.seq_of(cursor.slot) == Some(first);
        let slot = cursor.slot + (last - first);
        match is_next {
            true if self.seq_of(slot) == Some(last) => Some(Cursor { slot: slot + 1, seq: last }),
            true => Some(Cursor { slot: cursor.slot + 1, seq: first }),
            false => None,
        }
    }

    /// The slots held: entries are numbered 0, 1, 2, …, whether they are messages or not.
    #[must_use]
    pub fn slots(&self) -> Range<u64> {
        self.tail..self.head().slot
    }

    /// The cursor before the entry `slot`; `None` if the log does not reach there.
    #[must_use]
    pub fn at_slot(&self, slot: u64) -> Option<Cursor> {
        if slot >= self.head().slot {
            return Some(self.head()).filter(|head| head.slot == slot);
        }
        let index = usize::try_from(slot.checked_sub(self.tail)?).ok()?;
        let seq = index.checked_sub(1).map_or(self.tail_seq, |before| self.slots[before].seq);
        Some(Cursor { slot, seq })
    }

    /// As many of the entries in `slots`, from the first on, as fit into `bytes_max` bytes. Returns
    /// their bytes, in two parts where the ring wraps, and the slot after the last of them. `None` if
    /// the log does not hold the first one. O(entries returned), or O(1) if all of them fit.
    #[must_use]
    pub fn batch(&self, slots: Range<u64>, bytes_max: usize) -> (u64, &[u8], &[u8]) {
        let held = slots.start.max(self.tail)..slots.end.min(self.head().slot);
        if held.is_empty() || held.start != slots.start {
            return (slots.start, &[], &[]);
        }
        let start = self.start_of(held.start);
        let mut end = held.end;
        if distance(start, self.start_of(end)) > bytes_max {
            // Only a few adjacent entries: fewer steps than a search of the whole index.
            let first = usize::try_from(held.start - self.tail).unwrap_or(usize::MAX);
            let starts = self.slots.range(first + 1..).map(|slot| slot.start);
            end = held.start + starts.take_while(|&at| distance(start, at) <= bytes_max).count() as u64;
        }
        let (a, b) = self.ring.read(start..self.start_of(end));
        (end, a, b)
    }

    /// Total bytes of the entries in `slots`, as far as the log holds them. O(1).
    #[must_use]
    pub fn bytes_in(&self, slots: Range<u64>) -> usize {
        let (start, end) = (slots.start.max(self.tail), slots.end.min(self.head().slot));
        if start < end { distance(self.start_of(start), self.start_of(end)) } else { 0 }
    }

    /// Bytes that it holds, including the index; never more than its maximum.
    #[must_use]
    pub fn bytes_held(&self) -> usize {
        self.len() + self.slots.len() * size_of::<Slot>()
    }

    /// Sequence number of the newest message seen.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Sequence number of the last message before the oldest entry held.
    #[must_use]
    pub fn tail_seq(&self) -> u64 {
        self.tail_seq
    }

    /// Bytes appended since the log began.
    #[must_use]
    pub fn bytes_total(&self) -> u64 {
        self.end
    }

    /// The slot of message `seq`, which is held and ahead of `cursor`. O(1) if nothing but messages is between them, as
    /// nearly always; otherwise O(log entries).
    fn slot_of(&self, cursor: Cursor, seq: u64) -> u64 {
        let guess = cursor.slot + (seq - cursor.seq - 1);
        match self.seq_of(guess) {
            Some(found) if found == seq => guess,
            _ => self.tail + self.slots.partition_point(|slot| slot.seq < seq) as u64,
        }
    }

    /// Sequence number of the newest message once the entry `slot` is read, if it is held.
    fn seq_of(&self, slot: u64) -> Option<u64> {
        let index = usize::try_from(slot.checked_sub(self.tail)?).ok()?;
        Some(self.slots.get(index)?.seq)
    }

    fn start_of(&self, slot: u64) -> u64 {
        let index = usize::try_from(slot - self.tail).unwrap_or(usize::MAX);
        self.slots.get(index).map_or(self.end, |slot| slot.start)
    }

    /// Bytes held.
    fn len(&self) -> usize {
        self.slots.front().map_or(0, |oldest| distance(oldest.start, self.end))
    }

    fn make_room(&mut self, needed: usize) {
        // The index counts, too. Otherwise a flood of tiny entries would make it larger than the ring.
        while self.len() + needed + (self.slots.len() + 1) * size_of::<Slot>() > self.bytes_max {
            let Some(oldest) = self.slots.pop_front() else {
                break;
            };
            self.tail += 1;
            self.tail_seq = oldest.seq;
        }
        if self.len() + needed > self.ring.len() {
            self.ring.grow(self.end - self.len() as u64..self.end, needed, self.bytes_max);
        }
    }
}
