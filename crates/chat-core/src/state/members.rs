//! The remote members of the room: by place, by id and by how they are shown.

use std::collections::BTreeSet;
use std::fmt;

use chat_proto::{Author, MemberId, Name, PeerAddr, Tag, Text};

use crate::access::identity::Identity;
use crate::index::Index;
use crate::places::Chunks;
use crate::state::profile::{Profile, Standing};

/// One membership over one connection: a transport's handle on a member.
///
/// A resumed session gets another membership and keeps its [`MemberId`]. No membership is ever given out twice. So
/// messages that still arrive over an old connection cannot affect the member that goes on over a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Membership {
    index: u32,
    generation: u32,
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Membership({}.{})", self.index, self.generation)
    }
}

/// The room's state of a remote member.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) address: PeerAddr,
    /// The attachment it came through.
    pub(crate) attachment: u32,
    /// The transport's own number for its peer.
    pub(crate) key: u32,
    /// Distinguishes it from members with the same address: how often the tag of its transport was already taken.
    /// 0 if it is shown as its address.
    pub(crate) tag_count: u16,
    /// The transport knows that the peer is really at this address.
    pub(crate) is_proven: bool,
    /// It was welcomed, and so can resume its session.
    pub(crate) is_framed: bool,
    /// When its connection was made, in milliseconds since the room began.
    pub(crate) came_ms: u64,
    /// The message after which the membership began, or went on.
    pub(crate) since: u64,
    /// `None` for a member that has only listened.
    pub(crate) profile: Option<Box<Profile>>,
}

const _: () = assert!(size_of::<Member>() <= 72, "there may be ten thousand");

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    member: Option<Member>,
}

#[derive(Debug, Default)]
pub(crate) struct Members {
    places: Chunks<Place>,
    free: Vec<u32>,
    by_id: Index,
    /// By how they are shown without a name.
    by_base: Index,
    /// Members that have not answered their welcome yet, with the times of their joins.
    unanswered: BTreeSet<(u64, Membership)>,
    count: usize,
}

impl Members {
    /// Adds a member. It is shown as its address or, if another one is already shown like that, with a tag; `tag_of`
    /// returns the tag of an attachment's transport.
    pub(crate) fn insert(&mut self, mut member: Member, tag_of: impl Fn(u32) -> &'static str) -> Membership {
        member.tag_count = self.choose_tag_count(&member, &tag_of);
        self.count += 1;
        let (id, base) = (member.id, member.base());
        let index = self.free.pop().unwrap_or_else(|| {
            u32::try_from(self.places.push(Place::default()))
                .expect("a room cannot hold 2^32 members in memory")
        });
        let place = self.places.get_mut(index as usize).expect("it is free, or was just added");
        place.member = Some(member);
        let membership = Membership { index, generation: place.generation };
        self.by_id.insert(&id, index as usize, |place| at(&self.places, place).map(|member| member.id));
        self.by_base.insert(&base, index as usize, |place| at(&self.places, place).map(Member::base));
        membership
    }

