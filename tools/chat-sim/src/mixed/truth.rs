//! Records what the rooms accepted, by local members that hear everything.

mod rooms;

use std::cell::{RefCell, RefMut};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chat_core::Rooms;
use chat_core::access::{Banned, Mute};
use chat_proto::{Author, Entry, Event, LeaveReason, MemberId, PeerAddr, Text};

use self::rooms::RoomTruth;
use super::private_messages::Whispers;

/// The text with which a room is closed: its last message.
pub(super) const FAREWELL: &str = "farewell.";

/// A member of one of the rooms: the room's place, and the room's id for the member.
pub(super) type InRoom = (usize, MemberId);

/// Everything that has happened in the rooms, and the first event that must not have happened.
#[derive(Debug)]
pub(super) struct Truth {
    rooms: Vec<RoomTruth>,
    /// All memberships, in the order in which they began.
    stays: Vec<Stay>,
    /// The indexes of the stays of each peer that entered without a name, by the addresses under which they began or ended.
    by_address: HashMap<PeerAddr, Vec<usize>>,
    /// The indexes of the stays that were shown by a name, by whose name it is.
    by_who: HashMap<String, Vec<usize>>,
    /// Addresses that both a member over TCP and a member over UDP have had.
    shared: RefCell<HashSet<PeerAddr>>,
    /// The private messages. They are in no log, so the members themselves note them.
    whispers: RefCell<Whispers>,
    /// Members that an operator has muted, and the sessions that their mutes are kept under. If a room has a journal, messages from before may still come.
    muted: HashMap<InRoom, (u64, MemberId)>,
    /// The names that the mutes hold for, in all rooms.
    muted_names: HashSet<String>,
    banned: Vec<Banned>,
    /// Messages whose author was shown with a tag because another member had the same address.
    tagged: u64,
    joined: u64,
    renamed: u64,
    moved: u64,
    fault: Option<String>,
}

/// A membership, as the room announced it.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    pub(super) room: usize,
    pub(super) member: MemberId,
    /// The number of the last message before it began.
    pub(super) since: u64,
    /// The number of the last message before it ended.
    pub(super) until: Option<u64>,
    pub(super) left: Option<LeaveReason>,
    /// How the member is shown.
    author: Author,
    /// It ended after the farewell.
    left_late: bool,
}

impl Stay {
    /// Whether the member was still there when the room began to close. Ask only while the room is closing.
    pub(super) fn lasts_until_closing(&self) -> bool {
        self.left.is_none() || self.left_late
    }
}

impl Truth {
    pub(super) fn new(rooms: &Rooms) -> Self {
        Self {
            rooms: rooms.all().iter().map(RoomTruth::new).collect(),
            stays: Vec::new(),
            by_address: HashMap::new(),
            by_who: HashMap::new(),
            shared: RefCell::default(),
            whispers: RefCell::default(),
            muted: HashMap::new(),
            muted_names: HashSet::new(),
            banned: Vec::new(),
            tagged: 0,
            joined: 0,
            renamed: 0,
            moved: 0,
            fault: None,
        }
    }

    /// Records everything that is new in the rooms.
    pub(super) fn listen(&mut self) {
        for room in 0..self.rooms.len() {
            loop {
                match self.rooms[room].hear() {
                    Ok(Some(entry)) => self.take(room, &entry),
                    Ok(None) => break,
                    Err(fault) => return self.fail(fault),
                }
            }
        }
    }

