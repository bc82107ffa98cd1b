//! A journal in memory that a test controls: it keeps records, fails, is full and crashes when the test says so.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::journal::{
    Committer, Filter, Full, Journal, JournalError, Journals, Kept, Page, Past, PastSession, Query,
    ReadRequest, Record,
};
use chat_core::limits::IDS_SET_ASIDE;
use chat_core::transport::OpenRequest;
use chat_core::{Author, Event, MemberId, Name, Origin, Text};

/// The journal of one room. Clones share the journal. It survives the room: restore another room from it with
/// [`Room::restore`](chat_core::Room::restore), as after a crash.
///
/// Nothing happens by itself. [`keep`](Self::keep) moves records from the queue to the kept ones.
/// [`commit`](Self::commit) tells the room. A process may die between any two of these calls, and
/// [`crash`](Self::crash) simulates that.
///
/// ```
/// use chat_core::{Room, RoomConfig};
/// use chat_testkit::ScriptedJournal;
///
/// let journal = ScriptedJournal::default();
/// let room = Room::restore(RoomConfig::default(), &journal)?;
/// room.notice("hello")?;
/// assert_eq!(room.stats().messages, 0, "nobody sees it before the journal has it");
/// journal.keep(1);
/// journal.commit();
/// assert_eq!(room.stats().messages, 1);
/// drop(room);
/// journal.crash();
/// assert_eq!(Room::restore(RoomConfig::default(), &journal)?.stats().messages, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct ScriptedJournal(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    committer: Option<Committer>,
    /// Records that were submitted and not kept yet. A crash loses them.
    queue: VecDeque<Record>,
    /// Records that were kept and that the room does not know of yet.
    kept: Vec<Kept>,
    /// All messages that were kept.
    messages: Vec<Kept>,
    topic: Option<Text>,
    slow: Option<Option<Duration>>,
    names: Vec<(MemberId, Option<Name>)>,
    ids_up_to: u64,
    /// The number of the last message that retention has deleted.
    deleted: u64,
    /// The most records that may wait. `None` means no limit.
    queue_max: Option<usize>,
    reads: VecDeque<ReadRequest>,
    holds_openings: bool,
    openings: VecDeque<OpenRequest>,
    is_shared: bool,
}

impl ScriptedJournal {
    /// Sets how many records may wait at most. Default: no limit.
    #[must_use]
    pub fn with_queue_max(self, records: usize) -> Self {
        self.lock().queue_max = Some(records);
        self
    }

    /// Makes the journal one that other servers also use. Their messages come with [`arrive`](Self::arrive).
    #[must_use]
    pub fn with_others(self) -> Self {
        self.lock().is_shared = true;
        self
    }

    /// Keeps a message that was said at another server under the number `seq`. The room learns of it with the next
    /// [`commit`](Self::commit).
    pub fn arrive(&self, seq: u64, from: Origin, author: Author, text: Text) {
        let mut inner = self.lock();
        let kept = Kept { seq, unix_ms: 1_000_000, event: Event::Said { from, author, text } };
        inner.messages.push(kept.clone());
        inner.kept.push(kept);
    }

    /// Tells the room what a test has happen at other servers.
    ///
    /// # Panics
    ///
    /// If no room was opened with this journal.
    #[must_use]
    pub fn committer(&self) -> Committer {
        self.lock().committer.clone().expect("a room was opened")
    }

    /// The name that a session was given last, among the records that were kept.
    #[must_use]
    pub fn name_of(&self, member: MemberId) -> Option<Name> {
        self.lock().names.iter().rev().find(|(named, _)| *named == member)?.1.clone()
    }

