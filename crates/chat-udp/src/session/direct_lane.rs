//! The items of its direct lane that a framed member has not acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use chat_proto::limits::{DATAGRAM_BYTES_MAX, DIRECT_ITEMS_MAX};
use chat_proto::{Direct, RoomDatagram, SessionId, encode_direct};

/// Items on their way to a member. Exists only while there are some.
///
/// They are few, so that all of them are sent at once, and all of them again when no answer comes in time.
#[derive(Debug, Default)]
pub(crate) struct DirectLane {
    items: VecDeque<Arc<Direct>>,
    /// How many of them were sent.
    sent: usize,
    /// When those count as lost.
    timeout: Option<Instant>,
}

impl DirectLane {
    pub(crate) fn push(&mut self, direct: Arc<Direct>) {
        self.items.push_back(direct);
    }

    /// The member should say nothing more: each of its messages may be refused, which would be an item more.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= DIRECT_ITEMS_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The member has the items up to this number. Returns whether some of them are newly acknowledged.
    pub(crate) fn acknowledged(&mut self, number: u64) -> bool {
        let before = self.items.len();
        while self.items.front().is_some_and(|direct| direct.number <= number) {
            self.items.pop_front();
            self.sent = self.sent.saturating_sub(1);
        }
        if self.sent == 0 {
            self.timeout = None;
        }
        self.items.len() < before
    }

    /// Writes the next datagram into `out`, which is empty; false if there is none. Items that are not acknowledged by
    /// `timeout` count as lost.
    pub(crate) fn transmit(&mut self, session: SessionId, timeout: Instant, out: &mut Vec<u8>) -> bool {
        if self.sent == self.items.len() {
            return false;
        }
        let after = self.sent.checked_sub(1).map_or(0, |before| self.items[before].number);
        RoomDatagram::Direct { session, after, items: &[] }.encode(out);
        for direct in self.items.iter().skip(self.sent) {
            let end = out.len();
            encode_direct(direct, out);
            if out.len() > DATAGRAM_BYTES_MAX {
                out.truncate(end); // one fits always
                break;
            }
            self.sent += 1;
        }
        self.timeout.get_or_insert(timeout);
        true
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timeout
    }

    /// Does what is due; whether something was lost.
    pub(crate) fn on_deadline(&mut self, now: Instant) -> bool {
        let is_due = self.timeout.is_some_and(|at| at <= now);
        if is_due {
            (self.sent, self.timeout) = (0, None);
        }
        is_due
    }
}
