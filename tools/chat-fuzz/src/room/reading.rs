//! How far a reader has read, compared with what was said.

use chat_core::MemberId;
use chat_proto::{Entry, Event};

/// How far a transport or a local member has read.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) seq: u64,
    at_ms: u64,
    pub(super) missed: u64,
}

impl Reading {
    /// A reader that begins after message `seq`.
    pub(super) fn after(seq: u64) -> Self {
        Self { seq, ..Self::default() }
    }

    pub(super) fn entry(&mut self, entry: &Entry, truth: &[(MemberId, String)]) {
        self.seq += u64::from(entry.event.is_message());
        assert_eq!(entry.seq, self.seq, "messages are numbered without gaps, and none comes unannounced");
        assert!(entry.at_ms >= self.at_ms, "time does not go back");
        self.at_ms = entry.at_ms;
        if let Event::Said { from, text, .. } = &entry.event {
            let expected = truth.get(usize::try_from(entry.seq).expect("few") - 1);
            assert_eq!(Some(&(from.member, text.to_string())), expected, "one order for all");
        }
    }

    pub(super) fn miss(&mut self, messages: u64) {
        self.seq += messages;
        self.missed += messages;
    }
}
