//! Looking back: a room's old messages, from its journal or, without one, from its log.

use std::sync::Arc;
use std::time::Instant;

use chat_proto::limits::LOOK_BACK_MESSAGES_MAX;
use chat_proto::{Entry, Event, LookBack, Text};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::error::SayError;
use crate::journal::{Filter, Kept, Page, Query, ReadRequest};
use crate::limits::PAGE_BYTES_MAX;
use crate::room::Room;
use crate::state::Question;
use crate::state::direct_lane::text_bytes;
use crate::state::log::Log;
use crate::state::members::Membership;
use crate::sync::bounded;
use crate::transport::attachment::Attachment;

/// Why old messages were not read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the history was not read: {0}")]
pub struct HistoryError(pub Text);

impl Room {
    /// The newest messages before sequence number `before`, at most `messages` of them and [`PAGE_BYTES_MAX`] bytes,
    /// oldest first. `u64::MAX` is for the newest of all. For the page before, ask again with the `seq` of the first
    /// one.
    ///
    /// A room without a [`Journal`](crate::journal::Journal) has only what its log holds.
    ///
    /// Waits for the disk, so it is not for an I/O thread; [`read`](Self::read) is.
    ///
    /// # Errors
    ///
    /// [`HistoryError`] if the journal cannot be read.
    ///
    /// ```
    /// use chat_core::{Room, RoomConfig};
    ///
    /// let room = Room::new(RoomConfig::default());
    /// (1..=3).try_for_each(|number| room.notice(&format!("message {number}")))?;
    /// let newest = room.history(u64::MAX, 2)?;
    /// assert_eq!(newest.messages[0].event.to_string(), "[*] message 2");
    /// let older = room.history(newest.messages[0].seq, 2)?;
    /// assert_eq!((older.messages.len(), older.more), (1, false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn history(&self, before: u64, messages: usize) -> Result<Page, HistoryError> {
        self.search(before, messages, Filter::default())
    }

    /// As [`history`](Self::history), and only messages that match.
    ///
    /// # Errors
    ///
    /// As [`history`](Self::history).
    pub fn search(&self, before: u64, messages: usize, filter: Filter) -> Result<Page, HistoryError> {
        let (answer, answered) = bounded(1);
        let query = Query::Before { seq: before, messages, filter };
        self.read(query, move |page| drop(answer.try_send(page)));
        let page = answered.recv().unwrap_or_else(|_| Err(Text::lossy("the history is closed")));
        page.map_err(HistoryError)
    }

    /// Reads old messages without waiting: `answer` is called once, at once or later on a thread of the journal, which
    /// it must not keep long. An error is the reason for people.
    pub fn read(&self, query: Query, answer: impl FnOnce(Result<Page, Text>) + Send + 'static) {
        match self.journal() {
            Some(journal) => journal.read(ReadRequest::new(query, answer)),
            None => {
                let state = self.lock();
                let page = page_of(&state.log, &query, state.began_unix_ms);
                drop(state);
                answer(Ok(page));
            }
        }
    }

    /// Reads what a member has asked for, and puts it into its direct lane.
    pub(crate) fn answer(&self, question: Question) {
        let Question { member, number, look_back: LookBack { before, messages, author, words } } = question;
        let author = author.map(|author| author.to_string());
        let words = words.map(|words| words.as_str().to_owned());
        let messages = usize::from(messages.min(LOOK_BACK_MESSAGES_MAX));
        let query = Query::Before { seq: before, messages, filter: Filter { author, words } };
        let room = self.downgrade();
        self.read(query, move |page| {
            let Some(room) = Room::upgrade(&room) else { return };
            let (wakes, next) = room.lock().answer_question(member, number, page);
            wakes.wake();
            if let Some(next) = next {
                room.answer(next);
            }
        });
    }
}

impl Attachment {
    /// `member` asks for old messages. The answer comes over its direct lane: the messages, and then
    /// [`OldEnd`](chat_proto::DirectItem::OldEnd). A number that is not greater than those of its earlier questions is
    /// ignored, and of questions that wait only the last one is answered. Returns until when nothing more must be taken
    /// from the member.
    ///
    /// # Errors
    ///
    /// As [`say`](Self::say).
    pub fn look_back(
        &self,
        member: Membership,
        number: u64,
        question: LookBack,
        now: Instant,
    ) -> Result<Option<Instant>, SayError> {
        let asked = self.room().lock().ask(member, number, question, now)?;
        if let Some(question) = asked.question {
            self.room().answer(question);
        }
        Ok(asked.pause_until)
    }
}

