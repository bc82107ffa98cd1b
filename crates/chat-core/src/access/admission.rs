//! The state that all rooms of a server share: counts of members, in all and by address, attempts at the operators'
//! password, and mutes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::PoisonError;

use chat_proto::PeerAddr;

use crate::access::mutes::MuteList;
use crate::access::opening::OpeningAddresses;
use crate::access::operators::Attempts;
use crate::config::RoomConfig;
use crate::error::JoinError;
use crate::stats::{ByTransport, Stats, TransportStats};
use crate::sync::{Mutex, MutexGuard};
use crate::transport::survey::Surveyed;

/// Counts the members of one room, or of several that share it.
#[derive(Debug)]
pub(crate) struct Admission {
    limit_loopback: bool,
    counts: Mutex<Counts>,
    /// Attempts at the operators' password.
    attempts: Mutex<Attempts>,
    mutes: MuteList,
    vanished: Mutex<(Stats, ByTransport)>,
    surveyed: Surveyed,
    opening: OpeningAddresses,
}

#[derive(Debug, Default)]
struct Counts {
    members_max: usize,
    members_per_address_max: usize,
    members: usize,
    by_network: HashMap<IpAddr, usize>,
}

impl Admission {
    pub(crate) fn new(config: &RoomConfig) -> Self {
        let admission = Self {
            limit_loopback: config.limit_loopback,
            counts: Mutex::new(Counts::default()),
            attempts: Mutex::default(),
            mutes: MuteList::default(),
            vanished: Mutex::default(),
            surveyed: Surveyed::default(),
            opening: OpeningAddresses::default(),
        };
        admission.set_limits(config);
        admission
    }

