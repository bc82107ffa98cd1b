//! The number under which events of a peer are reported.
//!
//! It holds the peer's place in its lower bits and, in the upper ones, a generation. The generation distinguishes the
//! peers that used the same place one after the other.

const KEY_BITS: u32 = usize::BITS - u16::BITS;

pub(crate) fn of(key: usize, generation: u16) -> usize {
    usize::from(generation) << KEY_BITS | key
}

/// The place and the generation.
#[expect(clippy::cast_possible_truncation, reason = "16 bits are left after the shift")]
pub(crate) fn place(token: usize) -> (usize, u16) {
    (token & ((1 << KEY_BITS) - 1), (token >> KEY_BITS) as u16)
}
