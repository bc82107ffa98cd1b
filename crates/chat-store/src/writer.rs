//! The thread that writes: many records in one transaction, and what can wait when there is nothing to write.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Journal, JournalError, OpenRequest, Record};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rusqlite::{Connection, params};

use crate::batch::{self, Batch, Share, kept};
use crate::config::StoreConfig;
use crate::error::{OpenError, why};
use crate::lists::KeptList;
use crate::lock::Lock;
use crate::past;
use crate::room_journal::{RoomJournal, Way};
use crate::schema::id;

/// Records in one transaction.
const BATCH_MAX: usize = 2_048;

/// A batch of so many is followed by another one, as a rule.
const BUSY_MIN: usize = 64;

/// While it is busy, the longest time between two records of one batch.
const GAP_MAX: Duration = Duration::from_micros(100);

/// So long without a record after a large batch, and what can wait is done.
const LULL: Duration = Duration::from_millis(20);

/// Messages whose words are indexed, or that are deleted, at a time. A few milliseconds, for which a message waits at worst.
const IDLE_STEP: i64 = 512;

/// How often it looks for messages that are too old.
const RETENTION_EVERY: Duration = Duration::from_secs(10);

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
    /// The newest sequence number of each room that is open.
    seqs: HashMap<i64, u64>,
    /// The last batch was a large one: the next one is waited for a little.
    is_busy: bool,
    /// What can wait did not work when it was tried last.
    is_idle_work_failing: bool,
    lists: Vec<KeptList>,
    _lock: Lock,
}

struct OpenRoom {
    room: i64,
    way: Way,
}

impl Writer {
    pub(crate) fn new(connection: Connection, config: StoreConfig, lock: Lock) -> Self {
        Self {
            connection,
            config,
            open: HashMap::new(),
            openings: 0,
            seqs: HashMap::new(),
            is_busy: false,
            is_idle_work_failing: false,
            lists: Vec::new(),
            _lock: lock,
        }
    }

