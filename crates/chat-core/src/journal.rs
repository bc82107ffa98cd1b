//! The journal of a room: who decides the order of its messages and keeps them, if not the room itself.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chat_proto::{Entry, Event, MemberId, Name, Text};
use thiserror::Error;

use crate::access::mutes::Mute;
use crate::other_servers::relay::Relay;
use crate::room::{Room, Shared};
use crate::rooms::pending_room::OpenRequest;

/// Decides the order of a room's messages and keeps them. **Never blocks**: it is called under the room's lock, and its
/// own thread does the work.
///
/// Nobody sees a message before the journal has it:
///
/// ```text
///   say --> submit(Record) --> the journal's thread keeps it --> Committer::commit --> the log, and everyone
///                                            | it cannot
///                                            +-----------------> Committer::failed --> the speaker alone is told why
/// ```
pub trait Journal: fmt::Debug + Send + Sync {
    /// Gives the journal the way back to the room. Called once, before anything else.
    fn start(&self, committer: Committer);

    /// Takes charge of a record. An event comes back through [`Committer::commit`] or [`Committer::failed`], the events
    /// of one room in the order in which they were submitted. Other records do not come back.
    ///
    /// # Errors
    ///
    /// [`Full`] if too many wait to be kept. The speaker is told, and says it again.
    fn submit(&self, record: Record) -> Result<(), Full>;

    /// Records that wait to be kept, of all rooms that it serves. Default: it does not say.
    fn queued(&self) -> usize {
        0
    }

    /// Reads old messages. Answer with [`ReadRequest::answer`], from another thread.
    fn read(&self, request: ReadRequest);
}

/// Opens the journals of rooms: a file, a database, a stream.
pub trait Journals: fmt::Debug + Send + Sync {
    /// Opens the journal of a room. **Never blocks**: an I/O thread calls it. Answer with [`OpenRequest::answer`], from
    /// another thread if it takes time. Before it answers, it must have kept that ids up to
    /// [`IDS_SET_ASIDE`](crate::limits::IDS_SET_ASIDE) more than [`Past::ids_up_to`] are in use from now on, so that no
    /// id is given twice.
    fn open(&self, request: OpenRequest);
}

/// Why a journal cannot be opened.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the history cannot be read: {0}")]
pub struct JournalError(pub String);

/// The journal has no room for another record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the history cannot keep up")]
pub struct Full;

/// What a room's journal is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalDepth {
    /// Messages and topics of the room that have not come back.
    pub in_flight: usize,
    /// As [`Journal::queued`].
    pub queued: usize,
    /// Whether the last records that came back could not be kept.
    pub is_failing: bool,
}

/// Something to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// A message or a topic, with the time at which it was submitted, in milliseconds of Unix time.
    Event {
        /// [`Event::Said`] or [`Event::Topic`].
        event: Event,
        /// When it was said.
        unix_ms: u64,
    },
    /// The name that a session has from now on. It stays reserved for the session while that may be resumed. A journal
    /// that servers share is told of local members, too.
    Named {
        /// Which session.
        member: MemberId,
        /// Its name.
        name: Option<Name>,
        /// It is a local member, which keeps its name whoever else has it.
        is_local: bool,
    },
    /// Slow mode from now on: how long a member waits between two messages.
    Slow {
        /// `None` turns it off.
        pause: Option<Duration>,
    },
    /// A member is muted from now on, or may speak again. This is for the other servers of a shared journal. To store
    /// the mutes of one server, follow its [`MuteList`](crate::access::MuteList), which has those of all rooms.
    Muted {
        /// Which session.
        member: MemberId,
        /// `None` if its mute is lifted.
        mute: Option<Mute>,
    },
    /// Members may have ids up to this one.
    Ids {
        /// The greatest of them.
        up_to: u64,
    },
}

/// A record that the journal has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The sequence number of a message: one more than that of the message before. For another event, the number of the
    /// message before it.
    pub seq: u64,
    /// When it was said, in milliseconds of Unix time.
    pub unix_ms: u64,
    /// The event.
    pub event: Event,
}

/// What a journal holds of a room when it is opened. The default is a room that begins now.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The seed of the room's epoch and session keys, and when it began, in milliseconds of Unix time. A journal
    /// chooses them when the room is opened for the first time, and keeps them. `None`: as [`World`](crate::World)
    /// says.
    pub began: Option<([u8; 32], u64)>,
    /// No greater id of a member was in use.
    pub ids_up_to: u64,
    /// Sequence number of the last message before `newest`.
    pub before: u64,
    /// The newest messages, oldest first.
    pub newest: Vec<Kept>,
    /// The topic.
    pub topic: Option<Text>,
    /// Slow mode, as [`Record::Slow`] has set it. `None` if it was never set.
    pub slow: Option<Option<Duration>>,
    /// The sessions that were there last, oldest first: at most one more than
    /// [`SESSIONS_REMEMBERED_MAX`](crate::limits::SESSIONS_REMEMBERED_MAX), which tells the room that there were
    /// others.
    pub sessions: Vec<PastSession>,
    /// Other servers pass their members' messages through the same journal. Their records are committed here, too; a
    /// session that began at one of them may be resumed here.
    pub is_shared: bool,
    /// Reaches the members of those servers.
    pub relay: Option<Arc<dyn Relay>>,
    /// There were sessions that are not among `sessions`.
    pub has_forgotten: bool,
}

