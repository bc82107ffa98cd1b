//! A history without a room: reading it, even while a server writes it; bringing messages in, and taking some out.

use std::path::{Path, PathBuf};

use chat_core::journal::Filter;
use chat_core::{Author, Name, Text};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{OpenError, ReadError};
use crate::file;
use crate::lock::Lock;
use crate::past;
use crate::reader;
use crate::schema::{self, id, seq};
use crate::schema::{signed, unsigned};
use crate::store;

/// The text in place of a removed message. The message keeps its place, because messages are numbered without gaps.
const REMOVED: &str = "(removed)";

/// A history that is read, or changed while no server has it.
///
/// ```no_run
/// use chat_store::{Archive, Selection};
///
/// let archive = Archive::open("chat.db")?;
/// archive.each(&Selection::default(), |message| {
///     println!("{} [{}] {}", message.unix_ms, message.author, message.text);
///     true
/// })?;
/// # Ok::<(), chat_store::ReadError>(())
/// ```
#[derive(Debug)]
pub struct Archive {
    connection: Connection,
    path: PathBuf,
}

/// Which messages of an [`Archive`]. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of the room of this name; of all rooms if there is none.
    pub room: Option<String>,
    /// Not older than this time, in milliseconds of Unix time.
    pub since_unix_ms: u64,
    /// Of this author, or with these words.
    pub filter: Filter,
}

/// A message in an [`Archive`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The name of its room; empty for a room without a name.
    pub room: String,
    /// Its sequence number there.
    pub seq: u64,
    /// When it was said, in milliseconds of Unix time.
    pub unix_ms: u64,
    /// Its author, as people saw it.
    pub author: String,
    /// The text.
    pub text: Text,
}

impl Archive {
    /// Opens a history to read it.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        file::check(path)?;
        let (version, connection) = match connect(path, reader::connect) {
            Err(OpenError::ReadOnly) => connect(path, file::connect_unchanging)?,
            result => result?,
        };
        match version {
            0 => Err(OpenError::Empty),
            _ => Ok(Self { connection, path: path.to_owned() }),
        }
    }

    /// The names of its rooms.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn rooms(&self) -> Result<Vec<String>, ReadError> {
        let mut query = self.connection.prepare("SELECT name FROM rooms ORDER BY id")?;
        let rooms = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(rooms)
    }

    /// Calls `each` with the messages selected, room by room, oldest first, until it returns false.
    ///
    /// # Errors
    ///
    /// [`ReadError::NoRoom`] if there is no such room; [`ReadError::Open`] if the file cannot be read.
    pub fn each(
        &self,
        selection: &Selection,
        mut each: impl FnMut(Message) -> bool,
    ) -> Result<(), ReadError> {
        let (first, end) = match &selection.room {
            Some(name) => {
                let room = self.room(name)?;
                (id(room, 0), id(room, u64::MAX))
            }
            None => (0, i64::MAX),
        };
        let mut query = self.connection.prepare(
            "SELECT messages.id, at_ms, author, text, rooms.name FROM messages JOIN rooms ON rooms.id = messages.id >> 40
             WHERE messages.id > ?1 AND messages.id <= ?2 AND at_ms >= ?3 ORDER BY messages.id",
        )?;
        let mut rows = query.query(params![first, end, signed(selection.since_unix_ms)])?;
        while let Some(row) = rows.next()? {
            let message = Message {
                seq: seq(row.get(0)?),
                unix_ms: unsigned(row.get(1)?),
                author: row.get(2)?,
                text: Text::lossy(&row.get::<_, String>(3)?),
                room: row.get(4)?,
            };
            if selection.filter.matches_shown(&message.author, &message.text) && !each(message) {
                break;
            }
        }
        Ok(())
    }

    /// Replaces what these authors have said, or these messages of a room, by `(removed)`, and removes every trace of
    /// the old texts from the file. An author is meant in any case of letters; the name is removed from its sessions,
    /// too. Returns how many messages were replaced.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] while a server has the history; [`ReadError::Unclean`] if another program reads it;
    /// [`ReadError`].
    pub fn redact(self, room: Option<&str>, author: Option<&str>, seqs: &[u64]) -> Result<usize, ReadError> {
        let rooms = match room {
            Some(name) => vec![self.room(name)?],
            None => {
                let mut query = self.connection.prepare("SELECT id FROM rooms")?;
                query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?
            }
        };
        let (_lock, connection) = self.write()?;
        connection.pragma_update(None, "secure_delete", "ON")?;
        let mut replaced = 0;
        for room in rooms {
            for seq in seqs {
                let id = id(room, *seq);
                let said_by: Option<String> = connection
                    .query_row("SELECT author FROM messages WHERE id = ?1", [id], |row| row.get(0))
                    .optional()?;
                if said_by.is_some_and(|said_by| author.is_none_or(|author| is_same(&said_by, author))) {
                    replaced += connection
                        .execute("UPDATE messages SET text = ?1 WHERE id = ?2", params![REMOVED, id])?;
                }
            }
            if let Some(author) = author.filter(|_| seqs.is_empty()) {
                replaced += redact_author(&connection, room, author)?;
            }
        }
        // Old texts may be left in free pages and in the log beside the file.
        connection.execute_batch("INSERT INTO words(words) VALUES ('optimize'); VACUUM;")?;
        let is_busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            row.get::<_, i64>(0).map(|busy| busy != 0)
        })?;
        if is_busy { Err(ReadError::Unclean { replaced }) } else { Ok(replaced) }
    }

    /// Adds the lines `[author] text` of a log to a room of a history. The file and the room are made if there are
    /// none. A line without an author is the room's. A line with a time before it (RFC 3339, as a log file has it) was
    /// said then, but not before the messages that are there already; the others were said at `unix_ms`. Returns how
    /// many messages were added.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] while a server has the history; [`ReadError`].
    pub fn import<'a>(
        path: impl AsRef<Path>,
        room: &str,
        unix_ms: u64,
        lines: impl IntoIterator<Item = &'a str>,
    ) -> Result<usize, ReadError> {
        file::check(path.as_ref())?;
        let _lock = Lock::take(path.as_ref())?;
        store::make(path.as_ref())?;
        let mut connection = Connection::open(path)?;
        schema::prepare(&mut connection)?;
        let (room, ..) = past::open(&mut connection, room, 0)?;
        let transaction = connection.transaction()?;
        let mut newest: i64 =
            transaction.query_row("SELECT seq FROM rooms WHERE id = ?1", [room], |row| row.get(0))?;
        let mut added = 0;
        let mut at_ms: i64 = transaction.query_row(
            "SELECT coalesce(max(at_ms), 0) FROM messages WHERE id BETWEEN ?1 AND ?2",
            [id(room, 0), id(room, u64::MAX)],
            |row| row.get(0),
        )?;
        for line in lines {
            let (said_ms, line) = time(&transaction, line)?;
            at_ms = at_ms.max(said_ms.unwrap_or(signed(unix_ms)).min(signed(unix_ms)));
            let (author, text) = split(line);
            for text in Text::split(text.as_bytes()).filter(|text| !text.as_str().is_empty()) {
                newest += 1;
                added += transaction
                    .prepare_cached(
                        "INSERT INTO messages(id, at_ms, member, number, author, text) VALUES (?1, ?2, 0, 0, ?3, ?4)",
                    )?
                    .execute(params![
                        id(room, newest.unsigned_abs()),
                        at_ms,
                        author.to_string(),
                        text.as_str()
                    ])?;
            }
        }
        transaction.execute("UPDATE rooms SET seq = ?2 WHERE id = ?1", [room, newest])?;
        transaction.commit()?;
        Ok(added)
    }

    fn room(&self, name: &str) -> Result<i64, ReadError> {
        let mut query = self.connection.prepare("SELECT id, name FROM rooms")?;
        let rooms = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let rooms: Vec<(i64, String)> = rooms.collect::<rusqlite::Result<_>>()?;
        let found = rooms.into_iter().find(|(_, room)| is_same(room, name)).map(|(id, _)| id);
        found.ok_or_else(|| ReadError::NoRoom { room: name.to_owned() })
    }

    /// A connection that writes, while no server does.
    fn write(self) -> Result<(Lock, Connection), ReadError> {
        let lock = Lock::take(&self.path)?;
        Ok((lock, Connection::open(&self.path).map_err(OpenError::from)?))
    }
}

