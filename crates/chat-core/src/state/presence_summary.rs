//! Presence summaries: joins and leaves of a large room, counted together.
//!
//! A single join or leave would cost as many deliveries as there are members. A room of ten thousand would
//! spend most of its time on announcing joins and leaves.

use std::time::Instant;

use chat_proto::Event;

use crate::limits::SUMMARY_INTERVAL;

/// Joins and leaves since the last [`Event::PresenceSummary`] that were not announced one by one.
#[derive(Debug, Default)]
pub(crate) struct PresenceSummary {
    joined: u32,
    left: u32,
    due: Option<Instant>,
}

impl PresenceSummary {
    /// Counts a join or a leave, if the room is too large to announce it by itself.
    pub(crate) fn count(&mut self, event: &Event, now: Instant) {
        if !event.is_crowd() {
            return;
        }
        self.joined += u32::from(matches!(event, Event::Joined { .. }));
        self.left += u32::from(matches!(event, Event::Left { .. }));
        self.due.get_or_insert(now + SUMMARY_INTERVAL);
    }

    /// When the next summary is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The summary that is due now.
    pub(crate) fn take_if_due(&mut self, members: u32, now: Instant) -> Option<Event> {
        self.due.filter(|&due| due <= now)?;
        let Self { joined, left, .. } = std::mem::take(self);
        Some(Event::PresenceSummary { joined, left, members })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::limits::PRESENCE_MEMBERS_MAX;
    use chat_proto::{Author, LeaveReason, MemberId, PeerAddr};

    #[test]
    fn joins_and_leaves_of_a_large_room_are_told_once_a_second() {
        let now = crate::world::World::real();
        let now = (now.clock)();
        let mut summary = PresenceSummary::default();
        let member = MemberId::new(1);
        let author = Author::from("192.0.2.1:1".parse::<PeerAddr>().unwrap());
        let joined = |members| Event::Joined { member, author: author.clone(), members };
        summary.count(&joined(PRESENCE_MEMBERS_MAX), now);
        assert_eq!(summary.due(), None, "told by itself");
        for members in 51..63 {
            summary.count(&joined(members), now);
        }
        let left = Event::Left { member, author: author.clone(), reason: LeaveReason::Quit, members: 61 };
        summary.count(&left, now + SUMMARY_INTERVAL / 2);
        assert_eq!(summary.due(), Some(now + SUMMARY_INTERVAL));
        assert_eq!(summary.take_if_due(61, now + SUMMARY_INTERVAL / 2), None);
        let told = Event::PresenceSummary { joined: 12, left: 1, members: 61 };
        assert_eq!(summary.take_if_due(61, now + SUMMARY_INTERVAL), Some(told));
        assert_eq!(summary.due(), None);
    }
}