    pub(crate) fn remove(&mut self, key: Membership) -> Option<Member> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let member = place.member.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        self.count -= 1;
        self.unanswered.remove(&(member.came_ms, key));
        self.by_id.remove(&member.id, key.index as usize);
        self.by_base.remove(&member.base(), key.index as usize);
        Some(member)
    }

    /// Records whether a member must still answer its welcome.
    pub(crate) fn set_unanswered(&mut self, key: Membership, is_unanswered: bool) {
        let Some(came_ms) = self.get(key).map(|member| member.came_ms) else { return };
        if is_unanswered {
            self.unanswered.insert((came_ms, key));
        } else {
            self.unanswered.remove(&(came_ms, key));
        }
    }

    /// The member that has not answered its welcome for the longest time, other than `except`.
    pub(crate) fn oldest_unanswered(&self, except: Option<Membership>) -> Option<Membership> {
        self.unanswered.iter().map(|&(_, key)| key).find(|&key| Some(key) != except)
    }

    pub(crate) fn get(&self, key: Membership) -> Option<&Member> {
        let place = self.places.get(key.index as usize)?;
        place.member.as_ref().filter(|_| place.generation == key.generation)
    }

    pub(crate) fn get_mut(&mut self, key: Membership) -> Option<&mut Member> {
        let place = self.places.get_mut(key.index as usize)?;
        place.member.as_mut().filter(|_| place.generation == key.generation)
    }

    /// The connection that a member has now.
    pub(crate) fn key_of(&self, id: MemberId) -> Option<Membership> {
        let place = self.by_id.find(&id, |place| at(&self.places, place).map(|member| member.id))?;
        Some(self.key_at(place))
    }

    /// The members that are shown like this without a name, whatever their tag and the scope of an IPv6 address are.
    pub(crate) fn based_like(&self, author: &Author) -> Vec<Membership> {
        let base = match author {
            Author::Peer(address) | Author::Tagged { address, .. } => Base::Address(address.without_scope()),
            Author::Other(shown) => {
                let proof = shown.as_str().split('/').next().unwrap_or_default();
                Base::Proof(Text::one_line(proof).unwrap_or_default())
            }
            Author::Room | Author::Named(_) => return Vec::new(),
        };
        self.places_of(&base).map(|place| self.key_at(place)).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Membership, &Member)> {
        (0u32..).zip(self.places.iter()).filter_map(|(index, place)| {
            count_a_look();
            let member = place.member.as_ref()?;
            Some((Membership { index, generation: place.generation }, member))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn key_at(&self, place: usize) -> Membership {
        let index = u32::try_from(place).expect("places are numbered by u32");
        let generation = self.places.get(place).map_or(0, |place| place.generation);
        Membership { index, generation }
    }

    fn places_of(&self, base: &Base) -> impl Iterator<Item = usize> {
        let places = &self.places;
        let all: Vec<usize> = self.by_base.all(base, |place| at(places, place).map(Member::base)).collect();
        all.into_iter()
    }

    // ---- shown authors -------------------------------------------------------------------------

    /// The bare address belongs to the member whose transport proves it. A member that shares it gets a tag, even if it
    /// is there already.
    fn choose_tag_count(&mut self, newcomer: &Member, tag_of: &impl Fn(u32) -> &'static str) -> u16 {
        let others: Vec<usize> = self.places_of(&newcomer.base()).collect();
        let is_bare = |place: &usize| {
            at(&self.places, *place).is_some_and(|member| {
                member.tag_count == 0 && (member.proof().is_some() || member.address == newcomer.address)
            })
        };
        match others.iter().copied().find(is_bare) {
            None if others.is_empty() || newcomer.is_proven => 0,
            Some(holder) if newcomer.is_proven && !self.is_proven_at(holder) => {
                let transport_tag = at(&self.places, holder).map_or("", |member| tag_of(member.attachment));
                let tag_count = self.free_tag_count(&others, transport_tag, tag_of);
                if let Some(member) = self.places.get_mut(holder).and_then(|place| place.member.as_mut()) {
                    member.tag_count = tag_count;
                }
                0
            }
            _ => self.free_tag_count(&others, tag_of(newcomer.attachment), tag_of),
        }
    }

    /// The author that is shown for a member that shares its address with a connection that is not a member yet.
    pub(crate) fn tagged(&self, member: &Member, tag_of: impl Fn(u32) -> &'static str) -> Author {
        let others: Vec<usize> = self.places_of(&member.base()).collect();
        let transport_tag = tag_of(member.attachment);
        let tag_count = self.free_tag_count(&others, transport_tag, &tag_of);
        Tag::new(transport_tag, u32::from(tag_count))
            .map_or(Author::Peer(member.address), |tag| Author::tagged(member.address, tag))
    }

    fn is_proven_at(&self, place: usize) -> bool {
        at(&self.places, place).is_some_and(|member| member.is_proven)
    }

    fn free_tag_count(
        &self,
        others: &[usize],
        transport_tag: &str,
        tag_of: &impl Fn(u32) -> &'static str,
    ) -> u16 {
        let is_taken = |tag_count: u16| {
            others
                .iter()
                .filter_map(|&place| at(&self.places, place))
                .any(|member| member.tag_count == tag_count && tag_of(member.attachment) == transport_tag)
        };
        (1..u16::MAX).find(|&tag_count| !is_taken(tag_count)).unwrap_or(u16::MAX)
    }
}

impl Member {
    /// The number of the newest of its messages that the room has dealt with.
    pub(crate) fn taken(&self) -> u64 {
        self.profile.as_ref().map_or(0, |profile| profile.taken)
    }

    /// Whether a client that has the items of its lane up to `got` will never get one of those after it.
    pub(crate) fn has_lost_after(&self, got: u64) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.lost > got)
    }

    pub(crate) fn profile_mut(&mut self) -> &mut Profile {
        self.profile.get_or_insert_default()
    }

    /// The state that it keeps while it has no connection, if there is any.
    pub(crate) fn standing(&self) -> Option<&Standing> {
        self.profile.as_ref().map(|profile| &profile.standing)
    }

    /// The name that it has taken.
    pub(crate) fn name(&self) -> Option<&Name> {
        self.profile.as_ref()?.name.as_ref()
    }

    /// The author that is shown for the member, whose transport has this tag.
    pub(crate) fn author(&self, transport_tag: &str) -> Author {
        self.name().map_or_else(|| self.bare_author(transport_tag), |name| Author::Named(name.clone()))
    }

    /// Who its transport knows it to be.
    pub(crate) fn proof(&self) -> Option<&Text> {
        self.profile.as_ref()?.proof.as_ref()
    }

    /// Where it comes from, and who it is known to be.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new(self.address.into(), self.proof().cloned())
    }

    fn base(&self) -> Base {
        match self.proof() {
            Some(proof) => Base::Proof(proof.clone()),
            None => Base::Address(self.address.without_scope()),
        }
    }

    /// The author that is shown without a name.
    pub(crate) fn bare_author(&self, transport_tag: &str) -> Author {
        let tag =
            (self.tag_count > 0).then(|| Tag::new(transport_tag, u32::from(self.tag_count)).ok()).flatten();
        if let Some(proof) = self.proof() {
            return tag.map_or_else(
                || Author::Other(proof.clone()),
                |tag| Author::from_shown(&format!("{proof}/{tag}")),
            );
        }
        tag.map_or(Author::Peer(self.address), |tag| Author::tagged(self.address, tag))
    }
}

