//! The tables of the file, their version, and how older versions become the present one.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::OpenError;

/// `CHAT`: marks the file as one of ours, for `file` and for us.
const APPLICATION_ID: i32 = 0x4348_4154;

/// The version of the tables below.
const VERSION: i32 = 3;

/// Bits of a message's id that are its sequence number; those above are its room. So the messages of a room are
/// neighbours, in order, and each is appended at the end of its room.
pub(crate) const SEQ_BITS: u32 = 40;

/// How each version is made from the one before; the first one from nothing.
const MIGRATIONS: [&str; VERSION as usize] = [FIRST, SECOND, THIRD];

const FIRST: &str = "
    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY,
        -- Empty for a room without a name.
        name TEXT NOT NULL UNIQUE,
        -- Secret: session keys are made from it.
        seed BLOB NOT NULL,
        began_ms INTEGER NOT NULL,
        ids_up_to INTEGER NOT NULL DEFAULT 0,
        topic TEXT,
        -- The newest message, and the newest that can be searched by its words.
        seq INTEGER NOT NULL DEFAULT 0,
        indexed INTEGER NOT NULL DEFAULT 0,
        -- Messages up to this one were deleted.
        deleted INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE messages (
        -- (room << 40) | seq
        id INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        member INTEGER NOT NULL,
        number INTEGER NOT NULL,
        author TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE TABLE sessions (
        room INTEGER NOT NULL,
        member INTEGER NOT NULL,
        taken INTEGER NOT NULL DEFAULT 0,
        name TEXT,
        PRIMARY KEY (room, member)
    ) WITHOUT ROWID;
    CREATE VIRTUAL TABLE words USING fts5(
        author, text, content='messages', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
    );
    INSERT INTO words(words, rank) VALUES ('secure-delete', 1);
    CREATE TRIGGER message_deleted AFTER DELETE ON messages
    WHEN (old.id & 0xFFFFFFFFFF) <= (SELECT indexed FROM rooms WHERE id = old.id >> 40) BEGIN
        INSERT INTO words(words, rowid, author, text) VALUES ('delete', old.id, old.author, old.text);
    END;
    CREATE TRIGGER message_changed AFTER UPDATE OF author, text ON messages
    WHEN (old.id & 0xFFFFFFFFFF) <= (SELECT indexed FROM rooms WHERE id = old.id >> 40) BEGIN
        INSERT INTO words(words, rowid, author, text) VALUES ('delete', old.id, old.author, old.text);
        INSERT INTO words(rowid, author, text) VALUES (new.id, new.author, new.text);
    END;
    CREATE VIEW history AS
        SELECT rooms.name AS room, messages.id & 0xFFFFFFFFFF AS seq,
               strftime('%Y-%m-%d %H:%M:%S', messages.at_ms / 1000, 'unixepoch') AS at, author, text
        FROM messages JOIN rooms ON rooms.id = messages.id >> 40;
";

const SECOND: &str = "
    -- How long a member waits between two messages; 0 if slow mode was turned off, nothing if it was never set.
    ALTER TABLE rooms ADD COLUMN slow_ms INTEGER;
    -- Those of all rooms.
    CREATE TABLE bans (
        -- An address, a network or a name.
        who TEXT PRIMARY KEY,
        why TEXT NOT NULL,
        until_ms INTEGER
    ) WITHOUT ROWID;
";

const THIRD: &str = "
    -- Those of all rooms.
    CREATE TABLE mutes (
        -- The session: its room, as the epoch that is made from the seed, and its member.
        epoch INTEGER NOT NULL,
        member INTEGER NOT NULL,
        -- As it was shown.
        who TEXT NOT NULL,
        -- What the mute holds for besides the session.
        name TEXT,
        proof TEXT,
        address TEXT,
        PRIMARY KEY (epoch, member)
    ) WITHOUT ROWID;
";

/// Makes the tables in a new file, or brings an older file to the present version. A file that is not ours, or of a
/// newer version, is left alone.
pub(crate) fn prepare(connection: &mut Connection) -> Result<(), OpenError> {
    let version = check(connection)?;
    if version == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    migrate(&transaction, version)?;
    transaction.commit()?;
    Ok(())
}

/// Does what [`prepare`] does, and takes it back.
pub(crate) fn rehearse(connection: &mut Connection) -> Result<(), OpenError> {
    let version = check(connection)?;
    // Fails if the file cannot be written.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate(&transaction, version)?;
    transaction.rollback()?;
    Ok(())
}

fn migrate(transaction: &Transaction<'_>, version: i32) -> Result<(), OpenError> {
    for migration in &MIGRATIONS[usize::try_from(version).unwrap_or(0)..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// The version of a file; 0 if it is empty.
pub(crate) fn check(connection: &Connection) -> Result<i32, OpenError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, 1..=VERSION) => Ok(version),
        (APPLICATION_ID, version) if version > VERSION => Err(OpenError::Newer { version, known: VERSION }),
        _ => Err(OpenError::NotHistory),
    }
}

/// The id of a message.
pub(crate) fn id(room: i64, seq: u64) -> i64 {
    let seq = i64::try_from(seq).unwrap_or(i64::MAX).min((1 << SEQ_BITS) - 1);
    room << SEQ_BITS | seq
}

/// The sequence number of a message.
pub(crate) fn seq(id: i64) -> u64 {
    (id & ((1 << SEQ_BITS) - 1)).unsigned_abs()
}

/// SQLite's integers have a sign.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
