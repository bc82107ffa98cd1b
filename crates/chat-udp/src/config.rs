//! The options of the UDP transport.

use std::net::IpAddr;

use chat_proto::{Network, PeerAddr};

/// Options of a [`UdpServer`](crate::UdpServer).
///
/// ```
/// use chat_udp::{PlainPolicy, UdpConfig};
///
/// let framed_only = UdpConfig::default().with_plain(PlainPolicy::Off);
/// # drop(framed_only);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UdpConfig {
    pub(crate) plain: PlainPolicy,
    pub(crate) trusted: Vec<Network>,
    pub(crate) announce: bool,
}

impl UdpConfig {
    /// From where plain datagrams are taken. Default [`PlainPolicy::Ask`].
    #[must_use]
    pub fn with_plain(mut self, plain: PlainPolicy) -> Self {
        self.plain = plain;
        self
    }

    /// Adds a network whose plain peers are members at once, as from loopback, unless [`with_plain`](Self::with_plain)
    /// says [`PlainPolicy::Off`]. Only for networks that let no datagram with a forged source address through. Default:
    /// none is trusted.
    #[must_use]
    pub fn with_trusted(mut self, network: Network) -> Self {
        self.trusted.push(network);
        self
    }

    /// Whether plain members are told of joins and leaves. Default no: a plain peer that expects
    /// only `[ip:port] text` must not be surprised.
    #[must_use]
    pub fn with_announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }

    /// How to treat the first plain datagram of this peer.
    pub(crate) fn admission(&self, peer: PeerAddr) -> Admission {
        let ip = peer.ip();
        let is_trusted = || self.trusted.iter().any(|network| network.contains(ip));
        match self.plain {
            PlainPolicy::Off => Admission::Ignore,
            _ if !is_of_one(ip) => Admission::Ignore,
            _ if ip.is_loopback() || is_trusted() => Admission::Admit,
            PlainPolicy::Loopback => Admission::Ignore,
            PlainPolicy::Ask => Admission::Ask,
            PlainPolicy::Any => Admission::Admit,
        }
    }
}

/// From where plain datagrams are taken; others get no answer.
///
/// The source address of a datagram is easily forged, and a plain member is sent the whole room for a minute
/// after its last word. Without a proof that would be an attack on the owner of the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlainPolicy {
    /// From nowhere.
    Off,
    /// From this machine, whose system lets nobody outside use a loopback address, and from
    /// [trusted](UdpConfig::with_trusted) networks.
    Loopback,
    /// From anywhere. A peer that is neither on this machine nor in a trusted network must first repeat a
    /// number that was sent to its address.
    #[default]
    Ask,
    /// From anywhere, and nobody is asked for a number: every network is trusted.
    Any,
}

/// How to treat a plain peer that is not a member yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Ignore,
    /// It must prove its address.
    Ask,
    Admit,
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

    fn admission(config: &UdpConfig, ip: &str) -> Admission {
        config.admission(SocketAddr::new(ip.parse().unwrap(), 1).into())
    }

    #[test]
    fn loopback_and_trusted_networks_need_no_proof_and_others_do() {
        let of = |plain| {
            let config = UdpConfig::default().with_plain(plain);
            config.with_trusted("10.0.0.0/8".parse().unwrap()).with_trusted("fd00::/8".parse().unwrap())
        };
        for ip in
            ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3", "fd00::1"]
        {
            assert_eq!(admission(&of(PlainPolicy::Off), ip), Admission::Ignore, "{ip}");
            for plain in [PlainPolicy::Loopback, PlainPolicy::Ask, PlainPolicy::Any] {
                assert_eq!(admission(&of(plain), ip), Admission::Admit, "{ip}");
            }
        }
        for ip in ["192.168.0.9", "169.254.1.1", "8.8.8.8", "11.0.0.1", "fe80::1", "2001:db8::1"] {
            assert_eq!(admission(&of(PlainPolicy::Off), ip), Admission::Ignore, "{ip}");
            assert_eq!(admission(&of(PlainPolicy::Loopback), ip), Admission::Ignore, "{ip}");
            assert_eq!(admission(&of(PlainPolicy::Ask), ip), Admission::Ask, "{ip}");
            assert_eq!(admission(&of(PlainPolicy::Any), ip), Admission::Admit, "{ip}");
        }
        assert_eq!(
            admission(&UdpConfig::default(), "10.1.2.3"),
            Admission::Ask,
            "nothing is trusted unless told"
        );
    }

    #[test]
    fn an_address_of_many_machines_is_ignored() {
        let everywhere = UdpConfig::default().with_plain(PlainPolicy::Any);
        let config =
            everywhere.with_trusted("0.0.0.0/0".parse().unwrap()).with_trusted("::/0".parse().unwrap());
        for ip in ["255.255.255.255", "224.0.0.1", "0.0.0.0", "ff02::1", "::"] {
            assert_eq!(admission(&config, ip), Admission::Ignore, "{ip}");
        }
    }
}
