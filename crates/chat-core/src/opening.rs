//! The addresses of connections that are open and not members yet.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use chat_proto::PeerAddr;

use crate::admission::Admission;
use crate::sync::Mutex;

/// Counts connections by their addresses, without scopes.
#[derive(Debug, Default)]
pub(crate) struct OpeningAddresses(Mutex<HashMap<PeerAddr, usize>>);

impl OpeningAddresses {
    pub(crate) fn contains(&self, address: PeerAddr) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.contains_key(&address.without_scope())
    }

    fn add(&self, address: PeerAddr) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(address).or_default() += 1;
    }

    fn remove(&self, address: PeerAddr) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&address);
            }
        }
        if counts.is_empty() {
            *counts = HashMap::new(); // gives the memory back
        }
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
    address: PeerAddr,
}

impl Opening {
    pub(crate) fn new(admission: Arc<Admission>, address: SocketAddr) -> Self {
        let address = PeerAddr::from(address).without_scope();
        admission.opening().add(address);
        Self { admission, address }
    }

    /// The connection comes from another address, as its proxy tells.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self::new(Arc::clone(&self.admission), address)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.admission.opening().remove(self.address);
    }
}
