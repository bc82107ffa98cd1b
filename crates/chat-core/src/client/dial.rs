//! The order in which a client tries the addresses of a host.

use std::net::SocketAddr;

use crate::limits::ADDRESSES_MAX;

/// Orders the addresses of a host for connecting, as RFC 8305, section 4, says: the family of the first address
/// begins, then the families alternate. Within a family the order stays. Duplicates are left out, and all but the
/// first [`ADDRESSES_MAX`].
///
/// ```
/// let found = ["[::1]:1", "[::2]:1", "127.0.0.1:1"].map(|address| address.parse().unwrap());
/// let order = chat_core::client::interleaved(found);
/// assert_eq!(order, ["[::1]:1", "127.0.0.1:1", "[::2]:1"].map(|address| address.parse().unwrap()));
/// ```
#[must_use]
pub fn interleaved(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let first_is_ipv6 = unique.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        unique.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::new();
    while order.len() < ADDRESSES_MAX {
        let before = order.len();
        order.extend(first.next());
        order.extend(second.next());
        if order.len() == before {
            break;
        }
    }
    order.truncate(ADDRESSES_MAX);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(addresses: &[&str]) -> Vec<String> {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address"));
        interleaved(addresses).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn families_alternate_and_the_first_address_stays_first() {
        assert_eq!(order(&["1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]), ["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]);
        assert_eq!(order(&["[::1]:1", "[::2]:1", "[::1]:1"]), ["[::1]:1", "[::2]:1"]);
        assert_eq!(order(&[]), [""; 0]);
    }

    #[test]
    fn a_host_with_very_many_addresses_costs_a_bounded_number_of_attempts() {
        let many = (0..1_000_u16).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(interleaved(many).len(), ADDRESSES_MAX);
    }
}
