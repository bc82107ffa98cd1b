//! Messages that tell who said them, the how manieth they are, and when: `t3 17 1234567 padding`.

use std::time::{Duration, Instant};

/// So long is a message at least, as people write them.
const TEXT_BYTES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) talker: usize,
    /// 1, 2, 3, ... of each talker.
    pub(crate) number: u64,
    /// Since the run began.
    pub(crate) at: Duration,
}

impl Stamp {
    pub(crate) fn text(&self) -> String {
        let stamp = format!("t{} {} {} ", self.talker, self.number, self.at.as_nanos());
        format!("{stamp:.<TEXT_BYTES$}")
    }

    /// The stamp of a text; `None` if a talker has not said it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix('t')?.split(' ');
        let talker = fields.next()?.parse().ok()?;
        let number = fields.next()?.parse().ok()?;
        let at = Duration::from_nanos(fields.next()?.parse().ok()?);
        Some(Self { talker, number, at })
    }
}

/// What one listener has heard of each talker.
#[derive(Debug)]
pub(crate) struct Heard {
    began: Instant,
    /// The number of the last message of each talker.
    last: Vec<u64>,
    /// Messages that were not the next one of their talker.
    pub(crate) faults: u64,
}

impl Heard {
    pub(crate) fn new(talkers: usize, began: Instant) -> Self {
        Self { began, last: vec![0; talkers], faults: 0 }
    }

    /// Takes a text; returns how old it is if a talker has said it.
    pub(crate) fn hear(&mut self, text: &str, now: Instant) -> Option<Duration> {
        let stamp = Stamp::read(text)?;
        let last = self.last.get_mut(stamp.talker)?;
        self.faults += u64::from(stamp.number != *last + 1);
        *last = stamp.number;
        Some((now - self.began).saturating_sub(stamp.at))
    }

    pub(crate) fn last(&self) -> &[u64] {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_a_repetition_and_a_swap_are_faults() {
        let began = crate::clock::now();
        let mut heard = Heard::new(2, began);
        let mut hear = |talker, number| {
            let text = Stamp { talker, number, at: Duration::from_nanos(5) }.text();
            assert!(text.len() >= TEXT_BYTES);
            let age = heard.hear(&text, began + Duration::from_nanos(12));
            assert_eq!(age, Some(Duration::from_nanos(7)));
            heard.faults
        };
        assert_eq!([hear(0, 1), hear(1, 1), hear(0, 2)], [0, 0, 0]);
        assert_eq!([hear(0, 4), hear(1, 1)], [1, 2]);
        assert_eq!(heard.hear("hello", began), None);
    }
}
