//! Records what the room accepted, by a local member that hears everything.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chat_core::{Heard, LocalMember, Room};
use chat_proto::{Author, Entry, Event, LeaveReason, MemberId, PeerAddr, Text};

use super::forger::FORGED;

/// The text with which the room is closed: its last message.
pub(super) const FAREWELL: &str = "farewell.";

/// Everything that has happened in the room, and the first event that must not have happened.
#[derive(Debug)]
pub(super) struct Truth {
    local: LocalMember,
    /// Message 1 first.
    messages: Vec<Arc<Entry>>,
    /// The messages of remote members, by the name before the colon in each text.
    said: HashMap<String, Vec<Text>>,
    /// All memberships, in the order in which they began.
    stays: Vec<Stay>,
    /// The indexes of the stays that began or ended under each address.
    by_address: HashMap<PeerAddr, Vec<usize>>,
    /// Addresses that both a member over TCP and a member over UDP have had.
    shared: RefCell<HashSet<PeerAddr>>,
    /// The name before the colon in the texts of each member.
    speakers: HashMap<MemberId, String>,
    /// Messages whose author was shown with a tag because another member had the same address.
    tagged: u64,
    joined: u64,
    /// The room has said the farewell.
    is_closed: bool,
    fault: Option<String>,
}

/// A membership, as the room announced it.
#[derive(Clone, Debug)]
pub(super) struct Stay {
    member: MemberId,
    /// The number of the last message before it began.
    pub(super) since: u64,
    pub(super) left: Option<LeaveReason>,
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
    pub(super) fn new(room: &Room) -> Self {
        Self {
            local: room.join("truth").expect("the first local member"),
            messages: Vec::new(),
            said: HashMap::new(),
            stays: Vec::new(),
            by_address: HashMap::new(),
            shared: RefCell::default(),
            speakers: HashMap::new(),
            tagged: 0,
            joined: 0,
            is_closed: false,
            fault: None,
        }
    }

    /// Records everything that is new in the room.
    pub(super) fn listen(&mut self) {
        while let Ok(heard) = self.local.try_recv() {
            let Heard::Entry(entry) = heard else {
                self.fault.get_or_insert(format!("the local member that knows the truth: {heard:?}"));
                return;
            };
            self.take(&entry);
        }
    }

    fn take(&mut self, entry: &Arc<Entry>) {
        let fault = match &entry.event {
            Event::Said { from, author, text } => {
                let mut is_another = false;
                if let (Some(address), Some((who, _))) = (author.address(), text.as_str().split_once(':')) {
                    self.said.entry(who.to_owned()).or_default().push(text.clone());
                    is_another = self.speakers.entry(from.member).or_insert_with(|| who.to_owned()) != who;
                    let is_tagged = matches!(author, Author::Tagged { .. }) && self.is_shared(address);
                    self.tagged += u64::from(is_tagged);
                }
                self.is_closed |= *author == Author::Room && text.as_str() == FAREWELL;
                self.messages.push(Arc::clone(entry));
                if text.as_str().contains(FORGED) {
                    Some("was forged")
                } else if is_another {
                    Some("is of another member")
                } else {
                    (entry.seq != self.messages.len() as u64).then_some("is not the next message")
                }
            }
            Event::Joined { member, author, .. } => {
                self.joined += 1;
                let is_there = self.is_there(*member).is_some();
                self.stays.push(Stay { member: *member, since: entry.seq, left: None, left_late: false });
                self.list(author, self.stays.len() - 1);
                is_there.then_some("joined twice")
            }
            Event::Left { member, author, reason, .. } => match self.is_there(*member) {
                Some(place) => {
                    let stay = &mut self.stays[place];
                    (stay.left, stay.left_late) = (Some(reason.clone()), self.is_closed);
                    self.list(author, place);
                    None
                }
                None => Some("left who was not there"),
            },
            _ => None,
        };
        if let Some(fault) = fault {
            self.fault.get_or_insert(format!("{entry:?}: {fault}"));
        }
    }

    /// The index of the member's present stay, if it is present.
    fn is_there(&self, member: MemberId) -> Option<usize> {
        self.stays.iter().rposition(|stay| stay.member == member && stay.left.is_none())
    }

    /// Lists the stay under the author's address. A session may end under another address than it began with.
    fn list(&mut self, author: &Author, place: usize) {
        let Some(address) = author.address() else { return };
        let places = self.by_address.entry(address).or_default();
        if places.last() != Some(&place) {
            places.push(place);
        }
    }

    pub(super) fn fault(&self) -> Option<&String> {
        self.fault.as_ref()
    }

    /// The number of the newest message.
    pub(super) fn head(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(super) fn message(&self, seq: u64) -> Option<&Arc<Entry>> {
        self.messages.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The last membership that began or ended under this address. `None` if a TCP and a UDP member share the address:
    /// then nobody can tell which of them it was.
    pub(super) fn membership(&self, peer: PeerAddr) -> Option<&Stay> {
        if self.is_shared(peer) {
            return None;
        }
        self.by_address.get(&peer)?.last().map(|&place| &self.stays[place])
    }

    /// The last time that this member was in the room.
    pub(super) fn stay(&self, member: MemberId) -> Option<&Stay> {
        self.stays.iter().rfind(|stay| stay.member == member)
    }

    /// The memberships under this address, oldest first.
    pub(super) fn memberships(&self, peer: PeerAddr) -> Vec<Stay> {
        let places = self.by_address.get(&peer).map_or(&[][..], Vec::as_slice);
        places.iter().map(|&place| self.stays[place].clone()).collect()
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

    pub(super) fn tagged(&self) -> u64 {
        self.tagged
    }

    pub(super) fn joined(&self) -> u64 {
        self.joined
    }

    /// What the remote member `who` said, in the room's order.
    pub(super) fn said(&self, who: &str) -> &[Text] {
        self.said.get(who).map_or(&[], Vec::as_slice)
    }
}
