//! What may be chosen about the UDP transport.

use std::net::{IpAddr, Ipv6Addr};

use chat_proto::PeerAddr;

/// Options of a [`UdpServer`](crate::UdpServer).
///
/// ```
/// use chat_udp::{PlainPolicy, UdpConfig};
///
/// let framed_only = UdpConfig::default().with_plain(PlainPolicy::Off);
/// assert!(!framed_only.announce);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct UdpConfig {
    /// From where plain datagrams are taken. Default [`PlainPolicy::Local`].
    pub plain: PlainPolicy,
    /// Whether plain members are told of joins and leaves. Default no: a plain peer that expects
    /// nothing but `[ip:port] text` shall not be surprised.
    pub announce: bool,
}

impl UdpConfig {
    /// Sets [`plain`](Self::plain).
    #[must_use]
    pub fn with_plain(mut self, plain: PlainPolicy) -> Self {
        self.plain = plain;
        self
    }

    /// Sets [`announce`](Self::announce).
    #[must_use]
    pub fn with_announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }
}

/// From where plain datagrams are taken; others are met with silence.
///
/// A plain peer cannot prove his address, and once he has said something he is sent the whole room
/// for a minute. From a forged address that is an attack on whoever has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlainPolicy {
    /// From nowhere.
    Off,
    /// From this machine and from private networks: loopback, RFC 1918, link-local and unique
    /// local addresses (RFC 4193).
    #[default]
    Local,
    /// From anywhere. Only where the network itself lets no forged addresses in.
    Any,
}

impl PlainPolicy {
    pub(crate) fn admits(self, peer: PeerAddr) -> bool {
        match self {
            PlainPolicy::Off => false,
            PlainPolicy::Local => is_local(peer.ip()),
            PlainPolicy::Any => is_of_one(peer.ip()),
        }
    }
}

fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip == Ipv6Addr::LOCALHOST || ip.is_unicast_link_local() || ip.is_unique_local(),
    }
}

/// Whether an answer would go to one machine.
fn is_of_one(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_broadcast() && !ip.is_multicast() && !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    #[test]
    fn local_are_this_machine_and_private_networks() {
        let admits =
            |policy: PlainPolicy, ip: &str| policy.admits(SocketAddr::new(ip.parse().unwrap(), 1).into());
        for ip in [
            "127.9.9.9",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.9",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(admits(PlainPolicy::Local, ip), "{ip}");
        }
        for ip in ["8.8.8.8", "172.32.0.1", "192.0.2.1", "100.64.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!admits(PlainPolicy::Local, ip), "{ip}");
            assert!(admits(PlainPolicy::Any, ip), "{ip}");
        }
        for ip in ["255.255.255.255", "224.0.0.1", "0.0.0.0", "ff02::1", "::"] {
            assert!(!admits(PlainPolicy::Any, ip), "{ip}");
            assert!(!admits(PlainPolicy::Local, ip), "{ip}");
        }
        assert!(!admits(PlainPolicy::Off, "127.0.0.1"));
    }
}
