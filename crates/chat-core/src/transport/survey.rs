//! How far behind the members of a server are. Only the I/O threads know it, so they are asked.

use std::fmt;
use std::ops::AddAssign;
use std::sync::{PoisonError, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::limits::ROOMS_MAX;
use crate::room::Room;
use crate::rooms::Rooms;
use crate::sync::Mutex;
use crate::transport::feeds::Updated;

/// The bounds of [`Lags`], in messages.
pub const LAG_BOUNDS: [u64; 5] = [0, 10, 100, 1_000, 10_000];

/// How many members are how far behind the newest message of their room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lags([u64; LAG_BOUNDS.len() + 1]);

impl Lags {
    pub(crate) fn count(&mut self, messages: u64) {
        self.0[LAG_BOUNDS.partition_point(|&bound| bound < messages)] += 1;
    }

    /// For each of [`LAG_BOUNDS`], how many members are behind by this many messages at most; the last one is all
    /// members (`None`).
    pub fn up_to(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = LAG_BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.0).scan(0, |sum, (bound, members)| {
            *sum += members;
            Some((bound, *sum))
        })
    }
}

impl AddAssign for Lags {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(members, more)| *members += more);
    }
}

/// The answer of one I/O thread for one of its rooms.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomLags {
    /// Which room.
    pub room: Room,
    /// The tag of the transport.
    pub transport: &'static str,
    /// Its members on that thread.
    pub lags: Lags,
}

/// A question to an I/O thread. Dropping it tells the asker that there is nothing more to come.
#[derive(Clone)]
pub(crate) struct Survey(Sender<RoomLags>);

impl Survey {
    pub(crate) fn answer(&self, room: &Room, transport: &'static str, lags: Lags) {
        // If it is full or nobody waits any more, the asker has run out of patience.
        let _late = self.0.try_send(RoomLags { room: room.clone(), transport, lags });
    }
}

impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Survey")
    }
}

/// The I/O threads that can be asked.
#[derive(Debug, Default)]
pub(crate) struct Surveyed(Mutex<Vec<Weak<Updated>>>);

impl Surveyed {
    pub(crate) fn add(&self, thread: Weak<Updated>) {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(thread);
    }

    fn ask(&self) -> Receiver<RoomLags> {
        let threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, answers) = bounded(ROOMS_MAX * threads.len().max(1));
        let survey = Survey(answer);
        threads.iter().filter_map(Weak::upgrade).for_each(|thread| thread.survey(survey.clone()));
        answers
    }
}

impl Rooms {
    /// Asks every I/O thread how far behind its members are. Waits until all have answered, `patience` at most: one
    /// that is busy for longer is left out. Costs each thread one wake and O(members).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let rooms = chat_core::Rooms::from(chat_core::Room::new(chat_core::RoomConfig::default()));
    /// assert!(rooms.survey(Duration::from_secs(1)).is_empty(), "nothing serves them");
    /// ```
    #[must_use]
    pub fn survey(&self, patience: Duration) -> Vec<RoomLags> {
        let answers = self.admission().surveyed().ask();
        let late = crossbeam_channel::after(patience);
        let mut all = Vec::new();
        loop {
            crossbeam_channel::select! {
                recv(answers) -> answer => match answer {
                    Ok(answer) => all.push(answer),
                    Err(_) => return all,
                },
                recv(late) -> _ => return all,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_counted_in_every_bound_that_it_keeps() {
        let mut lags = Lags::default();
        [0, 0, 1, 10, 11, 99_999].into_iter().for_each(|lag| lags.count(lag));
        let counted: Vec<_> = lags.up_to().collect();
        let expected = [(0, 2), (10, 4), (100, 5), (1_000, 5), (10_000, 5)];
        assert_eq!(counted[..5], expected.map(|(bound, members)| (Some(bound), members)));
        assert_eq!(counted[5], (None, 6));
    }
}
