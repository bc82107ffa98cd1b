//! Entries as they arrive, put into the order of the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chat_proto::limits::SLOTS_AHEAD_MAX;
use chat_proto::{Ack, Entry, Event, FrameDecoder, RoomFrame, Skipped, SlotSet};

use crate::limits::{FRAMES_MAX, HELD_BYTES_MAX};

/// What an entry costs besides its text.
const ENTRY_OVERHEAD_BYTES: usize = 160;

/// The receiving half of a client's session.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// The next slot that is lacking.
    next: u64,
    /// Sequence number of the last message before it.
    have: u64,
    /// What came too early.
    held: BTreeMap<u64, Arc<Entry>>,
    held_bytes: usize,
}

/// What a datagram brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// No entries at all.
    Nothing,
    /// Just what was to come next.
    InOrder,
    /// Something too early, or something that is here already: the server should know soon.
    OutOfOrder,
}

/// What a server says with a skip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skip {
    pub(super) slot: u64,
    pub(super) seq: u64,
    pub(super) accepted: u64,
    pub(super) head: u64,
}

impl Incoming {
    pub(super) fn new(slot: u64, seq: u64) -> Self {
        Self { next: slot, have: seq, ..Self::default() }
    }

    /// What to tell the server.
    pub(super) fn ack(&self) -> Ack {
        let mut beyond = SlotSet::default();
        for slot in self.held.keys() {
            beyond.insert(slot - self.next);
        }
        Ack { next: self.next, beyond }
    }

    /// Takes in the entries of a datagram; those whose turn it is go to `frames`. Entries that make no
    /// sense, and what follows them, are as if they had been lost.
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
        while let Ok(Some(RoomFrame::Entry(entry))) = decoder.next(&mut bytes) {
            if !self.entry(slot, entry, frames) {
                arrival = Arrival::OutOfOrder;
            }
            let Some(next) = slot.checked_add(1) else { break };
            slot = next;
        }
        arrival
    }

    /// Whether it was its turn.
    fn entry(&mut self, slot: u64, entry: Arc<Entry>, frames: &mut VecDeque<RoomFrame>) -> bool {
        if slot == u64::MAX {
            return false; // there must be one to wait for after it
        }
        if slot == self.next && frames.len() < FRAMES_MAX {
            self.deliver(entry, frames);
            self.deliver_held(frames);
            return true;
        }
        let bytes = cost(&entry);
        let is_early = slot > self.next && slot - self.next < SLOTS_AHEAD_MAX;
        if is_early && self.held_bytes + bytes <= HELD_BYTES_MAX && !self.held.contains_key(&slot) {
            self.held.insert(slot, entry);
            self.held_bytes += bytes;
        }
        false
    }

    fn deliver(&mut self, entry: Arc<Entry>, frames: &mut VecDeque<RoomFrame>) {
        self.next += 1;
        self.have = self.have.max(entry.seq);
        frames.push_back(RoomFrame::Entry(entry));
    }

    fn deliver_held(&mut self, frames: &mut VecDeque<RoomFrame>) {
        while let Some(entry) = self.held.remove(&self.next) {
            self.held_bytes -= cost(&entry);
            self.deliver(entry, frames);
        }
    }

    /// The server no longer has what is lacking: goes on at the skip, and counts what is missed. That
    /// includes entries that came too early, if they lie before it.
    pub(super) fn skip(&mut self, skip: Skip, frames: &mut VecDeque<RoomFrame>) {
        if skip.slot <= self.next {
            return; // an old one
        }
        let messages = skip.seq.saturating_sub(self.have);
        self.held = self.held.split_off(&skip.slot);
        self.held_bytes = self.held.values().map(|entry| cost(entry)).sum();
        self.next = skip.slot;
        self.have = self.have.max(skip.seq);
        if messages > 0 {
            let next = skip.seq.saturating_add(1);
            frames.push_back(RoomFrame::Skipped(Skipped {
                messages,
                next,
                head: skip.head,
                accepted: skip.accepted,
            }));
        }
        self.deliver_held(frames);
    }
}

