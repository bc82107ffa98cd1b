//! The thread that writes: many records in one transaction, and what can wait when there is nothing to write.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Event, Journal, JournalError, Kept, MemberId, OpenRequest, Record};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rusqlite::{Connection, params};

use crate::bans::KeptBans;
use crate::config::StoreConfig;
use crate::error::why;
use crate::lock::Lock;
use crate::past;
use crate::room_journal::{RoomJournal, Way};
use crate::schema::id;

/// Records in one transaction.
const BATCH_MAX: usize = 4_096;

/// A batch of so many is followed by another one, as a rule.
const BUSY_MIN: usize = 64;

/// While it is busy, the longest time between two records of one batch.
const GAP_MAX: Duration = Duration::from_micros(100);

/// Messages whose words are indexed, or that are deleted, at a time. A few milliseconds, for which a message waits at worst.
const IDLE_STEP: i64 = 512;

/// How often it looks for messages that are too old.
const RETENTION_EVERY: Duration = Duration::from_secs(10);

/// Something for the writer to do.
pub(crate) enum Job {
    Keep {
        room: i64,
        record: Record,
        way: Way,
    },
    Open {
        request: OpenRequest,
        /// Of a room that is not known yet.
        journal: RoomJournal,
    },
    KeepBans(KeptBans),
    /// The bans have changed.
    WriteBans,
    Flush(Sender<()>),
    Stop,
}

pub(crate) struct Writer {
    connection: Connection,
    config: StoreConfig,
    /// The newest sequence number of each room.
    seqs: HashMap<i64, u64>,
    /// The last batch was a large one: the next one is waited for a little.
    is_busy: bool,
    /// What can wait did not work when it was tried last.
    is_idle_work_failing: bool,
    bans: Option<KeptBans>,
    _lock: Lock,
}

/// What a batch has in it for one room.
struct Batch {
    way: Way,
    kept: Vec<Kept>,
}

impl Writer {
    pub(crate) fn new(connection: Connection, config: StoreConfig, lock: Lock) -> Self {
        Self {
            connection,
            config,
            seqs: HashMap::new(),
            is_busy: false,
            is_idle_work_failing: false,
            bans: None,
            _lock: lock,
        }
    }

