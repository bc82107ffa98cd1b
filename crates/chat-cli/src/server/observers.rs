//! All rooms of the server, heard by one thread: stdout, the log file, `-v`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::{Heard, Observer, Room, Rooms, TryRecvError, Waker};
use chat_proto::Name;
use crossbeam_channel::{Receiver, Sender, bounded};

/// Hears all rooms. What is said in one of them costs nothing for the others.
#[derive(Debug)]
pub(super) struct Observers {
    shared: Arc<Shared>,
    ready: Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    list: Mutex<List>,
    ready: Sender<()>,
}

#[derive(Debug, Default)]
struct List {
    observers: Vec<Option<Arc<Observer>>>,
    /// Those with something to hear, each once.
    updated: VecDeque<usize>,
    is_listed: Vec<bool>,
}

/// What was heard in one room, oldest first.
#[derive(Debug)]
pub(super) struct RoomUpdate {
    /// The room, if the server has several.
    pub(super) room: Option<Name>,
    /// What the times of its entries count from.
    pub(super) began_unix_ms: u64,
    pub(super) heard: Vec<Heard>,
}

/// Has all of them hear each room, those that members open later included.
pub(super) fn observe<'a>(rooms: &Rooms, all: impl IntoIterator<Item = &'a Observers>) {
    let all: Vec<Arc<Shared>> = all.into_iter().map(|observers| Arc::clone(&observers.shared)).collect();
    for room in rooms.all() {
        all.iter().for_each(|shared| shared.add(&room));
    }
    rooms.on_open(move |room| all.iter().for_each(|shared| shared.add(room)));
}

impl Observers {
    pub(super) fn new() -> Self {
        let (signal, ready) = bounded(1);
        Self { shared: Arc::new(Shared { list: Mutex::default(), ready: signal }), ready }
    }

    /// Has a token when there may be something to hear.
    pub(super) fn ready(&self) -> &Receiver<()> {
        &self.ready
    }

    /// What was heard next, in one of the rooms.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Closed`] if all rooms are over.
    pub(super) fn try_recv(&self) -> Result<RoomUpdate, TryRecvError> {
        loop {
            let mut list = self.shared.lock();
            let Some(&place) = list.updated.front() else {
                let is_over = list.observers.iter().all(Option::is_none);
                return Err(if is_over { TryRecvError::Closed } else { TryRecvError::Empty });
            };
            let observer = list.observers[place].clone();
            // Before it is read, so that a wake from now on lists it again.
            list.updated.pop_front();
            list.is_listed[place] = false;
            drop(list);
            let Some(observer) = observer else { continue };
            match observer.hear() {
                Ok(heard) => {
                    self.shared.wake(place, VecDeque::push_front);
                    let (room, began_unix_ms) = (observer.room_name().cloned(), observer.began_unix_ms());
                    return Ok(RoomUpdate { room, began_unix_ms, heard });
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed) => self.shared.lock().observers[place] = None,
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, List> {
        // Every change is complete before anything can panic.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody else adds one meanwhile: rooms are opened one after the other.
    fn add(self: &Arc<Self>, room: &Room) {
        let place = {
            let mut list = self.lock();
            let free = list.observers.iter().position(Option::is_none);
            free.unwrap_or_else(|| {
                list.observers.push(None);
                list.is_listed.push(false);
                list.observers.len() - 1
            })
        };
        let shared = Arc::clone(self);
        // Without the lock: it may call the waker.
        let observer = room.observe(Waker::new(move || shared.wake(place, VecDeque::push_back)));
        self.lock().observers[place] = Some(Arc::new(observer));
        // A wake before may be gone, as nobody was there to be asked.
        self.wake(place, VecDeque::push_back);
    }

    /// There may be something to hear in a room.
    fn wake(&self, place: usize, list: fn(&mut VecDeque<usize>, usize)) {
        let mut there = self.lock();
        if !std::mem::replace(&mut there.is_listed[place], true) {
            list(&mut there.updated, place);
        }
        let _there_already = self.ready.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use chat_core::RoomsConfig;

    use super::*;

    fn name(name: &str) -> Name {
        name.parse().expect("a name")
    }

    fn heard(observers: &Observers) -> Vec<String> {
        let updates = std::iter::from_fn(|| observers.try_recv().ok());
        let lines = updates.flat_map(|RoomUpdate { room, heard, .. }| {
            let room = room.expect("a name");
            heard.into_iter().map(move |heard| format!("{room} {heard}"))
        });
        lines.collect()
    }

    #[test]
    fn rooms_are_heard_until_they_are_gone_and_opened_ones_vanish() {
        let config = RoomsConfig::default().with_room(name("lobby")).with_open_max(1);
        let rooms = Rooms::new(config).expect("one name");
        let observers = Observers::new();
        observe(&rooms, [&observers]);
        for round in ["one", "two"] {
            let dev = rooms.open(&name("dev")).expect("there may be one");
            assert!(heard(&observers).is_empty(), "a new room is looked at, and nobody has spoken");
            rooms.first().notice(round).expect("it is open");
            dev.notice(round).expect("it is open");
            dev.notice("bye").expect("it is open");
            drop(dev);
            assert_eq!(rooms.list().len(), 1, "the observer does not keep it");
            let lines = [format!("lobby [*] {round}"), format!("dev [*] {round}"), "dev [*] bye".to_owned()];
            assert_eq!(heard(&observers), lines);
        }
        assert_eq!(observers.try_recv().err(), Some(TryRecvError::Empty));
        assert_eq!(observers.shared.lock().observers.len(), 2, "the place is taken again");
        rooms.close("the end", std::time::Duration::ZERO);
        assert_eq!(heard(&observers), ["lobby [*] the end"]);
        assert_eq!(observers.try_recv().err(), Some(TryRecvError::Closed));
    }
}
