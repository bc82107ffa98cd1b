//! Finds a peer's place by a name that stands in the peer himself.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Places of peers by a name of theirs, such as an address. The names are not kept here, where they would
/// take more memory than all the rest, but asked for: `name_of` tells the name of whoever is at a place.
///
/// Hashed with a random key, since names may be chosen by strangers.
#[derive(Debug, Default)]
pub(crate) struct Index {
    places: HashTable<u32>,
    hashing: RandomState,
}

impl Index {
    pub(crate) fn find<N: Hash + Eq>(&self, name: &N, name_of: impl Fn(usize) -> Option<N>) -> Option<usize> {
        let is_his = |&place: &u32| name_of(place as usize).as_ref() == Some(name);
        self.places.find(self.hashing.hash_one(name), is_his).map(|&place| place as usize)
    }

    /// Lists a place under the name of who is there.
    pub(crate) fn insert<N: Hash + Eq>(
        &mut self,
        name: &N,
        place: usize,
        name_of: impl Fn(usize) -> Option<N>,
    ) {
        let place = u32::try_from(place).expect("2^32 peers do not fit into memory");
        let hash = |name: &N| self.hashing.hash_one(name);
        let hash_of = |&place: &u32| name_of(place as usize).map_or(0, |name| hash(&name));
        self.places.insert_unique(hash(name), place, hash_of);
    }

    /// Strikes out a place that is listed under `name`; the peer may be gone from it already.
    pub(crate) fn remove<N: Hash + Eq>(&mut self, name: &N, place: usize) {
        let entry = self.places.find_entry(self.hashing.hash_one(name), |&listed| listed as usize == place);
        if let Ok(entry) = entry {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_found_by_his_name_while_he_is_there() {
        let names: Vec<String> = (0..1_000).map(|number| format!("peer {number}")).collect();
        let name_of = |place: usize| names.get(place).cloned();
        let mut index = Index::default();
        for (place, name) in names.iter().enumerate() {
            assert_eq!(index.find(name, name_of), None);
            index.insert(name, place, name_of);
        }
        for (place, name) in names.iter().enumerate().step_by(3) {
            index.remove(name, place);
            index.remove(name, place);
        }
        for (place, name) in names.iter().enumerate() {
            assert_eq!(index.find(name, name_of), (place % 3 != 0).then_some(place), "{name}");
        }
    }
}
