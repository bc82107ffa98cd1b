//! The list of bans, with their ends and reasons.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_proto::{Name, NameError, Network, Text};

use crate::access::gate::{JoinRequest, Refusal};
use crate::limits::BANS_MAX;
use crate::waker::Waker;

/// Bans of addresses, networks and names. A clone shares them.
///
/// The list is only in memory: the embedder stores it ([`BanList::bans`]) and restores it ([`BanList::ban`]). Times are
/// milliseconds of Unix time, so that a ban means the same after a restart. An expired ban counts as lifted.
///
/// A lookup costs one step for each length of network prefix in use, and two for a name.
///
/// ```
/// use chat_core::RoomConfig;
/// use chat_core::access::{Ban, BanList};
///
/// let bans = BanList::new();
/// bans.ban(Ban { who: "192.0.2.0/24".parse()?, why: "spam".parse()?, until_unix_ms: None })?;
/// let config = RoomConfig::default().with_bans(bans.clone());
/// assert_eq!(bans.bans(0).len(), 1);
/// # drop(config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BanList(Arc<Mutex<Bans>>);

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The peers that it keeps out.
    pub who: Banned,
    /// What the peer is told; may be empty.
    pub why: Text,
    /// When it ends; `None` for a ban that does not.
    pub until_unix_ms: Option<u64>,
}

/// The peers that a ban keeps out. `Display` and `FromStr` are inverse: `192.0.2.7`, `2001:db8::/32`, `ann`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Banned {
    /// All peers from an address of this network, which may be a single address.
    Network(Network),
    /// All peers with this name, or one that looks like it.
    Name(Name),
}

#[derive(Debug, Default)]
struct Bans {
    networks: HashMap<Network, Ban>,
    /// The prefix lengths in use, and of how many networks: each length is looked up.
    prefixes: BTreeMap<u8, usize>,
    names: HashMap<Name, Ban>,
    /// From the skeleton of a name to the banned name. No two banned names look alike.
    lookalikes: HashMap<String, Name>,
    on_change: Vec<Waker>,
}

impl BanList {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a ban. One of the same subject, or of a name that looks like this one, is replaced.
    ///
    /// # Errors
    ///
    /// [`BanListFull`] with the ban, if there are [`BANS_MAX`] others.
    pub fn ban(&self, ban: Ban) -> Result<(), BanListFull> {
        let mut bans = self.lock();
        // A name may look like two others that do not look alike.
        while bans.remove(&ban.who).is_some() {}
        if bans.len() >= BANS_MAX {
            return Err(BanListFull { ban });
        }
        bans.insert(ban);
        wake(bans);
        Ok(())
    }

    /// Lifts a ban, and returns it if there was one. For a name, this may be the ban of one that looks like it.
    pub fn unban(&self, who: &Banned) -> Option<Ban> {
        let mut bans = self.lock();
        let lifted = bans.remove(who);
        if lifted.is_some() {
            wake(bans);
        }
        lifted
    }

    /// Calls `waker` after each ban and each lift from now on, for code that stores the list or passes it on. It is
    /// called as long as the list is there. The expiry of a ban does not call it.
    pub fn add_waker(&self, waker: Waker) {
        self.lock().on_change.push(waker);
    }

    /// The bans in force at this time, sorted by subject. Removes the expired ones.
    #[must_use]
    pub fn bans(&self, unix_ms: u64) -> Vec<Ban> {
        let mut bans = self.lock();
        bans.forget_ended(unix_ms);
        let mut list: Vec<Ban> = bans.networks.values().chain(bans.names.values()).cloned().collect();
        list.sort_by_cached_key(|ban| ban.who.to_string());
        list
    }

    /// The ban that keeps this peer out, if there is one.
    #[must_use]
    pub fn find(&self, request: &JoinRequest<'_>) -> Option<Ban> {
        let bans = self.lock();
        let is_in_force = |ban: &&Ban| ban.until_unix_ms.is_none_or(|until| request.unix_ms < until);
        let of_network = bans.of_address(request.address.ip()).find(is_in_force);
        of_network.or_else(|| bans.of_name(request.name?).filter(is_in_force)).cloned()
    }

    pub(crate) fn admit(&self, request: &JoinRequest<'_>) -> Result<(), Refusal> {
        self.find(request).map_or(Ok(()), |ban| Err(Refusal { why: ban.why }))
    }

    /// Makes room where bans have run out.
    pub(crate) fn forget_ended(&self, unix_ms: u64) {
        self.lock().forget_ended(unix_ms);
    }

    fn lock(&self) -> MutexGuard<'_, Bans> {
        // Every change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the lock, so that the waker may look at the list.
fn wake(bans: MutexGuard<'_, Bans>) {
    let on_change = bans.on_change.clone();
    drop(bans);
    on_change.iter().for_each(Waker::wake);
}

impl Bans {
    fn len(&self) -> usize {
        self.networks.len() + self.names.len()
    }

