//! Records that are written in one transaction, room by room.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;

use chat_core::journal::{Kept, Record};
use chat_core::{Author, Event, MemberId, Origin};
use rusqlite::{CachedStatement, Transaction, params};

use crate::schema::id;
use crate::schema::signed;

/// Rows of one INSERT. Many together cost less than each on its own.
const ROWS: usize = 32;

/// Columns of a message's row.
const COLUMNS: usize = 6;

/// Records that wait to be written together.
#[derive(Default)]
pub(crate) struct Batch {
    shares: Vec<Share>,
    /// The share of each room, by the number of its opening.
    places: HashMap<u64, usize>,
    /// The share that the last record went to.
    last: usize,
    len: usize,
}

/// The part of a batch for one room.
pub(crate) struct Share {
    pub(crate) opening: u64,
    pub(crate) records: Vec<Record>,
}

/// A message on its way into the table.
struct Row<'a> {
    seq: u64,
    at_ms: u64,
    from: Origin,
    author: &'a Author,
    /// Where it is among the authors as they are shown.
    shown: Range<usize>,
    text: &'a str,
}

impl Batch {
    pub(crate) fn push(&mut self, opening: u64, record: Record) {
        if self.shares.get(self.last).is_none_or(|share| share.opening != opening) {
            self.last = *self.places.entry(opening).or_insert_with(|| {
                self.shares.push(Share { opening, records: Vec::new() });
                self.shares.len() - 1
            });
        }
        self.shares[self.last].records.push(record);
        self.len += 1;
    }

    /// Records.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn into_shares(self) -> Vec<Share> {
        self.shares
    }
}

/// Writes records of a room whose newest message is `newest`. Returns which it is afterwards.
pub(crate) fn write(
    transaction: &Transaction<'_>,
    room: i64,
    newest: u64,
    records: &[Record],
) -> rusqlite::Result<u64> {
    let mut rows: Vec<Row<'_>> = Vec::with_capacity(records.len());
    let mut shown = String::new();
    let mut topic = None;
    for record in records {
        match record {
            Record::Event { event: Event::Said { from, author, text }, unix_ms } => {
                let shown = match rows.last() {
                    Some(row) if row.author == author => row.shown.clone(),
                    _ => {
                        let start = shown.len();
                        write!(shown, "{author}").expect("writing to a String does not fail");
                        start..shown.len()
                    }
                };
                let seq = newest + 1 + rows.len() as u64;
                rows.push(Row { seq, at_ms: *unix_ms, from: *from, author, shown, text: text.as_str() });
            }
            Record::Event { event: Event::Topic { text, .. }, .. } => topic = Some(text.as_str()),
            record => write_setting(transaction, room, record)?,
        }
    }
    let together = rows.chunks_exact(ROWS);
    let alone = together.remainder().chunks_exact(1);
    if together.len() > 0 {
        insert(&mut transaction.prepare_cached(&statement(ROWS))?, room, together, &shown)?;
    }
    insert(&mut transaction.prepare_cached(&statement(1))?, room, alone, &shown)?;
    // The last numbers of those that spoke: one row each, however much they said.
    let mut taken: HashMap<MemberId, u64> = HashMap::new();
    let mut last = None;
    for Row { from, .. } in rows.iter().rev() {
        if from.member != MemberId::ROOM && last != Some(from.member) {
            last = Some(from.member);
            taken.entry(from.member).or_insert(from.number);
        }
    }
    let mut keep = transaction.prepare_cached(
        "INSERT INTO sessions(room, member, taken) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET taken = max(taken, excluded.taken)",
    )?;
    for (member, number) in taken {
        keep.execute(params![room, signed(member.as_u64()), signed(number)])?;
    }
    let seq = newest + rows.len() as u64;
    transaction
        .prepare_cached("UPDATE rooms SET seq = ?2, topic = coalesce(?3, topic) WHERE id = ?1")?
        .execute(params![room, signed(seq), topic])?;
    Ok(seq)
}

