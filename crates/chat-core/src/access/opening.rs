//! The addresses of connections that are open and not members yet.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use chat_proto::PeerAddr;

use crate::access::admission::Admission;
use crate::sync::{Mutex, MutexGuard};

/// Counts connections by the hashes of their addresses, without scopes. There may be ten thousand at once, and a hash
/// takes a third of the memory. Two addresses with one hash would only cost a member a tag behind its address.
#[derive(Debug, Default)]
pub(crate) struct OpeningAddresses {
    hasher: RandomState,
    counts: Mutex<HashMap<u64, u32>>,
}

impl OpeningAddresses {
    pub(crate) fn contains(&self, address: PeerAddr) -> bool {
        self.counts().contains_key(&self.hash(address))
    }

    /// Returns the hash.
    fn add(&self, address: PeerAddr) -> u64 {
        let hash = self.hash(address);
        *self.counts().entry(hash).or_default() += 1;
        hash
    }

    fn remove(&self, hash: u64) {
        let mut counts = self.counts();
        if let Entry::Occupied(mut count) = counts.entry(hash) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        if counts.is_empty() {
            *counts = HashMap::new(); // gives the memory back
        }
    }

    fn hash(&self, address: PeerAddr) -> u64 {
        self.hasher.hash_one(address.without_scope())
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection from a proven address that may become a member. While this exists, no member whose address is unproven
/// is shown as that address alone: it would speak in the name of the connection.
///
/// A transport that has such connections makes one at accept, and drops it once the peer has joined.
/// [`Rooms::opening`](crate::Rooms::opening) makes them.
#[derive(Debug)]
pub struct Opening {
    admission: Arc<Admission>,
    hash: u64,
}

impl Opening {
    pub(crate) fn new(admission: Arc<Admission>, address: SocketAddr) -> Self {
        let hash = admission.opening().add(address.into());
        Self { admission, hash }
    }

    /// The connection comes from another address, as its proxy says.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self::new(Arc::clone(&self.admission), address)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.admission.opening().remove(self.hash);
    }
}