    fn insert(&mut self, ban: Ban) {
        match &ban.who {
            Banned::Network(network) => {
                *self.prefixes.entry(network.prefix()).or_default() += 1;
                self.networks.insert(*network, ban);
            }
            Banned::Name(name) => {
                for lookalike in name.lookalikes() {
                    self.lookalikes.insert(lookalike, name.clone());
                }
                self.names.insert(name.clone(), ban);
            }
        }
    }

    fn remove(&mut self, who: &Banned) -> Option<Ban> {
        match who {
            Banned::Network(network) => {
                let ban = self.networks.remove(network)?;
                let prefix = network.prefix();
                if let Some(count) = self.prefixes.get_mut(&prefix) {
                    *count -= 1;
                    if *count == 0 {
                        self.prefixes.remove(&prefix);
                    }
                }
                Some(ban)
            }
            Banned::Name(name) => {
                let banned = self.banned_like(name)?.clone();
                for lookalike in banned.lookalikes() {
                    self.lookalikes.remove(&lookalike);
                }
                self.names.remove(&banned)
            }
        }
    }

    fn of_address(&self, ip: IpAddr) -> impl Iterator<Item = &Ban> {
        let networks = self.prefixes.keys().map(move |&prefix| Network::new(ip, prefix));
        networks.filter_map(|network| self.networks.get(&network))
    }

    fn of_name(&self, name: &Name) -> Option<&Ban> {
        self.names.get(self.banned_like(name)?)
    }

    fn banned_like(&self, name: &Name) -> Option<&Name> {
        name.lookalikes().iter().find_map(|lookalike| self.lookalikes.get(lookalike))
    }

    fn forget_ended(&mut self, unix_ms: u64) {
        let bans = self.networks.values().chain(self.names.values());
        let has_ended = |ban: &&Ban| ban.until_unix_ms.is_some_and(|until| until <= unix_ms);
        let ended: Vec<Banned> = bans.filter(has_ended).map(|ban| ban.who.clone()).collect();
        for who in ended {
            self.remove(&who);
        }
    }
}

impl fmt::Display for Banned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl FromStr for Banned {
    type Err = BannedError;

    fn from_str(s: &str) -> Result<Self, BannedError> {
        match s.parse() {
            Ok(network) => Ok(Self::Network(network)),
            // A string with a digit in front, or with a colon or a slash, was meant as an address.
            Err(_) if s.starts_with(|c: char| c.is_ascii_digit()) || s.contains([':', '/']) => {
                Err(BannedError::Network)
            }
            Err(_) => Ok(Self::Name(s.parse()?)),
        }
    }
}

/// Why a string is not the subject of a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BannedError {
    /// It looks like an address, but is not a valid one.
    #[error("expected a name, an address without port, or a network such as 10.0.0.0/8")]
    Network,
    /// It is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// The list is full; lift some bans first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {BANS_MAX} bans, which is the most there may be")]
pub struct BanListFull {
    /// The ban that was not added.
    pub ban: Ban,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(who: &str) -> Ban {
        Ban { who: who.parse().unwrap(), why: Text::default(), until_unix_ms: None }
    }

    fn subjects(list: &BanList) -> Vec<String> {
        list.bans(0).iter().map(|ban| ban.who.to_string()).collect()
    }

    #[test]
    fn names_that_look_alike_have_one_ban() {
        let list = BanList::new();
        list.ban(ban("ann")).unwrap();
        list.ban(ban("Ann")).unwrap();
        assert_eq!(subjects(&list), ["Ann"]);
        assert!(list.unban(&"ANN".parse().unwrap()).is_some(), "as it is typed");
        assert!(list.unban(&"ann".parse().unwrap()).is_none());
        assert!(list.lock().lookalikes.is_empty());
    }

    #[test]
    fn a_name_replaces_the_bans_of_all_that_it_looks_like() {
        let list = BanList::new();
        list.ban(ban("iris")).unwrap();
        list.ban(ban("lris")).unwrap();
        assert_eq!(subjects(&list), ["iris", "lris"], "these two do not look alike");
        list.ban(ban("Iris")).unwrap();
        assert_eq!(subjects(&list), ["Iris"]);
        assert_eq!(list.lock().lookalikes.len(), 2);
    }

    #[test]
    fn there_are_at_most_so_many_bans_and_lifting_one_makes_room() {
        let list = BanList::new();
        let address = |number: u32| Ban {
            who: Banned::Network(Network::new(IpAddr::from(number.to_be_bytes()), 32)),
            why: Text::default(),
            until_unix_ms: Some(1),
        };
        let most = u32::try_from(BANS_MAX).unwrap();
        (0..most).for_each(|number| list.ban(address(number)).unwrap());
        assert_eq!(list.ban(ban("ann")), Err(BanListFull { ban: ban("ann") }));
        assert!(list.ban(address(7)).is_ok(), "it replaces another one");
        assert!(list.unban(&address(7).who).is_some());
        assert!(list.ban(ban("ann")).is_ok());
        list.forget_ended(1);
        assert_eq!(subjects(&list), ["ann"]);
        assert!(list.lock().prefixes.is_empty());
    }
}
