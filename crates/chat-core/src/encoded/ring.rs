//! A ring of bytes that are named by their positions since the beginning.

use std::ops::Range;

#[derive(Debug, Default)]
pub(super) struct Ring(Vec<u8>);

impl Ring {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Moves the bytes at `held` into a ring of at least twice the size, for `needed` bytes more, each to the place of
    /// its position there.
    pub(super) fn grow(&mut self, held: Range<u64>, needed: usize, size_max: usize) {
        let needed = distance(held.start, held.end) + needed;
        let size = needed.max(self.len() * 2).max(4096).min(size_max);
        let mut grown = Self(vec![0; size]);
        let (a, b) = self.read(held.clone());
        grown.write(held.start, a);
        grown.write(held.start + a.len() as u64, b);
        *self = grown;
    }

    /// Writes `bytes`, which are at most as many as the ring has, from the position `at` on.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        let at = offset(at, self.len());
        let (first, rest) = bytes.split_at(bytes.len().min(self.len() - at));
        self.0[at..at + first.len()].copy_from_slice(first);
        self.0[..rest.len()].copy_from_slice(rest);
    }

    /// The bytes at these positions, in two parts where the ring wraps.
    pub(super) fn read(&self, positions: Range<u64>) -> (&[u8], &[u8]) {
        let length = distance(positions.start, positions.end);
        if length == 0 {
            return (&[], &[]);
        }
        let at = offset(positions.start, self.len());
        let first = length.min(self.len() - at);
        (&self.0[at..at + first], &self.0[..length - first])
    }
}

/// How far apart two positions within the ring are; never more than the ring's size.
pub(super) fn distance(start: u64, end: u64) -> usize {
    usize::try_from(end - start).expect("positions held are at most a ring apart")
}

fn offset(position: u64, size: usize) -> usize {
    usize::try_from(position % size as u64).expect("smaller than the ring, which is in memory")
}