/// A session that may be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastSession {
    /// Which.
    pub member: MemberId,
    /// The number of the newest of its messages that is kept.
    pub taken: u64,
    /// The name that is reserved for it.
    pub name: Option<Name>,
}

/// Which old messages to read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// Those after this sequence number, oldest first.
    After(u64),
    /// The newest ones before this sequence number, at most this many; [`u64::MAX`] for the newest of all.
    Before {
        /// The sequence number.
        seq: u64,
        /// How many.
        messages: usize,
        /// Only those that match.
        filter: Filter,
    },
}

/// Which messages match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Shown as of this author, in any case of letters.
    pub author: Option<String>,
    /// With all of these words, in any case of letters.
    pub words: Option<String>,
}

/// Old messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most [`PAGE_BYTES_MAX`](crate::limits::PAGE_BYTES_MAX) bytes of them, oldest first.
    pub messages: Vec<Kept>,
    /// Whether there are more: after the last one for [`Query::After`], before the first one for [`Query::Before`].
    pub more: bool,
}

type Answer = dyn FnOnce(Result<Page, Text>) + Send;

/// A question to a [`Journal`].
pub struct ReadRequest {
    /// Which messages.
    pub query: Query,
    answer: Option<Box<Answer>>,
}

impl ReadRequest {
    /// A question whose answer goes to `answer`: for a journal that asks another one.
    pub fn new(query: Query, answer: impl FnOnce(Result<Page, Text>) + Send + 'static) -> Self {
        Self { query, answer: Some(Box::new(answer)) }
    }

    /// Answers. An error is the reason for people. Dropping a request answers that it was not read.
    pub fn answer(mut self, page: Result<Page, Text>) {
        if let Some(answer) = self.answer.take() {
            answer(page);
        }
    }
}

impl Drop for ReadRequest {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            answer(Err(Text::lossy("the history is closed")));
        }
    }
}

impl fmt::Debug for ReadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadRequest").field(&self.query).finish()
    }
}

type Copied = dyn Fn(&[Kept]) + Send + Sync;

/// A journal's way back to its room. It does not keep the room alive.
#[derive(Clone)]
pub struct Committer {
    pub(crate) room: Weak<Shared>,
    copied: Option<Arc<Copied>>,
}

impl Committer {
    pub(crate) fn new(room: Weak<Shared>) -> Self {
        Self { room, copied: None }
    }

    /// Hands all that is committed to `copied`, too, before anyone can read it: for a journal that keeps a copy of what
    /// another one commits. It must not block.
    #[must_use]
    pub fn copied_to(self, copied: impl Fn(&[Kept]) + Send + Sync + 'static) -> Self {
        Self { copied: Some(Arc::new(copied)), ..self }
    }

    /// These events are kept, in this order: they enter the room's log, and everyone reads them. A message that the
    /// room has already is left out. Messages that the journal has lost, so that their numbers are missing, count as
    /// those that the log no longer holds.
    pub fn commit(&self, batch: Vec<Kept>) {
        self.copied.iter().for_each(|copied| copied(&batch));
        let Some(room) = Room::upgrade(&self.room) else { return };
        let wakes = room.lock().commit(batch);
        wakes.wake();
    }

    /// These records are not kept. Their authors are told why, and nobody else sees them.
    pub fn failed(&self, batch: Vec<Record>, why: &str) {
        let Some(room) = Room::upgrade(&self.room) else { return };
        let wakes = room.lock().not_kept(batch, &Text::lossy(why));
        wakes.wake();
    }

    /// Tells every member that is here something that is not part of the conversation: the state of the journal.
    pub fn tell_everyone(&self, text: &str) {
        let Some(room) = Room::upgrade(&self.room) else { return };
        let wakes = room.lock().tell_everyone(&Text::lossy(text));
        wakes.wake();
    }
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Committer(is copied: {})", self.copied.is_some())
    }
}

impl Kept {
    /// As an entry of a room that began at that moment.
    #[must_use]
    pub fn into_entry(self, began_unix_ms: u64) -> Entry {
        Entry { seq: self.seq, at_ms: self.unix_ms.saturating_sub(began_unix_ms), event: self.event }
    }
}
