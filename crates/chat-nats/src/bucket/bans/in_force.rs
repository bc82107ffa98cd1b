//! The bans in force at this server, by the keys that they have in the bucket.

use std::collections::{HashMap, HashSet};

use chat_core::Room;
use chat_core::access::{Ban, BanListFull, Banned};

use crate::layout::ban_key;

/// The bans of this server's list.
#[derive(Debug)]
pub(crate) struct InForce {
    room: Room,
    /// Those that were in force when they were looked through last, or came from the bucket since.
    subjects: HashMap<String, Banned>,
}

/// The bans that are in force at one moment.
#[derive(Debug, Default)]
pub(crate) struct There {
    /// By their keys.
    pub(crate) bans: HashMap<String, Ban>,
    /// All that their names look like. A name may look like two others that do not look alike.
    skeletons: HashSet<String>,
}

impl There {
    pub(crate) fn new(bans: Vec<Ban>) -> Self {
        let mut there = Self::default();
        for ban in bans {
            if let Banned::Name(name) = &ban.who {
                there.skeletons.extend(name.lookalikes());
            }
            there.bans.insert(ban_key(&ban.who), ban);
        }
        there
    }

    /// Whether the list has a ban of a name that looks like this one. It has only one of them.
    pub(crate) fn has_lookalike(&self, who: &Banned) -> bool {
        matches!(who, Banned::Name(name) if name.lookalikes().iter().any(|skeleton| self.skeletons.contains(skeleton)))
    }
}

impl InForce {
    pub(crate) fn new(room: Room) -> Self {
        let mut in_force = Self { room, subjects: HashMap::new() };
        in_force.look();
        in_force
    }

    pub(crate) fn unix_ms(&self) -> u64 {
        self.room.unix_ms()
    }

    /// The bans in force now.
    pub(crate) fn look(&mut self) -> There {
        let there = There::new(self.room.bans());
        self.subjects = there.bans.iter().map(|(key, ban)| (key.clone(), ban.who.clone())).collect();
        there
    }

    /// Puts a ban of the bucket into force here. False if it has ended by the clock here.
    pub(crate) fn hold(&mut self, key: &str, ban: &Ban) -> Result<bool, BanListFull> {
        let is_due = ban.until_unix_ms.is_none_or(|until| until > self.unix_ms());
        if is_due {
            self.room.ban(ban)?;
            self.subjects.insert(key.to_owned(), ban.who.clone());
        }
        Ok(is_due)
    }

    /// The bucket no longer has the ban with this key. A ban of a name that only looks like it stays.
    pub(crate) fn lift(&mut self, key: &str) {
        if let Some(who) = self.subjects.remove(key)
            && self.room.bans().iter().any(|ban| ban.who == who)
        {
            self.room.unban(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_core::RoomConfig;

    use super::*;

    fn ban(who: &str) -> Ban {
        Ban { who: who.parse().unwrap(), why: "spam".parse().unwrap(), until_unix_ms: None }
    }

    fn key(who: &str) -> String {
        ban_key(&who.parse().unwrap())
    }

    #[test]
    fn a_lift_elsewhere_lifts_its_own_ban_and_not_that_of_a_lookalike() {
        let room = Room::new(RoomConfig::default());
        room.ban(&ban("ann")).unwrap();
        let mut in_force = InForce::new(room.clone());
        in_force.hold(&key("lris"), &ban("lris")).unwrap();
        in_force.hold(&key("Iris"), &ban("Iris")).unwrap();
        in_force.lift(&key("lris"));
        assert_eq!(room.bans().len(), 2, "{:?}", room.bans());
        in_force.lift(&key("ANN"));
        assert_eq!(room.bans(), [ban("Iris")], "one of before the start");
        in_force.lift(&key("Iris"));
        assert_eq!(room.bans(), []);
    }
}
