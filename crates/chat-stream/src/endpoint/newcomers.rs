//! The peers that are not members yet, bounded so that idle ones lock nobody out.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::limits::STALE_MAX;

/// Newcomers in the order in which they came: all of them, and those of each network that has a limit.
///
/// There may be as many as there are peers, and soon they are members. So a peer without a limit takes 8 bytes here, in
/// one table: many small pieces of memory would leave holes between those of the members that came meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Newcomers {
    count: usize,
    /// All of them, and peers that have been newcomers since the last tidying: at most twice as many as there are.
    by_age: VecDeque<Arrival>,
    by_network: HashMap<IpAddr, VecDeque<u32>>,
    /// The networks of those that have a limit.
    networks: HashMap<u32, IpAddr>,
}

/// A peer's key, with what tells it apart from others that had the same key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    key: u32,
    generation: u16,
}

impl Newcomers {
    /// Counts a newcomer. `is_newcomer` tells whether a peer that was one, by key and generation, still is.
    pub(crate) fn insert(&mut self, key: usize, generation: u16, is_newcomer: impl Fn(usize, u16) -> bool) {
        if self.by_age.len() > 2 * self.count + STALE_MAX {
            self.by_age.retain(|arrival| arrival.is(&is_newcomer));
            self.by_age.shrink_to(2 * self.count + STALE_MAX);
        }
        self.by_age.push_back(Arrival { key: number(key), generation });
        self.count += 1;
    }

    /// Counts a newcomer against its network, and no longer against another. Returns the oldest one from there if there
    /// are more than `max` by now.
    pub(crate) fn insert_from(&mut self, network: IpAddr, key: usize, max: usize) -> Option<usize> {
        match self.networks.insert(number(key), network) {
            Some(before) if before == network => return None,
            Some(before) => self.remove_from(before, key),
            None => {}
        }
        let sharing = self.by_network.entry(network).or_default();
        sharing.push_back(number(key));
        sharing.front().filter(|_| sharing.len() > max).map(|&key| key as usize)
    }

    pub(crate) fn remove(&mut self, key: usize) {
        self.count -= 1;
        if let Some(network) = self.networks.remove(&number(key)) {
            self.remove_from(network, key);
        }
        if self.count == 0 {
            *self = Self::default(); // gives the memory back
        }
    }

    fn remove_from(&mut self, network: IpAddr, key: usize) {
        if let Some(sharing) = self.by_network.get_mut(&network) {
            sharing.retain(|&other| other as usize != key);
            if sharing.is_empty() {
                self.by_network.remove(&network);
            }
        }
    }

    /// The one that has been a newcomer longest.
    pub(crate) fn oldest(&mut self, is_newcomer: impl Fn(usize, u16) -> bool) -> Option<usize> {
        while let Some(arrival) = self.by_age.front() {
            if arrival.is(&is_newcomer) {
                return Some(arrival.key as usize);
            }
            self.by_age.pop_front();
        }
        None
    }
}

impl Arrival {
    fn is(self, is_newcomer: &impl Fn(usize, u16) -> bool) -> bool {
        is_newcomer(self.key as usize, self.generation)
    }
}

fn number(key: usize) -> u32 {
    u32::try_from(key).expect("2^32 peers do not fit into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_found_and_nothing_is_kept_of_those_that_have_joined() {
        let mut newcomers = Newcomers::default();
        // Of each ten peers the first stays a newcomer.
        let stays = |key: usize, _| key.is_multiple_of(10);
        for key in 0..10_000 {
            newcomers.insert(key, 1, stays);
            if !stays(key, 1) {
                newcomers.remove(key);
            }
            assert!(newcomers.by_age.len() <= 2 * newcomers.count + STALE_MAX + 1);
        }
        assert_eq!(newcomers.oldest(|key, _| stays(key, 1) && key >= 500), Some(500));
        (0..10_000).filter(|&key| stays(key, 1)).for_each(|key| newcomers.remove(key));
        assert_eq!((newcomers.count, newcomers.by_age.capacity()), (0, 0));
    }

    #[test]
    fn each_network_has_its_own_oldest() {
        let (mut newcomers, here, there) =
            (Newcomers::default(), [192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for (key, network, crowded_out) in [(0, here, None), (1, there, None), (2, here, Some(0))] {
            newcomers.insert(key, 1, |_, _| true);
            assert_eq!(newcomers.insert_from(network, key, 1), crowded_out, "{key}");
        }
        newcomers.remove(0);
        newcomers.insert(3, 1, |_, _| true);
        assert_eq!(newcomers.insert_from(here, 3, 1), Some(2));
        assert_eq!(newcomers.insert_from(there, 2, 1), Some(1), "it turned out to come from there");
        assert_eq!(newcomers.insert_from(there, 2, 1), None, "which is counted once");
        (1..=3).for_each(|key| newcomers.remove(key));
        assert!(newcomers.networks.is_empty() && newcomers.by_network.is_empty());
    }
}
