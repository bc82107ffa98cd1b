//! The rooms that members have opened.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Weak;

use chat_proto::Name;

use crate::room::{Room, Shared};

/// Rooms that members have opened; some of them may be gone.
#[derive(Default)]
pub(crate) struct OpenRooms {
    /// Each with the network that opened it, if that counts.
    rooms: BTreeMap<Name, (Weak<Shared>, Option<IpAddr>)>,
    /// The name of each, by its looks.
    by_looks: HashMap<String, Name>,
}

impl OpenRooms {
    /// The room of this name, or one that looks like it, if it is still there.
    pub(crate) fn get(&self, name: &Name) -> Option<Room> {
        let mut names = name.lookalikes().into_iter().filter_map(|looks| self.by_looks.get(&looks));
        names.find_map(|name| Room::upgrade(&self.rooms.get(name)?.0))
    }

    pub(crate) fn insert(&mut self, name: &Name, room: &Room, opener: Option<IpAddr>) {
        for looks in name.lookalikes() {
            self.by_looks.insert(looks, name.clone());
        }
        self.rooms.insert(name.clone(), (room.downgrade(), opener));
    }

    pub(crate) fn forget_gone(&mut self) {
        self.rooms.retain(|_, (room, _)| room.strong_count() > 0);
        self.by_looks.retain(|_, name| self.rooms.contains_key(name));
    }

    /// How many of those that are there this network has opened.
    pub(crate) fn opened_by(&self, network: IpAddr) -> usize {
        let opened = self.rooms.values().filter(|(_, opener)| *opener == Some(network));
        opened.filter(|(room, _)| room.strong_count() > 0).count()
    }

    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Handles on those that are there, by name.
    pub(crate) fn present(&self) -> impl Iterator<Item = Room> {
        self.rooms.values().filter_map(|(room, _)| Room::upgrade(room))
    }
}
