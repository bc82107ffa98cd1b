//! The mutes in force, for all rooms of a server: each holds for a session and for the member's identity, so that a new
//! session does not end it.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_proto::{Author, MemberId, Name, PeerAddr, Text};

use crate::access::admission::network_of;
use crate::limits::MUTES_MAX;
use crate::waker::Waker;

/// The mutes of a server, in all its rooms ([`Room::mute_list`](crate::Room::mute_list)). A clone shares them.
///
/// The list is only in memory: the embedder stores it ([`MuteList::mutes`]) and restores it ([`MuteList::mute`]).
#[derive(Clone, Debug, Default)]
pub struct MuteList(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    mutes: Mutex<Mutes>,
    /// Most servers have none. Then a member that speaks does not take the lock.
    has_had_any: AtomicBool,
    on_change: Mutex<Vec<Waker>>,
}

/// A mute in force. It holds for a session, and for all that have the name, the proof or the address.
///
/// `Display` is its line in the list of `/mute`: `ann`, or `192.0.2.7:5, and everyone from 192.0.2.7`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mute {
    /// The room of the session, by its epoch.
    pub epoch: u64,
    /// The session.
    pub member: MemberId,
    /// The member as it was shown when it was muted.
    pub who: Author,
    /// Its name; names that look like it are muted, too.
    pub name: Option<Name>,
    /// Who its transport knew it to be.
    pub proof: Option<Text>,
    /// An IPv4 address, or an IPv6 /64 network. All members from there are muted, except operators.
    pub address: Option<IpAddr>,
}

/// The epoch of a room, and a session of it.
pub(crate) type Session = (u64, MemberId);

/// A key by which mutes are found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Cover {
    Session(Session),
    /// One of [`Name::lookalikes`].
    Skeleton(String),
    Proof(String),
    Address(IpAddr),
}

/// What is known of a member, to find the mutes that hold for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) session: Session,
    pub(crate) name: Option<&'a Name>,
    pub(crate) proof: Option<&'a Text>,
    /// `None` if mutes of addresses do not hold for it.
    pub(crate) address: Option<IpAddr>,
}

impl MuteList {
    /// Adds a mute, or what it holds for to one of the same session. Returns the whole, or `None` if there are
    /// [`MUTES_MAX`] others.
    pub fn mute(&self, mute: Mute) -> Option<Mute> {
        self.0.has_had_any.store(true, Ordering::Release);
        let whole = self.lock().insert(mute);
        self.wake();
        whole
    }

    /// The mutes in force, sorted by how the members were shown.
    #[must_use]
    pub fn mutes(&self) -> Vec<Mute> {
        self.lock().list()
    }

    /// Calls `waker` after each mute and each lift from now on, for code that stores the list. It must be quick and
    /// must not use the rooms. It is called as long as the list is there.
    pub fn add_waker(&self, waker: Waker) {
        self.0.on_change.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }

    /// Lifts the mutes of the members that had these sessions when they were muted.
    pub(crate) fn lift(&self, sessions: impl IntoIterator<Item = Session>) -> Vec<Mute> {
        let mut mutes = self.lock();
        let lifted: Vec<Mute> = sessions.into_iter().filter_map(|session| mutes.lift(session)).collect();
        drop(mutes);
        if !lifted.is_empty() {
            self.wake();
        }
        lifted
    }

    /// Ends the mutes that hold for this session alone, which is over. Returns them.
    pub(crate) fn end(&self, session: Session) -> Vec<Mute> {
        if !self.0.has_had_any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let sessions = self.lock().of_session_alone(session);
        self.lift(sessions)
    }

    /// As [`Mutes::moved`].
    pub(crate) fn moved(&self, from: Session, to: Session) {
        self.lock().moved(from, to);
    }

    pub(crate) fn is_muted(&self, who: Known<'_>) -> bool {
        self.0.has_had_any.load(Ordering::Acquire) && self.lock().is_muted(who)
    }

    /// As [`Mutes::of`].
    pub(crate) fn of(&self, who: Known<'_>) -> Vec<Session> {
        self.lock().of(who)
    }

    /// As [`Mutes::shown`].
    pub(crate) fn shown(&self, who: &str) -> Vec<Session> {
        self.lock().shown(who)
    }

    fn lock(&self) -> MutexGuard<'_, Mutes> {
        // Every change is complete before anything can panic.
        self.0.mutes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without a lock, so that a waker may look at the list.
    fn wake(&self) {
        let on_change = self.0.on_change.lock().unwrap_or_else(PoisonError::into_inner).clone();
        on_change.iter().for_each(Waker::wake);
    }
}

