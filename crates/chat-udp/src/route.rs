//! The two addresses of a datagram's path.

use std::net::{IpAddr, SocketAddr};

/// A peer's address, and which of the server's own addresses it uses.
///
/// A server that listens on all addresses of its machine (`0.0.0.0`, `[::]`) must answer from the address that
/// was asked: a peer that is connected to that address accepts no datagram from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The peer's address.
    pub peer: SocketAddr,
    /// The server's address, if the system reports and needs it; `None` for a socket with a single address.
    pub local: Option<IpAddr>,
}

impl From<SocketAddr> for Route {
    fn from(peer: SocketAddr) -> Self {
        Self { peer, local: None }
    }
}
