//! Compares the encoded log with a model that keeps everything, under generated histories.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::collections::BTreeSet;
use std::ops::Range;

use chat_core::transport::{Cursor, EncodedLog, Pending};
use chat_proto::{Author, Entry, Event, Origin, Text};
use proptest::prelude::*;

/// A step in the history of a log and its readers.
#[derive(Clone, Debug)]
enum Step {
    /// A message of this many bytes. Its author is the reader with this number, if there is one.
    Message { bytes: usize, author: usize },
    /// A join or a leave. It has 0 bytes if the format does not show it.
    Presence { bytes: usize },
    /// The log's own reader of the room has lagged and lost this many messages.
    Restart { lost: u64 },
    /// A reader's socket takes this share of the pending bytes, in thousandths.
    Write { reader: usize, share: usize },
    /// A reader begins at the head, or after this share of all messages, in thousandths.
    Join { gets_own: bool, after: Option<u64> },
}

/// Histories with entries of at most `entry_max` bytes, in a log that holds few of them.
fn histories() -> impl Strategy<Value = (usize, Vec<Step>)> {
    // In a log of the second kind the ring grows before it is full.
    let sizes = prop_oneof![(1..40_usize, 1..4_usize), (500..1_500_usize, 4..15_usize)];
    sizes.prop_flat_map(|(entry_max, entries)| {
        let bytes_max = (entry_max + 16) * entries + entries / 2;
        let step = prop_oneof![
            8 => (1..=entry_max, 0..12_usize).prop_map(|(bytes, author)| Step::Message { bytes, author }),
            3 => (0..=entry_max).prop_map(|bytes| Step::Presence { bytes }),
            1 => Just(Step::Presence { bytes: 0 }),
            12 => (0..8_usize, 0..=1_000_usize).prop_map(|(reader, share)| Step::Write { reader, share }),
            4 => (0..8_usize).prop_map(|reader| Step::Write { reader, share: 1_000 }),
            1 => (0..4_u64).prop_map(|lost| Step::Restart { lost }),
            2 => (any::<bool>(), prop::option::of(0..=1_100_u64))
                .prop_map(|(gets_own, after)| Step::Join { gets_own, after }),
        ];
        (Just(bytes_max), prop::collection::vec(step, 1..200))
    })
}

/// An entry that is shown, or a message that was lost in a restart.
struct Shown {
    bytes: Vec<u8>,
    is_message: bool,
}

struct Reader {
    cursor: Cursor,
    /// The index of the entry that the reader gets next, among the model's entries.
    next: usize,
    /// The rest of an entry of which the socket took a part.
    torn: Vec<u8>,
    received: Vec<u8>,
    /// What the reader should have received, in whole entries.
    expected: Vec<u8>,
    gets_own: bool,
    /// The reader's own messages that it has not reached yet.
    own: BTreeSet<u64>,
}

struct Pair {
    log: EncodedLog,
    bytes_max: usize,
    /// Everything that was ever shown. The log holds the end of it.
    shown: Vec<Shown>,
    /// The index of the first entry that the log holds.
    tail: usize,
    /// The slot after the newest entry ever. A slot never names two entries.
    slots_used: u64,
    readers: Vec<Reader>,
}