/// Writes messages of a copy, which have their numbers already. Some may be missing, and some may be in the file
/// already. Returns the newest message afterwards.
pub(crate) fn copy(
    transaction: &Transaction<'_>,
    room: i64,
    newest: u64,
    messages: Vec<Kept>,
) -> rusqlite::Result<u64> {
    let mut last = newest;
    let mut messages =
        messages.into_iter().filter(|kept| kept.event.is_message() && kept.seq > newest).peekable();
    while let Some(first) = messages.peek().map(|kept| kept.seq) {
        if last == 0 {
            // There is nothing to look for before it.
            transaction.execute(
                "UPDATE rooms SET deleted = ?2, indexed = ?2 WHERE id = ?1",
                params![room, signed(first - 1)],
            )?;
        }
        let mut records = Vec::new();
        last = first - 1;
        while let Some(Kept { event, unix_ms, .. }) = messages.next_if(|kept| kept.seq == last + 1) {
            last += 1;
            records.push(Record::Event { event, unix_ms });
        }
        write(transaction, room, first - 1, &records)?;
    }
    // A server that goes on with the copy alone gives no id twice.
    transaction
        .prepare_cached(
            "UPDATE rooms SET ids_up_to = max(ids_up_to, (SELECT coalesce(max(member), 0) FROM sessions WHERE room = ?1))
             WHERE id = ?1",
        )?
        .execute([room])?;
    Ok(last)
}

fn write_setting(transaction: &Transaction<'_>, room: i64, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Named { member, name, .. } => {
            let name = name.as_ref().map(ToString::to_string);
            transaction
                .prepare_cached(
                    "INSERT INTO sessions(room, member, name) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET name = excluded.name",
                )?
                .execute(params![room, signed(member.as_u64()), name])?;
        }
        Record::Slow { pause } => {
            let ms = pause.map_or(0, |pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
            transaction
                .prepare_cached("UPDATE rooms SET slow_ms = ?2 WHERE id = ?1")?
                .execute(params![room, ms])?;
        }
        Record::Ids { up_to } => {
            transaction
                .prepare_cached("UPDATE rooms SET ids_up_to = ?2 WHERE id = ?1")?
                .execute(params![room, signed(*up_to)])?;
        }
        _ => {}
    }
    Ok(())
}

/// Inserts chunks of as many rows as the statement takes.
fn insert<'a>(
    statement: &mut CachedStatement<'_>,
    room: i64,
    chunks: impl Iterator<Item = &'a [Row<'a>]>,
    shown: &str,
) -> rusqlite::Result<()> {
    for chunk in chunks {
        for (row, first) in chunk.iter().zip((1..).step_by(COLUMNS)) {
            statement.raw_bind_parameter(first, id(room, row.seq))?;
            statement.raw_bind_parameter(first + 1, signed(row.at_ms))?;
            statement.raw_bind_parameter(first + 2, signed(row.from.member.as_u64()))?;
            statement.raw_bind_parameter(first + 3, signed(row.from.number))?;
            statement.raw_bind_parameter(first + 4, &shown[row.shown.clone()])?;
            statement.raw_bind_parameter(first + 5, row.text)?;
        }
        statement.raw_execute()?;
    }
    Ok(())
}

/// The events that are kept, after the message `newest`, which becomes the newest of these.
pub(crate) fn kept(records: Vec<Record>, newest: &mut u64) -> Vec<Kept> {
    let events = records.into_iter().filter_map(|record| match record {
        Record::Event { event, unix_ms } => Some((event, unix_ms)),
        _ => None,
    });
    events
        .map(|(event, unix_ms)| {
            *newest += u64::from(event.is_message());
            Kept { seq: *newest, unix_ms, event }
        })
        .collect()
}

/// The statement that inserts this many messages.
fn statement(rows: usize) -> String {
    let rows = vec!["(?, ?, ?, ?, ?, ?)"; rows].join(", ");
    // If a row is refused the whole batch is undone: SQLite need not note how to undo one statement alone.
    format!("INSERT OR ROLLBACK INTO messages(id, at_ms, member, number, author, text) VALUES {rows}")
}
