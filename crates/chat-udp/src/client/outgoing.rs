//! The messages of a client, until the server has taken them.

use std::collections::VecDeque;
use std::time::Instant;

use chat_proto::Text;
use chat_proto::limits::{ACK_BITMAP_BYTES_MAX, DATAGRAM_BYTES_MAX, SAYS_PER_DATAGRAM_MAX};

use crate::limits::SAYS_MAX;
use crate::rtt::Rtt;
use crate::window::Window;

/// Bytes of messages in one datagram: what preface, kind, session, flag, four numbers and the longest
/// bitmap leave.
const SAYS_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - (6 + 1 + 8 + 1 + 4 * 9 + 1 + ACK_BITMAP_BYTES_MAX);

/// The sending half of a client's session. The server takes messages in the order of their numbers and
/// tells up to which; when that stops, everything from there on is sent again.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Those that the server has not taken.
    texts: VecDeque<Text>,
    /// The number of the first of them.
    first: u64,
    /// Nothing up to this number is said over this session.
    settled: u64,
    /// How many of them are on their way, and their bytes.
    sent: usize,
    in_flight: usize,
    /// A number whose acknowledgement is timed: it was sent once.
    timed: Option<(u64, Instant)>,
    rtt: Rtt,
    window: Window,
    /// When everything on its way counts as lost.
    timeout: Option<Instant>,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            texts: VecDeque::new(),
            first: 1,
            settled: 0,
            sent: 0,
            in_flight: 0,
            timed: None,
            rtt: Rtt::default(),
            window: Window::default(),
            timeout: None,
        }
    }
}

impl Outgoing {
    /// How long to wait for an answer.
    pub(super) fn rtt(&mut self) -> &mut Rtt {
        &mut self.rtt
    }

    pub(super) fn is_full(&self) -> bool {
        self.texts.len() >= SAYS_MAX
    }

    /// Whether the server has taken everything.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Nothing up to this number is said over this session.
    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    /// Says the message of this number. The first one may have any number, and the others follow it.
    pub(super) fn push(&mut self, number: u64, text: Text) {
        let before = number.saturating_sub(1);
        if self.texts.is_empty() && before >= self.first {
            (self.first, self.settled) = (number, before);
        }
        let follows = self.first.wrapping_add(self.texts.len() as u64);
        debug_assert_eq!(number, follows, "messages are numbered without gaps");
        self.texts.push_back(text);
    }

    /// The next messages to send, which count as sent, and the number of the first of them.
    pub(super) fn next(&mut self, now: Instant) -> (u64, Vec<Text>) {
        let first = self.first.wrapping_add(self.sent as u64);
        let mut says = Vec::new();
        if self.sent == self.texts.len() || !self.window.has_room(self.in_flight) {
            return (first, says);
        }
        let mut bytes = 0;
        for text in self.texts.iter().skip(self.sent).take(SAYS_PER_DATAGRAM_MAX) {
            if bytes + cost(text) > SAYS_BYTES_MAX {
                break;
            }
            bytes += cost(text);
            says.push(text.clone());
        }
        self.sent += says.len();
        self.in_flight += bytes;
        self.timed.get_or_insert((self.first + (self.sent as u64 - 1), now));
        self.timeout.get_or_insert(now + self.rtt.timeout());
        (first, says)
    }

    /// The server has taken the messages up to this number.
    pub(super) fn said(&mut self, up_to: u64, now: Instant) {
        let taken = up_to.checked_add(1).and_then(|next| next.checked_sub(self.first));
        let taken = taken.and_then(|taken| usize::try_from(taken).ok()).unwrap_or(0);
        // An acknowledgement may cover messages that are queued to be sent again, but never more than there are.
        if taken == 0 || taken > self.texts.len() {
            return;
        }
        let bytes: usize = self.texts.drain(..taken).map(|text| cost(&text)).sum();
        self.first = up_to + 1;
        self.sent = self.sent.saturating_sub(taken);
        self.in_flight = self.texts.iter().take(self.sent).map(cost).sum();
        if let Some((number, sent_at)) = self.timed
            && number <= up_to
        {
            self.rtt.measure(now.saturating_duration_since(sent_at));
            self.timed = None;
        }
        self.rtt.answered();
        self.window.arrived(bytes);
        self.timeout = (self.sent > 0).then(|| now + self.rtt.timeout());
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timeout
    }

    /// Does the work that is due: messages that count as lost are queued for resending.
    pub(super) fn on_deadline(&mut self, now: Instant) {
        if self.timeout.is_some_and(|at| at <= now) {
            self.rtt.back_off();
            self.window.timed_out();
            (self.sent, self.in_flight) = (0, 0);
            self.timed = None;
            self.timeout = None; // set with the first datagram of it
        }
    }
}

/// Bytes on the wire.
fn cost(text: &Text) -> usize {
    text.as_str().len() + 3
}
