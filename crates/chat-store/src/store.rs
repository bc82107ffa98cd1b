//! The handle on a history that is open to be written.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use chat_core::access::{BanList, MuteList};
use chat_core::journal::{JournalError, Journals};
use chat_core::transport::OpenRequest;
use crossbeam_channel::{Sender, TrySendError, bounded};
use rusqlite::{Connection, OpenFlags};

use crate::bans_and_mutes::{KeptList, List};
use crate::config::{StoreConfig, Sync};
use crate::copy::{Copier, Copies};
use crate::error::OpenError;
use crate::file;
use crate::journal::RoomJournal;
use crate::limits::{QUEUE_MAX, TASKS_MAX, WAL_PAGES_MAX};
use crate::lock::Lock;
use crate::reader::Readers;
use crate::schema;
use crate::writer::{Job, Writer};

/// A history that is open to be written: one SQLite file with the messages, topics, names and sessions of rooms, and
/// the bans and mutes of their server.
///
/// `Store` is a handle: clones share the file. When the last one is dropped, everything that was submitted is written
/// and the file is closed; the rooms made from it refuse messages then.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    jobs: Sender<Job>,
    readers: Readers,
    writer: Mutex<Option<JoinHandle<()>>>,
    copiers: Mutex<Vec<CopierThread>>,
    path: PathBuf,
}

/// A thread that copies messages, and what ends it when it is dropped.
#[derive(Debug)]
struct CopierThread {
    stop: Sender<Infallible>,
    thread: JoinHandle<()>,
}

impl Store {
    /// Opens a history, or begins one.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; then the file is as it was.
    pub fn open(path: impl AsRef<Path>, config: StoreConfig) -> Result<Self, OpenError> {
        let path = path.as_ref();
        file::check(path)?;
        let lock = Lock::take(path)?;
        make(path)?;
        let mut connection = Connection::open(path)?;
        schema::check(&connection)?; // before anything is changed
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        let synchronous = if config.sync == Sync::Disk { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
        connection.pragma_update(None, "secure_delete", "FAST")?;
        crate::reader::keep_temporary_in_memory(&connection)?;
        schema::prepare(&mut connection)?;
        // A file that can be read and not written is found out now, and not by the first message.
        connection.execute("UPDATE rooms SET seq = seq WHERE id = 0", [])?;
        let (jobs, queue) = bounded(QUEUE_MAX);
        let readers = Readers::new(path)?;
        let writer = Writer::new(connection, config, lock);
        let writer = thread::Builder::new().name("history".to_owned()).spawn(move || writer.run(&queue))?;
        Ok(Self(Arc::new(Inner {
            jobs,
            readers,
            writer: Mutex::new(Some(writer)),
            copiers: Mutex::default(),
            path: path.to_owned(),
        })))
    }

    /// Whether [`open`](Self::open) will work once the server that has the history lets go of it. Changes nothing.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn check(path: impl AsRef<Path>) -> Result<(), OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        crate::reader::keep_temporary_in_memory(&connection)?;
        schema::rehearse(&mut connection)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Writes what was submitted so far, and closes the file. Rooms made from it refuse messages from now on.
    pub fn close(&self) {
        self.0.close();
    }

    /// Adds the bans in the file to `bans`, and keeps the list in the file from now on: each change is written. For
    /// [`RoomConfig::with_bans`](chat_core::RoomConfig::with_bans).
    ///
    /// # Errors
    ///
    /// [`OpenError`] if they cannot be read.
    pub fn keep_bans(&self, bans: &BanList) -> Result<(), OpenError> {
        self.keep_list(List::Bans(bans.clone()))
    }

    /// As [`keep_bans`](Self::keep_bans), for the mutes: those of [`Room::mute_list`](chat_core::Room::mute_list), for
    /// all rooms of a server.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if they cannot be read.
    pub fn keep_mutes(&self, mutes: &MuteList) -> Result<(), OpenError> {
        self.keep_list(List::Mutes(mutes.clone()))
    }

    fn keep_list(&self, list: List) -> Result<(), OpenError> {
        list.read(&crate::reader::connect(self.path())?)?;
        let kept = KeptList::follow(list, self.0.jobs.clone());
        let _closed = self.0.jobs.send(Job::KeepList(kept)); // then there is nothing to keep it in
        Ok(())
    }

    /// Journals of rooms that `source` keeps, such as a stream that servers share, and that this store copies: old
    /// messages are read and searched in the file. The source decides the order, and nobody waits for the copy. A copy
    /// that is behind catches up; messages that it does not have are read from the source, except for searches. A file
    /// with messages that are not those of the source is refused when a room is opened, and not changed.
    ///
    /// The source says when its rooms began ([`Past::began`](chat_core::journal::Past::began)), and with which seed:
    /// that is how a copy is recognised. Once the store is closed, rooms go on without it.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn copy_of(&self, source: Arc<dyn Journals>) -> io::Result<Copies> {
        let (tasks, queue) = bounded(TASKS_MAX);
        let (stop, is_stopped) = bounded(0);
        let (jobs, readers) = (self.0.jobs.clone(), self.0.readers.clone());
        let copier = Copier::new(self.path().to_owned(), jobs, readers, queue, is_stopped);
        let thread = thread::Builder::new().name("history copy".to_owned()).spawn(|| copier.run())?;
        let mut copiers = self.0.copiers.lock().unwrap_or_else(PoisonError::into_inner);
        copiers.push(CopierThread { stop, thread });
        Ok(Copies::new(source, tasks))
    }

    /// Waits until everything that was submitted so far is written, and the words of all messages can be searched.
    pub fn flush(&self) {
        let (done, written) = bounded(1);
        if self.0.jobs.send(Job::Flush(done)).is_ok() {
            let _gone = written.recv(); // then there is nothing to wait for
        }
    }
}

/// Makes the file if there is none. Its content is not for everyone: the messages, and the secret of the session keys.
pub(crate) fn make(path: &Path) -> Result<(), OpenError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file::real(path)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(OpenError::System(error)),
    }
}

impl Journals for Store {
    fn open(&self, request: OpenRequest) {
        let journal = RoomJournal::new(self.0.jobs.clone(), self.0.readers.clone());
        // If it is closed, dropping the request says so.
        if let Err(TrySendError::Full(Job::Open { request, .. })) =
            self.0.jobs.try_send(Job::Open { request, journal })
        {
            request.answer(Err(JournalError("it cannot keep up: try again".to_owned())));
        }
    }
}

impl Inner {
    fn close(&self) {
        let copiers = std::mem::take(&mut *self.copiers.lock().unwrap_or_else(PoisonError::into_inner));
        for CopierThread { stop, thread } in copiers {
            drop(stop);
            // It may be this one, when a room is open that nobody waits for any more.
            if thread.thread().id() != thread::current().id() {
                let _panicked = thread.join(); // its panic was printed where it happened
            }
        }
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may be dropped on the writer's own thread, when a room is open that nobody waits for any
        // more.
        if writer.as_ref().is_some_and(|writer| writer.thread().id() == thread::current().id()) {
            let _ends_without = self.jobs.try_send(Job::Stop); // once nobody has a room any more
            return;
        }
        let _gone = self.jobs.send(Job::Stop);
        if let Some(writer) = writer {
            let _panicked = writer.join(); // its panic was printed where it happened
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
