//! Who is due when, one entry per peer at most.

use std::collections::BTreeSet;
use std::time::Instant;

/// Deadlines that are looked at no earlier than they were listed. A deadline that is put off, which is
/// what happens with every datagram, costs nothing: it is found out when the old one has come.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(BTreeSet<(Instant, usize)>);

impl Deadlines {
    /// Lists `key` under `deadline` unless it is listed under an earlier one, `listed`.
    pub(crate) fn list(&mut self, key: usize, listed: &mut Option<Instant>, deadline: Instant) {
        if listed.is_none_or(|listed| deadline < listed) {
            self.remove(key, listed);
            self.0.insert((deadline, key));
            *listed = Some(deadline);
        }
    }

    pub(crate) fn remove(&mut self, key: usize, listed: &mut Option<Instant>) {
        if let Some(listed) = listed.take() {
            self.0.remove(&(listed, key));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|&(deadline, _)| deadline)
    }

    /// Takes a key whose deadline, as it was listed, has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        self.0.first().filter(|&&(deadline, _)| deadline <= now)?;
        self.0.pop_first().map(|(_, key)| key)
    }
}
