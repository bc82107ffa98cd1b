//! Sessions whose members have left, and which may be resumed.

use std::collections::VecDeque;

use chat_proto::MemberId;

/// Sessions of which the room remembers how far it has come with them. For an older one it looks into the log.
///
/// As many as there may be members by default, so that all of them may come back after a broken network.
const SESSIONS_REMEMBERED_MAX: usize = 10_000;

/// How far the room has come with members that have left, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    taken: VecDeque<(MemberId, u64)>,
}

impl Sessions {
    pub(crate) fn remember(&mut self, member: MemberId, taken: u64) {
        if self.taken.len() == SESSIONS_REMEMBERED_MAX {
            self.taken.pop_front();
        }
        self.taken.push_back((member, taken));
    }

    /// What is remembered of this session, which goes on. O(sessions), but those that come back are mostly new ones.
    pub(crate) fn take(&mut self, member: MemberId) -> Option<u64> {
        let place = self.taken.iter().rposition(|&(id, _)| id == member)?;
        self.taken.remove(place).map(|(_, taken)| taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_sessions_are_remembered() {
        let mut sessions = Sessions::default();
        for id in 0..=SESSIONS_REMEMBERED_MAX as u64 {
            sessions.remember(MemberId::new(id), id * 2);
        }
        assert_eq!(sessions.take(MemberId::new(0)), None);
        assert_eq!(sessions.take(MemberId::new(1)), Some(2));
        assert_eq!(sessions.take(MemberId::new(1)), None, "it goes on");
    }
}
