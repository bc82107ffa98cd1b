//! Entries as they arrive, put into the order of the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chat_core::limits::ENTRY_OVERHEAD_BYTES;
use chat_proto::limits::SLOTS_AHEAD_MAX;
use chat_proto::{Ack, Entry, FrameDecoder, Lagged, RoomFrame, SlotSet};

use crate::limits::{FRAMES_MAX, HELD_BYTES_MAX};

/// The receiving half of a client's session.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The next missing slot.
    next: u64,
    /// Sequence number of the last message before it.
    have: u64,
    /// The entries that arrived too early, with their sizes. `None` stands for a frame that only a later version knows.
    held: BTreeMap<u64, (Option<Arc<Entry>>, usize)>,
    held_bytes: usize,
    /// Has the items of the direct lane up to this number.
    direct: u64,
}

/// The content of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// No entries at all.
    Nothing,
    /// Exactly the next entries.
    InOrder,
    /// Entries that are too early, or that were already received: the server should know soon.
    OutOfOrder,
}

/// The fields of a `Lagged` datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaggedFields {
    pub(super) slot: u64,
    pub(super) seq: u64,
    pub(super) taken: u64,
    pub(super) head: u64,
}

impl Incoming {
    pub(super) fn new(slot: u64, seq: u64, direct: u64) -> Self {
        Self { next: slot, have: seq, direct, ..Self::default() }
    }

    /// It has the items of the direct lane up to this number.
    pub(super) fn direct(&self) -> u64 {
        self.direct
    }

    /// Takes in items of the direct lane that follow the one numbered `after`.
    pub(super) fn items(&mut self, after: u64, mut bytes: &[u8], frames: &mut VecDeque<RoomFrame>) {
        if after > self.direct {
            return; // earlier items are still missing
        }
        let mut decoder = FrameDecoder::new();
        while frames.len() < FRAMES_MAX
            && let Ok(Some(RoomFrame::Direct(direct))) = decoder.next(&mut bytes)
        {
            if direct.number > self.direct {
                self.direct = direct.number;
                frames.push_back(RoomFrame::Direct(direct));
            }
        }
    }

    /// The acknowledgement for the server.
    pub(super) fn ack(&self) -> Ack {
        let mut beyond = SlotSet::default();
        for slot in self.held.keys() {
            beyond.insert(slot - self.next);
        }
        Ack { next: self.next, beyond }
    }

    /// Takes the entries of a datagram; those that are next go to `frames`. An invalid entry and all
    /// that follow it count as lost.
    pub(super) fn entries(
        &mut self,
        slot: u64,
        mut bytes: &[u8],
        frames: &mut VecDeque<RoomFrame>,
    ) -> Arrival {
        if bytes.is_empty() {
            return Arrival::Nothing;
        }
        let mut arrival = if slot == self.next { Arrival::InOrder } else { Arrival::OutOfOrder };
        let mut decoder = FrameDecoder::new();
        let mut slot = slot;
        loop {
            let before = bytes.len();
            let entry = match decoder.next(&mut bytes) {
                Ok(Some(RoomFrame::Entry(entry))) => Some(entry),
                Ok(Some(RoomFrame::Unknown { .. })) => None,
                _ => break,
            };
            if !self.entry(slot, entry, before - bytes.len(), frames) {
                arrival = Arrival::OutOfOrder;
            }
            let Some(next) = slot.checked_add(1) else { break };
            slot = next;
        }
        arrival
    }

    /// Whether it was the next one.
    fn entry(
        &mut self,
        slot: u64,
        entry: Option<Arc<Entry>>,
        bytes: usize,
        frames: &mut VecDeque<RoomFrame>,
    ) -> bool {
        if slot == u64::MAX {
            return false; // there must be one to wait for after it
        }
        if slot == self.next && frames.len() < FRAMES_MAX {
            self.deliver(entry, frames);
            self.deliver_held(frames);
            return true;
        }
        let bytes = bytes + ENTRY_OVERHEAD_BYTES;
        let is_early = slot > self.next && slot - self.next < SLOTS_AHEAD_MAX;
        if is_early && self.held_bytes + bytes <= HELD_BYTES_MAX && !self.held.contains_key(&slot) {
            self.held.insert(slot, (entry, bytes));
            self.held_bytes += bytes;
        }
        false
    }

    fn deliver(&mut self, entry: Option<Arc<Entry>>, frames: &mut VecDeque<RoomFrame>) {
        self.next += 1;
        if let Some(entry) = entry {
            // After it lagged the server may begin with entries whose acknowledgements it has not got.
            if entry.seq < self.have || (entry.event.is_message() && entry.seq == self.have) {
                return;
            }
            self.have = self.have.max(entry.seq);
            frames.push_back(RoomFrame::Entry(entry));
        }
    }

