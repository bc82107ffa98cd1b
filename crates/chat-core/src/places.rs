//! Tables that grow without moving what they hold.

use std::ops::{Index, IndexMut};

/// Places in one chunk.
const CHUNK_PLACES: usize = 64;

/// A table in chunks. A table in one piece would have to move to grow, and leave holes in the memory.
#[derive(Debug)]
pub(crate) struct Chunks<T> {
    /// All but the last are full.
    chunks: Vec<Vec<T>>,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<T> Chunks<T> {
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK_PLACES)?.get(index % CHUNK_PLACES)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.chunks.get_mut(index / CHUNK_PLACES)?.get_mut(index % CHUNK_PLACES)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }

    pub(crate) fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK_PLACES + last.len())
    }

    /// Adds an item at the end and returns its index.
    pub(crate) fn push(&mut self, item: T) -> usize {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_PLACES) {
            // Most rooms are small, so the first chunk grows as needed.
            let capacity = if self.chunks.is_empty() { 0 } else { CHUNK_PLACES };
            self.chunks.reserve_exact(1);
            self.chunks.push(Vec::with_capacity(capacity));
        }
        let index = self.len();
        let last = self.chunks.last_mut().expect("there is one with room");
        if last.len() == last.capacity() {
            // From one place on: many rooms have one member.
            last.reserve_exact(last.len().clamp(1, CHUNK_PLACES - last.len()));
        }
        last.push(item);
        index
    }
}

/// The peers of a transport, each under a key. A key is given again after its peer is removed.
///
/// ```
/// use chat_core::transport::Places;
///
/// let mut peers = Places::default();
/// assert_eq!(peers.next_key(), 0);
/// let ann = peers.insert("ann");
/// assert_eq!((peers.get(ann), peers.len()), (Some(&"ann"), 1));
/// assert_eq!(peers.remove(ann), Some("ann"));
/// assert_eq!(peers.remove(ann), None);
/// ```
#[derive(Debug)]
pub struct Places<T> {
    places: Chunks<Option<T>>,
    free: Vec<u32>,
    count: usize,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { places: Chunks::default(), free: Vec::new(), count: 0 }
    }
}

impl<T> Places<T> {
    /// The key that the next inserted peer gets.
    #[must_use]
    pub fn next_key(&self) -> usize {
        self.free.last().map_or(self.places.len(), |&key| key as usize)
    }

    /// Adds a peer and returns its key.
    ///
    /// # Panics
    ///
    /// If there are 2^32 peers.
    pub fn insert(&mut self, peer: T) -> usize {
        self.count += 1;
        match self.free.pop() {
            Some(key) => {
                *self.places.get_mut(key as usize).expect("it was used before") = Some(peer);
                key as usize
            }
            None => self.places.push(Some(peer)),
        }
    }

    /// Removes a peer. With the last one all memory is given back.
    pub fn remove(&mut self, key: usize) -> Option<T> {
        let peer = self.places.get_mut(key)?.take()?;
        self.free.push(u32::try_from(key).expect("2^32 peers do not fit into memory"));
        self.count -= 1;
        if self.count == 0 {
            *self = Self::default();
        }
        Some(peer)
    }

    /// The peer with this key.
    #[must_use]
    pub fn get(&self, key: usize) -> Option<&T> {
        self.places.get(key)?.as_ref()
    }

    /// The peer with this key.
    pub fn get_mut(&mut self, key: usize) -> Option<&mut T> {
        self.places.get_mut(key)?.as_mut()
    }

    /// How many peers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All peers with their keys. O(most peers at once so far).
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.places.iter().enumerate().filter_map(|(key, peer)| Some((key, peer.as_ref()?)))
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> Vec<usize> {
        self.iter().map(|(key, _)| key).collect()
    }
}

impl<T> Index<usize> for Places<T> {
    type Output = T;

    fn index(&self, key: usize) -> &T {
        self.get(key).expect("there is a peer with this key")
    }
}

impl<T> IndexMut<usize> for Places<T> {
    fn index_mut(&mut self, key: usize) -> &mut T {
        self.get_mut(key).expect("there is a peer with this key")
    }
}