    /// Works until it is told to stop, or nobody is left to ask for anything.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        let (mut is_lull, mut is_idle) = (false, false);
        loop {
            let next = if is_idle {
                jobs.recv_timeout(RETENTION_EVERY)
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
                    is_idle = !self.is_work_left();
                    self.forget_closed(jobs);
                    continue;
                }
            };
            (is_lull, is_idle) = (false, false);
            if !self.work(first, jobs) {
                return;
            }
        }
    }

    /// Does a job, and those that wait behind it, as far as they fit into the same transaction. False if it is to stop.
    fn work(&mut self, first: Job, jobs: &Receiver<Job>) -> bool {
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Keep { opening, record } => {
                    batch.push(opening, record);
                    if batch.len() < BATCH_MAX {
                        // Those that are read from one socket come in a row, and are to be written to everyone together.
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

    /// Forgets the rooms that are gone and have nothing in the queue any more.
    fn forget_closed(&mut self, jobs: &Receiver<Job>) {
        let is_gone = |open: &OpenRoom| Arc::strong_count(&open.way) == 1;
        let gone: Vec<u64> = self.open.iter().filter(|(_, open)| is_gone(open)).map(|(&of, _)| of).collect();
        if gone.is_empty() || !jobs.is_empty() {
            return;
        }
        for opening in gone {
            self.open.remove(&opening);
        }
        let there: HashSet<i64> = self.open.values().map(|open| open.room).collect();
        self.seqs.retain(|room, _| there.contains(room));
        if let Err(error) = self.delete_empty_rooms(&there) {
            tracing::warn!(%error, "cannot delete empty rooms of the history now");
        }
    }

    /// Deletes the rooms that are not open and in which there is nothing to keep, with their sessions. Otherwise there would be more of
    /// them with each room that members open.
    fn delete_empty_rooms(&mut self, open: &HashSet<i64>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let empty: Vec<i64> = transaction
            .prepare_cached(
                "SELECT id FROM rooms WHERE seq = deleted AND coalesce(topic, '') = '' AND slow_ms IS NULL",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for room in empty.iter().filter(|room| !open.contains(room)) {
            transaction.prepare_cached("DELETE FROM sessions WHERE room = ?1")?.execute([room])?;
            transaction.prepare_cached("DELETE FROM rooms WHERE id = ?1")?.execute([room])?;
        }
        transaction.commit()
    }

    /// Writes the lists that have changed. If that fails, it is tried again with the next job.
    fn write_lists(&mut self) {
        for list in &self.lists {
            let _later = list.write(&mut self.connection);
        }
    }

    /// Keeps these records in one transaction, and tells the rooms.
    fn keep(&mut self, batch: Batch) {
        if batch.len() == 0 {
            return;
        }
        self.is_busy = batch.len() >= BUSY_MIN;
        let shares = batch.into_shares();
        let written = self.write(&shares);
        for (place, Share { opening, records }) in shares.into_iter().enumerate() {
            let Some(OpenRoom { room, way }) = self.open.get(&opening) else { continue };
            match &written {
                Ok(before) => {
                    let mut newest = before[place];
                    let kept = kept(records, &mut newest);
                    self.seqs.insert(*room, newest);
                    if let Some(committer) = way.get() {
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

    /// Does a little of what can wait: indexing, deleting. False if there is nothing left, or it does not work now.
    fn is_work_left(&mut self) -> bool {
        let result = self.index().and_then(|is_left| if is_left { Ok(true) } else { self.delete_old() });
        let was_failing = std::mem::replace(&mut self.is_idle_work_failing, result.is_err());
        result.unwrap_or_else(|error| {
            // It is tried again every few seconds.
            if !was_failing {
                tracing::warn!(%error, "cannot index or delete messages of the history now");
            }
            false
        })
    }

    /// Indexes the words of some messages. True if there are more.
    fn index(&mut self) -> rusqlite::Result<bool> {
        let mut next = self
            .connection
            .prepare_cached("SELECT id, seq, indexed FROM rooms WHERE indexed < seq LIMIT 1")?;
        let found = next.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        drop(next);
        let (room, seq, indexed): (i64, i64, i64) = match found {
            Ok(found) => found,
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(false),
            Err(error) => return Err(error),
        };
        let up_to = seq.min(indexed + IDLE_STEP);
        let transaction = self.connection.transaction()?;
        transaction
            .prepare_cached(
                "INSERT INTO words(rowid, author, text) SELECT id, author, text FROM messages WHERE id > ?1 AND id <= ?2",
            )?
            .execute([id(room, indexed.unsigned_abs()), id(room, up_to.unsigned_abs())])?;
        transaction.prepare_cached("UPDATE rooms SET indexed = ?2 WHERE id = ?1")?.execute([room, up_to])?;
        transaction.commit()?;
        Ok(true)
    }

    /// Deletes some messages that are too old, or too many. True if there may be more.
    fn delete_old(&mut self) -> rusqlite::Result<bool> {
        let keep_ms = self.config.keep.map(|keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        let keep_messages = self.config.keep_messages.map(signed);
        if keep_ms.is_none() && keep_messages.is_none() {
            return Ok(false);
        }
        let transaction = self.connection.transaction()?;
        let rooms: Vec<(i64, i64, i64)> = transaction
            .prepare_cached("SELECT id, seq, deleted FROM rooms")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let mut is_more = false;
        for (room, seq, deleted) in rooms {
            let too_many = keep_messages.map_or(0, |keep| seq - keep);
            let last = (deleted + IDLE_STEP).min(seq);
            // The newest of the next few that is too old, if one is.
            let too_old: Option<i64> = transaction
                .prepare_cached(
                    "SELECT max(id) FROM messages WHERE id > ?1 AND id <= ?2
                     AND at_ms < CAST(unixepoch('subsec') * 1000 AS INTEGER) - ?3",
                )?
                .query_row(
                    params![
                        id(room, deleted.unsigned_abs()),
                        id(room, last.unsigned_abs()),
                        keep_ms.unwrap_or(i64::MAX / 4)
                    ],
                    |row| row.get(0),
                )?;
            let too_old = too_old.map_or(0, |id| signed(crate::schema::seq(id)));
            let up_to = too_many.max(too_old).min(last);
            if up_to <= deleted {
                continue;
            }
            transaction
                .prepare_cached("DELETE FROM messages WHERE id > ?1 AND id <= ?2")?
                .execute([id(room, deleted.unsigned_abs()), id(room, up_to.unsigned_abs())])?;
            transaction
                .prepare_cached("UPDATE rooms SET deleted = ?2 WHERE id = ?1")?
                .execute([room, up_to])?;
            is_more = true;
        }
        transaction.commit()?;
        Ok(is_more)
    }
}

/// SQLite's integers have a sign.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
