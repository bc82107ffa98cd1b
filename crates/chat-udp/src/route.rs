//! Between which two addresses a datagram travels.

use std::net::{IpAddr, SocketAddr};

/// A peer's address, and which of the server's own addresses it uses.
///
/// A server that listens on all addresses of its machine (`0.0.0.0`, `[::]`) must answer from the one that
/// was asked: a peer that is connected to that address takes nothing from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The peer's address.
    pub peer: SocketAddr,
    /// The server's address, where the system tells it or is to be told: not with a socket that has just one.
    pub local: Option<IpAddr>,
}

impl From<SocketAddr> for Route {
    fn from(peer: SocketAddr) -> Self {
        Self { peer, local: None }
    }
}
