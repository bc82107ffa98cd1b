//! The journal of one room: hands everything to the cluster's thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_core::Text;
use chat_core::journal::{Committer, Full, Journal, ReadRequest, Record};
use chat_core::other_servers::{Outbound, Relay};
use tokio::sync::mpsc;

/// Something for the task of a room.
#[derive(Debug)]
pub(crate) enum Job {
    Start(Committer),
    Keep(Record),
    Send(Outbound),
    Read(ReadRequest),
}

pub(crate) struct RoomJournal {
    stream: String,
    jobs: mpsc::Sender<Job>,
    /// A member came or left, and there was no room to say so.
    tells_all: Arc<AtomicBool>,
}

impl RoomJournal {
    pub(crate) fn new(stream: String, jobs: mpsc::Sender<Job>, tells_all: Arc<AtomicBool>) -> Self {
        Self { stream, jobs, tells_all }
    }
}

impl Journal for RoomJournal {
    fn start(&self, committer: Committer) {
        let _closed = self.jobs.try_send(Job::Start(committer));
    }

    fn submit(&self, record: Record) -> Result<(), Full> {
        match &record {
            // Ids are unique by their block.
            Record::Ids { .. } => Ok(()),
            _ => self.jobs.try_send(Job::Keep(record)).map_err(|_| Full),
        }
    }

    fn read(&self, request: ReadRequest) {
        if let Err(full) = self.jobs.try_send(Job::Read(request))
            && let Job::Read(request) = full.into_inner()
        {
            request.answer(Err(Text::lossy("too many look back at once")));
        }
    }
}

impl Relay for RoomJournal {
    fn send(&self, what: Outbound) -> Result<(), Full> {
        self.jobs.try_send(Job::Send(what)).map_err(|full| {
            if matches!(full.into_inner(), Job::Send(Outbound::Here(_) | Outbound::Gone { .. })) {
                self.tells_all.store(true, Ordering::Relaxed);
            }
            Full
        })
    }
}

impl fmt::Debug for RoomJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomJournal({})", self.stream)
    }
}
