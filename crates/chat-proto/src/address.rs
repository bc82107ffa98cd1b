//! Addresses of peers in one spelling, so that equal peers are equal everywhere.

use std::{
    fmt,
    net::{AddrParseError, IpAddr, SocketAddr, SocketAddrV6},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A peer's address in its one canonical form.
///
/// An IPv4 address that arrived through an IPv6 socket (`::ffff:192.0.2.1`) becomes the IPv4
/// address it is, and the flow information of an IPv6 address becomes 0. The scope of an IPv6
/// address is kept. So `Display` and `FromStr` are inverse, and the same peer has the same address
/// whichever socket it came through. serde writes and reads it as that string.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddr(Octets);

/// The parts of an address, as they are kept in memory. A `SocketAddr` takes 32 bytes, which counts where there is one
/// per member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// The same address without the scope of an IPv6 address.
    #[must_use]
    pub fn without_scope(self) -> PeerAddr {
        PeerAddr(match self.0 {
            Octets::V6 { ip, port, .. } => Octets::V6 { ip, port, scope: 0 },
            v4 @ Octets::V4(..) => v4,
        })
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

impl Serialize for PeerAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PeerAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PeerAddr, D::Error> {
        crate::text::deserialize_str(deserializer, |s| s.parse().map_err(D::Error::custom))
    }
}
