//! New names of members that have messages in flight: the others learn them after what was said before.

use std::collections::{HashMap, VecDeque};

use chat_proto::{Author, Event, MemberId, Origin};

use super::{State, Wakes};

/// For each member, in order: the newest of its messages before a new name, and how it was shown before and after.
/// There is at most one for each message in flight, so the limit of those bounds them.
#[derive(Debug, Default)]
pub(crate) struct Renames(HashMap<MemberId, VecDeque<Waiting>>);

#[derive(Debug)]
struct Waiting {
    after: u64,
    from: Author,
    to: Author,
}

impl Renames {
    /// Of several names without a message between them only the last one counts.
    fn push(&mut self, member: MemberId, after: u64, from: Author, to: Author) {
        let waiting = self.0.entry(member).or_default();
        match waiting.back_mut().filter(|newest| newest.after == after) {
            Some(newest) => newest.to = to,
            None => waiting.push_back(Waiting { after, from, to }),
        }
    }

    /// The next new name that waits for nothing any more, if what this member said up to a number is back.
    fn next(&mut self, back: Origin) -> Option<Event> {
        let waiting = self.0.get_mut(&back.member)?;
        waiting.front().filter(|next| next.after <= back.number)?;
        let Waiting { from, to, .. } = waiting.pop_front()?;
        if waiting.is_empty() {
            self.0.remove(&back.member);
        }
        Some(Event::Renamed { member: back.member, from, to })
    }
}

impl State {
    /// Notes in the log how a member is shown from now on, after what it said before.
    pub(super) fn note_rename(&mut self, member: MemberId, from: Author, to: Author) -> Wakes {
        match self.in_flight.as_ref().and_then(|in_flight| in_flight.newest_of(member)) {
            Some(after) => {
                self.renames.push(member, after, from, to);
                Wakes::default()
            }
            None => self.append(Event::Renamed { member, from, to }, None),
        }
    }

    /// The member's messages up to this number are in the log, or never will be: its new names follow.
    pub(super) fn note_renames_after(&mut self, back: Origin) -> Wakes {
        let mut wakes = Wakes::default();
        while let Some(event) = self.renames.next(back) {
            wakes.add(self.append(event, None));
        }
        wakes
    }

    /// How the others know a member that leaves, if they have not learned its new names. They never will.
    pub(super) fn forget_renames(&mut self, member: MemberId) -> Option<Author> {
        self.renames.0.remove(&member)?.pop_front().map(|next| next.from)
    }
}