    fn take(&mut self, room: usize, entry: &Arc<Entry>) {
        let fault = match &entry.event {
            Event::Said { from, author, .. } => {
                let is_tagged = matches!(author, Author::Tagged { .. });
                let is_shared = author.address().is_some_and(|address| self.is_shared(address));
                self.tagged += u64::from(is_tagged && is_shared);
                let fault = self.rooms[room].said(entry);
                fault.or_else(|| self.speaks_wrongly((room, from.member), author))
            }
            Event::Joined { member, author, .. } => {
                self.joined += 1;
                let is_there = self.is_there((room, *member)).is_some();
                let is_banned = self.is_banned(author);
                self.stays.push(Stay {
                    room,
                    member: *member,
                    since: entry.seq,
                    until: None,
                    left: None,
                    author: author.clone(),
                    left_late: false,
                });
                self.list(author, self.stays.len() - 1);
                self.moved += u64::from(room > 0);
                match (is_there, is_banned) {
                    (true, _) => Some("joined twice"),
                    (_, true) => Some("is banned"),
                    _ => None,
                }
            }
            Event::Left { member, author, reason, .. } => match self.is_there((room, *member)) {
                Some(place) => {
                    let left_late = self.rooms[room].is_closed();
                    let stay = &mut self.stays[place];
                    (stay.left, stay.left_late) = (Some(reason.clone()), left_late);
                    stay.until = Some(entry.seq);
                    let is_renamed = is_another(&stay.author, author);
                    self.list(author, place);
                    is_renamed.then_some("left under another name")
                }
                None => Some("left who was not there"),
            },
            Event::Renamed { member, from, to } => {
                self.renamed += 1;
                self.rooms[room].renamed(entry);
                let is_banned = self.is_banned(to);
                match self.is_there((room, *member)) {
                    Some(_) if is_banned => Some("takes a banned name"),
                    Some(place) => {
                        let before = std::mem::replace(&mut self.stays[place].author, to.clone());
                        self.list(to, place);
                        is_another(&before, from).then_some("is renamed from another name")
                    }
                    None => Some("is renamed and not there"),
                }
            }
            _ => None,
        };
        if let Some(fault) = fault {
            self.fail(format!("room {room}: {entry:?}: {fault}"));
        }
    }