/// Connects to a history. Returns its version, too.
fn connect(
    path: &Path,
    connect: impl Fn(&Path) -> Result<Connection, OpenError>,
) -> Result<(i32, Connection), OpenError> {
    let connection = connect(path)?;
    Ok((schema::check(&connection)?, connection))
}

/// Replaces what an author has said in a room, and takes its name from its sessions.
fn redact_author(connection: &Connection, room: i64, author: &str) -> rusqlite::Result<usize> {
    let (first, last) = (id(room, 0), id(room, u64::MAX));
    let mut query = connection.prepare("SELECT DISTINCT author FROM messages WHERE id > ?1 AND id <= ?2")?;
    let spelled = query.query_map([first, last], |row| row.get(0))?;
    let spelled: Vec<String> = spelled.collect::<rusqlite::Result<_>>()?;
    let mut replaced = 0;
    for spelled in spelled.iter().filter(|spelled| is_same(spelled, author)) {
        replaced += connection.execute(
            "UPDATE messages SET text = ?1, author = '*' WHERE id > ?2 AND id <= ?3 AND author = ?4",
            params![REMOVED, first, last, spelled],
        )?;
    }
    let mut query =
        connection.prepare("SELECT DISTINCT name FROM sessions WHERE room = ?1 AND name IS NOT NULL")?;
    let names: Vec<String> = query.query_map([room], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names.iter().filter(|name| is_same(name, author)) {
        connection
            .execute("UPDATE sessions SET name = NULL WHERE room = ?1 AND name = ?2", params![room, name])?;
    }
    Ok(replaced)
}

/// Whether these are one name, as a room compares names: in any case of letters, in any script.
fn is_same(one: &str, other: &str) -> bool {
    let folded = |name: &str| {
        name.parse::<Name>().map_or_else(|_| name.to_lowercase(), |name| name.as_str().to_lowercase())
    };
    folded(one) == folded(other)
}

/// The author and the text of a line.
/// The time before a line, in milliseconds of Unix time, and the line.
fn time<'a>(connection: &Connection, line: &'a str) -> rusqlite::Result<(Option<i64>, &'a str)> {
    let Some((time, rest)) = line.split_once(' ').filter(|(time, rest)| {
        time.as_bytes().get("2026-11-27".len()) == Some(&b'T') && rest.starts_with('[')
    }) else {
        return Ok((None, line));
    };
    let mut seconds = connection.prepare_cached("SELECT unixepoch(?1)")?;
    let seconds: Option<i64> = seconds.query_row([time], |row| row.get(0))?;
    Ok(seconds.map_or((None, line), |seconds| (Some(seconds.saturating_mul(1000)), rest)))
}

fn split(line: &str) -> (Author, &str) {
    let parts = line.strip_prefix('[').and_then(|line| line.split_once("] "));
    match parts.and_then(|(author, text)| Some((Author::from_record(author)?, text))) {
        Some(parts) => parts,
        None => (Author::Room, line),
    }
}