impl Pair {
    fn new(bytes_max: usize) -> Self {
        let log = EncodedLog::new(bytes_max);
        let mut pair =
            Self { log, bytes_max, shown: Vec::new(), tail: 0, slots_used: 0, readers: Vec::new() };
        pair.join(true, None);
        pair.join(false, None);
        pair
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Message { bytes, author } => self.message(bytes, author),
            Step::Presence { bytes } => {
                self.push(Event::PresenceSummary { joined: 1, left: 0, members: 1 }, bytes);
            }
            Step::Restart { lost } => self.restart(lost),
            Step::Write { reader, share } => {
                let reader = reader % self.readers.len();
                self.write(reader, share);
            }
            Step::Join { gets_own, after } => {
                let after = after.map(|share| self.messages(..self.shown.len()) * share / 1_000);
                self.join(gets_own, after);
            }
        }
    }

    fn message(&mut self, bytes: usize, author: usize) {
        self.push(
            Event::Said { from: Origin::default(), author: Author::Room, text: Text::default() },
            bytes,
        );
        let seq = self.log.seq();
        if let Some(reader) = self.readers.get_mut(author).filter(|reader| !reader.gets_own) {
            reader.own.insert(seq);
        }
    }

    fn push(&mut self, event: Event, length: usize) {
        let is_message = event.is_message();
        let entry = Entry { seq: self.log.seq() + u64::from(is_message), at_ms: 0, event };
        let number = self.shown.len();
        let bytes: Vec<u8> =
            (0..length).map(|at| u8::try_from((number * 31 + at * 7) % 256).unwrap()).collect();
        self.log.push(&entry, |_, out| out.extend_from_slice(&bytes));
        if length > 0 {
            assert!(self.log.slots().end > self.slots_used, "a slot was given out twice");
            self.slots_used = self.log.slots().end;
            self.shown.push(Shown { bytes, is_message });
            // Each entry takes 16 bytes of index.
            let held =
                |from: usize| self.shown[from..].iter().map(|shown| shown.bytes.len() + 16).sum::<usize>();
            self.tail = (self.tail..).find(|&tail| held(tail) <= self.bytes_max).unwrap();
        }
    }

    fn restart(&mut self, lost: u64) {
        self.log.restart_after(self.log.seq() + lost);
        self.shown.extend((0..lost).map(|_| Shown { bytes: Vec::new(), is_message: true }));
        self.tail = self.shown.len();
    }

    fn join(&mut self, gets_own: bool, after: Option<u64>) {
        let (cursor, next) = match after {
            None => (self.log.head(), self.shown.len()),
            Some(seq) => (self.log.after(seq), self.index_after(seq)),
        };
        let (torn, received, expected, own) = Default::default();
        self.readers.push(Reader { cursor, next, torn, received, expected, gets_own, own });
    }

    /// The index at which a reader begins that already has message `seq`.
    fn index_after(&self, seq: u64) -> usize {
        if seq >= self.log.seq() {
            return self.shown.len();
        }
        let index = (0..).find(|&index| self.messages(..index) == seq).unwrap();
        // If only joins and leaves were dropped since then, the reader need not be told.
        if seq == self.log.tail_seq() { self.tail } else { index }
    }

    fn messages(&self, range: impl std::slice::SliceIndex<[Shown], Output = [Shown]>) -> u64 {
        self.shown[range].iter().filter(|shown| shown.is_message).count() as u64
    }

    fn bytes(&self, range: Range<usize>) -> Vec<u8> {
        self.shown[range].iter().flat_map(|shown| &shown.bytes).copied().collect()
    }

    /// One `write` to a socket, as a transport does it.
    fn write(&mut self, reader: usize, share: usize) {
        let mut reader = self.readers.swap_remove(reader);
        if reader.torn.is_empty() {
            self.write_log(&mut reader, share);
        } else {
            let taken = reader.torn.len() * share / 1_000;
            reader.received.extend(reader.torn.drain(..taken));
        }
        self.readers.push(reader);
    }

    fn write_log(&self, reader: &mut Reader, share: usize) {
        assert_eq!(reader.cursor.seq(), self.messages(..reader.next), "the cursor knows what the reader has");
        let own = reader.own.first().copied().unwrap_or(u64::MAX);
        match self.log.pending_before(reader.cursor, own) {
            Pending::Lagged { missed, resume } => {
                assert!(reader.next < self.tail, "a reader lags only if the tail has passed its cursor");
                assert_eq!(missed, self.messages(reader.next..self.tail));
                (reader.cursor, reader.next) = (resume, self.tail);
                reader.own = reader.own.split_off(&(resume.seq() + 1));
            }
            Pending::Bytes(a, b) => {
                assert!(reader.next >= self.tail, "the reader lagged");
                let pending = [a, b].concat();
                let end = self.index_of(own);
                assert_eq!(pending, self.bytes(reader.next..end));
                self.advance(reader, &pending[..pending.len() * share / 1_000]);
            }
            Pending::Nothing => {
                match self.log.step_over(reader.cursor, own..=Self::end_of_row(&reader.own, own)) {
                    Some(cursor) => {
                        assert_eq!(reader.next, self.index_of(own), "the reader's own message is next");
                        (reader.cursor, reader.next) = (cursor, self.index_of(cursor.seq()) + 1);
                        reader.own = reader.own.split_off(&(cursor.seq() + 1));
                    }
                    None => assert_eq!(reader.next, self.shown.len(), "the reader has everything"),
                }
            }
        }
    }

    fn advance(&self, reader: &mut Reader, written: &[u8]) {
        reader.received.extend_from_slice(written);
        let advanced = self.log.advance(reader.cursor, written.len());
        reader.cursor = advanced.cursor;
        if let Some((a, b)) = advanced.torn {
            reader.torn = [a, b].concat();
        }
        let mut begun = 0;
        while begun < written.len() {
            begun += self.shown[reader.next].bytes.len();
            reader.expected.extend_from_slice(&self.shown[reader.next].bytes);
            reader.next += 1;
        }
        assert_eq!(reader.torn.len(), begun - written.len());
    }

    /// The last number in `own` that follows `first` without a gap.
    fn end_of_row(own: &BTreeSet<u64>, first: u64) -> u64 {
        own.range(first..)
            .zip(first..)
            .take_while(|(own, seq)| *own == seq)
            .last()
            .map_or(first, |(_, seq)| seq)
    }

    /// The index of message `seq` among the entries, or their number if it was not said yet.
    fn index_of(&self, seq: u64) -> usize {
        if seq > self.log.seq() { self.shown.len() } else { self.index_of_held(seq) }
    }

    fn index_of_held(&self, seq: u64) -> usize {
        (0..self.shown.len()).find(|&index| self.messages(..=index) == seq).unwrap()
    }

    /// Checks the invariants.
    fn check(&self) {
        let log = &self.log;
        assert_eq!(log.seq(), self.messages(..self.shown.len()));
        assert_eq!(log.tail_seq(), self.messages(..self.tail));
        assert_eq!(log.bytes_total(), self.shown.iter().map(|shown| shown.bytes.len() as u64).sum::<u64>());
        assert_eq!((log.head().seq(), log.pending(log.head())), (log.seq(), Pending::Nothing));
    }

    /// Checks that slots number the held entries consecutively, and that any run of them can be read.
    fn check_slots(&self, bytes_max: usize) {
        let log = &self.log;
        let slots = log.slots();
        assert_eq!(slots.end, log.head().slot());
        assert_eq!(slots.end - slots.start, (self.shown.len() - self.tail) as u64);
        if let Some(gone) = slots.start.checked_sub(1) {
            assert_eq!(log.at_slot(gone), None);
            assert_eq!(log.batch(gone..slots.end, bytes_max), (gone, &[][..], &[][..]));
        }
        assert_eq!(log.at_slot(slots.end), Some(log.head()));
        assert_eq!(log.at_slot(slots.end + 1), None);
        assert_eq!(log.batch(slots.end..slots.end + 5, bytes_max), (slots.end, &[][..], &[][..]));
        for (slot, first) in slots.clone().zip(self.tail..) {
            let cursor = log.at_slot(slot).unwrap();
            assert_eq!((cursor.slot(), cursor.seq()), (slot, self.messages(..first)));
            assert_eq!(log.bytes_in(slot..u64::MAX), self.bytes(first..self.shown.len()).len());
            for end in [slot, slot + 1, slot + 3, slots.end, slots.end + 7] {
                let last = self.shown.len().min(first + usize::try_from(end - slot).unwrap());
                let fits = (first..=last).rev().find(|&last| self.bytes(first..last).len() <= bytes_max);
                let (next, a, b) = log.batch(slot..end, bytes_max);
                assert_eq!(next, slot + (fits.unwrap() - first) as u64);
                assert_eq!([a, b].concat(), self.bytes(first..fits.unwrap()));
            }
        }
    }

    /// Checks that a cursor after any message leads to the entries that followed it.
    fn check_after(&self) {
        for seq in 0..=self.log.seq() + 2 {
            let cursor = self.log.after(seq);
            let next = self.index_after(seq);
            match self.log.pending(cursor) {
                Pending::Lagged { missed, resume } => {
                    assert!(seq < self.log.tail_seq());
                    assert!(cursor.slot() < self.log.slots().start, "its slot tells it too");
                    assert_eq!((missed, resume.seq()), (self.log.tail_seq() - seq, self.log.tail_seq()));
                }
                Pending::Bytes(a, b) => {
                    assert_eq!([a, b].concat(), self.bytes(next..self.shown.len()));
                    assert_eq!(cursor.seq(), seq);
                }
                Pending::Nothing => assert_eq!(next, self.shown.len()),
            }
        }
    }

    /// Lets every reader read to the end.
    fn drain(&mut self) {
        for _ in 0..self.readers.len() {
            for _ in 0..=2 * self.shown.len() + 2 {
                self.write(0, 1_000);
                let last = self.readers.pop().unwrap();
                self.readers.insert(0, last);
            }
            let done = self.readers.remove(0);
            assert_eq!(done.next, self.shown.len());
            assert_eq!(done.cursor, self.log.head());
            assert_eq!(done.received, done.expected, "whole entries, one after the other");
            self.readers.push(done);
        }
    }
}

proptest! {
    #[test]
    fn every_reader_gets_whole_entries_and_is_told_exactly_what_is_missing((bytes_max, steps) in histories()) {
        let mut pair = Pair::new(bytes_max);
        for step in &steps {
            pair.step(step);
            pair.check();
        }
        pair.check_after();
        for bytes_max in [0, bytes_max / 3, usize::MAX] {
            pair.check_slots(bytes_max);
        }
        pair.drain();
    }
}