    /// What is wrong with a message of this member that is shown as `author`.
    fn speaks_wrongly(&self, member: InRoom, author: &Author) -> Option<&'static str> {
        let stay = self.stay(member)?;
        // What a journal has not committed comes under the name that its author had when saying it.
        let may_be_late = self.has_journal();
        let has_muted_name =
            matches!(author, Author::Named(name) if self.muted_names.contains(name.as_str()));
        if self.muted.contains_key(&member) || has_muted_name {
            return Some("is of a member that is muted");
        }
        (!may_be_late && is_another(&stay.author, author))
            .then_some("is shown under another name than its author has")
    }

    fn fail(&mut self, fault: String) {
        self.fault.get_or_insert(fault);
    }

    /// The index of the member's present stay, if it is present.
    fn is_there(&self, member: InRoom) -> Option<usize> {
        self.stays.iter().rposition(|stay| (stay.room, stay.member) == member && stay.left.is_none())
    }

    /// Lists the stay under the author's name or address. A session may end under another address than it began with.
    fn list(&mut self, author: &Author, place: usize) {
        let places = match (author, author.address()) {
            (_, Some(address)) => self.by_address.entry(address).or_default(),
            (Author::Named(name), _) => self.by_who.entry(who_is(name.as_str()).to_owned()).or_default(),
            _ => return,
        };
        if places.last() != Some(&place) {
            places.push(place);
        }
    }

    pub(super) fn fault(&self) -> Option<&String> {
        self.fault.as_ref()
    }

    /// Whether the room has a journal, which may be late. Without one there are several rooms.
    pub(super) fn has_journal(&self) -> bool {
        self.rooms.len() == 1
    }

    // ---- messages ------------------------------------------------------------------------------

    pub(super) fn room(&self, room: usize) -> &RoomTruth {
        &self.rooms[room]
    }

    /// The place of the room of this name. A room that is the only one has no name.
    pub(super) fn place_of(&self, name: Option<&str>) -> Option<usize> {
        self.rooms.iter().position(|room| room.name() == name)
    }

    /// The number of messages in all rooms.
    pub(super) fn messages(&self) -> u64 {
        self.rooms.iter().map(RoomTruth::head).sum()
    }

    /// What the remote member `who` said, in each room in the room's order.
    pub(super) fn said<'t>(&'t self, who: &str) -> Vec<&'t [Text]> {
        self.rooms.iter().map(|room| room.said_by(who)).collect()
    }

    pub(super) fn whispers(&self) -> RefMut<'_, Whispers> {
        self.whispers.borrow_mut()
    }

    // ---- memberships ---------------------------------------------------------------------------

    /// The last membership that began or ended under this address. `None` if a TCP and a UDP member share the address:
    /// then nobody can tell which of them it was.
    pub(super) fn membership(&self, peer: PeerAddr) -> Option<&Stay> {
        if self.is_shared(peer) {
            return None;
        }
        self.by_address.get(&peer)?.last().map(|&place| &self.stays[place])
    }

    /// The last time that this member was in its room.
    pub(super) fn stay(&self, member: InRoom) -> Option<&Stay> {
        self.stays.iter().rfind(|stay| (stay.room, stay.member) == member)
    }

    /// The memberships of the plain member `who` at this address, oldest first. It may have taken its name to another room.
    pub(super) fn memberships(&self, peer: PeerAddr, who: &str) -> Vec<&Stay> {
        let listed = |places: Option<&Vec<usize>>| places.map_or_else(Vec::new, Clone::clone);
        let mut places = listed(self.by_address.get(&peer));
        places.extend(listed(self.by_who.get(who)));
        places.sort_unstable();
        places.dedup();
        places.iter().map(|&place| &self.stays[place]).collect()
    }

    /// Where the plain member `who` is, or else was last.
    pub(super) fn last_membership(&self, peer: PeerAddr, who: &str) -> Option<&Stay> {
        let stays = self.memberships(peer, who);
        stays.iter().rfind(|stay| stay.left.is_none()).or(stays.last()).copied()
    }

    /// How many members have joined and not left.
    pub(super) fn present(&self) -> usize {
        self.stays.iter().filter(|stay| stay.left.is_none()).count()
    }

    /// Notes that a member over TCP and one over UDP have this address.
    pub(super) fn share(&self, address: PeerAddr) {
        self.shared.borrow_mut().insert(address);
    }

    pub(super) fn is_shared(&self, address: PeerAddr) -> bool {
        self.shared.borrow().contains(&address)
    }

    // ---- operators -----------------------------------------------------------------------------

    /// An operator has muted this member, which is shown like this. All earlier entries must have been heard.
    pub(super) fn mute(&mut self, member: InRoom, mute: &Mute, shown: &str) {
        self.muted.insert(member, (mute.epoch, mute.member));
        if let Author::Named(name) = Author::from_shown(shown) {
            self.muted_names.insert(name.to_string());
        }
    }

    /// An operator has lifted the mutes that held for the member which is shown like this: those of its address are others' mutes, too.
    pub(super) fn unmute(&mut self, lifted: &[Mute], shown: &str) {
        self.muted.retain(|_, session| lifted.iter().all(|mute| (mute.epoch, mute.member) != *session));
        self.muted_names.remove(shown);
    }

    /// Nobody that this covers joins from now on.
    pub(super) fn ban(&mut self, who: Banned) {
        self.banned.push(who);
    }

    fn is_banned(&self, author: &Author) -> bool {
        self.banned.iter().any(|banned| match (banned, author) {
            (Banned::Network(network), _) => {
                author.address().is_some_and(|address| network.contains(address.ip()))
            }
            (Banned::Name(banned), Author::Named(name)) => banned == name,
            (Banned::Name(_), _) => false,
        })
    }

    // ---- counts --------------------------------------------------------------------------------

    pub(super) fn tagged(&self) -> u64 {
        self.tagged
    }

    pub(super) fn joined(&self) -> u64 {
        self.joined
    }

    pub(super) fn renamed(&self) -> u64 {
        self.renamed
    }

    pub(super) fn moved(&self) -> u64 {
        self.moved
    }
}

/// Whether these two are different names. The address of a session may change, but its name does not change by itself.
fn is_another(before: &Author, now: &Author) -> bool {
    let is_named = matches!(before, Author::Named(_)) || matches!(now, Author::Named(_));
    is_named && before != now
}

/// Members of a run take names that begin with their own: `m3-1`.
pub(super) fn who_is(name: &str) -> &str {
    name.split_once('-').map_or(name, |(who, _)| who)
}

#[cfg(test)]
mod tests;
