//! Addresses of peers in one spelling, so that equal peers are equal everywhere.

use std::{
    fmt,
    net::{AddrParseError, IpAddr, SocketAddr, SocketAddrV6},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A peer's address in its one canonical form.
///
/// An IPv4 address that arrived through an IPv6 socket (`::ffff:192.0.2.1`) becomes the IPv4
/// address it is, and the flow information of an IPv6 address becomes 0. The scope of an IPv6
/// address is kept. So `Display` and `FromStr` are inverse, and the same peer has the same address
/// whichever socket he came through.
///
/// ```
/// use std::net::SocketAddr;
/// use chat_proto::PeerAddr;
///
/// let mapped: SocketAddr = "[::ffff:192.0.2.1]:5555".parse()?;
/// let addr = PeerAddr::from(mapped);
/// assert_eq!(addr.to_string(), "192.0.2.1:5555");
/// assert_eq!("[fe80::1%3]:9".parse::<PeerAddr>()?.to_string(), "[fe80::1%3]:9");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Octets", into = "Octets")]
pub struct PeerAddr(Octets);

/// What an address is made of, in memory and on the wire. A `SocketAddr` takes 32 bytes, which
/// counts where there is one per member; serde's form of it leaves the scope out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Octets {
    V4([u8; 4], u16),
    V6 { ip: [u8; 16], port: u16, scope: u32 },
}

const _: () = assert!(size_of::<PeerAddr>() <= 24);

impl PeerAddr {
    /// The IP address, never an IPv4-mapped one.
    pub fn ip(&self) -> IpAddr {
        match self.0 {
            Octets::V4(ip, _) => IpAddr::from(ip),
            Octets::V6 { ip, .. } => IpAddr::from(ip),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        match self.0 {
            Octets::V4(_, port) | Octets::V6 { port, .. } => port,
        }
    }

    /// The same address as the standard library has it, to send to or to connect to.
    pub fn as_socket_addr(&self) -> SocketAddr {
        match self.0 {
            Octets::V4(ip, port) => SocketAddr::from((ip, port)),
            Octets::V6 { ip, port, scope } => SocketAddrV6::new(ip.into(), port, 0, scope).into(),
        }
    }

    /// Whether the peer is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.ip().is_loopback()
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> PeerAddr {
        let port = addr.port();
        PeerAddr(match (addr.ip().to_canonical(), addr) {
            (IpAddr::V4(ip), _) => Octets::V4(ip.octets(), port),
            (IpAddr::V6(ip), SocketAddr::V6(v6)) => {
                Octets::V6 { ip: ip.octets(), port, scope: v6.scope_id() }
            }
            (IpAddr::V6(_), SocketAddr::V4(_)) => unreachable!("an IPv4 address is canonical"),
        })
    }
}

impl From<PeerAddr> for SocketAddr {
    fn from(addr: PeerAddr) -> SocketAddr {
        addr.as_socket_addr()
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_socket_addr().fmt(f)
    }
}

/// Reads an address with its port in any spelling and makes it canonical.
impl FromStr for PeerAddr {
    type Err = AddrParseError;

    fn from_str(s: &str) -> Result<PeerAddr, AddrParseError> {
        s.parse::<SocketAddr>().map(PeerAddr::from)
    }
}

impl From<PeerAddr> for Octets {
    fn from(addr: PeerAddr) -> Octets {
        addr.0
    }
}

/// Through the public way in, since the sender may not have made it canonical.
impl From<Octets> for PeerAddr {
    fn from(octets: Octets) -> PeerAddr {
        PeerAddr::from(PeerAddr(octets).as_socket_addr())
    }
}
