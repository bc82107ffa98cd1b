//! Reads input bytes as choices.

/// Choices that are read from the front of some bytes. When the bytes are used up, every choice is the first one.
///
/// This is simple on purpose. An input keeps its meaning as long as the function that reads it stays the same. If the
/// search changes one byte, it changes one choice.
#[derive(Debug)]
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    /// One of `0..count`.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count
    }

    pub(crate) fn yes(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// A number, often a small or a very large one.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ 0..200 => u64::from(small),
            large @ 200..220 => u64::MAX - u64::from(large - 200),
            _ => self.bytes(8).iter().fold(0, |number, &byte| number << 8 | u64::from(byte)),
        }
    }

    /// The next `count` bytes, or as many as there are.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// All bytes that are left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// Cuts `bytes` into pieces of the lengths given, over and over.
pub(crate) fn pieces(bytes: &[u8], lengths: [usize; 2]) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut lengths) = (bytes, lengths.into_iter().cycle());
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(lengths.next()?.max(1).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