fn at(places: &Chunks<Place>, place: usize) -> Option<&Member> {
    count_a_look();
    places.get(place)?.member.as_ref()
}

#[cfg(not(test))]
fn count_a_look() {}

/// Counts how many places this thread has looked at, so that a test can tell a lookup from a search.
#[cfg(test)]
fn count_a_look() {
    LOOKS.with(|looks| looks.set(looks.get() + 1));
}

#[cfg(test)]
thread_local! {
    pub(crate) static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How members without a name are shown, except for their tags. Members with the same base need different tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Base {
    /// Without a scope, which tagged authors do not have.
    Address(PeerAddr),
    Proof(Text),
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: [&str; 2] = ["tcp", "udp"];

    fn tag_of(attachment: u32) -> &'static str {
        TAGS[attachment as usize]
    }

    fn member(id: u64, address: &str, attachment: u32, is_proven: bool) -> Member {
        Member {
            id: MemberId::new(id),
            address: address.parse().unwrap(),
            attachment,
            key: 0,
            tag_count: 0,
            is_proven,
            is_framed: false,
            came_ms: 0,
            since: 0,
            profile: None,
        }
    }

    fn insert(members: &mut Members, address: &str) -> Membership {
        let id = members.len() as u64 + 1;
        members.insert(member(id, address, 0, true), tag_of)
    }

    fn shown(members: &Members, key: Membership) -> String {
        let member = members.get(key).unwrap();
        member.author(tag_of(member.attachment)).to_string()
    }

    #[test]
    fn a_place_taken_again_is_another_membership() {
        let mut members = Members::default();
        let first = insert(&mut members, "192.0.2.1:1");
        assert!(members.remove(first).is_some());
        assert!(members.remove(first).is_none());
        let second = insert(&mut members, "192.0.2.1:2");
        assert_ne!(first, second);
        assert!(members.get(first).is_none());
        assert_eq!(members.get(second).map(|member| member.address.port()), Some(2));
        assert_eq!(members.key_of(MemberId::new(1)), Some(second));
        assert_eq!(members.key_of(MemberId::new(2)), None);
    }

    #[test]
    fn no_two_members_are_shown_alike_and_the_bare_address_is_the_proven_ones() {
        let mut members = Members::default();
        let mut add = |id, attachment, is_proven| {
            members.insert(member(id, "192.0.2.1:5", attachment, is_proven), tag_of)
        };
        let (plain, tcp) = (add(1, 1, false), add(2, 0, true));
        let (again, other) = (add(3, 1, false), add(4, 0, true));
        assert_eq!(shown(&members, plain), "192.0.2.1:5/udp", "it was there first, but proves nothing");
        assert_eq!(shown(&members, tcp), "192.0.2.1:5");
        assert_eq!(shown(&members, again), "192.0.2.1:5/udp-2");
        assert_eq!(shown(&members, other), "192.0.2.1:5/tcp");
        members.remove(plain);
        members.remove(tcp);
        let plain = members.insert(member(5, "192.0.2.1:5", 1, false), tag_of);
        assert_eq!(shown(&members, plain), "192.0.2.1:5/udp", "never the bare one beside a proven member");
        let tcp = members.insert(member(6, "192.0.2.1:5", 0, true), tag_of);
        assert_eq!(shown(&members, tcp), "192.0.2.1:5");
    }

    #[test]
    fn members_that_differ_in_their_scope_only_are_told_apart_also_with_a_tag() {
        let mut members = Members::default();
        let addresses = ["[fe80::1%1]:5", "[fe80::1%2]:5", "[fe80::1%1]:5", "[fe80::1%2]:5"];
        let keys = addresses.map(|address| insert(&mut members, address));
        let shown = keys.map(|key| shown(&members, key));
        assert_eq!(shown, ["[fe80::1%1]:5", "[fe80::1%2]:5", "[fe80::1]:5/tcp", "[fe80::1]:5/tcp-2"]);
    }
}
