//! Who is due when, one entry per connection at most.

use std::collections::BTreeSet;
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Deadlines(BTreeSet<(Instant, usize)>);

impl Deadlines {
    /// Moves the deadline of `key` from `old` to `new`.
    pub(crate) fn change(&mut self, key: usize, old: Option<Instant>, new: Option<Instant>) {
        if let Some(old) = old {
            self.0.remove(&(old, key));
        }
        if let Some(new) = new {
            self.0.insert((new, key));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|&(deadline, _)| deadline)
    }

    /// The keys whose deadline has come; they stay until changed.
    pub(crate) fn due(&self, now: Instant) -> Vec<usize> {
        self.0.iter().take_while(|&&(deadline, _)| deadline <= now).map(|&(_, key)| key).collect()
    }
}
