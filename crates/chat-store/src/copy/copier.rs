//! The thread that keeps copies up to date, a batch or a page at a time, room after room.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chat_core::Origin;
use chat_core::journal::{Journal, JournalError, Kept, Past, Query, ReadRequest};
use chat_core::transport::OpenRequest;
use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};

use super::journal::CopyJournal;
use super::tail::Tail;
use crate::limits::COPY_RETRY;
use crate::past::CopyRoom;
use crate::reader::Readers;
use crate::writer::Job;

/// A room whose journal is open, and whose copy must be opened.
pub(crate) struct Task {
    pub(crate) request: OpenRequest,
    pub(crate) past: Past,
    pub(crate) source: Arc<dyn Journal>,
}

pub(crate) struct Copier {
    path: PathBuf,
    jobs: Sender<Job>,
    readers: Readers,
    tasks: Receiver<Task>,
    wakes: (Sender<()>, Receiver<()>),
    /// Messages that the copies lack.
    lacking: Arc<AtomicU64>,
    /// Ends when the copier must stop.
    stop: Receiver<Infallible>,
    rooms: Vec<Room>,
    /// The last write has failed.
    is_failing: bool,
}

/// A room that is copied.
struct Room {
    name: String,
    id: i64,
    tail: Arc<Tail>,
    /// Gone when the room is.
    journal: Weak<CopyJournal>,
    _is_open: Arc<()>,
    /// It did not work, and is tried again when this has something.
    again: Option<Receiver<Instant>>,
    /// Who said the newest message of the copy, while it is not certain that the other journal has the same one.
    unverified: Option<Origin>,
}

/// The result of an attempt to bring a copy forward.
enum Step {
    /// There may be more to do.
    Done,
    UpToDate,
    /// It is tried again after a while.
    Failed,
    /// The room is gone, or the file is not a copy of it.
    Over,
}

impl Copier {
    pub(crate) fn new(
        path: PathBuf,
        jobs: Sender<Job>,
        readers: Readers,
        tasks: Receiver<Task>,
        stop: Receiver<Infallible>,
    ) -> Self {
        let (wakes, lacking) = (bounded(1), Arc::default());
        Self { path, jobs, readers, tasks, wakes, lacking, stop, rooms: Vec::new(), is_failing: false }
    }

    pub(crate) fn run(mut self) {
        let mut again = never();
        loop {
            select! {
                recv(self.stop) -> _ => return self.finish(),
                recv(self.tasks) -> task => match task {
                    Ok(task) => self.open(task),
                    Err(_) => self.tasks = never(), // no room will be opened any more
                },
                recv(self.wakes.1) -> _ => {}
                recv(again) -> _ => {}
            }
            again = self.copy_some();
        }
    }

    /// Opens the copy of a room. Nothing is changed in a file that is not a copy of it.
    fn open(&mut self, task: Task) {
        let Task { request, past, source } = task;
        let last = past.newest.last().map_or(past.before, |kept| kept.seq);
        let Some(began) = past.began else {
            return request.answer(Err(JournalError("what has no beginning cannot be copied".to_owned())));
        };
        let name = request.room.as_ref().map(ToString::to_string).unwrap_or_default();
        let (done, opened) = bounded(1);
        let _closed = self.jobs.send(Job::OpenCopy { name: name.clone(), began, done });
        let CopyRoom { room, newest, said, is_open } = match opened.recv() {
            Ok(Ok(Some(opened))) => opened,
            Ok(Ok(None)) => return request.answer(Err(self.is_another(&name))),
            Ok(Err(why)) => return request.answer(Err(JournalError(why))),
            Err(_) => return, // dropping the request says that it is closed
        };
        let there = past.newest.iter().find(|kept| kept.seq == newest).and_then(|kept| kept.event.origin());
        if there.is_some_and(|there| said.is_some_and(|said| said != there)) {
            return request.answer(Err(self.is_another(&name)));
        }
        if newest > last {
            return request.answer(Err(self.is_ahead(&name, newest, last)));
        }
        let _closed = self.jobs.send(Job::ForgetOldSessions { room });
        if newest < last {
            tracing::info!(file = %self.path.display(), room = name, messages = last - newest, "the copy catches up");
        }
        let (wake, lacking) = (self.wakes.0.clone(), Arc::clone(&self.lacking));
        let tail = Arc::new(Tail::new(last, newest, wake, lacking));
        let unverified = said.filter(|_| there.is_none());
        let is_verified = unverified.is_none();
        let journal = CopyJournal::new(source, room, Arc::clone(&tail), self.readers.clone(), is_verified);
        let journal = Arc::new(journal);
        let (weak, _is_open) = (Arc::downgrade(&journal), is_open);
        self.rooms.push(Room { name, id: room, tail, journal: weak, _is_open, again: None, unverified });
        request.answer(Ok((past, journal)));
    }