/// The mutes, by the session that was muted. Finding those of a member costs the same however many there are.
#[derive(Debug, Default)]
struct Mutes {
    mutes: HashMap<Session, (Mute, Vec<Cover>)>,
    index: HashMap<Cover, Vec<Session>>,
}

impl Mutes {
    /// Adds a mute, or what it holds for to one of the same session. Returns the whole, or `None` if there are
    /// [`MUTES_MAX`] others.
    fn insert(&mut self, mut mute: Mute) -> Option<Mute> {
        let session = (mute.epoch, mute.member);
        let before = self.mutes.get(&session).map(|(before, _)| before);
        if before.is_none() && self.mutes.len() >= MUTES_MAX {
            return None;
        }
        mute.address = mute.address.or(before.and_then(|before| before.address));
        if before == Some(&mute) {
            return Some(mute); // the member may be in another room now
        }
        self.lift(session);
        let skeletons = mute.name.iter().flat_map(Name::lookalikes).map(Cover::Skeleton);
        let proof = mute.proof.iter().map(|proof| Cover::Proof(proof.to_string()));
        let address = mute.address.map(Cover::Address);
        let covers: Vec<Cover> =
            skeletons.chain(proof).chain(address).chain([Cover::Session(session)]).collect();
        for cover in &covers {
            self.index.entry(cover.clone()).or_default().push(session);
        }
        self.mutes.insert(session, (mute.clone(), covers));
        Some(mute)
    }

    /// Lifts the mute of the member that had this session when it was muted.
    fn lift(&mut self, session: Session) -> Option<Mute> {
        let (mute, covers) = self.mutes.remove(&session)?;
        for cover in covers {
            if let Some(sessions) = self.index.get_mut(&cover) {
                sessions.retain(|&of| of != session);
                if sessions.is_empty() {
                    self.index.remove(&cover);
                }
            }
        }
        Some(mute)
    }

    /// A member goes on in another room, as another session.
    fn moved(&mut self, from: Session, to: Session) {
        let (from, to) = (Cover::Session(from), Cover::Session(to));
        let Some(sessions) = self.index.remove(&from) else { return };
        for session in &sessions {
            if let Some((_, covers)) = self.mutes.get_mut(session) {
                covers.retain(|cover| *cover != from);
                covers.push(to.clone());
            }
        }
        self.index.entry(to).or_default().extend(sessions);
    }

    /// The mutes that hold for nothing but this session.
    fn of_session_alone(&self, session: Session) -> Vec<Session> {
        let cover = Cover::Session(session);
        let is_alone = |of: &&Session| {
            self.mutes.get(of).is_some_and(|(_, covers)| covers.len() == 1 && covers.contains(&cover))
        };
        self.index.get(&cover).into_iter().flatten().filter(is_alone).copied().collect()
    }

    fn is_muted(&self, who: Known<'_>) -> bool {
        !self.index.is_empty() && covers_of(who).any(|cover| self.index.contains_key(&cover))
    }

    /// The sessions of the mutes that hold for a member.
    fn of(&self, who: Known<'_>) -> Vec<Session> {
        self.find(covers_of(who))
    }

    /// The sessions of the mutes of a member that was shown like this, or of this name or address. It need not be here.
    fn shown(&self, who: &str) -> Vec<Session> {
        let skeletons = who.parse().ok().map(|name: Name| name.lookalikes());
        let address = who.parse::<PeerAddr>().map(network_of);
        let address = address.or_else(|_| {
            who.parse().map(|ip: IpAddr| network_of(PeerAddr::from(std::net::SocketAddr::new(ip, 0))))
        });
        let covers = skeletons.into_iter().flatten().map(Cover::Skeleton);
        let mut sessions = self.find(covers.chain(address.ok().map(Cover::Address)));
        let author = Author::from_shown(who);
        sessions.extend(self.mutes.iter().filter(|(_, (mute, _))| mute.who == author).map(|(&of, _)| of));
        sessions
    }

    fn find(&self, covers: impl Iterator<Item = Cover>) -> Vec<Session> {
        covers.filter_map(|cover| self.index.get(&cover)).flatten().copied().collect()
    }

    /// Sorted by how the members were shown.
    fn list(&self) -> Vec<Mute> {
        let mut list: Vec<Mute> = self.mutes.values().map(|(mute, _)| mute.clone()).collect();
        list.sort_by_cached_key(|mute| (mute.who.to_string(), mute.member));
        list
    }
}

