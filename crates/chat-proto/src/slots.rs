//! The set of next entries that were received: the part of an acknowledgement beyond its number.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::limits::ACK_BITMAP_BYTES_MAX as BYTES;

const WORDS: usize = BYTES / 8;

/// A set of the [`SLOTS_AHEAD_MAX`](crate::limits::SLOTS_AHEAD_MAX) slots from some slot on, named by their offset from
/// it.
///
/// Takes 128 bytes wherever it stands. On the wire it is a bitmap without its zero bytes at the end.
///
/// ```
/// use chat_proto::SlotSet;
///
/// let mut there = SlotSet::default();
/// assert!(there.insert(2) && there.insert(3));
/// assert!(!there.insert(5_000), "too far ahead");
/// there.shift(2);
/// assert_eq!(there.iter().collect::<Vec<_>>(), [0, 1]);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotSet([u64; WORDS]);

impl SlotSet {
    /// Puts a slot in; false if it is too far ahead.
    pub fn insert(&mut self, offset: u64) -> bool {
        match place(offset) {
            Some((word, bit)) => self.0[word] |= bit,
            None => return false,
        }
        true
    }

    /// Whether a slot is in.
    pub fn contains(&self, offset: u64) -> bool {
        place(offset).is_some_and(|(word, bit)| self.0[word] & bit != 0)
    }

    /// Whether none is in.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// The last slot in the set.
    pub fn last(&self) -> Option<u64> {
        let word = self.0.iter().rposition(|&word| word != 0)?;
        Some(word as u64 * 64 + 63 - u64::from(self.0[word].leading_zeros()))
    }

    /// Counts from a slot `by` further on; slots before it leave the set.
    pub fn shift(&mut self, by: u64) {
        let words = usize::try_from(by / 64).map_or(WORDS, |words| words.min(WORDS));
        let bits = by % 64;
        let old = self.0;
        for (index, word) in self.0.iter_mut().enumerate() {
            let low = old.get(index + words).map_or(0, |word| word >> bits);
            let high = old.get(index + words + 1).filter(|_| bits > 0);
            *word = low | high.map_or(0, |word| word << (64 - bits));
        }
    }

    /// Puts in all that are in `other`.
    pub fn union(&mut self, other: &SlotSet) {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// The slots that are in, from the first on.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().enumerate().flat_map(|(index, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = u64::from(left.trailing_zeros());
                left &= left.checked_sub(1)?;
                Some(index as u64 * 64 + bit)
            })
        })
    }

    /// The bitmap, and how many bytes of it to send.
    fn to_bytes(self) -> ([u8; BYTES], usize) {
        let mut bytes = [0; BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        let sent = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        (bytes, sent)
    }

    /// `None` if there are too many bytes.
    fn from_bytes(bytes: &[u8]) -> Option<SlotSet> {
        let mut all = [0; BYTES];
        all.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let mut set = SlotSet::default();
        for (word, chunk) in set.0.iter_mut().zip(all.chunks_exact(8)) {
            *word = u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes"));
        }
        Some(set)
    }
}

impl Serialize for SlotSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (bytes, sent) = self.to_bytes();
        serializer.serialize_bytes(&bytes[..sent])
    }
}

impl<'de> Deserialize<'de> for SlotSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SlotSet, D::Error> {
        struct Bitmap;

        impl Visitor<'_> for Bitmap {
            type Value = SlotSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a bitmap of at most {BYTES} bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<SlotSet, E> {
                SlotSet::from_bytes(bytes).ok_or_else(|| E::invalid_length(bytes.len(), &self))
            }
        }

        deserializer.deserialize_bytes(Bitmap)
    }
}

impl fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

fn place(offset: u64) -> Option<(usize, u64)> {
    let word = usize::try_from(offset / 64).ok().filter(|&word| word < WORDS)?;
    Some((word, 1 << (offset % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SLOTS_AHEAD_MAX;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(
            offsets in prop::collection::vec(0..SLOTS_AHEAD_MAX + 10, 0..60),
            by in prop_oneof![0..200_u64, 0..SLOTS_AHEAD_MAX * 2, Just(u64::MAX)],
        ) {
            let mut set = SlotSet::default();
            let mut model = BTreeSet::new();
            for &offset in &offsets {
                prop_assert_eq!(set.insert(offset), offset < SLOTS_AHEAD_MAX);
                model.extend(Some(offset).filter(|&offset| offset < SLOTS_AHEAD_MAX));
            }
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), model.clone());
            prop_assert_eq!(set.last(), model.last().copied());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            let (bytes, sent) = set.to_bytes();
            prop_assert_eq!(SlotSet::from_bytes(&bytes[..sent]), Some(set));
            prop_assert!(sent == 0 || bytes[sent - 1] != 0);

            let mut twice = SlotSet::default();
            twice.union(&set);
            twice.union(&set);
            prop_assert_eq!(twice, set);

            set.shift(by);
            let shifted: BTreeSet<_> = model.iter().filter_map(|offset| offset.checked_sub(by)).collect();
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), shifted.clone());
            prop_assert!((0..SLOTS_AHEAD_MAX + 100).all(|offset| set.contains(offset) == shifted.contains(&offset)));
        }
    }

    #[test]
    fn a_bitmap_that_is_too_long_is_none() {
        assert_eq!(SlotSet::from_bytes(&[0; BYTES]), Some(SlotSet::default()));
        assert_eq!(SlotSet::from_bytes(&[0; BYTES + 1]), None);
    }
}
