//! What the writer does when there is nothing to write: indexes words, deletes what is too old, forgets rooms that are
//! gone.

use std::collections::HashSet;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rusqlite::params;

use super::{Job, OpenRoom, Writer};
use crate::limits::HOUSEKEEPING_ROWS;
use crate::schema::signed;
use crate::schema::{self, id};

/// The same, as SQLite counts.
const ROWS: i64 = HOUSEKEEPING_ROWS as i64;

impl Writer {
    /// Does a little housekeeping: deleting, indexing. False if there is nothing left, or it does not work now.
    pub(super) fn is_work_left(&mut self) -> bool {
        self.look_for_file();
        // A message that is deleted now need not be indexed.
        let result = self.delete_old().and_then(|is_more| Ok(self.index()? || is_more));
        let was_failing = std::mem::replace(&mut self.is_idle_work_failing, result.is_err());
        result.unwrap_or_else(|error| {
            // It is tried again every few seconds.
            if !was_failing {
                tracing::warn!(%error, "cannot index or delete messages of the history now");
            }
            false
        })
    }

    /// Messages that are written to a file that somebody has removed are lost once it is closed, and nothing else would
    /// report that.
    fn look_for_file(&mut self) {
        let had_left = std::mem::replace(&mut self.has_left, self.place.is_left());
        if self.has_left && !had_left {
            tracing::warn!(
                "the file of the history was removed or moved: a server that starts again will not have it"
            );
        }
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
        let up_to = seq.min(indexed + ROWS);
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
            // A copy of another journal may lack messages.
            let first: Option<i64> = transaction
                .prepare_cached("SELECT min(id) FROM messages WHERE id > ?1 AND id <= ?2")?
                .query_row([id(room, deleted.unsigned_abs()), id(room, seq.unsigned_abs())], |row| {
                    row.get(0)
                })?;
            let Some(first) = first else { continue };
            let last = (signed(schema::seq(first)) - 1 + ROWS).min(seq);
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
            let too_old = too_old.map_or(0, |id| signed(schema::seq(id)));
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

    /// Forgets the rooms that are gone and have nothing in the queue any more.
    pub(super) fn forget_closed(&mut self, jobs: &Receiver<Job>) {
        let is_gone = |open: &OpenRoom| Arc::strong_count(&open.way) == 1;
        let gone: Vec<u64> = self.open.iter().filter(|(_, open)| is_gone(open)).map(|(&of, _)| of).collect();
        let are_copies_open = self.copies.values().all(|copy| copy.strong_count() > 0);
        if gone.is_empty() && are_copies_open || !jobs.is_empty() {
            return;
        }
        for opening in gone {
            self.open.remove(&opening);
        }
        self.copies.retain(|_, copy| copy.strong_count() > 0);
        let open = self.open.values().map(|open| open.room);
        let there: HashSet<i64> = open.chain(self.copies.keys().copied()).collect();
        self.seqs.retain(|room, _| there.contains(room));
        if let Err(error) = self.delete_empty_rooms(&there) {
            tracing::warn!(%error, "cannot delete empty rooms of the history now");
        }
    }

    /// Deletes the rooms that are not open and in which there is nothing to keep, with their sessions. Otherwise there
    /// would be more of them with each room that members open.
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
}
