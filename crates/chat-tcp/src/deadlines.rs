//! Who is due when, one entry per connection at most.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    by_time: BTreeSet<(Instant, usize)>,
    by_key: HashMap<usize, Instant>,
}

impl Deadlines {
    /// Sets or removes the deadline of `key`.
    pub(crate) fn set(&mut self, key: usize, deadline: Option<Instant>) {
        let old = match deadline {
            Some(deadline) => self.by_key.insert(key, deadline),
            None => self.by_key.remove(&key),
        };
        if old == deadline {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, key));
        }
        if let Some(new) = deadline {
            self.by_time.insert((new, key));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|&(deadline, _)| deadline)
    }

    /// The keys whose deadline has come; they stay until changed.
    pub(crate) fn due(&self, now: Instant) -> Vec<usize> {
        self.by_time.iter().take_while(|&&(deadline, _)| deadline <= now).map(|&(_, key)| key).collect()
    }
}
