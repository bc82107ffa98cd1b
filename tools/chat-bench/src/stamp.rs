//! The message that everyone sends: 64 bytes of text that say when they were sent.
//!
//! Receivers find the stamp wherever a system's own framing puts the text, so one scanner counts and times the
//! messages of all systems.

use memchr::memmem;

/// What a message says, without any system's framing.
pub(crate) const TEXT_BYTES: usize = 64;

const MARK: &[u8] = b"~stamp:";
const DIGITS: usize = 16;

/// A message with a number that a [`Scanner`] finds again.
pub(crate) fn text(stamp: u64) -> [u8; TEXT_BYTES] {
    let mut text = [b'.'; TEXT_BYTES];
    text[..MARK.len()].copy_from_slice(MARK);
    let digits = format!("{stamp:0DIGITS$x}");
    text[MARK.len()..MARK.len() + DIGITS].copy_from_slice(digits.as_bytes());
    text
}

/// How many messages begin in these bytes.
pub(crate) fn count(bytes: &[u8]) -> u64 {
    memmem::find_iter(bytes, MARK).count() as u64
}

/// Finds the stamps in a stream that comes in any pieces.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// The end of what has come, if a stamp may have begun in it.
    begun: Vec<u8>,
}

impl Scanner {
    /// Calls `found` with each stamp.
    pub(crate) fn scan(&mut self, bytes: &[u8], found: impl FnMut(u64)) {
        if self.begun.is_empty() {
            let rest = stamps(bytes, found);
            self.begun.extend_from_slice(rest);
        } else {
            self.begun.extend_from_slice(bytes);
            let rest = stamps(&self.begun, found).len();
            self.begun.drain(..self.begun.len() - rest);
        }
    }
}

/// Calls `found` with each whole stamp and returns the rest in which another may have begun.
fn stamps(bytes: &[u8], mut found: impl FnMut(u64)) -> &[u8] {
    let mut rest = bytes;
    while let Some(at) = memmem::find(rest, MARK) {
        let Some(digits) = rest.get(at + MARK.len()..at + MARK.len() + DIGITS) else { return &rest[at..] };
        if let Some(stamp) =
            std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok())
        {
            found(stamp);
        }
        rest = &rest[at + MARK.len() + DIGITS..];
    }
    let last = &rest[rest.len().saturating_sub(MARK.len() - 1)..];
    memchr::memchr(MARK[0], last).map_or(&[], |at| &last[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stamp_is_found_however_the_stream_is_cut() {
        let stream =
            [b"[a] ".as_slice(), &text(1), b"\r\n~st", &text(u64::MAX), b"~", &text(0xabc), b"~stamp:"]
                .concat();
        for size in 1..=stream.len() {
            let mut scanner = Scanner::default();
            let mut found = Vec::new();
            stream.chunks(size).for_each(|piece| scanner.scan(piece, |stamp| found.push(stamp)));
            assert_eq!(found, [1, u64::MAX, 0xabc], "in pieces of {size}");
        }
    }
}
