//! A room that is being opened: its journal may have to be read first, which no I/O thread waits for.

use std::fmt;
use std::sync::{Arc, PoisonError};

use chat_proto::Name;

use crate::error::RoomError;
use crate::journal::{Journal, JournalError, Journals, Past};
use crate::room::Room;
use crate::sync::{Mutex, bounded};
use crate::waker::Waker;

/// An opened journal, and what it holds of the room.
pub(crate) type Opened = (Past, Arc<dyn Journal>);

type Answer = dyn FnOnce(Result<Opened, JournalError>) + Send;

/// Asks [`Journals`] to open the journal of a room.
pub struct OpenRequest {
    /// The name of the room; `None` for a room without a name.
    pub room: Option<Name>,
    /// How much of the newest past fits into the room's log.
    pub log_bytes_max: usize,
    answer: Option<Box<Answer>>,
}

impl OpenRequest {
    /// A request whose answer goes to `answer`: for [`Journals`] that open those of others.
    pub fn new(
        room: Option<Name>,
        log_bytes_max: usize,
        answer: impl FnOnce(Result<Opened, JournalError>) + Send + 'static,
    ) -> Self {
        Self { room, log_bytes_max, answer: Some(Box::new(answer)) }
    }

    /// Answers, on any thread. Dropping a request answers that the journal is closed.
    pub fn answer(mut self, opened: Result<(Past, Arc<dyn Journal>), JournalError>) {
        if let Some(answer) = self.answer.take() {
            answer(opened);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            answer(Err(JournalError("it is closed".to_owned())));
        }
    }
}

impl fmt::Debug for OpenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenRequest").field(&self.room).finish()
    }
}

/// Opens a journal and waits for it.
pub(crate) fn open_now(
    journals: &dyn Journals,
    room: Option<Name>,
    log_bytes_max: usize,
) -> Result<Opened, JournalError> {
    let (answer, opened) = bounded(1);
    journals.open(OpenRequest::new(room, log_bytes_max, move |opened| drop(answer.try_send(opened))));
    opened.recv().unwrap_or_else(|_| Err(JournalError("it is closed".to_owned())))
}

/// A room that somebody has asked for: it is there already, or its journal is being read. Made by
/// [`Rooms::open_soon`](crate::Rooms::open_soon).
///
/// `PendingRoom` is a handle: clones wait for the same room, which exists as long as one of them lives.
#[derive(Clone)]
pub struct PendingRoom(Arc<Inner>);

struct Inner {
    name: Option<Name>,
    progress: Mutex<Progress>,
}

enum Progress {
    /// These are called when it is done.
    Waiting(Vec<Waker>),
    Done(Result<Room, RoomError>),
}

impl PendingRoom {
    pub(crate) fn of(name: Name) -> Self {
        let progress = Mutex::new(Progress::Waiting(Vec::new()));
        Self(Arc::new(Inner { name: Some(name), progress }))
    }

    /// The name that was asked for, or that of a room which is there; `None` if that one has no name.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.0.name.as_ref()
    }

    /// The room, or why it cannot be opened; `None` while it is being opened.
    #[must_use]
    pub fn room(&self) -> Option<Result<Room, RoomError>> {
        match &*self.0.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            Progress::Waiting(_) => None,
            Progress::Done(result) => Some(result.clone()),
        }
    }

    /// Calls `waker` once the room is open, or cannot be opened; at once if that is so already.
    pub fn wake_when_done(&self, waker: Waker) {
        if let Progress::Waiting(wakers) =
            &mut *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner)
        {
            return wakers.push(waker);
        }
        waker.wake();
    }

    /// Waits until the room is open.
    ///
    /// # Errors
    ///
    /// [`RoomError::Journal`] if its past cannot be read.
    pub fn wait(&self) -> Result<Room, RoomError> {
        let (done, is_done) = bounded(1);
        self.wake_when_done(Waker::new(move || {
            let _told_before = done.try_send(());
        }));
        let _woken = is_done.recv();
        self.room().unwrap_or_else(|| Err(JournalError("it is closed".to_owned()).into()))
    }

    pub(crate) fn finish(&self, result: Result<Room, RoomError>) {
        let mut progress = self.0.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *progress, Progress::Done(result));
        drop(progress);
        if let Progress::Waiting(wakers) = before {
            wakers.iter().for_each(Waker::wake);
        }
    }
}

/// A room that is there.
impl From<Room> for PendingRoom {
    fn from(room: Room) -> Self {
        let name = room.name().cloned();
        Self(Arc::new(Inner { name, progress: Mutex::new(Progress::Done(Ok(room))) }))
    }
}

/// Two are equal if they are for one room, or are handles on the same attempt.
impl PartialEq for PendingRoom {
    fn eq(&self, other: &Self) -> bool {
        let is_same_room =
            || matches!((self.room(), other.room()), (Some(Ok(one)), Some(Ok(another))) if one == another);
        Arc::ptr_eq(&self.0, &other.0) || is_same_room()
    }
}

impl Eq for PendingRoom {}

impl fmt::Debug for PendingRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PendingRoom").field(&self.0.name).finish()
    }
}