    fn deliver_held(&mut self, frames: &mut VecDeque<RoomFrame>) {
        while let Some((entry, bytes)) = self.held.remove(&self.next) {
            self.held_bytes -= bytes;
            self.deliver(entry, frames);
        }
    }

    /// The server no longer has the missing entries: goes on where it says, and counts the missed messages. That
    /// includes entries that arrived too early, if they lie before that.
    pub(super) fn lagged(&mut self, lagged: LaggedFields, frames: &mut VecDeque<RoomFrame>) {
        if lagged.slot <= self.next {
            return; // an old one
        }
        let messages = lagged.seq.saturating_sub(self.have);
        self.held = self.held.split_off(&lagged.slot);
        self.held_bytes = self.held.values().map(|(_, bytes)| bytes).sum();
        self.next = lagged.slot;
        self.have = self.have.max(lagged.seq);
        if messages > 0 {
            let next = lagged.seq.saturating_add(1);
            let LaggedFields { taken, head, .. } = lagged;
            frames.push_back(RoomFrame::Lagged(Lagged { messages, next, head, taken }));
        }
        self.deliver_held(frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::{
        Author, Direct, DirectItem, Event, MemberId, Origin, Spelling, Text, encode_direct, encode_entry,
    };

    fn said(seq: u64, text: &str) -> Entry {
        Entry {
            seq,
            at_ms: 0,
            event: Event::Said {
                from: Origin::default(),
                author: Author::Room,
                text: Text::one_line(text).unwrap(),
            },
        }
    }

    fn bytes(seqs: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let mut out = Vec::new();
        seqs.into_iter().for_each(|seq| encode_entry(&said(seq, "x"), &mut Spelling::default(), &mut out));
        out
    }

    fn seqs(frames: &mut VecDeque<RoomFrame>) -> Vec<u64> {
        let seq = |frame| match frame {
            RoomFrame::Entry(entry) => entry.seq,
            RoomFrame::Lagged(lagged) => 1_000 + lagged.messages,
            other => panic!("{other:?}"),
        };
        frames.drain(..).map(seq).collect()
    }

    #[test]
    fn entries_are_put_in_order_and_each_comes_once() {
        let (mut incoming, mut frames) = (Incoming::new(10, 0, 0), VecDeque::new());
        assert_eq!(incoming.entries(12, &bytes([3, 4]), &mut frames), Arrival::OutOfOrder);
        assert_eq!(incoming.entries(12, &bytes([3, 4]), &mut frames), Arrival::OutOfOrder);
        let ack = incoming.ack();
        assert_eq!((ack.next, ack.beyond.iter().collect::<Vec<_>>()), (10, vec![2, 3]));
        assert_eq!(incoming.entries(10, &bytes([1, 2]), &mut frames), Arrival::InOrder);
        assert_eq!(incoming.entries(11, &bytes([2, 3, 4, 5]), &mut frames), Arrival::OutOfOrder);
        assert_eq!(seqs(&mut frames), [1, 2, 3, 4, 5]);
        assert_eq!(incoming.ack(), Ack { next: 15, beyond: SlotSet::default() });
        assert_eq!(incoming.held_bytes, 0);
    }

    #[test]
    fn a_lagged_member_counts_what_it_missed_exactly_whatever_was_held() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0, 0), VecDeque::new());
        incoming.entries(0, &bytes([1, 2]), &mut frames);
        incoming.entries(4, &bytes([5]), &mut frames);
        incoming.entries(9, &bytes([10]), &mut frames);
        let lagged = LaggedFields { slot: 8, seq: 8, taken: 0, head: 10 };
        incoming.lagged(lagged, &mut frames);
        incoming.lagged(lagged, &mut frames);
        incoming.entries(8, &bytes([9]), &mut frames);
        assert_eq!(seqs(&mut frames), [1, 2, 1_006, 9, 10]);
        assert_eq!(incoming.held_bytes, 0);
    }

    #[test]
    fn a_member_that_lagged_by_joins_and_leaves_alone_is_told_nothing() {
        let (mut incoming, mut frames) = (Incoming::new(0, 7, 0), VecDeque::new());
        incoming.lagged(LaggedFields { slot: 3, seq: 7, taken: 0, head: 7 }, &mut frames);
        assert!(frames.is_empty());
        assert_eq!(incoming.ack().next, 3);
    }

    #[test]
    fn held_entries_are_bounded() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0, 0), VecDeque::new());
        incoming.entries(SLOTS_AHEAD_MAX, &bytes([9]), &mut frames);
        assert!(incoming.held.is_empty(), "too far ahead");
        for slot in 1..SLOTS_AHEAD_MAX {
            let mut out = Vec::new();
            encode_entry(&said(slot, &"x".repeat(900)), &mut Spelling::default(), &mut out);
            incoming.entries(slot, &out, &mut frames);
        }
        assert!(incoming.held_bytes <= HELD_BYTES_MAX);
        assert!(incoming.held.len() > 200, "a window of the largest kind fits");
    }

    #[test]
    fn the_last_slots_of_all_do_no_harm() {
        let (mut incoming, mut frames) = (Incoming::new(u64::MAX - 2, u64::MAX - 2, 0), VecDeque::new());
        incoming.entries(u64::MAX - 1, &bytes([u64::MAX, u64::MAX]), &mut frames);
        incoming.entries(u64::MAX - 2, &bytes([u64::MAX - 1]), &mut frames);
        assert_eq!(seqs(&mut frames), [u64::MAX - 1, u64::MAX], "the last slot is never used");
        incoming.lagged(
            LaggedFields { slot: u64::MAX, seq: u64::MAX, taken: u64::MAX, head: u64::MAX },
            &mut frames,
        );
        incoming.entries(u64::MAX, &bytes([1]), &mut frames);
        incoming.ack();
    }

    #[test]
    fn entries_that_make_no_sense_are_as_if_lost() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0, 0), VecDeque::new());
        let mut cut = bytes([1, 2]);
        cut.pop();
        incoming.entries(0, &cut, &mut frames);
        incoming.entries(1, b"\x02\x00\x82\xff", &mut frames);
        let mut bye = Vec::new();
        RoomFrame::Bye(chat_proto::LeaveReason::Stopping).encode(&mut bye);
        incoming.entries(1, &bye, &mut frames);
        assert_eq!(seqs(&mut frames), [1]);
        assert_eq!(incoming.ack().next, 1);
    }

    #[test]
    fn a_frame_that_only_a_later_version_knows_has_its_slot_and_nothing_else() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0, 0), VecDeque::new());
        let unknown = |out: &mut Vec<u8>| RoomFrame::Unknown { kind: 0xee }.encode(out);
        let mut mixed = bytes([2]);
        unknown(&mut mixed);
        mixed.extend(bytes([3]));
        incoming.entries(1, &mixed, &mut frames);
        incoming.entries(0, &bytes([1]), &mut frames);
        assert_eq!(seqs(&mut frames), [1, 2, 3]);
        assert_eq!((incoming.ack().next, incoming.held_bytes), (4, 0));
    }

    #[test]
    fn after_it_lagged_messages_that_it_has_do_not_come_again() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0, 0), VecDeque::new());
        incoming.entries(0, &bytes([1, 2, 3]), &mut frames);
        incoming.lagged(LaggedFields { slot: 9, seq: 1, taken: 0, head: 5 }, &mut frames);
        incoming.entries(9, &bytes([2, 3, 4, 5]), &mut frames);
        assert_eq!(seqs(&mut frames), [1, 2, 3, 4, 5]);
        assert_eq!(incoming.ack().next, 13);
    }

    #[test]
    fn after_it_lagged_no_join_comes_after_a_later_message() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0, 0), VecDeque::new());
        incoming.entries(0, &bytes([1, 2]), &mut frames);
        incoming.lagged(LaggedFields { slot: 9, seq: 1, taken: 0, head: 2 }, &mut frames);
        let joined = |seq| {
            let event = Event::Joined { member: MemberId::new(7), author: Author::Room, members: 2 };
            let mut out = Vec::new();
            encode_entry(&Entry { seq, at_ms: 0, event }, &mut Spelling::default(), &mut out);
            out
        };
        incoming.entries(9, &[joined(1), bytes([2]), joined(2), bytes([3])].concat(), &mut frames);
        assert_eq!(seqs(&mut frames), [1, 2, 2, 3], "the second 2 is the later join");
    }

    #[test]
    fn items_come_once_and_in_order_and_not_before_those_that_precede_them() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0, 3), VecDeque::new());
        let items = |numbers: &[u64]| {
            let mut out = Vec::new();
            for &number in numbers {
                let item = DirectItem::Notice { text: Text::default() };
                encode_direct(&Direct { number, item }, &mut out);
            }
            out
        };
        incoming.items(5, &items(&[6, 9]), &mut frames);
        assert_eq!(incoming.direct(), 3, "those up to 5 are still to come");
        incoming.items(0, &items(&[3, 4, 5]), &mut frames);
        incoming.items(5, &items(&[6, 9]), &mut frames);
        incoming.items(0, &items(&[4]), &mut frames);
        let numbers = frames.drain(..).map(|frame| match frame {
            RoomFrame::Direct(direct) => direct.number,
            other => panic!("{other:?}"),
        });
        assert_eq!(numbers.collect::<Vec<_>>(), [4, 5, 6, 9]);
        assert_eq!(incoming.direct(), 9);
    }
}
