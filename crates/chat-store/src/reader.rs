//! The threads that read, each over a connection of its own, so that nobody who looks back delays a message.

use std::io::ErrorKind;
use std::path::Path;
use std::thread;

use chat_core::Text;
use chat_core::journal::{Filter, Kept, Page, Query, ReadRequest};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use rusqlite::{Connection, OpenFlags, params};

use crate::error::OpenError;
use crate::limits::{QUESTIONS_MAX, READERS, UNINDEXED_MAX};
use crate::past::kept;
use crate::schema::id;

#[derive(Clone, Debug)]
pub(crate) struct Readers(Sender<(i64, ReadRequest)>);

impl Readers {
    pub(crate) fn new(path: &Path) -> Result<Self, OpenError> {
        let (questions, asked) = bounded(QUESTIONS_MAX);
        for _ in 0..READERS {
            let (connection, asked) = (connect(path)?, asked.clone());
            thread::Builder::new()
                .name("history reader".to_owned())
                .spawn(move || run(&connection, &asked))?;
        }
        Ok(Self(questions))
    }

    pub(crate) fn read(&self, room: i64, request: ReadRequest) {
        match self.0.try_send((room, request)) {
            Ok(()) => {}
            Err(TrySendError::Full((_, request)) | TrySendError::Disconnected((_, request))) => {
                request.answer(Err(Text::lossy("too many look back at once")));
            }
        }
    }
}

/// A connection that only reads.
pub(crate) fn connect(path: &Path) -> Result<Connection, OpenError> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(OpenError::Missing),
        _ => {} // SQLite says what else is wrong
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    keep_temporary_in_memory(&connection)?;
    Ok(connection)
}

/// Keeps SQLite from making files in the directory for temporary ones: the server may be forbidden to write there.
pub(crate) fn keep_temporary_in_memory(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")
}

fn run(connection: &Connection, asked: &Receiver<(i64, ReadRequest)>) {
    while let Ok((room, request)) = asked.recv() {
        let page = read(connection, room, &request.query);
        request.answer(page.map_err(|error| Text::lossy(crate::error::why(&error))));
    }
}

/// The page that a query asks for.
pub(crate) fn read(connection: &Connection, room: i64, query: &Query) -> rusqlite::Result<Page> {
    match query {
        Query::After(seq) => {
            let mut query = connection.prepare_cached(
                "SELECT id, at_ms, member, number, author, text FROM messages WHERE id > ?1 AND id <= ?2 ORDER BY id",
            )?;
            let rows = query.query_map([id(room, *seq), id(room, u64::MAX)], kept)?;
            page(rows, usize::MAX)
        }
        Query::Before { seq, messages, filter } if is_all(filter) => {
            let mut query = connection.prepare_cached(
                "SELECT id, at_ms, member, number, author, text FROM messages WHERE id > ?1 AND id < ?2 ORDER BY id DESC",
            )?;
            let rows = query.query_map([id(room, 0), id(room, *seq)], kept)?;
            Ok(page(rows, *messages)?.reversed())
        }
        Query::Before { seq, messages, filter } => search(connection, room, *seq, *messages, filter),
        _ => Ok(Page::default()),
    }
}

/// Searches first the newest messages, whose words are not indexed yet, then the index, both backwards.
fn search(
    connection: &Connection,
    room: i64,
    seq: u64,
    messages: usize,
    filter: &Filter,
) -> rusqlite::Result<Page> {
    let indexed: i64 = connection
        .prepare_cached("SELECT max(indexed, seq - ?2) FROM rooms WHERE id = ?1")?
        .query_row([room, UNINDEXED_MAX], |row| row.get(0))?;
    let indexed = indexed.unsigned_abs();
    let mut newest = connection.prepare_cached(
        "SELECT id, at_ms, member, number, author, text FROM messages WHERE id > ?1 AND id < ?2 ORDER BY id DESC",
    )?;
    let newest = newest.query_map([id(room, indexed), id(room, seq)], kept)?;
    let newest = newest.filter(|kept| kept.as_ref().map_or(true, |kept| filter.matches(&kept.event)));
    let mut found = Vec::new();
    for kept in newest.take(messages.saturating_add(1)) {
        found.push(kept?);
    }
    let expression = expression(filter);
    if found.len() <= messages && !expression.is_empty() {
        let mut older = connection.prepare_cached(
            "SELECT m.id, at_ms, member, number, m.author, m.text FROM words JOIN messages m ON m.id = words.rowid
             WHERE words MATCH ?1 AND words.rowid > ?2 AND words.rowid < ?3 ORDER BY words.rowid DESC",
        )?;
        let before = id(room, seq.min(indexed + 1));
        let older = older.query_map(params![expression, id(room, 0), before], kept)?;
        let is_author = Filter { author: filter.author.clone(), words: None };
        let older = older.filter(|kept| kept.as_ref().map_or(true, |kept| is_author.matches(&kept.event)));
        for kept in older.take(messages.saturating_add(1) - found.len()) {
            found.push(kept?);
        }
    }
    Ok(Page::of(found, messages).reversed())
}

/// Whether every message matches.
fn is_all(filter: &Filter) -> bool {
    filter.author.is_none() && filter.words.as_deref().is_none_or(|words| words.trim().is_empty())
}

/// The query for the index: each word as it is, and none as an operator.
fn expression(filter: &Filter) -> String {
    let quoted = |words: &str| format!("\"{}\"", words.replace('"', "\"\""));
    let author = filter.author.iter().map(|author| format!("author : {}", quoted(author)));
    let words = filter.words.iter().flat_map(|words| words.split_whitespace());
    let words = words.filter(|word| word.contains(char::is_alphanumeric)); // others are in no index
    author.chain(words.map(|word| format!("text : {}", quoted(word)))).collect::<Vec<_>>().join(" AND ")
}

fn page(rows: impl Iterator<Item = rusqlite::Result<Kept>>, messages: usize) -> rusqlite::Result<Page> {
    let mut failed = None;
    let rows = rows.map_while(|kept| kept.map_err(|error| failed = Some(error)).ok());
    let page = Page::of(rows, messages);
    failed.map_or(Ok(page), Err)
}
