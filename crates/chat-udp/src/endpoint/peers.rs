//! All peers: by session, by address, in the order in which they are served, and by deadline.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use chat_core::transport::{Deadlines, FeedId, Index, Listed, Membership, Places};
use chat_proto::SessionId;

use crate::limits::GONE_MAX;
use crate::plain::Plain;
use crate::route::Route;
use crate::session::Session;

/// A peer with or without the framed protocol.
#[derive(Debug)]
pub(crate) enum Peer {
    Session(Box<Session>),
    Plain(Box<Plain>),
}

impl Peer {
    fn address(&self) -> SocketAddr {
        match self {
            Peer::Session(session) => session.address(),
            Peer::Plain(plain) => plain.address(),
        }
    }

    pub(crate) fn member(&self) -> Option<Membership> {
        match self {
            Peer::Session(session) => session.member(),
            Peer::Plain(plain) => Some(plain.member()),
        }
    }

    /// Sequence number of the last message that it has got, as far as that is known.
    pub(crate) fn seq(&self) -> u64 {
        match self {
            Peer::Session(session) => session.acked_seq(),
            Peer::Plain(plain) => plain.seq(),
        }
    }

    fn deadline(&self) -> Instant {
        match self {
            Peer::Session(session) => session.deadline(),
            Peer::Plain(plain) => plain.deadline(),
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self, Peer::Session(session) if session.is_gone())
    }
}

#[derive(Debug)]
struct Place {
    peer: Peer,
    /// The feed that has it among its members.
    room: Option<FeedId>,
    /// Which of the server's addresses the peer uses: one of [`Peers::locals`], counted from 1, or 0 if the system
    /// chooses. The address itself would take 16 more bytes per member.
    local: u8,
    /// In the queue.
    queued: bool,
    /// The deadline under which it is listed; the true one may be later.
    listed: Listed,
    /// In the list of ended sessions.
    gone: bool,
}

/// One peer per address, one address per peer.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    places: Places<Place>,
    /// Addresses of the server that peers use, at most 255.
    locals: Vec<IpAddr>,
    by_session: Index,
    by_address: Index,
    queue: VecDeque<usize>,
    deadlines: Deadlines,
    /// Sessions that have ended, the oldest first.
    gone: VecDeque<(usize, SessionId)>,
}

impl Peers {
    /// Adds a peer, at an address where there is none.
    pub(crate) fn insert(&mut self, peer: Peer, room: FeedId) -> usize {
        let (address, session) = (peer.address(), session_of(&peer));
        debug_assert!(self.at(address).is_none(), "two peers at {address}");
        let key = self.places.insert(Place {
            peer,
            room: Some(room),
            local: 0,
            queued: false,
            listed: Listed::default(),
            gone: false,
        });
        self.by_address.insert(&address, key, |key| address_at(&self.places, key));
        if let Some(session) = session {
            self.by_session.insert(&session, key, |key| session_at(&self.places, key));
        }
        key
    }

    /// The key that the next added peer gets.
    pub(crate) fn next_key(&self) -> usize {
        self.places.next_key()
    }

    pub(crate) fn remove(&mut self, key: usize) -> Peer {
        let Place { peer, mut listed, .. } = self.places.remove(key).expect("there is a peer with this key");
        self.deadlines.remove(&mut listed);
        self.by_address.remove(&peer.address(), key);
        if let Some(session) = session_of(&peer) {
            self.by_session.remove(&session, key);
        }
        peer
    }

    pub(crate) fn get(&self, key: usize) -> Option<&Peer> {
        self.places.get(key).map(|place| &place.peer)
    }

    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut Peer> {
        self.places.get_mut(key).map(|place| &mut place.peer)
    }

    /// The feed of the room that the peer is in.
    pub(crate) fn room(&self, key: usize) -> Option<FeedId> {
        self.places.get(key)?.room
    }

    /// The room that the peer is in from now on, and the one before.
    pub(crate) fn set_room(&mut self, key: usize, room: Option<FeedId>) -> Option<FeedId> {
        std::mem::replace(&mut self.places.get_mut(key)?.room, room)
    }

    /// Which of the server's addresses the peer uses from now on.
    pub(crate) fn set_local(&mut self, key: usize, local: Option<IpAddr>) {
        let Some(place) = self.places.get_mut(key) else { return };
        if local != local_at(&self.locals, place.local) {
            place.local = local.and_then(|local| number_of(&mut self.locals, local)).unwrap_or(0);
        }
    }

    /// The path to a peer.
    pub(crate) fn route(&self, key: usize) -> Option<Route> {
        let place = self.places.get(key)?;
        Some(Route { peer: place.peer.address(), local: local_at(&self.locals, place.local) })
    }

    pub(crate) fn at(&self, address: SocketAddr) -> Option<usize> {
        self.by_address.find(&address, |key| address_at(&self.places, key))
    }

