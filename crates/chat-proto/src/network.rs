//! A range of IP addresses, as an operator writes it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// The IP addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8`, or one address alone.
///
/// Bits behind the prefix are ignored. An IPv4-mapped IPv6 address counts as the IPv4 address it is, here
/// as in [`PeerAddr`](crate::PeerAddr).
///
/// ```
/// use chat_proto::Network;
///
/// let network: Network = "192.168.7.1/16".parse()?;
/// assert!(network.contains("192.168.0.9".parse()?));
/// assert!(!network.contains("192.169.0.9".parse()?));
/// assert_eq!(network.to_string(), "192.168.0.0/16");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Canonical; bits behind the prefix are 0.
    ip: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of all addresses that share the first `prefix` bits with `ip`. A prefix that is longer
    /// than the address stands for the address alone.
    #[must_use]
    pub fn new(ip: IpAddr, prefix: u8) -> Network {
        let (ip, prefix) = match (ip, ip.to_canonical()) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_)) if prefix >= MAPPED_BITS => {
                (mapped, prefix - MAPPED_BITS)
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => (ip, prefix),
            (_, canonical) => (canonical, prefix),
        };
        let prefix = prefix.min(bits(ip));
        Network { ip: masked(ip, prefix), prefix }
    }

    /// How many bits its addresses share.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address is in this network.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        bits(ip) == bits(self.ip) && masked(ip, self.prefix) == self.ip
    }
}

/// The bits that make an IPv6 address an IPv4-mapped one.
const MAPPED_BITS: u8 = 96;

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn masked(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from(u32::from(ip) & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from(u128::from(ip) & mask).into()
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Network { ip, prefix } = self;
        if *prefix == bits(*ip) { write!(f, "{ip}") } else { write!(f, "{ip}/{prefix}") }
    }
}

/// Why a string is not a [`Network`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address, or a network such as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(s: &str) -> Result<Network, NetworkError> {
        let (ip, prefix) = s.split_once('/').map_or((s, None), |(ip, prefix)| (ip, Some(prefix)));
        let ip: IpAddr = ip.parse().map_err(|_| NetworkError)?;
        let prefix = match prefix {
            // Digits alone: `parse` would take a sign, too.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
            None => bits(ip),
        };
        if prefix > bits(ip) {
            return Err(NetworkError);
        }
        Ok(Network::new(ip, prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(s: &str) -> Network {
        s.parse().unwrap()
    }

    #[test]
    fn an_address_is_in_a_network_if_its_first_bits_are_the_same() {
        for (of, ip, is_inside) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.0/8", "::10.1.2.3", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.6/31", "192.0.2.7", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.9", false),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("2001:db8::/127", "2001:db8::1", true),
            ("2001:db8::1", "2001:db8::1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
        ] {
            assert_eq!(network(of).contains(ip.parse().unwrap()), is_inside, "{of}: {ip}");
        }
    }

    #[test]
    fn bits_after_the_prefix_are_ignored() {
        for (written, canonical) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3/32", "10.1.2.3"),
            ("10.1.2.3/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("2001:db8::1/128", "2001:db8::1"),
            ("::ffff:10.1.2.3/128", "10.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
        ] {
            assert_eq!(network(written).to_string(), canonical);
            assert_eq!(network(canonical), network(written));
        }
    }

    #[test]
    fn an_invalid_network_is_refused() {
        for bad in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "::/129",
            "10.0.0/8",
            "localhost",
            "10.0.0.0/8/8",
            "10.0.0.0/256",
            "10.0.0.0 /8",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
    }
}
