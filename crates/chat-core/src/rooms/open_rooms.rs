//! The rooms that members have opened, or are opening.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Weak;

use chat_proto::Name;

use crate::room::{Room, Shared};
use crate::rooms::pending_room::PendingRoom;

/// The network that has opened a room, if that counts.
type Opener = Option<IpAddr>;

/// Rooms that members have opened; some of them may be gone.
#[derive(Default)]
pub(crate) struct OpenRooms {
    rooms: BTreeMap<Name, (Weak<Shared>, Opener)>,
    /// Those whose journals are being read.
    openings: HashMap<Name, (PendingRoom, Opener)>,
    /// The name of each of both, by its skeleton.
    by_skeleton: HashMap<String, Name>,
}

impl OpenRooms {
    /// The room of this name, or one that looks like it, if it is still there.
    pub(crate) fn get(&self, name: &Name) -> Option<Room> {
        let mut names = name.lookalikes().into_iter().filter_map(|skeleton| self.by_skeleton.get(&skeleton));
        names.find_map(|name| Room::upgrade(&self.rooms.get(name)?.0))
    }

    /// The room of this name, or one that looks like it, if it is being opened.
    pub(crate) fn opening(&self, name: &Name) -> Option<PendingRoom> {
        let mut names = name.lookalikes().into_iter().filter_map(|skeleton| self.by_skeleton.get(&skeleton));
        names.find_map(|name| Some(self.openings.get(name)?.0.clone()))
    }

    /// A room of this name is being opened from now on.
    pub(crate) fn begin(&mut self, name: &Name, opener: Opener) -> PendingRoom {
        self.note_skeletons(name);
        let opening = PendingRoom::of(name.clone());
        self.openings.insert(name.clone(), (opening.clone(), opener));
        opening
    }

    /// A room of this name is no longer being opened. Returns its opener.
    pub(crate) fn end(&mut self, name: &Name) -> Opener {
        self.openings.remove(name).and_then(|(_, opener)| opener)
    }

    pub(crate) fn insert(&mut self, name: &Name, room: &Room, opener: Opener) {
        self.note_skeletons(name);
        self.rooms.insert(name.clone(), (room.downgrade(), opener));
    }

    fn note_skeletons(&mut self, name: &Name) {
        for skeleton in name.lookalikes() {
            self.by_skeleton.insert(skeleton, name.clone());
        }
    }

    pub(crate) fn forget_gone(&mut self) {
        self.rooms.retain(|_, (room, _)| room.strong_count() > 0);
        self.by_skeleton.retain(|_, name| self.rooms.contains_key(name) || self.openings.contains_key(name));
    }

    /// How many of those that are there, or are being opened, this network has opened.
    pub(crate) fn opened_by(&self, network: IpAddr) -> usize {
        let there = self.rooms.values().filter(|(room, _)| room.strong_count() > 0);
        let openers = there.map(|(_, opener)| opener).chain(self.openings.values().map(|(_, opener)| opener));
        openers.filter(|&&opener| opener == Some(network)).count()
    }

    /// How many there are, including those that are being opened.
    pub(crate) fn len(&self) -> usize {
        self.rooms.len() + self.openings.len()
    }

    /// Handles on those that are there, by name.
    pub(crate) fn present(&self) -> impl Iterator<Item = Room> {
        self.rooms.values().filter_map(|(room, _)| Room::upgrade(room))
    }
}
