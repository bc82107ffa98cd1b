//! The peers that are not members yet, bounded so that idle ones lock nobody out.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use chat_core::network_of;

/// Newcomers by age: all of them, and those of each address.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    by_key: HashMap<usize, (Instant, IpAddr)>,
    by_age: BTreeSet<(Instant, usize)>,
    by_network: HashMap<IpAddr, BTreeSet<(Instant, usize)>>,
}

impl Newcomers {
    /// Counts a newcomer. Returns the oldest one from its address, if there are more than `per_address_max` by now.
    pub(crate) fn insert(
        &mut self,
        key: usize,
        address: SocketAddr,
        now: Instant,
        per_address_max: usize,
    ) -> Option<usize> {
        let network = network_of(address);
        self.by_key.insert(key, (now, network));
        self.by_age.insert((now, key));
        let sharing = self.by_network.entry(network).or_default();
        sharing.insert((now, key));
        sharing.first().filter(|_| sharing.len() > per_address_max).map(|&(_, key)| key)
    }

    pub(crate) fn remove(&mut self, key: usize) {
        let Some((came, network)) = self.by_key.remove(&key) else { return };
        self.by_age.remove(&(came, key));
        if let Some(sharing) = self.by_network.get_mut(&network) {
            sharing.remove(&(came, key));
            if sharing.is_empty() {
                self.by_network.remove(&network);
            }
        }
    }

    /// The one that has been a newcomer longest.
    pub(crate) fn oldest(&self) -> Option<usize> {
        self.by_age.first().map(|&(_, key)| key)
    }
}