fn cost(entry: &Entry) -> usize {
    let text = if let Event::Said { text, .. } = &entry.event { text.as_str().len() } else { 0 };
    ENTRY_OVERHEAD_BYTES + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::{Author, Text, encode_entry};

    fn said(seq: u64, text: &str) -> Entry {
        Entry {
            seq,
            at_ms: 0,
            event: Event::Said { author: Author::Room, text: Text::one_line(text).unwrap() },
        }
    }

    fn bytes(seqs: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let mut out = Vec::new();
        seqs.into_iter().for_each(|seq| encode_entry(&said(seq, "x"), &mut out));
        out
    }

    fn seqs(frames: &mut VecDeque<RoomFrame>) -> Vec<u64> {
        let seq = |frame| match frame {
            RoomFrame::Entry(entry) => entry.seq,
            RoomFrame::Skipped(skipped) => 1_000 + skipped.messages,
            other => panic!("{other:?}"),
        };
        frames.drain(..).map(seq).collect()
    }

    #[test]
    fn entries_are_put_in_order_and_each_comes_once() {
        let (mut incoming, mut frames) = (Incoming::new(10, 0), VecDeque::new());
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
    fn a_skip_counts_what_is_missed_exactly_whatever_was_held() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0), VecDeque::new());
        incoming.entries(0, &bytes([1, 2]), &mut frames);
        incoming.entries(4, &bytes([5]), &mut frames);
        incoming.entries(9, &bytes([10]), &mut frames);
        let skip = Skip { slot: 8, seq: 8, accepted: 0, head: 10 };
        incoming.skip(skip, &mut frames);
        incoming.skip(skip, &mut frames);
        incoming.entries(8, &bytes([9]), &mut frames);
        assert_eq!(seqs(&mut frames), [1, 2, 1_006, 9, 10]);
        assert_eq!(incoming.held_bytes, 0);
    }

    #[test]
    fn a_skip_of_joins_and_leaves_is_not_worth_a_word() {
        let (mut incoming, mut frames) = (Incoming::new(0, 7), VecDeque::new());
        incoming.skip(Skip { slot: 3, seq: 7, accepted: 0, head: 7 }, &mut frames);
        assert!(frames.is_empty());
        assert_eq!(incoming.ack().next, 3);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0), VecDeque::new());
        incoming.entries(SLOTS_AHEAD_MAX, &bytes([9]), &mut frames);
        assert!(incoming.held.is_empty(), "too far ahead");
        for slot in 1..SLOTS_AHEAD_MAX {
            let mut out = Vec::new();
            encode_entry(&said(slot, &"x".repeat(900)), &mut out);
            incoming.entries(slot, &out, &mut frames);
        }
        assert!(incoming.held_bytes <= HELD_BYTES_MAX);
        assert!(incoming.held.len() > 200, "a window of the largest kind fits");
    }

    #[test]
    fn the_last_slots_of_all_do_no_harm() {
        let (mut incoming, mut frames) = (Incoming::new(u64::MAX - 2, u64::MAX - 2), VecDeque::new());
        incoming.entries(u64::MAX - 1, &bytes([u64::MAX, u64::MAX]), &mut frames);
        incoming.entries(u64::MAX - 2, &bytes([u64::MAX - 1]), &mut frames);
        assert_eq!(seqs(&mut frames), [u64::MAX - 1, u64::MAX], "the last slot is never used");
        incoming
            .skip(Skip { slot: u64::MAX, seq: u64::MAX, accepted: u64::MAX, head: u64::MAX }, &mut frames);
        incoming.entries(u64::MAX, &bytes([1]), &mut frames);
        incoming.ack();
    }

    #[test]
    fn entries_that_make_no_sense_are_as_if_lost() {
        let (mut incoming, mut frames) = (Incoming::new(0, 0), VecDeque::new());
        let mut cut = bytes([1, 2]);
        cut.pop();
        incoming.entries(0, &cut, &mut frames);
        incoming.entries(1, b"\x01\x00\xff", &mut frames);
        let mut bye = Vec::new();
        RoomFrame::Bye(chat_proto::LeaveReason::Stopping).encode(&mut bye);
        incoming.entries(1, &bye, &mut frames);
        assert_eq!(seqs(&mut frames), [1]);
        assert_eq!(incoming.ack().next, 1);
    }
}
