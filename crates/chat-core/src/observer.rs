//! Hearing a room without being in it: a log file, the server's stdout.

use std::sync::{Arc, PoisonError, Weak};

use chat_proto::{Entry, Name};

use crate::error::TryRecvError;
use crate::local_member::Heard;
use crate::room::{Room, Shared};
use crate::sync::Mutex;
use crate::waker::Waker;

/// Hears what happens in a room, and is no member: it has no name, nobody sees it or can tell it anything, and it does not
/// keep a room alive that members have opened. It is a cursor, as a [`LocalMember`](crate::LocalMember) is: if it is not read nobody waits for it, and it
/// misses messages, or reads them from the room's journal.
///
/// ```
/// use chat_core::{Room, RoomConfig, TryRecvError, Waker};
///
/// let room = Room::new(RoomConfig::default());
/// let observer = room.observe(Waker::new(|| {}));
/// room.notice("hello")?;
/// drop(room);
/// assert_eq!(observer.try_recv()?.to_string(), "[*] hello");
/// assert_eq!(observer.try_recv(), Err(TryRecvError::Closed), "the room is gone");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Observer {
    name: Option<Name>,
    began_unix_ms: u64,
    room: Weak<Shared>,
    place: usize,
    rest: Arc<Mutex<Rest>>,
}

/// What an observer has not read of a room that is gone.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    /// The room has left it here; until then it is still on its way.
    pub(crate) is_left: bool,
    pub(crate) missed: u64,
    /// The last one first.
    pub(crate) entries: Vec<Arc<Entry>>,
}

impl Room {
    /// Hears all later messages of the room. `waker` is called when there may be something to hear, at most once until the observer
    /// has heard everything, and when the room is gone.
    #[must_use]
    pub fn observe(&self, waker: Waker) -> Observer {
        let rest = Arc::<Mutex<Rest>>::default();
        let now = self.now();
        let (place, wakes) = self.lock().observe(waker, Arc::clone(&rest), now);
        wakes.wake();
        let (name, began_unix_ms) = (self.name().cloned(), self.began_unix_ms());
        Observer { name, began_unix_ms, room: self.downgrade(), place, rest }
    }
}

impl Observer {
    /// The name of the room.
    #[must_use]
    pub fn room_name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// As [`Room::began_unix_ms`], also when the room is gone.
    #[must_use]
    pub fn began_unix_ms(&self) -> u64 {
        self.began_unix_ms
    }

    /// The next entry, if there is one.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if there is nothing new; [`TryRecvError::Closed`] if there will never be: the room is closed or gone,
    /// and everything was read.
    pub fn try_recv(&self) -> Result<Heard, TryRecvError> {
        if let Some(room) = Room::upgrade(&self.room) {
            return room.hear(self.place).1;
        }
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut rest.missed) {
            0 if !rest.is_left => Err(TryRecvError::Empty),
            0 => rest.entries.pop().map(Heard::Entry).ok_or(TryRecvError::Closed),
            missed => Ok(Heard::Missed(missed)),
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(room) = Room::upgrade(&self.room) {
            room.lock().leave_local(self.place);
        }
    }
}
