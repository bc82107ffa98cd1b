//! A copy of what another journal keeps, such as the stream that several servers share: old messages are read and
//! searched in the file.
//!
//! ```text
//!   say --> submit --> the other journal --> commit --> the room
//!                          |                   |
//!                          | pages of what     | Tail: the newest messages
//!                          | the copy lacks    v
//!                          +-------------> Copier (a thread) --> the file
//! ```
//!
//! The other journal decides, and nobody waits for the copy. Messages that the copy does not have yet, or has deleted,
//! are read from the other journal.

mod copier;
mod journal;
mod tail;

use std::fmt;
use std::sync::Arc;

use chat_core::journal::{JournalError, Journals};
use chat_core::transport::OpenRequest;
use crossbeam_channel::{Sender, TrySendError};

pub(crate) use self::copier::{Copier, Task};

/// Journals whose messages a [`Store`](crate::Store) copies. Made by [`Store::copy_of`](crate::Store::copy_of).
pub struct Copies {
    source: Arc<dyn Journals>,
    tasks: Sender<Task>,
}

impl Copies {
    pub(crate) fn new(source: Arc<dyn Journals>, tasks: Sender<Task>) -> Self {
        Self { source, tasks }
    }
}

impl Journals for Copies {
    fn open(&self, request: OpenRequest) {
        let tasks = self.tasks.clone();
        let (room, log_bytes_max) = (request.room.clone(), request.log_bytes_max);
        let then = move |opened| match opened {
            Ok((past, source)) => {
                // If it is closed, dropping the request says so.
                if let Err(TrySendError::Full(Task { request, .. })) =
                    tasks.try_send(Task { request, past, source })
                {
                    request.answer(Err(JournalError("too many rooms are opened at once".to_owned())));
                }
            }
            Err(error) => request.answer(Err(error)),
        };
        self.source.open(OpenRequest::new(room, log_bytes_max, then));
    }
}

impl fmt::Debug for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Copies").field(&self.source).finish()
    }
}
