//! Sessions whose members have left, and which may be resumed.

use std::collections::BTreeMap;

use chat_proto::{DirectItem, MemberId, Name};

use crate::limits::{SESSIONS_REMEMBERED_MAX, UNREAD_ITEMS_MAX};
use crate::state::direct_lane::Unread;
use crate::state::profile::Standing;

/// The state of a session while it has no member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// The number of the newest of its messages that the room has dealt with.
    pub(crate) taken: u64,
    /// The name stays reserved for the session for a while.
    pub(crate) name: Option<Name>,
    /// When the member left, in milliseconds since the room began.
    pub(crate) left_ms: u64,
    /// What operators decided about the member, and whom it ignored. A resume does not change that.
    pub(crate) standing: Standing,
    /// The items that it was not told.
    pub(crate) unread: Unread,
}

/// The newest sessions that have no member.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sessions: BTreeMap<MemberId, (u64, Left)>,
    /// In the order in which they were left.
    order: BTreeMap<u64, MemberId>,
    /// Those of them that have unread items.
    with_unread: BTreeMap<u64, MemberId>,
    next: u64,
    has_forgotten: bool,
    /// Unread items of all these sessions.
    unread: usize,
}

impl Sessions {
    /// Remembers a session. If there are too many, forgets one and returns it.
    pub(crate) fn remember(&mut self, member: MemberId, left: Left) -> Option<(MemberId, Left)> {
        let is_full = self.sessions.len() == SESSIONS_REMEMBERED_MAX;
        let oldest = if is_full { self.order.first_key_value().map(|(_, &oldest)| oldest) } else { None };
        let forgotten = oldest.and_then(|oldest| Some((oldest, self.take(oldest)?)));
        self.has_forgotten |= forgotten.is_some();
        self.make_room(left.unread.len());
        self.unread += left.unread.len();
        self.order.insert(self.next, member);
        if left.unread.len() > 0 {
            self.with_unread.insert(self.next, member);
        }
        self.sessions.insert(member, (self.next, left));
        self.next += 1;
        forgotten
    }

    /// The sessions that were left first forget their unread items until there is room for this many more.
    fn make_room(&mut self, items: usize) {
        while self.unread + items > UNREAD_ITEMS_MAX
            && let Some((_, oldest)) = self.with_unread.pop_first()
        {
            if let Some((_, left)) = self.sessions.get_mut(&oldest) {
                self.unread -= left.unread.len();
                left.unread.clear();
            }
        }
    }

    /// There were sessions that are not remembered.
    pub(crate) fn forget_others(&mut self) {
        self.has_forgotten = true;
    }

    /// Whether there were ever more sessions than are remembered. If not, an unknown session has said nothing.
    pub(crate) fn has_forgotten(&self) -> bool {
        self.has_forgotten
    }

    /// Takes the state of this session, which is resumed.
    pub(crate) fn take(&mut self, member: MemberId) -> Option<Left> {
        let (place, left) = self.sessions.remove(&member)?;
        self.order.remove(&place);
        self.with_unread.remove(&place);
        self.unread -= left.unread.len();
        Some(left)
    }

    /// Keeps something that this session must be told when it goes on. False if it is not known, or there is too much.
    pub(crate) fn tell(&mut self, member: MemberId, item: DirectItem) -> bool {
        if self.get(member).is_some_and(|left| left.unread.has_room_for(&item)) {
            self.make_room(1);
        }
        let Some((place, left)) = self.sessions.get_mut(&member) else { return false };
        let is_kept = left.unread.push(item);
        if is_kept {
            self.unread += 1;
            self.with_unread.insert(*place, member);
        }
        is_kept
    }

    /// The state of this session.
    pub(crate) fn get(&self, member: MemberId) -> Option<&Left> {
        self.sessions.get(&member).map(|(_, left)| left)
    }

    /// The state of this session, to change it.
    pub(crate) fn get_mut(&mut self, member: MemberId) -> Option<&mut Left> {
        self.sessions.get_mut(&member).map(|(_, left)| left)
    }

