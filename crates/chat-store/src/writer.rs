//! The thread that writes: many records in one transaction, and housekeeping when there is nothing to write.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Instant;

use chat_core::journal::{Journal, JournalError, Kept, Record};
use chat_core::transport::OpenRequest;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select, tick};
use rusqlite::Connection;

use crate::bans_and_mutes::KeptList;
use crate::batch::{self, Batch, Share, kept};
use crate::config::StoreConfig;
use crate::error::{OpenError, why};
use crate::file::Place;
use crate::journal::{RoomJournal, Way};
use crate::limits::{BATCH_MAX, BUSY_MIN, GAP_MAX, LULL, OVERDUE_STEPS, RETENTION_EVERY};
use crate::lock::Lock;
use crate::past::{self, CopyRoom};

/// Something for the writer to do.
pub(crate) enum Job {
    Keep {
        opening: u64,
        record: Record,
    },
    Open {
        request: OpenRequest,
        /// Of a room that is not known yet.
        journal: RoomJournal,
    },
    /// Opens the copy of a room, as [`past::open_copy`] does.
    OpenCopy {
        name: String,
        began: ([u8; 32], u64),
        done: Sender<Result<Option<CopyRoom>, String>>,
    },
    /// Appends messages to a copy. Answers with the newest one afterwards, or why they are not in it.
    /// The copy of this room is used: it is what it should be.
    ForgetOldSessions {
        room: i64,
    },
    Append {
        room: i64,
        messages: Vec<Kept>,
        done: Sender<Result<u64, &'static str>>,
    },
    KeepList(KeptList),
    /// A list has changed.
    WriteLists,
    Flush(Sender<()>),
    Stop,
}

pub(crate) struct Writer {
    connection: Connection,
    config: StoreConfig,
    /// Those that are open, by the number of the opening.
    open: HashMap<u64, OpenRoom>,
    openings: u64,
    /// Those that are open as copies of other journals.
    copies: HashMap<i64, Weak<()>>,
    /// The newest sequence number of each room that is open.
    seqs: HashMap<i64, u64>,
    /// The last batch was a large one: the next one is waited for a little.
    is_busy: bool,
    /// Records that could not be written since the last ones that could.
    refused: u64,
    /// Housekeeping failed when it was tried last.
    is_idle_work_failing: bool,
    /// Housekeeping has waited too long.
    is_overdue: bool,
    lists: Vec<KeptList>,
    /// A list could not be written when that was tried last.
    are_lists_failing: bool,
    place: Place,
    /// The file is not there any more.
    has_left: bool,
    _lock: Lock,
}

struct OpenRoom {
    room: i64,
    way: Way,
}

impl Writer {
    pub(crate) fn new(connection: Connection, config: StoreConfig, lock: Lock) -> Self {
        let place = Place::of(Path::new(connection.path().unwrap_or_default()));
        Self {
            connection,
            config,
            open: HashMap::new(),
            openings: 0,
            copies: HashMap::new(),
            seqs: HashMap::new(),
            is_busy: false,
            refused: 0,
            is_idle_work_failing: false,
            is_overdue: false,
            lists: Vec::new(),
            are_lists_failing: false,
            place,
            has_left: false,
            _lock: lock,
        }
    }

    /// Works until it is told to stop, or nobody is left to ask for anything.
    pub(crate) fn run(self, jobs: &Receiver<Job>) {
        self.run_with(jobs, &tick(RETENTION_EVERY));
    }

