//! Messages that were not said: the first of them is told at once, and equal ones after it once a second, with their number.

use std::time::{Duration, Instant};

use chat_proto::{Notice, Text};
use crossbeam_channel::{Receiver, after, never};

use super::tell;

const PERIOD: Duration = Duration::from_secs(1);

/// What stderr is to tell of refused messages.
pub(super) struct Refusals {
    why: Text,
    /// Not told yet, all for this reason.
    messages: u64,
    /// When to tell of more.
    due: Receiver<Instant>,
    is_waiting: bool,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { why: Text::default(), messages: 0, due: never(), is_waiting: false }
    }
}

impl Refusals {
    /// A message was refused.
    pub(super) fn add(&mut self, why: &Text) {
        if self.why != *why {
            self.tell();
            (self.why, self.is_waiting) = (why.clone(), false);
        }
        self.messages += 1;
        if !self.is_waiting {
            self.tell();
            (self.due, self.is_waiting) = (after(PERIOD), true);
        }
    }

    /// Comes when [`on_due`](Self::on_due) is to be called.
    pub(super) fn due(&self) -> Receiver<Instant> {
        self.due.clone()
    }

    pub(super) fn on_due(&mut self) {
        self.is_waiting = self.messages > 0;
        self.due = if self.is_waiting { after(PERIOD) } else { never() };
        self.tell();
    }

    /// Tells what is not told yet, before something else or the end.
    pub(super) fn tell(&mut self) {
        if self.messages > 0 {
            tell(&Notice::NotSaid { why: self.why.as_str(), messages: self.messages }.to_string());
        }
        self.messages = 0;
    }
}
