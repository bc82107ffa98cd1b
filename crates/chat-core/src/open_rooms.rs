//! The rooms that members have opened.

use std::collections::{BTreeMap, HashMap};
use std::sync::Weak;

use chat_proto::Name;

use crate::room::{Room, Shared};

/// Rooms that members have opened; some of them may be gone.
#[derive(Default)]
pub(crate) struct OpenRooms {
    rooms: BTreeMap<Name, Weak<Shared>>,
    /// The name of each, by its looks.
    by_looks: HashMap<String, Name>,
}

impl OpenRooms {
    /// The room of this name, or one that looks like it, if it is still there.
    pub(crate) fn get(&self, name: &Name) -> Option<Room> {
        let mut names = name.lookalikes().into_iter().filter_map(|looks| self.by_looks.get(&looks));
        names.find_map(|name| Room::upgrade(self.rooms.get(name)?))
    }

    pub(crate) fn insert(&mut self, name: &Name, room: &Room) {
        for looks in name.lookalikes() {
            self.by_looks.insert(looks, name.clone());
        }
        self.rooms.insert(name.clone(), room.downgrade());
    }

    pub(crate) fn forget_gone(&mut self) {
        self.rooms.retain(|_, room| room.strong_count() > 0);
        self.by_looks.retain(|_, name| self.rooms.contains_key(name));
    }

    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Handles on those that are there, by name.
    pub(crate) fn present(&self) -> impl Iterator<Item = Room> {
        self.rooms.values().filter_map(Room::upgrade)
    }
}
