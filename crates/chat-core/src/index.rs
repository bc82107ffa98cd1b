//! Finds a place by a name that is stored in the place itself.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Places of peers or members by a name, such as an address. The index does not store the names, which would
/// take more memory than everything else: `name_of` returns the name of the value at a place. Several
/// places may have one name.
///
/// Hashed with a random key, since peers may choose the names.
///
/// ```
/// use chat_core::transport::Index;
///
/// let names = ["ann", "bob"];
/// let name_of = |place: usize| names.get(place).copied();
/// let mut index = Index::default();
/// (0..2).for_each(|place| index.insert(&names[place], place, name_of));
/// assert_eq!(index.find(&"bob", name_of), Some(1));
/// ```
#[derive(Debug, Default)]
pub struct Index {
    places: HashTable<u32>,
    hashing: RandomState,
}

impl Index {
    /// A place with this name.
    pub fn find<N: Hash + Eq>(&self, name: &N, name_of: impl Fn(usize) -> Option<N>) -> Option<usize> {
        let is_it = |&place: &u32| name_of(place as usize).as_ref() == Some(name);
        self.places.find(self.hashing.hash_one(name), is_it).map(|&place| place as usize)
    }

    /// All places with this name, in no particular order.
    pub fn all<N: Hash + Eq>(
        &self,
        name: &N,
        name_of: impl Fn(usize) -> Option<N>,
    ) -> impl Iterator<Item = usize> {
        let places = self.places.iter_hash(self.hashing.hash_one(name)).map(|&place| place as usize);
        places.filter(move |&place| name_of(place).as_ref() == Some(name))
    }

    /// Lists a place under its name.
    ///
    /// # Panics
    ///
    /// If there are 2^32 places, which do not fit into memory.
    pub fn insert<N: Hash + Eq>(&mut self, name: &N, place: usize, name_of: impl Fn(usize) -> Option<N>) {
        let place = u32::try_from(place).expect("2^32 peers do not fit into memory");
        let hash = |name: &N| self.hashing.hash_one(name);
        let hash_of = |&place: &u32| name_of(place as usize).map_or(0, |name| hash(&name));
        self.places.insert_unique(hash(name), place, hash_of);
    }

    /// Removes a place that is listed under `name`. The place itself may be empty already.
    pub fn remove<N: Hash + Eq>(&mut self, name: &N, place: usize) {
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
    fn each_is_found_by_its_name_while_it_is_there() {
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

    #[test]
    fn several_places_may_have_one_name() {
        let name_of = |_: usize| Some("twin");
        let mut index = Index::default();
        (0..3).for_each(|place| index.insert(&"twin", place, name_of));
        index.remove(&"twin", 1);
        let mut places: Vec<usize> = index.all(&"twin", name_of).collect();
        places.sort_unstable();
        assert_eq!(places, [0, 2]);
    }
}
