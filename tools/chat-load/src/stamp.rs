//! The message that everyone sends: 64 bytes of text that say who sent it, which message it is, and when it was sent.
//!
//! Receivers find the stamp wherever a system's own framing puts the text, so one scanner counts and times the
//! messages of all systems.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use memchr::memmem;

/// The length of a message's text, without any system's framing.
pub(crate) const TEXT_BYTES: usize = 64;

/// Messages with a number from here on only ask whether everyone is there.
pub(crate) const ROLL_CALL: u64 = 1 << 63;

/// What every stamp begins with.
pub(crate) const MARK: &[u8] = b"~stamp:";
/// Finds it. Made once: that takes longer than most searches.
static MARKS: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(MARK));
/// How many digits each of the three hexadecimal numbers after the mark has.
const DIGITS: [usize; 3] = [4, 16, 16];
const STAMP_BYTES: usize = MARK.len() + DIGITS[0] + DIGITS[1] + DIGITS[2];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) talker: usize,
    /// The run decides what the number counts: the messages of all talkers or those of each one.
    pub(crate) number: u64,
    /// The time since the run began.
    pub(crate) at: Duration,
}

impl Stamp {
    pub(crate) fn text(&self) -> [u8; TEXT_BYTES] {
        let stamp = format!("~stamp:{:04x}{:016x}{:016x}", self.talker, self.number, nanos(self.at));
        let mut text = [b'.'; TEXT_BYTES];
        text[..STAMP_BYTES].copy_from_slice(stamp.as_bytes());
        text
    }

    /// The stamp at the beginning of a text. A stamp elsewhere in a text is not a talker's: on loopback another
    /// server may have taken the port of a plain UDP visitor, and then it repeats what it is sent.
    fn of_text(text: &[u8]) -> Option<Self> {
        if text.starts_with(MARK) { Self::decode(text.get(..STAMP_BYTES)?) } else { None }
    }

    fn decode(stamp: &[u8]) -> Option<Self> {
        let mut rest = std::str::from_utf8(stamp).ok()?.get(MARK.len()..)?;
        let [talker, number, at] = DIGITS.map(|count| {
            let (digits, after) = rest.split_at_checked(count)?;
            rest = after;
            u64::from_str_radix(digits, 16).ok()
        });
        Some(Self { talker: usize::try_from(talker?).ok()?, number: number?, at: Duration::from_nanos(at?) })
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How many messages begin in these bytes.
pub(crate) fn count(bytes: &[u8]) -> u64 {
    MARKS.find_iter(bytes).count() as u64
}

/// Finds the stamps in a stream that arrives in pieces of any size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    /// The end of the bytes received so far, if a stamp may have begun in it.
    begun: Vec<u8>,
}

impl Scanner {
    /// Calls `found` with each stamp.
    pub(crate) fn scan(&mut self, bytes: &[u8], found: impl FnMut(Stamp)) {
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

/// Calls `found` with each whole stamp. Returns the rest, in which another stamp may have begun.
fn stamps(bytes: &[u8], mut found: impl FnMut(Stamp)) -> &[u8] {
    let mut rest = bytes;
    while let Some(at) = MARKS.find(rest) {
        let Some(stamp) = rest.get(at..at + STAMP_BYTES) else { return &rest[at..] };
        if let Some(stamp) = Stamp::decode(stamp) {
            found(stamp);
        }
        rest = &rest[at + STAMP_BYTES..];
    }
    let last = &rest[rest.len().saturating_sub(MARK.len() - 1)..];
    memchr::memchr(MARK[0], last).map_or(&[], |at| &last[at..])
}

/// What one listener has heard of each talker. Each talker numbers its messages 1, 2, 3, ...
#[derive(Debug)]
pub(crate) struct Heard {
    began: Instant,
    /// The number of the last message of each talker.
    last: Vec<u64>,
    /// Messages that were not the next one of their talker.
    pub(crate) faults: u64,
    /// The first of them, and the number of the message before it.
    first_fault: Option<(Stamp, u64)>,
}

impl Heard {
    pub(crate) fn new(talkers: usize, began: Instant) -> Self {
        Self { began, last: vec![0; talkers], faults: 0, first_fault: None }
    }

    /// Takes a text. Returns how old it is if a talker has said it.
    pub(crate) fn hear(&mut self, text: &str, now: Instant) -> Option<Duration> {
        let stamp = Stamp::of_text(text.as_bytes()).filter(|stamp| stamp.number < ROLL_CALL)?;
        let last = self.last.get_mut(stamp.talker)?;
        if stamp.number != *last + 1 {
            self.faults += 1;
            self.first_fault.get_or_insert((stamp, *last));
        }
        *last = stamp.number;
        Some((now - self.began).saturating_sub(stamp.at))
    }

    /// The first message that was lost, doubled or out of order.
    pub(crate) fn first_fault(&self) -> String {
        self.first_fault.map_or("none".to_owned(), |(Stamp { talker, number, at }, last)| {
            format!("talker {talker}, message {number} after {last}, said at {at:.3?}")
        })
    }

    pub(crate) fn last(&self) -> &[u64] {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stamp_is_found_however_the_stream_is_cut() {
        let first = Stamp { talker: 1, number: 2, at: Duration::from_nanos(3) };
        let last = Stamp { talker: 0xffff, number: u64::MAX, at: Duration::from_nanos(u64::MAX) };
        let stream =
            [b"[a] ".as_slice(), &first.text(), b"\r\n~st", &last.text(), b"~", &first.text(), MARK].concat();
        for size in 1..=stream.len() {
            let mut scanner = Scanner::default();
            let mut found = Vec::new();
            stream.chunks(size).for_each(|piece| scanner.scan(piece, |stamp| found.push(stamp)));
            assert_eq!(found, [first, last, first], "in pieces of {size}");
        }
        assert_eq!(Stamp::of_text(&stream[4..]), Some(first));
        assert_eq!(count(&stream), 4);
    }

    #[test]
    fn a_gap_a_repetition_and_a_swap_are_faults() {
        let began = crate::clock::now();
        let mut heard = Heard::new(2, began);
        let mut hear = |talker, number| {
            let text = Stamp { talker, number, at: Duration::from_nanos(5) }.text();
            let age = heard.hear(str::from_utf8(&text).unwrap(), began + Duration::from_nanos(12));
            assert_eq!(age, Some(Duration::from_nanos(7)));
            heard.faults
        };
        assert_eq!([hear(0, 1), hear(1, 1), hear(0, 2)], [0, 0, 0]);
        assert_eq!([hear(0, 4), hear(1, 1)], [1, 2]);
        let roll_call = Stamp { number: ROLL_CALL, ..Stamp::default() }.text();
        let repeated = ["[127.0.0.1:1] ", str::from_utf8(&Stamp::default().text()).unwrap()].concat();
        for other in ["hello", &repeated, str::from_utf8(&roll_call).unwrap()] {
            assert_eq!(heard.hear(other, began), None);
        }
    }
}