/// Reads a page from the log. O(entries), and only the messages of the page are copied.
fn page_of(log: &Log, query: &Query, began_unix_ms: u64) -> Page {
    let messages = log.from(log.tail()).filter(|entry| entry.event.is_message());
    let kept = |entry: &Arc<Entry>| Kept {
        seq: entry.seq,
        unix_ms: began_unix_ms + entry.at_ms,
        event: entry.event.clone(),
    };
    match query {
        Query::After(seq) => Page::of(messages.filter(|entry| entry.seq > *seq).map(kept), usize::MAX),
        Query::Before { seq, messages: count, filter } => {
            let wanted = Wanted::new(filter);
            let newest = messages.rev().filter(|entry| entry.seq < *seq && wanted.matches(&entry.event));
            Page::of(newest.map(kept), *count).reversed()
        }
    }
}

impl Page {
    /// As many of these messages as a page may have, and at most `messages`.
    pub fn of(kept: impl IntoIterator<Item = Kept>, messages: usize) -> Self {
        let (mut page, mut bytes) = (Self::default(), 0);
        for kept in kept {
            bytes += kept.bytes();
            if page.messages.len() == messages || bytes > PAGE_BYTES_MAX {
                page.more = true;
                break;
            }
            page.messages.push(kept);
        }
        page
    }

    /// Takes messages newest first, and returns them oldest first.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.messages.reverse();
        self
    }
}

impl Kept {
    /// About how many bytes it takes in a frame.
    fn bytes(&self) -> usize {
        const FRAME_BYTES: usize = 96;
        FRAME_BYTES + text_bytes(&self.event)
    }
}

impl Filter {
    /// Whether a message matches. A journal may find words by other rules, those of its own index.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        Wanted::new(self).matches(event)
    }

    /// Whether a text of an author that is shown like this matches.
    #[must_use]
    pub fn matches_shown(&self, author: &str, text: &Text) -> bool {
        let wanted = Wanted::new(self);
        wanted.is_by(|| author.to_owned()) && wanted.has_words(text)
    }
}

/// A filter, folded as [`folded`] does it.
struct Wanted {
    author: Option<String>,
    /// Words that follow each other, for each that was asked for: `foo-bar` is two.
    words: Vec<Vec<String>>,
    /// It asks for words, but has only signs, so nothing matches.
    is_nothing: bool,
}

impl Wanted {
    fn new(filter: &Filter) -> Self {
        let asked = folded(filter.words.as_deref().unwrap_or_default());
        let words = asked.split_whitespace().map(|asked| words(asked).map(str::to_owned).collect());
        let words: Vec<Vec<String>> = words.filter(|words: &Vec<String>| !words.is_empty()).collect();
        let is_nothing = words.is_empty() && !asked.trim().is_empty();
        Self { author: filter.author.as_deref().map(str::to_lowercase), words, is_nothing }
    }

    fn matches(&self, event: &Event) -> bool {
        let Event::Said { author, text, .. } = event else { return false };
        self.is_by(|| author.to_string()) && self.has_words(text)
    }

    /// Whether the author matches. Without an author in the filter, any does.
    fn is_by(&self, shown: impl FnOnce() -> String) -> bool {
        self.author.as_ref().is_none_or(|wanted| shown().to_lowercase() == *wanted)
    }

    fn has_words(&self, text: &Text) -> bool {
        if self.words.is_empty() {
            return !self.is_nothing;
        }
        let text = folded(text.as_str());
        let text: Vec<&str> = words(&text).collect();
        self.words.iter().all(|wanted| text.windows(wanted.len()).any(|words| words == wanted))
    }
}

/// Without the difference of cases and accents.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfd().filter(|&c| !is_combining_mark(c)).collect::<String>().to_lowercase()
}

/// The words of a text: runs of letters and digits.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}
