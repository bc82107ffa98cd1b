//! The timers of a transport's peers.

use std::collections::BTreeSet;
use std::time::Instant;

/// Timers of a transport's peers, at most one per peer.
///
/// To postpone a deadline costs nothing. This matters because most deadlines move with every byte that a peer takes
/// or sends. The peer stays listed under the old deadline; when that passes, the caller sees that the true one is
/// later, and lists the peer again. The deadline under which a peer is listed is kept with the peer.
///
/// Listing and taking cost O(log peers).
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use chat_core::Deadlines;
///
/// # #[expect(clippy::disallowed_methods)]
/// let now = Instant::now();
/// let (mut deadlines, mut listed) = (Deadlines::default(), None);
/// deadlines.list(7, &mut listed, now + Duration::from_secs(1));
/// deadlines.list(7, &mut listed, now + Duration::from_secs(60)); // put off
/// assert_eq!(deadlines.next(), Some(now + Duration::from_secs(1)));
/// // A second later the caller looks at peer 7, and lists it again: its true deadline is later.
/// assert_eq!(deadlines.pop_due(now + Duration::from_secs(1)), Some(7));
/// assert_eq!(deadlines.pop_due(now + Duration::from_secs(1)), None);
/// ```
#[derive(Debug, Default)]
pub struct Deadlines(BTreeSet<(Instant, usize)>);

impl Deadlines {
    /// Lists peer `key` under `deadline`, unless it is listed under an earlier one, `listed`.
    pub fn list(&mut self, key: usize, listed: &mut Option<Instant>, deadline: Instant) {
        if listed.is_none_or(|listed| deadline < listed) {
            self.remove(key, listed);
            self.0.insert((deadline, key));
            *listed = Some(deadline);
        }
    }

    /// Removes peer `key`, which is `listed` under this deadline, if any.
    pub fn remove(&mut self, key: usize, listed: &mut Option<Instant>) {
        if let Some(listed) = listed.take() {
            self.0.remove(&(listed, key));
        }
    }

    /// The earliest deadline listed.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|&(deadline, _)| deadline)
    }

    /// Takes a peer whose listed deadline has passed. It is not listed any more: set its `listed` to
    /// `None`, and list it again if it has another deadline.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        self.0.first().filter(|&&(deadline, _)| deadline <= now)?;
        self.0.pop_first().map(|(_, key)| key)
    }
}