    /// The session gives up its name. Returns the name, if it had one.
    pub(crate) fn release_name(&mut self, member: MemberId) -> Option<Name> {
        self.sessions.get_mut(&member)?.1.name.take()
    }

    /// The sessions with a name that were left at this time, or before, oldest first.
    pub(crate) fn named_until(&self, left_ms: u64) -> Vec<MemberId> {
        let sessions = self.order.values().filter_map(|&member| Some((member, self.get(member)?)));
        let old = sessions.take_while(|(_, left)| left.left_ms <= left_ms);
        old.filter(|(_, left)| left.name.is_some()).map(|(member, _)| member).collect()
    }

    /// The sessions whose names can be mistaken for `name`, oldest first.
    pub(crate) fn holders_like(&self, name: &Name) -> Vec<MemberId> {
        let is_like = |member: &&MemberId| {
            let left = self.get(**member);
            left.and_then(|left| left.name.as_ref()).is_some_and(|held| held.is_confusable_with(name))
        };
        self.order.values().filter(is_like).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat_proto::Text;

    #[test]
    fn the_newest_sessions_are_remembered() {
        let left = |taken| Left { taken, ..Left::default() };
        let mut sessions = Sessions::default();
        for id in 0..SESSIONS_REMEMBERED_MAX as u64 {
            assert_eq!(sessions.remember(MemberId::new(id), left(id * 2)), None);
        }
        assert_eq!(sessions.take(MemberId::new(7)), Some(left(14)));
        assert_eq!(sessions.take(MemberId::new(7)), None, "it goes on");
        assert_eq!(sessions.remember(MemberId::new(7), left(15)), None, "there is room for one");
        assert_eq!(
            sessions.remember(MemberId::new(20_000), left(1)),
            Some((MemberId::new(0), left(0))),
            "the oldest is forgotten"
        );
        assert_eq!(sessions.get(MemberId::new(0)), None);
        assert_eq!(
            (sessions.sessions.len(), sessions.order.len()),
            (SESSIONS_REMEMBERED_MAX, SESSIONS_REMEMBERED_MAX)
        );
    }

    #[test]
    fn items_that_sessions_were_not_told_are_bounded_each_and_in_all() {
        let refused = |number| DirectItem::Refused { number, why: Text::default() };
        let mut sessions = Sessions::default();
        let id = MemberId::new;
        for session in 0..1_000 {
            sessions.remember(id(session), Left::default());
            let kept = (0..100).filter(|&number| sessions.tell(id(session), refused(number))).count();
            assert_eq!(kept, 64, "{session}: the newest sessions have room");
        }
        let kept: usize = sessions.sessions.values().map(|(_, left)| left.unread.len()).sum();
        assert_eq!((sessions.unread, kept), (UNREAD_ITEMS_MAX, UNREAD_ITEMS_MAX));
        let newest = &sessions.get(id(999)).unwrap().unread;
        assert!(
            newest.has_lost_after(64) && !newest.has_lost_after(100),
            "those after the 64th are known to be lost"
        );
        let oldest = &sessions.get(id(0)).unwrap().unread;
        assert!(oldest.len() == 0 && oldest.has_lost_after(63), "what made room is known to be lost, too");

        let left = sessions.take(id(999)).unwrap();
        assert!(!sessions.tell(id(999), refused(1)), "it goes on");
        assert_eq!(sessions.unread, UNREAD_ITEMS_MAX - 64);
        sessions.remember(id(999), left);
        assert_eq!(sessions.unread, UNREAD_ITEMS_MAX);
    }

    #[test]
    fn an_answer_that_a_resume_tells_anyway_is_not_lost() {
        let mut sessions = Sessions::default();
        sessions.remember(MemberId::new(1), Left::default());
        for number in 0..100 {
            sessions.tell(MemberId::new(1), DirectItem::Done { number });
        }
        assert!(!sessions.get(MemberId::new(1)).unwrap().unread.has_lost_after(0));
    }
}
