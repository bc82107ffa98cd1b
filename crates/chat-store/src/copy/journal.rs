//! The journal of a room that is copied: everything goes to the other journal, but old messages are read from the copy
//! as far as it has them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_core::journal::{Committer, Filter, Full, Journal, Kept, Page, Query, ReadRequest, Record};

use super::tail::Tail;
use crate::reader::Readers;

pub(crate) struct CopyJournal {
    past: Arc<CopyPast>,
    tail: Arc<Tail>,
    /// The file is known to be a copy of this room. Until then nothing is read from it.
    is_verified: AtomicBool,
}

/// Where old messages are.
struct CopyPast {
    source: Arc<dyn Journal>,
    room: i64,
    readers: Readers,
}

impl CopyJournal {
    pub(crate) fn new(
        source: Arc<dyn Journal>,
        room: i64,
        tail: Arc<Tail>,
        readers: Readers,
        is_verified: bool,
    ) -> Self {
        let past = Arc::new(CopyPast { source, room, readers });
        Self { past, tail, is_verified: AtomicBool::new(is_verified) }
    }

    pub(crate) fn source(&self) -> &dyn Journal {
        &*self.past.source
    }

    /// From now on old messages are read from the copy.
    pub(crate) fn verified(&self) {
        self.is_verified.store(true, Ordering::Relaxed);
    }
}

impl Journal for CopyJournal {
    fn start(&self, committer: Committer) {
        let tail = Arc::clone(&self.tail);
        self.source().start(committer.copied_to(move |batch| tail.push(batch)));
        self.tail.start();
    }

    fn submit(&self, record: Record) -> Result<(), Full> {
        self.source().submit(record)
    }

    /// Counts the messages that copies lack, too.
    fn queued(&self) -> usize {
        self.source().queued().saturating_add(self.tail.all_lacking())
    }

    fn read(&self, request: ReadRequest) {
        let (known, written) = self.tail.known_and_written();
        let past = Arc::clone(&self.past);
        match request.query.clone() {
            Query::After(seq) if seq < written && self.is_verified.load(Ordering::Relaxed) => {
                past.after(seq, request);
            }
            Query::Before { seq, messages, filter } if self.is_verified.load(Ordering::Relaxed) => {
                let before = Before { seq, messages, filter };
                if written < known && seq > written + 1 {
                    past.newest_before(before, written, request);
                } else {
                    past.before(before, Vec::new(), request);
                }
            }
            _ => past.source.read(request),
        }
    }
}

/// As [`Query::Before`].
struct Before {
    seq: u64,
    messages: usize,
    filter: Filter,
}

impl Before {
    fn query(&self) -> Query {
        Query::Before { seq: self.seq, messages: self.messages, filter: self.filter.clone() }
    }
}

impl CopyPast {
    /// Reads the next messages from the copy. If the copy begins later, the other journal may have those in between.
    fn after(self: Arc<Self>, seq: u64, request: ReadRequest) {
        let (readers, room) = (self.readers.clone(), self.room);
        let then = move |page: Result<Page, _>| {
            let starts_at = |page: &Page| page.messages.first().map(|kept| kept.seq);
            let copied = page.ok().filter(|page| !page.messages.is_empty());
            match copied {
                Some(page) if starts_at(&page) == Some(seq + 1) => request.answer(Ok(page)),
                Some(page) => {
                    let then = move |other: Result<Page, _>| {
                        request.answer(other.map(|other| match starts_at(&other) {
                            Some(first) if Some(first) < starts_at(&page) => other,
                            _ => page,
                        }));
                    };
                    self.source.read(ReadRequest::new(Query::After(seq), then));
                }
                None => self.source.read(request),
            }
        };
        readers.read(room, ReadRequest::new(Query::After(seq), then));
    }

    /// First reads the messages that the copy does not have yet: those after the message `written`.
    fn newest_before(self: Arc<Self>, before: Before, written: u64, request: ReadRequest) {
        let (query, source) = (before.query(), Arc::clone(&self.source));
        let then = move |page: Result<Page, _>| {
            let mut page = match page {
                Ok(page) => page,
                Err(why) => return request.answer(Err(why)),
            };
            let found = page.messages.len();
            page.messages.retain(|kept| kept.seq > written);
            let is_all_new = page.messages.len() == found && page.more;
            if page.messages.len() >= before.messages || is_all_new && found > 0 {
                return request.answer(Ok(Page { more: true, ..page }));
            }
            let messages = before.messages - page.messages.len();
            self.before(Before { seq: written + 1, messages, ..before }, page.messages, request);
        };
        source.read(ReadRequest::new(query, then));
    }

    /// Reads from the copy, and puts `newer` behind it. If all was read that the copy has, the other journal may have
    /// older messages that the copy has deleted. The copy alone is searched.
    fn before(self: Arc<Self>, before: Before, newer: Vec<Kept>, request: ReadRequest) {
        let (readers, room, query) = (self.readers.clone(), self.room, before.query());
        let then = move |page: Result<Page, _>| {
            let page = match page {
                Ok(page) => page,
                Err(why) => return request.answer(Err(why)),
            };
            let first = page.messages.first().map_or(before.seq, |kept| kept.seq);
            let missing = before.messages.saturating_sub(page.messages.len());
            if page.more || missing == 0 || first <= 1 || before.filter != Filter::default() {
                return request.answer(Ok(joined([page.messages, newer], page.more)));
            }
            let query = Query::Before { seq: first, messages: missing, filter: Filter::default() };
            let then = move |older: Result<Page, _>| {
                // Without an answer it may be asked for again.
                let Page { messages, more } = older.unwrap_or(Page { messages: Vec::new(), more: true });
                request.answer(Ok(joined([messages, page.messages, newer], more)));
            };
            self.source.read(ReadRequest::new(query, then));
        };
        readers.read(room, ReadRequest::new(query, then));
    }
}

/// One page of messages that follow each other: the newest of them, if all are too many.
fn joined<const PARTS: usize>(parts: [Vec<Kept>; PARTS], more: bool) -> Page {
    let newest_first = parts.into_iter().rev().flat_map(|part| part.into_iter().rev());
    let mut page = Page::of(newest_first, usize::MAX).reversed();
    page.more |= more;
    page
}

impl fmt::Debug for CopyJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CopyJournal").field(&self.past.source).finish()
    }
}
