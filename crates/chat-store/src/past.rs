//! What a room takes over when it is opened.

use std::sync::Arc;
use std::time::Duration;

use chat_core::journal::{Kept, Past, PastSession};
use chat_core::limits::{ENTRY_OVERHEAD_BYTES, IDS_SET_ASIDE, SESSIONS_REMEMBERED_MAX};
use chat_core::{Author, Event, MemberId, Origin, Text};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::schema::{id, seq, signed, unsigned};

/// What the file knows of a room besides messages and sessions.
struct RoomRow {
    room: i64,
    seed: [u8; 32],
    began_ms: i64,
    ids_up_to: i64,
    topic: Option<String>,
    newest: i64,
    slow_ms: Option<i64>,
}

/// Opens a room, which is made if there is none: its id, its newest sequence number, its past. Its ids are set aside
/// before this returns.
pub(crate) fn open(
    connection: &mut Connection,
    name: &str,
    log_bytes_max: usize,
) -> rusqlite::Result<(i64, u64, Past)> {
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO rooms(name, seed, began_ms)
         VALUES (?1, randomblob(32), CAST(unixepoch('subsec') * 1000 AS INTEGER)) ON CONFLICT DO NOTHING",
        [name],
    )?;
    let RoomRow { room, seed, began_ms, ids_up_to, topic, newest, slow_ms } = transaction.query_row(
        "SELECT id, seed, began_ms, ids_up_to, topic, seq, slow_ms FROM rooms WHERE name = ?1",
        [name],
        |row| {
            Ok(RoomRow {
                room: row.get(0)?,
                seed: row.get(1)?,
                began_ms: row.get(2)?,
                ids_up_to: row.get(3)?,
                topic: row.get(4)?,
                newest: row.get(5)?,
                slow_ms: row.get(6)?,
            })
        },
    )?;
    transaction.execute(
        "UPDATE rooms SET ids_up_to = ids_up_to + ?2 WHERE id = ?1",
        params![room, signed(IDS_SET_ASIDE)],
    )?;
    let mut messages = Vec::new();
    {
        let mut bytes = 0;
        let mut query = transaction.prepare(
            "SELECT id, at_ms, member, number, author, text FROM messages WHERE id > ?1 AND id <= ?2 ORDER BY id DESC",
        )?;
        let mut rows = query.query([id(room, 0), id(room, u64::MAX)])?;
        while let Some(row) = rows.next()? {
            let kept = kept(row)?;
            if let Event::Said { text, .. } = &kept.event {
                bytes += ENTRY_OVERHEAD_BYTES + text.as_str().len();
            }
            // A copy of another journal may lack messages.
            let is_next = messages.last().is_none_or(|newer: &Kept| kept.seq + 1 == newer.seq);
            if bytes > log_bytes_max || !is_next {
                break;
            }
            messages.push(kept);
        }
    }
    messages.reverse();
    let mut sessions: Vec<PastSession> = {
        let mut query = transaction.prepare(
            "SELECT member, taken, name FROM sessions WHERE room = ?1 ORDER BY member DESC LIMIT ?2",
        )?;
        let rows = query.query_map(params![room, signed(SESSIONS_REMEMBERED_MAX as u64 + 1)], |row| {
            let name: Option<String> = row.get(2)?;
            Ok(PastSession {
                member: MemberId::new(unsigned(row.get(0)?)),
                taken: unsigned(row.get(1)?),
                name: name.and_then(|name| name.parse().ok()),
            })
        })?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    sessions.reverse();
    forget_old_sessions(&transaction, room)?;
    transaction.commit()?;
    let newest = unsigned(newest);
    let past = Past {
        began: Some((seed, unsigned(began_ms))),
        ids_up_to: unsigned(ids_up_to),
        before: messages.first().map_or(newest, |kept: &Kept| kept.seq - 1),
        newest: messages,
        topic: topic.and_then(|topic| Text::one_line(&topic).ok()).filter(|topic| !topic.as_str().is_empty()),
        slow: slow_ms.map(|ms| Some(Duration::from_millis(unsigned(ms))).filter(|pause| !pause.is_zero())),
        sessions,
        ..Past::default()
    };
    Ok((room, newest, past))
}

/// A room whose messages are copied.
pub(crate) struct CopyRoom {
    pub(crate) room: i64,
    /// The sequence number of its newest message in the file.
    pub(crate) newest: u64,
    /// Who said that message. `None` if the file does not have it any more.
    pub(crate) said: Option<Origin>,
    /// While this exists, the room is not deleted for being empty.
    pub(crate) is_open: Arc<()>,
}

/// Opens the copy of a room that began with this seed at this time. It is made if there is none. `None` if the file has
/// other messages of a room of this name; then nothing is changed.
pub(crate) fn open_copy(
    connection: &mut Connection,
    name: &str,
    (seed, began_ms): ([u8; 32], u64),
) -> rusqlite::Result<Option<CopyRoom>> {
    let transaction = connection.transaction()?;
    let found = transaction.query_row("SELECT id FROM rooms WHERE seed = ?1", [seed], |row| row.get(0));
    let room: i64 = match found.optional()? {
        Some(room) => room,
        None => {
            let made = transaction.execute(
                "INSERT INTO rooms(name, seed, began_ms) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET seed = excluded.seed, began_ms = excluded.began_ms WHERE seq = 0",
                params![name, seed, signed(began_ms)],
            )?;
            if made == 0 {
                return Ok(None);
            }
            transaction.query_row("SELECT id FROM rooms WHERE name = ?1", [name], |row| row.get(0))?
        }
    };
    let newest: i64 =
        transaction.query_row("SELECT seq FROM rooms WHERE id = ?1", [room], |row| row.get(0))?;
    let newest = unsigned(newest);
    let mut query = transaction.prepare("SELECT member, number FROM messages WHERE id = ?1")?;
    let said = query.query_row([id(room, newest)], |row| {
        Ok(Origin { member: MemberId::new(unsigned(row.get(0)?)), number: unsigned(row.get(1)?) })
    });
    let said = said.optional()?;
    drop(query);
    transaction.commit()?;
    Ok(Some(CopyRoom { room, newest, said, is_open: Arc::default() }))
}

/// Forgets the sessions that are never read again, since there are so many newer ones.
pub(crate) fn forget_old_sessions(connection: &Connection, room: i64) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM sessions WHERE room = ?1 AND member <
         (SELECT member FROM sessions WHERE room = ?1 ORDER BY member DESC LIMIT 1 OFFSET ?2)",
        params![room, signed(SESSIONS_REMEMBERED_MAX as u64)],
    )?;
    Ok(())
}

/// A row of `id, at_ms, member, number, author, text`.
pub(crate) fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let author: String = row.get(4)?;
    let text: String = row.get(5)?;
    let from = Origin { member: MemberId::new(unsigned(row.get(2)?)), number: unsigned(row.get(3)?) };
    // Somebody may have edited the file.
    let event = Event::Said { from, author: Author::from_shown(&author), text: Text::lossy(&text) };
    Ok(Kept { seq: seq(row.get(0)?), unix_ms: unsigned(row.get(1)?), event })
}
