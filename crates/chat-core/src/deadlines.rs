//! Who is due when: the timers of a transport.

use std::collections::BTreeSet;
use std::time::Instant;

/// Timers of a transport's peers, one for each at most.
///
/// A deadline that is put off costs nothing, which matters because most are, with every byte that a peer takes
/// or sends: the peer stays listed where he was, and that his time has not come yet is found out then. The place
/// under which he is listed is kept with the peer.
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
/// // A second later peer 7 is looked at, and listed again: his time is to come.
/// assert_eq!(deadlines.pop_due(now + Duration::from_secs(1)), Some(7));
/// assert_eq!(deadlines.pop_due(now + Duration::from_secs(1)), None);
/// ```
#[derive(Debug, Default)]
pub struct Deadlines(BTreeSet<(Instant, usize)>);

impl Deadlines {
    /// Lists peer `key` under `deadline`, unless he is listed under an earlier one, `listed`.
    pub fn list(&mut self, key: usize, listed: &mut Option<Instant>, deadline: Instant) {
        if listed.is_none_or(|listed| deadline < listed) {
            self.remove(key, listed);
            self.0.insert((deadline, key));
            *listed = Some(deadline);
        }
    }

    /// Takes peer `key` out, wherever he is `listed`.
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

    /// Takes a peer whose deadline, as it was listed, has come. He is not listed any more: set his `listed` to
    /// `None`, and list him again if there is something to come.
    pub fn pop_due(&mut self, now: Instant) -> Option<usize> {
        self.0.first().filter(|&&(deadline, _)| deadline <= now)?;
        self.0.pop_first().map(|(_, key)| key)
    }
}