    /// Takes over the limits of members. Members beyond a lower limit stay.
    pub(crate) fn set_limits(&self, config: &RoomConfig) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.members_max = config.members_max;
        counts.members_per_address_max = config.members_per_address_max;
    }

    /// Counts a member that comes from `address`, in place of one at `instead`.
    pub(crate) fn enter(&self, address: PeerAddr, instead: Option<PeerAddr>) -> Result<(), JoinError> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (network, old) = (self.network(address), instead.and_then(|old| self.network(old)));
        counts.check(network, old, instead.is_some())?;
        if instead.is_some() {
            counts.remove(old);
        }
        counts.members += 1;
        if let Some(network) = network {
            *counts.by_network.entry(network).or_default() += 1;
        }
        Ok(())
    }

    /// Whether a member that comes from `address` would be let in.
    pub(crate) fn check(&self, address: PeerAddr) -> Result<(), JoinError> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.check(self.network(address), None, false)
    }

    /// The attempts at the operators' password, in all rooms together.
    pub(crate) fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mutes, in all rooms together.
    pub(crate) fn mutes(&self) -> &MuteList {
        &self.mutes
    }

    /// A member that came from `address` is gone.
    pub(crate) fn leave(&self, address: PeerAddr) {
        let network = self.network(address);
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(network);
    }

    /// A room is gone; its counters go on.
    pub(crate) fn count_vanished(&self, stats: &Stats, by_transport: &[(&'static str, TransportStats)]) {
        let mut vanished = self.vanished.lock().unwrap_or_else(PoisonError::into_inner);
        vanished.0.add_counters(stats);
        for (word, stats) in by_transport {
            vanished.1.of(word).add_counters(stats);
        }
    }

    pub(crate) fn vanished(&self) -> (Stats, Vec<(&'static str, TransportStats)>) {
        let vanished = self.vanished.lock().unwrap_or_else(PoisonError::into_inner);
        (vanished.0, vanished.1.all().to_vec())
    }

    /// The addresses of connections that are not members yet.
    pub(crate) fn opening(&self) -> &OpeningAddresses {
        &self.opening
    }

    /// The I/O threads of the server.
    pub(crate) fn surveyed(&self) -> &Surveyed {
        &self.surveyed
    }

    /// The network that a peer counts against; `None` if it is exempt.
    pub(crate) fn network(&self, peer: PeerAddr) -> Option<IpAddr> {
        (self.limit_loopback || !peer.is_loopback()).then(|| network_of(peer))
    }
}

/// The unit that counts as one address in limits: an IPv4 address, or the IPv6 /64 that one subscriber gets.
#[must_use]
pub fn network_of(peer: impl Into<PeerAddr>) -> IpAddr {
    match peer.into().ip() {
        ip @ IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let mut segments = ip.segments();
            segments[4..].fill(0);
            IpAddr::V6(Ipv6Addr::from(segments))
        }
    }
}

impl Counts {
    /// Whether a member of this network may come, perhaps in place of one of the `old` network.
    fn check(&self, network: Option<IpAddr>, old: Option<IpAddr>, is_instead: bool) -> Result<(), JoinError> {
        if let Some(network) = network {
            let there = self.by_network.get(&network).copied().unwrap_or(0);
            if there - usize::from(old == Some(network)) >= self.members_per_address_max {
                let members_per_address_max = self.members_per_address_max;
                return Err(JoinError::AddressFull { members_per_address_max });
            }
        }
        if self.members - usize::from(is_instead) >= self.members_max {
            return Err(JoinError::RoomFull { members_max: self.members_max });
        }
        Ok(())
    }

    fn remove(&mut self, network: Option<IpAddr>) {
        self.members -= 1;
        if let Some(network) = network
            && let Some(count) = self.by_network.get_mut(&network)
        {
            *count -= 1;
            if *count == 0 {
                self.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(s: &str) -> PeerAddr {
        s.parse().unwrap()
    }

    #[test]
    fn addresses_are_counted_by_ipv4_address_and_ipv6_network() {
        let admission = Admission::new(&RoomConfig::default().with_members_per_address_max(1));
        let enter = |s: &str| admission.enter(address(s), None).is_ok();
        assert!(enter("192.0.2.1:1") && enter("[2001:db8::1]:1") && enter("127.0.0.1:1"));
        assert!(!enter("192.0.2.1:9") && !enter("[2001:db8::2:0:0:1]:1"), "the same network");
        assert!(enter("192.0.2.2:9") && enter("[2001:db8:0:1::1]:9") && enter("127.0.0.1:2"));
        admission.leave(address("192.0.2.1:1"));
        assert!(enter("192.0.2.1:9"));
    }

    #[test]
    fn a_lower_limit_keeps_newcomers_out_and_nobody_in() {
        let admission = Admission::new(&RoomConfig::default());
        let (first, second) = (address("192.0.2.1:1"), address("192.0.2.2:1"));
        assert!(admission.enter(first, None).is_ok() && admission.enter(second, None).is_ok());
        admission.set_limits(&RoomConfig::default().with_members_max(1));
        assert_eq!(admission.enter(first, None), Err(JoinError::RoomFull { members_max: 1 }));
        admission.leave(first);
        assert!(admission.enter(first, None).is_err());
        admission.leave(second);
        assert!(admission.enter(first, None).is_ok());
    }

    #[test]
    fn a_session_that_moves_is_counted_once() {
        let config = RoomConfig::default().with_members_per_address_max(1).with_members_max(1);
        let admission = Admission::new(&config);
        assert!(admission.enter(address("192.0.2.1:1"), None).is_ok());
        assert!(admission.enter(address("192.0.2.1:2"), Some(address("192.0.2.1:1"))).is_ok());
        assert!(admission.enter(address("192.0.2.2:2"), Some(address("192.0.2.1:2"))).is_ok());
        let full = Err(JoinError::RoomFull { members_max: 1 });
        assert_eq!(admission.enter(address("192.0.2.1:1"), None), full);
        admission.leave(address("192.0.2.2:2"));
        assert!(admission.enter(address("192.0.2.1:1"), None).is_ok());
    }
}