    fn is_another(&self, room: &str) -> JournalError {
        JournalError(format!(
            "{}{} is not a copy of the messages that the servers share: it belongs to another cluster, the stream was deleted and made again, or messages were added to the file. {}",
            self.path.display(),
            of(room),
            self.what_to_do()
        ))
    }

    fn is_ahead(&self, room: &str, newest: u64, last: u64) -> JournalError {
        JournalError(format!(
            "{}{} has messages up to number {newest}, and the stream that the servers share only up to {last}: the \
             stream has lost some, or they were added to the file. {}",
            self.path.display(),
            of(room),
            self.what_to_do()
        ))
    }

    fn what_to_do(&self) -> &'static str {
        "It is as it was. Move it away, and a new file fills itself; `chat history FILE` goes on reading the old one"
    }

    /// Brings each copy a little forward. Returns when there is more to do.
    fn copy_some(&mut self) -> Receiver<Instant> {
        let (mut is_more, mut has_failed) = (false, false);
        let mut rooms = std::mem::take(&mut self.rooms);
        rooms.retain_mut(|room| {
            if room.again.as_ref().is_some_and(Receiver::is_empty) {
                has_failed = true;
                return true;
            }
            let step = self.copy(room);
            is_more |= matches!(step, Step::Done);
            has_failed |= matches!(step, Step::Failed);
            room.again = matches!(step, Step::Failed).then(|| after(COPY_RETRY));
            !matches!(step, Step::Over)
        });
        self.rooms = rooms;
        match (is_more, has_failed) {
            (true, _) => after(Duration::ZERO),
            (false, true) => after(COPY_RETRY),
            (false, false) => never(),
        }
    }

    fn copy(&mut self, room: &mut Room) -> Step {
        let journal = room.journal.upgrade();
        // The newest messages say nothing about older ones.
        let newest = if room.unverified.is_none() { room.tail.take() } else { Vec::new() };
        if !newest.is_empty() {
            return self.append(room, newest);
        }
        let (known, written) = room.tail.known_and_written();
        let Some(journal) = journal else { return Step::Over };
        if known == written || !room.tail.is_started() {
            return Step::UpToDate;
        }
        let after = if room.unverified.is_some() { written - 1 } else { written };
        let (answer, answered) = bounded(1);
        journal.source().read(ReadRequest::new(Query::After(after), move |page| drop(answer.try_send(page))));
        let page = select! {
            recv(answered) -> page => page,
            recv(self.stop) -> _ => return Step::Over,
        };
        let Ok(Ok(page)) = page else { return Step::Failed };
        let first = page.messages.first();
        if let (Some(said), Some(first)) = (room.unverified, first)
            && first.seq == written
            && first.event.origin() != Some(said)
        {
            tracing::error!("{}", self.is_another(&room.name));
            return Step::Over;
        }
        if first.is_none() {
            return Step::Failed; // it is on its way to the NATS server that was asked, for example
        }
        room.unverified = None;
        journal.verified();
        self.append(room, page.messages)
    }

    fn append(&mut self, room: &Room, messages: Vec<Kept>) -> Step {
        let (done, appended) = bounded(1);
        let _closed = self.jobs.send(Job::Append { room: room.id, messages, done });
        match appended.recv() {
            Ok(Ok(newest)) => {
                room.tail.set_written(newest);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(file = %self.path.display(), "the copy can be written again, and catches up");
                }
                Step::Done
            }
            Ok(Err(why)) => {
                if !std::mem::replace(&mut self.is_failing, true) {
                    let file = self.path.display();
                    tracing::warn!(
                        "{why}: {file}. Messages go on, and the copy catches up once it can be written"
                    );
                }
                Step::Failed
            }
            Err(_) => Step::Over,
        }
    }

    /// Writes the messages that are here already.
    fn finish(mut self) {
        for mut room in std::mem::take(&mut self.rooms) {
            while matches!(self.copy(&mut room), Step::Done) {}
        }
    }
}

fn of(room: &str) -> String {
    if room.is_empty() { String::new() } else { format!(", room {room},") }
}