fn covers_of(who: Known<'_>) -> impl Iterator<Item = Cover> {
    let proof = who.proof.map(|proof| Cover::Proof(proof.to_string()));
    let quick = [Some(Cover::Session(who.session)), who.address.map(Cover::Address), proof];
    let skeletons = who.name.into_iter().flat_map(Name::lookalikes).map(Cover::Skeleton);
    quick.into_iter().flatten().chain(skeletons)
}

impl Mute {
    /// A mute of a session alone. The other fields say for whom else it holds.
    #[must_use]
    pub fn of_session(epoch: u64, member: MemberId, who: Author) -> Self {
        Self { epoch, member, who, name: None, proof: None, address: None }
    }
}

impl fmt::Display for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{}, and everyone from {address}", self.who),
            None => self.who.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: u64, name: &str) -> (Session, Mute) {
        let (member, name) = (MemberId::new(number), name.parse::<Name>().unwrap());
        let mute = Mute { name: Some(name.clone()), ..Mute::of_session(7, member, Author::Named(name)) };
        ((7, member), mute)
    }

    fn nobody(number: u64) -> Known<'static> {
        Known { session: (7, MemberId::new(number)), name: None, proof: None, address: None }
    }

    #[test]
    fn a_mute_holds_for_a_session_a_name_and_what_looks_like_it_a_proof_and_an_address() {
        let mut mutes = Mutes::default();
        let (session, mut mute) = named(1, "Iris");
        let (proof, address) = ("uid:1000".parse::<Text>().unwrap(), "192.0.2.7".parse::<IpAddr>().unwrap());
        (mute.proof, mute.address) = (Some(proof.clone()), Some(address));
        assert_eq!(mutes.insert(mute.clone()), Some(mute.clone()));
        let (lookalike, bob) = ("lris".parse::<Name>().unwrap(), "bob".parse::<Name>().unwrap());
        assert!(mutes.is_muted(nobody(1)));
        assert!(mutes.is_muted(Known { name: Some(&lookalike), ..nobody(2) }));
        assert!(mutes.is_muted(Known { proof: Some(&proof), ..nobody(2) }));
        assert!(mutes.is_muted(Known { address: Some(address), ..nobody(2) }));
        assert!(!mutes.is_muted(Known { name: Some(&bob), ..nobody(2) }));
        assert!(!mutes.is_muted(Known { session: (8, session.1), ..nobody(1) }), "another room");
        for who in ["IRIS", "192.0.2.7", "192.0.2.7:9"] {
            assert!(mutes.shown(who).contains(&session), "{who}");
        }
        assert_eq!(mutes.list()[0].to_string(), "Iris, and everyone from 192.0.2.7");
        assert_eq!(mutes.lift(session), Some(mute));
        assert!(mutes.index.is_empty() && mutes.mutes.is_empty());
    }

    #[test]
    fn of_two_mutes_of_one_name_the_other_one_still_holds() {
        let mut mutes = Mutes::default();
        let (one, other) = (named(1, "ann"), named(2, "Ann"));
        let who = other.1.name.clone().unwrap();
        assert!(mutes.insert(one.1).is_some() && mutes.insert(other.1).is_some());
        assert!(mutes.lift(one.0).is_some());
        assert!(mutes.is_muted(Known { name: Some(&who), ..nobody(3) }));
        assert!(mutes.lift(other.0).is_some());
        assert!(mutes.index.is_empty());
    }

    #[test]
    fn a_mute_goes_along_to_another_room_and_leaves_nothing_behind() {
        let mut mutes = Mutes::default();
        let (session, mute) = named(1, "ann");
        let there = (8, MemberId::new(5));
        assert!(mutes.insert(mute.clone()).is_some());
        mutes.moved(session, there);
        assert!(mutes.insert(mute).is_some(), "a repetition changes nothing");
        assert!(mutes.is_muted(Known { session: there, ..nobody(5) }) && !mutes.is_muted(nobody(1)));
        assert_eq!(mutes.of(Known { session: there, ..nobody(5) }), [session]);
        assert!(mutes.lift(session).is_some() && mutes.index.is_empty());
    }

    #[test]
    fn the_mutes_are_bounded_and_a_lifted_one_makes_room() {
        let mut mutes = Mutes::default();
        let number = |number: usize| named(number as u64, "ann");
        for (_, mute) in (0..MUTES_MAX).map(number) {
            assert!(mutes.insert(mute).is_some());
        }
        let (_, mute) = number(MUTES_MAX);
        assert_eq!(mutes.insert(mute.clone()), None);
        let (old, again) = number(7);
        assert!(mutes.insert(again).is_some(), "it replaces another one");
        assert!(mutes.lift(old).is_some() && mutes.insert(mute).is_some());
    }
}
