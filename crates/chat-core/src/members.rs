//! Who is in the room: remote members by id, and how many share an address.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use chat_proto::PeerAddr;

use crate::rate::RateLimit;

/// A remote member of one room. Never given out twice: a place that is taken again has another
/// generation, so a late answer for who is gone cannot reach his successor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberId {
    index: u32,
    generation: u32,
}

impl MemberId {
    /// The id as one number, for a wire format.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The id that [`as_u64`](Self::as_u64) made this number of.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "takes the number apart again")]
    pub fn from_u64(id: u64) -> Self {
        Self { index: id as u32, generation: (id >> 32) as u32 }
    }
}

impl fmt::Debug for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberId({}.{})", self.index, self.generation)
    }
}

/// What the room keeps of a remote member: a few dozen bytes.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) peer: PeerAddr,
    /// The attachment it came through.
    pub(crate) attachment: usize,
    /// The transport's own number for its peer.
    pub(crate) key: usize,
    /// The message after which his membership began.
    pub(crate) since: u64,
    pub(crate) pace: RateLimit,
    /// Messages of his that the room took.
    pub(crate) accepted: u64,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    member: Option<Member>,
}

#[derive(Debug, Default)]
pub(crate) struct Members {
    places: Vec<Place>,
    free: Vec<u32>,
    by_network: HashMap<IpAddr, u32>,
    count: usize,
}

impl Members {
    pub(crate) fn insert(&mut self, member: Member) -> MemberId {
        *self.by_network.entry(network_of(member.peer)).or_default() += 1;
        self.count += 1;
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).expect("a room cannot hold 2^32 members in memory")
        });
        let place = &mut self.places[index as usize];
        place.member = Some(member);
        MemberId { index, generation: place.generation }
    }

    pub(crate) fn remove(&mut self, id: MemberId) -> Option<Member> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation != id.generation {
            return None;
        }
        let member = place.member.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.index);
        self.count -= 1;
        let network = network_of(member.peer);
        if let Some(count) = self.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.by_network.remove(&network);
            }
        }
        Some(member)
    }

    pub(crate) fn get(&self, id: MemberId) -> Option<&Member> {
        let place = self.places.get(id.index as usize)?;
        place.member.as_ref().filter(|_| place.generation == id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: MemberId) -> Option<&mut Member> {
        let place = self.places.get_mut(id.index as usize)?;
        place.member.as_mut().filter(|_| place.generation == id.generation)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        (0u32..).zip(&self.places).filter_map(|(index, place)| {
            let member = place.member.as_ref()?;
            Some((MemberId { index, generation: place.generation }, member))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Members that count against the same limit as `peer`.
    pub(crate) fn sharing_network_with(&self, peer: PeerAddr) -> usize {
        self.by_network.get(&network_of(peer)).map_or(0, |&count| count as usize)
    }
}

/// What counts as one address in limits: an IPv4 address, or the IPv6 /64 that one subscriber gets.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn member(peer: &str) -> Member {
        Member {
            peer: peer.parse().unwrap(),
            attachment: 0,
            key: 0,
            since: 0,
            pace: RateLimit::default(),
            accepted: 0,
        }
    }

    #[test]
    fn a_place_taken_again_has_another_id() {
        let mut members = Members::default();
        let first = members.insert(member("192.0.2.1:1"));
        assert!(members.remove(first).is_some());
        assert!(members.remove(first).is_none());
        let second = members.insert(member("192.0.2.1:2"));
        assert_ne!(first, second);
        assert!(members.get(first).is_none());
        assert_eq!(members.get(second).map(|member| member.peer.port()), Some(2));
        assert_eq!(MemberId::from_u64(second.as_u64()), second);
    }

    #[test]
    fn addresses_are_counted_by_ipv4_address_and_ipv6_network() {
        let mut members = Members::default();
        let a = members.insert(member("192.0.2.1:1"));
        members.insert(member("[2001:db8::1]:1"));
        members.insert(member("[2001:db8::2:0:0:1]:1"));
        members.insert(member("127.0.0.1:1"));
        let count = |members: &Members, peer: &str| members.sharing_network_with(peer.parse().unwrap());
        assert_eq!(count(&members, "192.0.2.1:9"), 1);
        assert_eq!(count(&members, "192.0.2.2:9"), 0);
        assert_eq!(count(&members, "[2001:db8::ffff]:9"), 2);
        assert_eq!(count(&members, "[2001:db8:0:1::1]:9"), 0);
        assert_eq!(count(&members, "127.0.0.1:2"), 1);
        members.remove(a);
        assert_eq!(count(&members, "192.0.2.1:9"), 0);
    }
}