    pub(crate) fn session(&mut self, id: SessionId) -> Option<(usize, &mut Session)> {
        let key = self.key_of(id)?;
        match &mut self.places[key].peer {
            Peer::Session(session) => Some((key, session)),
            Peer::Plain(_) => None,
        }
    }

    fn key_of(&self, id: SessionId) -> Option<usize> {
        self.by_session.find(&id, |key| session_at(&self.places, key))
    }

    /// Moves a session to an address where there is no peer.
    pub(crate) fn move_session(&mut self, key: usize, address: SocketAddr, now: Instant) {
        let Peer::Session(session) = &mut self.places[key].peer else { return };
        self.by_address.remove(&session.address(), key);
        session.move_to(address, now);
        self.by_address.insert(&address, key, |key| address_at(&self.places, key));
    }

    /// How many peers there are, members or not.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether all remaining peers know that they are no longer members.
    pub(crate) fn are_gone(&self) -> bool {
        self.places.iter().all(|(_, place)| place.peer.is_gone())
    }

    /// The plain peer that has been silent longest.
    pub(crate) fn stalest_plain(&self) -> Option<usize> {
        let plain = self.places.iter().filter_map(|(key, place)| match &place.peer {
            Peer::Plain(plain) => Some((plain.heard(), key)),
            Peer::Session(_) => None,
        });
        plain.min().map(|(_, key)| key)
    }

    // ---- queue and deadlines -------------------------------------------------------------------

    /// Puts the peer into the queue.
    pub(crate) fn enqueue(&mut self, key: usize) {
        if let Some(place) = self.places.get_mut(key)
            && !std::mem::replace(&mut place.queued, true)
        {
            self.queue.push_back(key);
        }
    }

    /// The next peer to serve.
    pub(crate) fn dequeue(&mut self) -> Option<usize> {
        loop {
            let key = self.queue.pop_front()?;
            // A place in the queue may outlive its peer, and another peer may have both the place and the key by now.
            if let Some(place) = self.places.get_mut(key)
                && std::mem::take(&mut place.queued)
            {
                return Some(key);
            }
        }
    }

    /// Lists the peer where it must be served again. Call it after any change that may affect its deadline.
    pub(crate) fn settle(&mut self, key: usize) {
        let Some(place) = self.places.get_mut(key) else { return };
        self.deadlines.list(key, &mut place.listed, place.peer.deadline());
        if place.peer.is_gone() && !std::mem::replace(&mut place.gone, true) {
            self.gone.extend(session_of(&place.peer).map(|session| (key, session)));
            if self.gone.len() > GONE_MAX {
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((key, session)) = self.gone.pop_front()
            && self.key_of(session) == Some(key)
        {
            self.remove(key);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// A peer whose deadline has passed. The caller must settle or remove it.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        loop {
            let key = self.deadlines.pop_due(now)?;
            let Some(place) = self.places.get_mut(key) else { continue };
            place.listed = Listed::default();
            if place.peer.deadline() <= now {
                return Some(key);
            }
            self.settle(key);
        }
    }
}

fn local_at(locals: &[IpAddr], number: u8) -> Option<IpAddr> {
    locals.get(usize::from(number).checked_sub(1)?).copied()
}

/// The number of an address, which is added if necessary; `None` if there are too many.
fn number_of(locals: &mut Vec<IpAddr>, local: IpAddr) -> Option<u8> {
    let place = locals.iter().position(|&known| known == local).unwrap_or(locals.len());
    let number = u8::try_from(place + 1).ok()?;
    if place == locals.len() {
        locals.push(local);
    }
    Some(number)
}

fn address_at(places: &Places<Place>, key: usize) -> Option<SocketAddr> {
    places.get(key).map(|place| place.peer.address())
}

fn session_at(places: &Places<Place>, key: usize) -> Option<SessionId> {
    places.get(key).and_then(|place| session_of(&place.peer))
}

fn session_of(peer: &Peer) -> Option<SessionId> {
    match peer {
        Peer::Session(session) => Some(session.id()),
        Peer::Plain(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_than_255_own_addresses_the_system_chooses() {
        let mut locals = Vec::new();
        let ip = |number: u32| IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        let numbers: Vec<_> = (0..1_000).map(|number| number_of(&mut locals, ip(number))).collect();
        assert!(numbers[..255].iter().all(Option::is_some) && numbers[255..].iter().all(Option::is_none));
        assert_eq!(locals.len(), 255);
        for number in 0..255 {
            assert_eq!(number_of(&mut locals, ip(number)), numbers[number as usize]);
            assert_eq!(local_at(&locals, numbers[number as usize].unwrap()), Some(ip(number)));
        }
        assert_eq!(local_at(&locals, 0), None);
    }

    #[test]
    fn a_place_holds_little_besides_its_peer() {
        assert!(size_of::<Place>() <= size_of::<Peer>() + 24, "{}", size_of::<Place>());
    }
}