    /// Works until it is told to stop, or nobody is left to ask for anything.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        let mut is_idle = false;
        loop {
            let next = match is_idle {
                // There may be words to index.
                false => jobs.try_recv().map_err(|_| RecvTimeoutError::Timeout),
                true => jobs.recv_timeout(RETENTION_EVERY),
            };
            let first = match next {
                Ok(job) => job,
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    is_idle = !self.is_work_left();
                    continue;
                }
            };
            is_idle = false;
            if !self.work(first, jobs) {
                return;
            }
        }
    }

    /// Does a job, and those that wait behind it, as far as they fit into the same transaction. False if it is to stop.
    fn work(&mut self, first: Job, jobs: &Receiver<Job>) -> bool {
        let mut records = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next.take() {
            match job {
                Job::Keep { room, record, way } => {
                    records.push((room, record, way));
                    if records.len() < BATCH_MAX {
                        // Those that are read from one socket come in a row, and are to be written to everyone together.
                        next = match self.is_busy {
                            true => jobs.recv_timeout(GAP_MAX).ok(),
                            false => jobs.try_recv().ok(),
                        };
                    }
                }
                Job::Open { request, journal } => {
                    self.keep(std::mem::take(&mut records));
                    self.open(request, journal);
                }
                Job::KeepBans(bans) => self.bans = Some(bans),
                Job::WriteBans => {} // below
                Job::Flush(done) => {
                    self.keep(std::mem::take(&mut records));
                    self.write_bans();
                    while self.is_work_left() {}
                    let _gone = done.send(());
                }
                Job::Stop => {
                    self.keep(records);
                    self.write_bans();
                    // So that a copy of the one file is the whole history.
                    let _later = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                    return false;
                }
            }
        }
        self.keep(records);
        self.write_bans();
        true
    }

    fn open(&mut self, request: OpenRequest, journal: RoomJournal) {
        let name = request.room.as_ref().map(ToString::to_string).unwrap_or_default();
        match past::open(&mut self.connection, &name, request.log_bytes_max) {
            Ok((room, seq, past)) => {
                self.seqs.insert(room, seq);
                let journal: Arc<dyn Journal> = Arc::new(journal.of(room));
                request.answer(Ok((past, journal)));
            }
            Err(error) => request.answer(Err(JournalError(error.to_string()))),
        }
    }

    /// Writes the bans if they have changed. If that fails, it is tried again with the next job.
    fn write_bans(&mut self) {
        if let Some(bans) = &self.bans {
            let _later = bans.write(&mut self.connection);
        }
    }

    /// Keeps these records in one transaction, and tells the rooms.
    fn keep(&mut self, records: Vec<(i64, Record, Way)>) {
        if records.is_empty() {
            return;
        }
        self.is_busy = records.len() >= BUSY_MIN;
        let mut seqs = self.seqs.clone();
        match self.write(&records) {
            Ok(()) => {
                let mut batches: HashMap<i64, Batch> = HashMap::new();
                for (room, record, way) in records {
                    let Record::Event { event, unix_ms } = record else { continue };
                    let seq = seqs.entry(room).or_default();
                    *seq += u64::from(event.is_message());
                    let kept = Kept { seq: *seq, unix_ms, event };
                    batches.entry(room).or_insert_with(|| Batch { way, kept: Vec::new() }).kept.push(kept);
                }
                for Batch { way, kept } in batches.into_values() {
                    if let Some(committer) = way.get() {
                        committer.commit(kept);
                    }
                }
            }
            Err(error) => {
                self.seqs = seqs;
                let mut refused: HashMap<i64, (Way, Vec<Record>)> = HashMap::new();
                for (room, record, way) in records {
                    refused.entry(room).or_insert_with(|| (way, Vec::new())).1.push(record);
                }
                for (way, records) in refused.into_values() {
                    if let Some(committer) = way.get() {
                        committer.failed(records, why(&error));
                    }
                }
            }
        }
    }

    fn write(&mut self, records: &[(i64, Record, Way)]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        // The last numbers of those that spoke in this batch: one row each, however much they said.
        let mut taken: HashMap<(i64, MemberId), u64> = HashMap::new();
        let mut rooms: HashMap<i64, Option<&str>> = HashMap::new();
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO messages(id, at_ms, member, number, author, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            let mut shown = String::new();
            for (room, record, _) in records {
                match record {
                    Record::Event { event: Event::Said { from, author, text }, unix_ms } => {
                        let seq = self.seqs.entry(*room).or_default();
                        *seq += 1;
                        rooms.entry(*room).or_default();
                        shown.clear();
                        write!(shown, "{author}").expect("writing to a String does not fail");
                        insert.execute(params![
                            id(*room, *seq),
                            signed(*unix_ms),
                            signed(from.member.as_u64()),
                            signed(from.number),
                            shown.as_str(),
                            text.as_str(),
                        ])?;
                        if from.member != MemberId::ROOM {
                            taken.insert((*room, from.member), from.number);
                        }
                    }
                    Record::Event { event: Event::Topic { text, .. }, .. } => {
                        rooms.insert(*room, Some(text.as_str()));
                    }
                    Record::Named { member, name } => {
                        let name = name.as_ref().map(ToString::to_string);
                        let mut keep = transaction.prepare_cached(
                            "INSERT INTO sessions(room, member, name) VALUES (?1, ?2, ?3)
                             ON CONFLICT DO UPDATE SET name = excluded.name",
                        )?;
                        keep.execute(params![room, signed(member.as_u64()), name])?;
                    }
                    Record::Slow { pause } => {
                        let mut keep =
                            transaction.prepare_cached("UPDATE rooms SET slow_ms = ?2 WHERE id = ?1")?;
                        let ms =
                            pause.map_or(0, |pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
                        keep.execute(params![room, ms])?;
                    }
                    Record::Ids { up_to } => {
                        let mut keep =
                            transaction.prepare_cached("UPDATE rooms SET ids_up_to = ?2 WHERE id = ?1")?;
                        keep.execute(params![room, signed(*up_to)])?;
                    }
                    _ => {}
                }
            }
            let mut keep = transaction.prepare_cached(
                "INSERT INTO sessions(room, member, taken) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET taken = max(taken, excluded.taken)",
            )?;
            for ((room, member), number) in taken {
                keep.execute(params![room, signed(member.as_u64()), signed(number)])?;
            }
            let mut keep = transaction
                .prepare_cached("UPDATE rooms SET seq = ?2, topic = coalesce(?3, topic) WHERE id = ?1")?;
            for (room, topic) in rooms {
                keep.execute(params![room, signed(self.seqs.get(&room).copied().unwrap_or(0)), topic])?;
            }
        }
        transaction.commit()
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
