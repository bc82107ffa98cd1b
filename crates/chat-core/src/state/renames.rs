//! New names of members that have messages in flight: the others learn them after what was said before.

use std::collections::{HashMap, VecDeque};

use chat_proto::{Author, Event, MemberId, Origin};

use super::{State, Wakes};

/// For each member, in order: a new name, and the newest of its messages that comes before.
#[derive(Debug, Default)]
pub(crate) struct Renames(HashMap<MemberId, VecDeque<(u64, Event)>>);

impl Renames {
    /// The next new name that waits for nothing any more, if what this member said up to a number is back.
    fn next(&mut self, back: Origin) -> Option<Event> {
        let waiting = self.0.get_mut(&back.member)?;
        waiting.front().filter(|(number, _)| *number <= back.number)?;
        let (_, event) = waiting.pop_front()?;
        if waiting.is_empty() {
            self.0.remove(&back.member);
        }
        Some(event)
    }
}

impl State {
    /// Notes in the log how a member is shown from now on, after what it said before.
    pub(super) fn note_rename(&mut self, member: MemberId, from: Author, to: Author) -> Wakes {
        let event = Event::Renamed { member, from, to };
        match self.in_flight.as_ref().and_then(|in_flight| in_flight.newest_of(member)) {
            Some(number) => {
                self.renames.0.entry(member).or_default().push_back((number, event));
                Wakes::default()
            }
            None => self.append(event, None),
        }
    }

    /// What this member said up to this number is in the log, or never will be: its new names follow.
    pub(super) fn note_renames_after(&mut self, back: Origin) -> Wakes {
        let mut wakes = Wakes::default();
        while let Some(event) = self.renames.next(back) {
            wakes.0.extend(self.append(event, None).0);
        }
        wakes
    }

    /// As whom the others know a member that leaves, if they have not learned its new names. They never will.
    pub(super) fn forget_renames(&mut self, member: MemberId) -> Option<Author> {
        match self.renames.0.remove(&member)?.pop_front()? {
            (_, Event::Renamed { from, .. }) => Some(from),
            _ => None,
        }
    }
}
