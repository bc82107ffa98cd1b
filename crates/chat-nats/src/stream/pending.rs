//! Messages that were submitted here and have not come back from the stream.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::limits::IN_FLIGHT_MAX;
use bytes::Bytes;
use chat_core::journal::Record;
use chat_core::{Author, Event, MemberId, Origin};
use tokio::time::Instant;

/// The messages of each session, in order. Of one session the next is published once the stream has the one before: if
/// one is lost on the way, none can overtake it.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    sessions: HashMap<MemberId, VecDeque<Item>>,
    /// Sessions whose next message may be published.
    ready: VecDeque<MemberId>,
    /// Sessions whose name is not certain yet: their messages wait.
    held: HashSet<MemberId>,
    len: usize,
    in_flight: usize,
}

#[derive(Debug)]
struct Item {
    number: u64,
    payload: Bytes,
    record: Record,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    /// Published then, and not answered.
    Sent(Instant),
    /// The stream has said that it has it, under this sequence number.
    Stored(u64),
}

impl Pending {
    /// How many have not come back.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, from: Origin, payload: Bytes, record: Record) {
        let items = self.sessions.entry(from.member).or_default();
        items.push_back(Item { number: from.number, payload, record, state: State::Waits });
        self.len += 1;
        self.ready.push_back(from.member);
    }

    /// The next one to publish, if any: it counts as published `now`.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Origin, Bytes)> {
        while self.in_flight < IN_FLIGHT_MAX {
            let member = self.ready.pop_front()?;
            if self.held.contains(&member) {
                continue; // it is ready again when it is let go
            }
            let items = self.sessions.get_mut(&member).into_iter().flatten();
            let first = items.into_iter().find(|item| !matches!(item.state, State::Stored(_)));
            if let Some(item) = first.filter(|item| item.state == State::Waits) {
                item.state = State::Sent(now);
                self.in_flight += 1;
                return Some((Origin { member, number: item.number }, item.payload.clone()));
            }
        }
        None
    }

    /// Nothing more of this session is published until it is [released](Self::release).
    pub(crate) fn hold(&mut self, member: MemberId) {
        self.held.insert(member);
    }

    /// The messages of this session are published again.
    pub(crate) fn release(&mut self, member: MemberId) {
        if self.held.remove(&member) && self.sessions.contains_key(&member) {
            self.ready.push_back(member);
        }
    }

    /// Takes away the messages that the session has said as this author and that were not published.
    pub(crate) fn take_unsent(&mut self, member: MemberId, author: &Author) -> Vec<Record> {
        let mut taken = Vec::new();
        let Some(items) = self.sessions.get_mut(&member) else { return taken };
        let is_meant = |item: &Item| {
            let said = matches!(&item.record, Record::Event { event: Event::Said { author: by, .. }, .. } if by == author);
            said && item.state == State::Waits
        };
        items.retain(|item| {
            let is_meant = is_meant(item);
            if is_meant {
                taken.push(item.record.clone());
            }
            !is_meant
        });
        self.len -= taken.len();
        if items.is_empty() {
            self.sessions.remove(&member);
        }
        taken
    }

    /// It could not even be sent.
    pub(crate) fn not_sent(&mut self, from: Origin) {
        if let Some(item) = self.item(from)
            && matches!(item.state, State::Sent(_))
        {
            item.state = State::Waits;
            self.in_flight -= 1;
            self.ready.push_front(from.member);
        }
    }

    /// The stream has it under this number.
    pub(crate) fn stored(&mut self, from: Origin, seq: u64) {
        if let Some(item) = self.item(from) {
            let was_sent = matches!(item.state, State::Sent(_));
            item.state = State::Stored(seq);
            self.in_flight -= usize::from(was_sent);
            self.ready.push_back(from.member);
        }
    }

    /// The stream will never take it: returns its record.
    pub(crate) fn refused(&mut self, from: Origin) -> Option<Record> {
        let items = self.sessions.get_mut(&from.member)?;
        let place = items.iter().position(|item| item.number == from.number)?;
        let item = items.remove(place)?;
        self.forget(from.member, &item);
        Some(item.record)
    }

    /// It has come back, and so has everything that its session had said before. All servers' rooms use the same member
    /// id for themselves. So a message of another server's room says nothing about ours.
    pub(crate) fn came(&mut self, from: Origin) {
        if from.member == MemberId::ROOM && self.item(from).is_none() {
            return;
        }
        while let Some(items) = self.sessions.get_mut(&from.member)
            && items.front().is_some_and(|item| item.number <= from.number)
            && let Some(item) = items.pop_front()
        {
            self.forget(from.member, &item);
        }
    }

    /// An item was taken away.
    fn forget(&mut self, member: MemberId, item: &Item) {
        self.len -= 1;
        self.in_flight -= usize::from(matches!(item.state, State::Sent(_)));
        match self.sessions.get(&member).is_some_and(VecDeque::is_empty) {
            true => drop(self.sessions.remove(&member)),
            false => self.ready.push_back(member),
        }
    }

    /// Since when the oldest one waits for an answer. O(n).
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        let items = self.sessions.values().flatten();
        let sent = items.filter_map(|item| if let State::Sent(at) = item.state { Some(at) } else { None });
        sent.min()
    }

    /// When the stream was asked at `asked`, its last number was `last`, and everything up to there has come back. So a
    /// message that was published before and has not come back is not in the stream: it is published again. O(n).
    pub(crate) fn publish_again(&mut self, asked: Instant, last: u64) -> usize {
        let mut again = 0;
        for (member, items) in &mut self.sessions {
            for item in items {
                let is_lost = match item.state {
                    State::Sent(at) => at < asked,
                    State::Stored(seq) => seq <= last,
                    State::Waits => false,
                };
                if is_lost {
                    self.in_flight -= usize::from(matches!(item.state, State::Sent(_)));
                    item.state = State::Waits;
                    self.ready.push_back(*member);
                    again += 1;
                }
            }
        }
        again
    }

    fn item(&mut self, from: Origin) -> Option<&mut Item> {
        self.sessions.get_mut(&from.member)?.iter_mut().find(|item| item.number == from.number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn origin(member: u64, number: u64) -> Origin {
        Origin { member: MemberId::new(member), number }
    }

    fn pending(messages: &[(u64, u64)]) -> Pending {
        let mut pending = Pending::default();
        for &(member, number) in messages {
            pending.push(origin(member, number), Bytes::new(), Record::Ids { up_to: number });
        }
        pending
    }

    fn due(pending: &mut Pending, now: Instant) -> Vec<Origin> {
        std::iter::from_fn(|| pending.next(now)).map(|(from, _)| from).collect()
    }

    #[test]
    fn each_session_has_one_message_in_flight() {
        let now = Instant::now();
        let mut pending = pending(&[(1, 1), (1, 2), (2, 1), (1, 3)]);
        assert_eq!(due(&mut pending, now), [origin(1, 1), origin(2, 1)]);
        pending.stored(origin(1, 1), 10);
        assert_eq!(due(&mut pending, now), [origin(1, 2)]);
        pending.came(origin(1, 2));
        assert_eq!(due(&mut pending, now), [origin(1, 3)], "the first one has come with the second");
        pending.came(origin(2, 1));
        pending.came(origin(1, 3));
        assert_eq!((pending.len(), pending.in_flight, pending.sessions.len()), (0, 0, 0));
    }

    #[test]
    fn messages_that_the_stream_lacks_are_published_again_in_order() {
        let early = Instant::now();
        let asked = early + Duration::from_secs(1);
        let mut pending = pending(&[(1, 1), (1, 2), (2, 1), (3, 1)]);
        assert_eq!(due(&mut pending, early).len(), 3);
        pending.came(origin(3, 1));
        pending.stored(origin(2, 1), 7);
        assert_eq!(pending.publish_again(asked, 6), 1, "the other one may still come");
        assert_eq!(due(&mut pending, asked), [origin(1, 1)]);
        assert_eq!(pending.publish_again(asked, 7), 1, "it was lost although it was stored");
        assert_eq!(due(&mut pending, asked), [origin(2, 1)]);
        assert_eq!(pending.unanswered_since(), Some(asked));
    }

    #[test]
    fn messages_of_the_room_at_another_server_are_not_those_of_the_room_here() {
        let room = MemberId::ROOM.as_u64();
        let mut pending = pending(&[(room, 1), (room, 2)]);
        pending.came(origin(room, 9));
        assert_eq!(pending.len(), 2);
        pending.came(origin(room, 2));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn a_refused_message_makes_way_for_the_next() {
        let now = Instant::now();
        let mut pending = pending(&[(1, 1), (1, 2)]);
        due(&mut pending, now);
        assert_eq!(pending.refused(origin(1, 1)), Some(Record::Ids { up_to: 1 }));
        assert_eq!(due(&mut pending, now), [origin(1, 2)]);
        pending.not_sent(origin(1, 2));
        assert_eq!(due(&mut pending, now), [origin(1, 2)], "it is tried again");
    }
}