    /// How many records wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().queue.len()
    }

    /// How many questions wait for [`answer`](Self::answer).
    #[must_use]
    pub fn questions(&self) -> usize {
        self.lock().reads.len()
    }

    /// Keeps at most `records` of the records that wait, the oldest first. The room learns of them with the next
    /// [`commit`](Self::commit).
    pub fn keep(&self, records: usize) {
        let mut inner = self.lock();
        for _ in 0..records {
            let Some(record) = inner.queue.pop_front() else { break };
            match record {
                Record::Event { event, unix_ms } => {
                    let seq = inner.seq() + u64::from(event.is_message());
                    if let Event::Topic { text, .. } = &event {
                        inner.topic = Some(text.clone());
                    }
                    let kept = Kept { seq, unix_ms, event };
                    if kept.event.is_message() {
                        inner.messages.push(kept.clone());
                    }
                    inner.kept.push(kept);
                }
                Record::Named { member, name, .. } => inner.names.push((member, name)),
                Record::Slow { pause } => inner.slow = Some(pause),
                Record::Ids { up_to } => inner.ids_up_to = up_to,
                _ => {}
            }
        }
    }

    /// Tells the room of the records that were kept since the last call.
    pub fn commit(&self) {
        let mut inner = self.lock();
        let (kept, committer) = (std::mem::take(&mut inner.kept), inner.committer.clone());
        drop(inner);
        if let Some(committer) = committer {
            committer.commit(kept);
        }
    }

    /// Tells the room of every message once more.
    pub fn commit_again(&self) {
        let mut inner = self.lock();
        inner.kept = inner.messages.clone();
        drop(inner);
        self.commit();
    }

    /// Keeps and commits everything that waits.
    pub fn run(&self) {
        self.keep(usize::MAX);
        self.commit();
    }

    /// Fails to keep the records that wait, and tells the room why.
    pub fn fail(&self, why: &str) {
        let mut inner = self.lock();
        let (failed, committer) = (inner.queue.drain(..).collect(), inner.committer.clone());
        drop(inner);
        if let Some(committer) = committer {
            committer.failed(failed, why);
        }
    }

    /// Simulates that the process dies. The records that wait are lost. The records that were kept survive, but the
    /// commits that the room has not received are lost.
    pub fn crash(&self) {
        let mut inner = self.lock();
        inner.queue.clear();
        inner.kept.clear();
        inner.committer = None;
        inner.reads.clear();
    }

    /// Deletes the messages up to this number, as retention does.
    pub fn delete_up_to(&self, seq: u64) {
        let mut inner = self.lock();
        inner.messages.retain(|kept| kept.seq > seq);
        inner.deleted = inner.deleted.max(seq);
    }

    /// Loses the newest messages that were kept, as a journal does that reports what it has not kept. No journal may do
    /// so: it shows whether a test would notice.
    pub fn lose_newest(&self, messages: usize) {
        let mut inner = self.lock();
        let left = inner.messages.len().saturating_sub(messages);
        inner.messages.truncate(left);
    }

    /// Answers at most `questions` of the questions that wait. Returns how many it answered.
    pub fn answer(&self, questions: usize) -> usize {
        let mut answered = 0;
        while answered < questions {
            let mut inner = self.lock();
            let Some(request) = inner.reads.pop_front() else { break };
            let page = inner.read(&request.query);
            drop(inner);
            request.answer(Ok(page));
            answered += 1;
        }
        answered
    }

    /// From now on a room is opened by [`open_held`](Self::open_held) only, as if reading its past took long.
    pub fn hold_openings(&self) {
        self.lock().holds_openings = true;
    }

    /// Opens the rooms that wait to be opened, or fails to, for this reason. Returns how many waited.
    pub fn open_held(&self, why_not: Option<&str>) -> usize {
        let openings = std::mem::take(&mut self.lock().openings);
        let waited = openings.len();
        for request in openings {
            match why_not {
                Some(why) => request.answer(Err(JournalError(why.to_owned()))),
                None => self.open_now(request),
            }
        }
        waited
    }

    fn open_now(&self, request: OpenRequest) {
        let mut inner = self.lock();
        let past = inner.past();
        inner.ids_up_to += IDS_SET_ASIDE;
        drop(inner);
        request.answer(Ok((past, Arc::new(self.clone()))));
    }

    /// Every message that is kept, as text that people see.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.lock().messages.iter().map(|kept| kept.event.to_string()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn seq(&self) -> u64 {
        self.messages.last().map_or(self.deleted, |kept| kept.seq)
    }

    fn read(&self, query: &Query) -> Page {
        match query {
            Query::After(seq) => {
                Page::of(self.messages.iter().filter(|kept| kept.seq > *seq).cloned(), usize::MAX)
            }
            Query::Before { seq, messages, filter } => {
                let matches = |kept: &&Kept| {
                    kept.seq < *seq && (*filter == Filter::default() || filter.matches(&kept.event))
                };
                Page::of(self.messages.iter().rev().filter(matches).cloned(), *messages).reversed()
            }
            _ => Page::default(),
        }
    }

    fn past(&self) -> Past {
        let mut sessions: Vec<PastSession> = Vec::new();
        let mut session = |member: MemberId| {
            sessions.iter().position(|session| session.member == member).unwrap_or_else(|| {
                sessions.push(PastSession { member, taken: 0, name: None });
                sessions.len() - 1
            })
        };
        let mut taken = Vec::new();
        for kept in &self.messages {
            if let Event::Said { from, .. } = kept.event {
                taken.push((session(from.member), from.number));
            }
        }
        let names: Vec<(usize, Option<Name>)> =
            self.names.iter().map(|(member, name)| (session(*member), name.clone())).collect();
        taken.into_iter().for_each(|(place, number)| sessions[place].taken = number);
        names.into_iter().for_each(|(place, name)| sessions[place].name = name);
        Past {
            began: Some(([7; 32], 1_000_000)),
            ids_up_to: self.ids_up_to,
            before: self.messages.first().map_or(self.deleted, |kept| kept.seq - 1),
            newest: self.messages.clone(),
            topic: self.topic.clone(),
            slow: self.slow,
            sessions,
            is_shared: self.is_shared,
            ..Past::default()
        }
    }
}

impl Journal for ScriptedJournal {
    fn start(&self, committer: Committer) {
        self.lock().committer = Some(committer);
    }

    fn submit(&self, record: Record) -> Result<(), Full> {
        let mut inner = self.lock();
        if inner.queue_max.is_some_and(|max| inner.queue.len() >= max) {
            return Err(Full);
        }
        inner.queue.push_back(record);
        Ok(())
    }

    fn read(&self, request: ReadRequest) {
        self.lock().reads.push_back(request);
    }
}

impl Journals for ScriptedJournal {
    fn open(&self, request: OpenRequest) {
        let mut inner = self.lock();
        if inner.holds_openings {
            return inner.openings.push_back(request);
        }
        drop(inner);
        self.open_now(request);
    }
}

/// A [`ScriptedJournal`] for each room of a server.
#[derive(Clone, Debug, Default)]
pub struct ScriptedJournals(Arc<Mutex<Vec<ScriptedJournal>>>);

impl ScriptedJournals {
    /// The journals of the rooms that were opened, in that order.
    #[must_use]
    pub fn opened(&self) -> Vec<ScriptedJournal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Journals for ScriptedJournals {
    fn open(&self, request: OpenRequest) {
        let journal = ScriptedJournal::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(journal.clone());
        journal.open(request);
    }
}

impl fmt::Debug for ScriptedJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedJournal")
    }
}
