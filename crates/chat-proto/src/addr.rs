//! Addresses of peers in one spelling, so that equal peers are equal everywhere.

use std::{
    fmt,
    net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
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
#[serde(from = "Wire", into = "Wire")]
pub struct PeerAddr(SocketAddr);

impl PeerAddr {
    /// The IP address, never an IPv4-mapped one.
    pub fn ip(&self) -> IpAddr {
        self.0.ip()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// The same address as the standard library has it, to send to or to connect to.
    pub fn as_socket_addr(&self) -> SocketAddr {
        self.0
    }

    /// Whether the peer is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.0.ip().is_loopback()
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> PeerAddr {
        match addr {
            SocketAddr::V4(_) => PeerAddr(addr),
            SocketAddr::V6(v6) => match v6.ip().to_canonical() {
                IpAddr::V4(ip) => PeerAddr(SocketAddr::from((ip, v6.port()))),
                IpAddr::V6(ip) => {
                    PeerAddr(SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into())
                }
            },
        }
    }
}

impl From<PeerAddr> for SocketAddr {
    fn from(addr: PeerAddr) -> SocketAddr {
        addr.0
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads an address with its port in any spelling and makes it canonical.
impl FromStr for PeerAddr {
    type Err = AddrParseError;

    fn from_str(s: &str) -> Result<PeerAddr, AddrParseError> {
        s.parse::<SocketAddr>().map(PeerAddr::from)
    }
}

/// An address as it travels. Serde's own form of a socket address leaves the scope out.
#[derive(Serialize, Deserialize)]
enum Wire {
    V4([u8; 4], u16),
    V6 { ip: [u8; 16], port: u16, scope: u32 },
}

impl From<PeerAddr> for Wire {
    fn from(addr: PeerAddr) -> Wire {
        match addr.0 {
            SocketAddr::V4(v4) => Wire::V4(v4.ip().octets(), v4.port()),
            SocketAddr::V6(v6) => Wire::V6 {
                ip: v6.ip().octets(),
                port: v6.port(),
                scope: v6.scope_id(),
            },
        }
    }
}

impl From<Wire> for PeerAddr {
    fn from(wire: Wire) -> PeerAddr {
        match wire {
            Wire::V4(ip, port) => PeerAddr(SocketAddr::from((Ipv4Addr::from(ip), port))),
            Wire::V6 { ip, port, scope } => {
                // Through the public way in, since the sender may not have made it canonical.
                SocketAddr::from(SocketAddrV6::new(Ipv6Addr::from(ip), port, 0, scope)).into()
            }
        }
    }
}