    fn run_with(mut self, jobs: &Receiver<Job>, ticks: &Receiver<Instant>) {
        let (mut is_lull, mut is_idle) = (false, false);
        loop {
            let next = if is_idle {
                select! {
                    recv(jobs) -> job => job.map_err(|_| RecvTimeoutError::Disconnected),
                    recv(ticks) -> _ => Err(RecvTimeoutError::Timeout),
                }
            } else if self.is_busy && !is_lull {
                jobs.recv_timeout(LULL)
            } else {
                // There may be words to index.
                jobs.try_recv().map_err(|_| RecvTimeoutError::Timeout)
            };
            let first = match next {
                Ok(job) => job,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    is_lull = true;
                    self.write_lists();
                    is_idle = !self.is_work_left();
                    self.forget_closed(jobs);
                    continue;
                }
            };
            (is_lull, is_idle) = (false, false);
            if !self.work(first, jobs) {
                return;
            }
            self.is_overdue |= ticks.try_recv().is_ok();
            if self.is_overdue {
                self.is_overdue = (0..OVERDUE_STEPS).all(|_| self.is_work_left());
            }
        }
    }

    /// Does a job, and those that wait behind it, as far as they fit into the same transaction. False if it must stop.
    fn work(&mut self, first: Job, jobs: &Receiver<Job>) -> bool {
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Keep { opening, record } => {
                    batch.push(opening, record);
                    if batch.len() < BATCH_MAX {
                        // Those that are read from one socket come in a row, and are to be written to everyone
                        // together.
                        next = jobs.try_recv().ok();
                        if next.is_none() && self.is_busy {
                            next = jobs.recv_timeout(GAP_MAX).ok();
                        }
                    }
                }
                Job::Open { request, journal } => {
                    self.keep(std::mem::take(&mut batch));
                    self.open(request, journal);
                }
                Job::OpenCopy { name, began, done } => {
                    self.keep(std::mem::take(&mut batch));
                    let _gone = done.send(self.open_copy(&name, began));
                }
                Job::ForgetOldSessions { room } => {
                    if let Err(error) = past::forget_old_sessions(&self.connection, room) {
                        tracing::debug!(%error, "old sessions are forgotten when the copy is opened next");
                    }
                }
                Job::Append { room, messages, done } => {
                    self.keep(std::mem::take(&mut batch));
                    let _gone = done.send(self.append(room, messages).map_err(|error| why(&error)));
                }
                Job::KeepList(list) => self.lists.push(list),
                Job::WriteLists => {} // below
                Job::Flush(done) => {
                    self.keep(std::mem::take(&mut batch));
                    self.write_lists();
                    while self.is_work_left() {}
                    let _gone = done.send(());
                }
                Job::Stop => {
                    self.keep(batch);
                    self.write_lists();
                    // So that a copy of the one file is the whole history.
                    let _later = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                    return false;
                }
            }
        }
        self.keep(batch);
        self.write_lists();
        true
    }

    fn open(&mut self, request: OpenRequest, journal: RoomJournal) {
        let name = request.room.as_ref().map(ToString::to_string).unwrap_or_default();
        match past::open(&mut self.connection, &name, request.log_bytes_max) {
            Ok((room, seq, past)) => {
                self.seqs.insert(room, seq);
                self.openings += 1;
                self.open.insert(self.openings, OpenRoom { room, way: journal.way() });
                let journal: Arc<dyn Journal> = Arc::new(journal.of(room, self.openings));
                request.answer(Ok((past, journal)));
            }
            Err(error) => {
                tracing::warn!(%error, room = name, "cannot read the past of a room");
                request.answer(Err(JournalError(OpenError::from(error).to_string()))); // in words for people
            }
        }
    }

    fn open_copy(&mut self, name: &str, began: ([u8; 32], u64)) -> Result<Option<CopyRoom>, String> {
        let opened = past::open_copy(&mut self.connection, name, began);
        let opened = opened.map_err(|error| OpenError::from(error).to_string())?; // in words for people
        if let Some(CopyRoom { room, newest, is_open, .. }) = &opened {
            self.seqs.insert(*room, *newest);
            self.copies.insert(*room, Arc::downgrade(is_open));
        }
        Ok(opened)
    }

    /// Appends messages to a copy. Returns the newest one that it has then.
    fn append(&mut self, room: i64, messages: Vec<Kept>) -> rusqlite::Result<u64> {
        let newest = self.seqs.get(&room).copied().unwrap_or(0);
        let transaction = self.connection.transaction()?;
        let newest = batch::copy(&transaction, room, newest, messages)?;
        transaction.commit()?;
        self.seqs.insert(room, newest);
        Ok(newest)
    }

    /// Writes the lists that have changed. If that fails, it is tried again with the next job, and every few seconds.
    fn write_lists(&mut self) {
        let mut failed = None;
        for list in &self.lists {
            failed = list.write(&mut self.connection).err().or(failed);
        }
        let were_failing = std::mem::replace(&mut self.are_lists_failing, failed.is_some());
        if let Some(error) = failed.filter(|_| !were_failing) {
            tracing::warn!(%error, "bans and mutes cannot be written now: a restart would undo the last changes");
        }
    }

    /// Keeps these records in one transaction, and tells the rooms.
    fn keep(&mut self, batch: Batch) {
        if batch.len() == 0 {
            return;
        }
        self.is_busy = batch.len() >= BUSY_MIN;
        let records = batch.len() as u64;
        let shares = batch.into_shares();
        let written = self.write(&shares);
        match &written {
            Err(error) if self.refused == 0 => {
                tracing::warn!(%error, "the history cannot keep what is said: messages are refused until it can");
            }
            Ok(_) if self.refused > 0 => {
                let refused = std::mem::take(&mut self.refused);
                tracing::warn!(refused, "the history can keep what is said again");
            }
            _ => {}
        }
        if written.is_err() {
            self.refused += records;
        }
        for (place, Share { opening, records }) in shares.into_iter().enumerate() {
            let Some(OpenRoom { room, way }) = self.open.get(&opening) else { continue };
            match &written {
                Ok(before) => {
                    let mut newest = before[place];
                    let kept = kept(records, &mut newest);
                    self.seqs.insert(*room, newest);
                    // Nobody has to look at a name that was kept.
                    if let Some(committer) = way.get().filter(|_| !kept.is_empty()) {
                        committer.commit(kept);
                    }
                }
                Err(error) => {
                    if let Some(committer) = way.get() {
                        committer.failed(records, why(error));
                    }
                }
            }
        }
    }

    /// Returns the newest sequence number before each share.
    fn write(&mut self, shares: &[Share]) -> rusqlite::Result<Vec<u64>> {
        let transaction = self.connection.transaction()?;
        let mut before = Vec::with_capacity(shares.len());
        // A room may have been opened twice.
        let mut seqs: HashMap<i64, u64> = HashMap::new();
        for Share { opening, records } in shares {
            let Some(&OpenRoom { room, .. }) = self.open.get(opening) else {
                before.push(0);
                continue;
            };
            let newest = seqs.entry(room).or_insert_with(|| self.seqs.get(&room).copied().unwrap_or(0));
            before.push(*newest);
            *newest = batch::write(&transaction, room, *newest, records)?;
        }
        transaction.commit()?;
        Ok(before)
    }
}

mod housekeeping;
#[cfg(test)]
mod tests;
