//! The lists of a server in its file: bans and mutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_core::access::{Ban, BanList, Mute, MuteList};
use chat_core::{Author, MemberId, Text, Waker};
use crossbeam_channel::Sender;
use rusqlite::{Connection, Transaction, params};

use crate::schema::{signed, unsigned};
use crate::writer::Job;

/// A list that has a table in the file.
#[derive(Clone, Debug)]
pub(crate) enum List {
    Bans(BanList),
    Mutes(MuteList),
}

/// A list that the file follows.
#[derive(Clone, Debug)]
pub(crate) struct KeptList {
    list: List,
    /// The list has changed since it was written.
    is_changed: Arc<AtomicBool>,
}

impl List {
    fn add_waker(&self, waker: Waker) {
        match self {
            Self::Bans(bans) => bans.add_waker(waker),
            Self::Mutes(mutes) => mutes.add_waker(waker),
        }
    }

    /// Adds to it what is in the file. Somebody may have edited the file: entries that cannot be understood, or are too
    /// many, are left out.
    pub(crate) fn read(&self, connection: &Connection) -> rusqlite::Result<()> {
        match self {
            Self::Bans(bans) => read_bans(connection, bans),
            Self::Mutes(mutes) => read_mutes(connection, mutes),
        }
    }

    fn write(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        match self {
            Self::Bans(bans) => write_bans(transaction, &bans.bans(0)),
            Self::Mutes(mutes) => write_mutes(transaction, &mutes.mutes()),
        }
    }
}

impl KeptList {
    /// From now on each change of the list is noted, and the writer is told.
    pub(crate) fn follow(list: List, jobs: Sender<Job>) -> Self {
        let is_changed = Arc::new(AtomicBool::new(true));
        let changed = Arc::clone(&is_changed);
        list.add_waker(Waker::new(move || {
            changed.store(true, Ordering::Release);
            // If there is no room for it, the writer has something to do, and looks at the list after that.
            let _full = jobs.try_send(Job::WriteLists);
        }));
        Self { list, is_changed }
    }

    /// Writes the list, if it has changed.
    pub(crate) fn write(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        if !self.is_changed.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let written = connection.transaction().and_then(|transaction| {
            self.list.write(&transaction)?;
            transaction.commit()
        });
        if written.is_err() {
            self.is_changed.store(true, Ordering::Release);
        }
        written
    }
}

fn write_bans(transaction: &Transaction<'_>, bans: &[Ban]) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM bans", [])?;
    let mut insert = transaction.prepare("INSERT INTO bans(who, why, until_ms) VALUES (?1, ?2, ?3)")?;
    for Ban { who, why, until_unix_ms } in bans {
        insert.execute(params![who.to_string(), why.as_str(), until_unix_ms.map(signed)])?;
    }
    Ok(())
}

fn read_bans(connection: &Connection, list: &BanList) -> rusqlite::Result<()> {
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

fn write_mutes(transaction: &Transaction<'_>, mutes: &[Mute]) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM mutes", [])?;
    let mut insert = transaction.prepare(
        "INSERT INTO mutes(epoch, member, who, name, proof, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for mute in mutes {
        insert.execute(params![
            mute.epoch.cast_signed(),
            signed(mute.member.as_u64()),
            mute.who.to_string(),
            mute.name.as_ref().map(ToString::to_string),
            mute.proof.as_ref().map(Text::as_str),
            mute.address.map(|address| address.to_string()),
        ])?;
    }
    Ok(())
}

fn read_mutes(connection: &Connection, list: &MuteList) -> rusqlite::Result<()> {
    let mut query = connection.prepare("SELECT epoch, member, who, name, proof, address FROM mutes")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (epoch, member): (i64, i64) = (row.get(0)?, row.get(1)?);
        let text = |column| row.get::<_, Option<String>>(column);
        let who = Author::from_shown(&row.get::<_, String>(2)?);
        let mut mute = Mute::of_session(epoch.cast_unsigned(), MemberId::new(unsigned(member)), who);
        mute.name = text(3)?.and_then(|name| name.parse().ok());
        mute.proof = text(4)?.and_then(|proof| Text::one_line(&proof).ok());
        mute.address = text(5)?.and_then(|address| address.parse().ok());
        let _full = list.mute(mute);
    }
    Ok(())
}
