//! The journal of one room in the file.

use std::fmt;
use std::sync::{Arc, OnceLock};

use chat_core::journal::{Committer, Full, Journal, ReadRequest, Record};
use crossbeam_channel::Sender;

use crate::reader::Readers;
use crate::writer::Job;

/// The way from the writer back to a room, once the room is there.
pub(crate) type Way = Arc<OnceLock<Committer>>;

pub(crate) struct RoomJournal {
    room: i64,
    /// Which opening of the room this is.
    opening: u64,
    way: Way,
    jobs: Sender<Job>,
    readers: Readers,
}

impl RoomJournal {
    pub(crate) fn new(jobs: Sender<Job>, readers: Readers) -> Self {
        Self { room: 0, opening: 0, way: Way::default(), jobs, readers }
    }

    /// Its room and opening, once they are known.
    pub(crate) fn of(self, room: i64, opening: u64) -> Self {
        Self { room, opening, ..self }
    }

    pub(crate) fn way(&self) -> Way {
        Arc::clone(&self.way)
    }
}

impl Journal for RoomJournal {
    fn start(&self, committer: Committer) {
        let _once = self.way.set(committer);
    }

    fn submit(&self, record: Record) -> Result<(), Full> {
        let job = Job::Keep { opening: self.opening, record };
        self.jobs.try_send(job).map_err(|_| Full)
    }

    fn queued(&self) -> usize {
        self.jobs.len()
    }

    fn read(&self, request: ReadRequest) {
        self.readers.read(self.room, request);
    }
}

impl fmt::Debug for RoomJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomJournal({})", self.room)
    }
}
