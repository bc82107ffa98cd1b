//! The bans of a server in its file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_core::{Ban, BanList, Text, Waker};
use crossbeam_channel::Sender;
use rusqlite::{Connection, params};

use crate::past::unsigned;
use crate::writer::{Job, signed};

/// A list of bans that the file follows.
#[derive(Clone, Debug)]
pub(crate) struct KeptBans {
    list: BanList,
    /// The file does not say the same.
    is_changed: Arc<AtomicBool>,
}

impl KeptBans {
    /// From now on each change of the list is noted, and the writer is told.
    pub(crate) fn follow(list: &BanList, jobs: Sender<Job>) -> Self {
        let is_changed = Arc::new(AtomicBool::new(true));
        let changed = Arc::clone(&is_changed);
        list.add_waker(Waker::new(move || {
            changed.store(true, Ordering::Release);
            // If there is no room for it, the writer has something to do, and looks at the list after that.
            let _full = jobs.try_send(Job::WriteBans);
        }));
        Self { list: list.clone(), is_changed }
    }

    /// Writes the list, if it has changed.
    pub(crate) fn write(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        if !self.is_changed.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let result = write(connection, &self.list.bans(0));
        if result.is_err() {
            self.is_changed.store(true, Ordering::Release);
        }
        result
    }
}

fn write(connection: &mut Connection, bans: &[Ban]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM bans", [])?;
    {
        let mut insert = transaction.prepare("INSERT INTO bans(who, why, until_ms) VALUES (?1, ?2, ?3)")?;
        for Ban { who, why, until_unix_ms } in bans {
            insert.execute(params![who.to_string(), why.as_str(), until_unix_ms.map(signed)])?;
        }
    }
    transaction.commit()
}

/// Adds the bans of the file to a list. Somebody may have edited the file: what is no ban, or too much, is left out.
pub(crate) fn read(connection: &Connection, list: &BanList) -> rusqlite::Result<()> {
    let mut query = connection.prepare("SELECT who, why, until_ms FROM bans")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (who, why): (String, String) = (row.get(0)?, row.get(1)?);
        let until_unix_ms = row.get::<_, Option<i64>>(2)?.map(unsigned);
        if let Ok(who) = who.parse() {
            let _full = list.ban(Ban { who, why: Text::lossy(&why), until_unix_ms });
        }
    }
    Ok(())
}
