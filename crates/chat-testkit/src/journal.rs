//! A journal in memory that does what a test says: it keeps when it is told to, fails, is full, and loses power.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chat_core::{
    Author, Committer, Event, Filter, Full, IDS_SET_ASIDE, Journal, JournalError, Journals, Kept, MemberId,
    Name, Origin, Page, Past, PastSession, Query, ReadRequest, Record, Text,
};

/// The journal of one room. Clones share it, and it survives the room: restore another one from it
/// ([`Room::restore`](chat_core::Room::restore)), as after a crash.
///
/// Nothing happens by itself. [`keep`](Self::keep) moves records from the queue to the kept ones; [`commit`](Self::commit)
/// tells the room. A process may die between any two of these calls: [`crash`](Self::crash).
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
    /// Submitted, and lost in a crash.
    queue: VecDeque<Record>,
    /// Kept, and the room does not know yet.
    kept: Vec<Kept>,
    /// Everything that was kept.
    messages: Vec<Kept>,
    topic: Option<Text>,
    slow: Option<Option<Duration>>,
    names: Vec<(MemberId, Option<Name>)>,
    ids_up_to: u64,
    /// Messages that retention has deleted.
    deleted: u64,
    /// Records that may wait.
    queue_max: Option<usize>,
    reads: VecDeque<ReadRequest>,
    is_shared: bool,
}

impl ScriptedJournal {
    /// At most so many records may wait.
    #[must_use]
    pub fn with_queue_max(self, records: usize) -> Self {
        self.lock().queue_max = Some(records);
        self
    }

    /// Other servers use it, too: [`arrive`](Self::arrive).
    #[must_use]
    pub fn with_others(self) -> Self {
        self.lock().is_shared = true;
        self
    }

    /// A message that was said at another server is kept under this number. The room does not learn it before
    /// [`commit`](Self::commit).
    pub fn arrive(&self, seq: u64, from: Origin, author: Author, text: Text) {
        let mut inner = self.lock();
        let kept = Kept { seq, unix_ms: 1_000_000, event: Event::Said { from, author, text } };
        inner.messages.push(kept.clone());
        inner.kept.push(kept);
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

    /// Keeps the oldest records that wait, at most so many. The room does not learn it before [`commit`](Self::commit).
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
                Record::Named { member, name } => inner.names.push((member, name)),
                Record::Slow { pause } => inner.slow = Some(pause),
                Record::Ids { up_to } => inner.ids_up_to = up_to,
                _ => {}
            }
        }
    }

    /// Tells the room what was kept.
    pub fn commit(&self) {
        let mut inner = self.lock();
        let (kept, committer) = (std::mem::take(&mut inner.kept), inner.committer.clone());
        drop(inner);
        if let Some(committer) = committer {
            committer.commit(kept);
        }
    }

    /// Tells the room everything once more.
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

    /// Cannot keep what waits, and says why.
    pub fn fail(&self, why: &str) {
        let mut inner = self.lock();
        let (failed, committer) = (inner.queue.drain(..).collect(), inner.committer.clone());
        drop(inner);
        if let Some(committer) = committer {
            committer.failed(failed, why);
        }
    }

    /// The process dies: what waits is lost, and so is the last of what was kept, if the disk loses it.
    pub fn crash(&self) {
        let mut inner = self.lock();
        inner.queue.clear();
        inner.kept.clear();
        inner.committer = None;
        inner.reads.clear();
    }

    /// Retention deletes the messages up to this number.
    pub fn delete_up_to(&self, seq: u64) {
        let mut inner = self.lock();
        inner.messages.retain(|kept| kept.seq > seq);
        inner.deleted = inner.deleted.max(seq);
    }

    /// Answers the questions that wait, at most so many. Returns how many it answered.
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

    /// Every message that is kept, as people see it.
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
            has_forgotten: false,
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
    fn open(&self, _: Option<&Name>, _: usize) -> Result<(Past, Arc<dyn Journal>), JournalError> {
        let mut inner = self.lock();
        let past = inner.past();
        inner.ids_up_to += IDS_SET_ASIDE;
        Ok((past, Arc::new(self.clone())))
    }
}

impl fmt::Debug for ScriptedJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedJournal")
    }
}
