//! Hearing a room without being in it: a log file, the server's stdout.

use std::sync::{Arc, PoisonError, Weak};

use chat_proto::Name;

use crate::error::TryRecvError;
use crate::heard::Heard;
use crate::limits::HEARD_AT_ONCE_MAX;
use crate::room::{Room, Shared};
use crate::state::observers::Rest;
use crate::sync::Mutex;
use crate::waker::Waker;

/// Hears what happens in a room, and is not a member: it has no name, nobody sees it or can tell it anything, and it
/// does not keep a room alive that members have opened. It is a cursor, as a [`LocalMember`](crate::LocalMember) is: if
/// it is not read nobody waits for it, and it misses messages, or reads them from the room's journal.
///
/// ```
/// use chat_core::{Room, RoomConfig, TryRecvError, Waker};
///
/// let room = Room::new(RoomConfig::default());
/// let observer = room.observe(Waker::new(|| {}));
/// room.notice("hello")?;
/// drop(room);
/// let heard = observer.hear()?;
/// assert_eq!((heard.len(), heard[0].to_string()), (1, "[*] hello".to_owned()));
/// assert_eq!(observer.hear(), Err(TryRecvError::Closed), "the room is gone");
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

impl Room {
    /// Hears all later messages of the room. `waker` is called when there may be something to hear, at most once until
    /// the observer has heard everything, and when the room is gone.
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

    /// As [`Room::began_unix_ms`], even when the room is gone.
    #[must_use]
    pub fn began_unix_ms(&self) -> u64 {
        self.began_unix_ms
    }

    /// What is new, oldest first, at most [`HEARD_AT_ONCE_MAX`] things. Ask again until there is nothing.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if there is nothing new; [`TryRecvError::Closed`] if there will never be: the room is
    /// closed or gone, and everything was read.
    pub fn hear(&self) -> Result<Vec<Heard>, TryRecvError> {
        if let Some(room) = Room::upgrade(&self.room) {
            let mut heard = Vec::new();
            let (_, nothing) = room.hear_up_to(HEARD_AT_ONCE_MAX, self.place, |next| heard.push(next));
            return if heard.is_empty() { Err(nothing) } else { Ok(heard) };
        }
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if !rest.is_left {
            return Err(TryRecvError::Empty);
        }
        let missed = Some(std::mem::take(&mut rest.missed)).filter(|&missed| missed > 0);
        let entries = rest.entries.len().saturating_sub(HEARD_AT_ONCE_MAX);
        let entries = rest.entries.split_off(entries).into_iter().rev();
        let heard: Vec<Heard> =
            missed.map(Heard::Missed).into_iter().chain(entries.map(Heard::Entry)).collect();
        if heard.is_empty() { Err(TryRecvError::Closed) } else { Ok(heard) }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(room) = Room::upgrade(&self.room) {
            room.lock().leave_local(self.place);
        }
    }
}
