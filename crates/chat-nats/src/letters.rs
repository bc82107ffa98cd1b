//! What one server tells another one about one member: private messages, what became of them, and kicks.
//!
//! A private message is sent once. The server of its recipient answers whether it is in the recipient's lane; if no answer comes,
//! its sender is told that, and nothing is sent again. So it arrives once at most, and two of one sender arrive in order: they
//! are published one after the other to one subject.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use chat_core::{Author, LeaveReason, MemberId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::servers::ServerId;

/// Private messages of one room that have no answer yet. More are not sent.
const WAITING_MAX: usize = 1_024;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Servers whose newest number is remembered.
const SERVERS_MAX: usize = 10_000;

/// What one server tells another one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Letter {
    /// Who tells it.
    pub(crate) server: ServerId,
    /// Which of its tasks for this room: a later one has a greater number.
    pub(crate) task: u64,
    /// Counts the letters of this task, so that nobody can repeat one.
    pub(crate) number: u64,
    #[serde(flatten)]
    pub(crate) content: Content,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Content {
    /// A private message.
    Private { from: u64, author: String, to: u64, text: String },
    /// The private message of this task with this number is in the lane of its recipient, or `why` it is not.
    Answer { to_task: u64, to_number: u64, why: Option<String> },
    /// The recipient has left before it had read a private message of this sender.
    Undelivered { sender: u64, to: String, why: String },
    /// An operator has kicked a member.
    Kick { member: u64, reason: LeaveReason },
    /// Something of a later version.
    #[serde(other)]
    Unknown,
}

/// A private message that waits for its answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) server: ServerId,
    pub(crate) number: u64,
    pub(crate) sender: MemberId,
    pub(crate) to: Author,
    pub(crate) until: Instant,
}

/// The letters of one room.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    sent: u64,
    /// Task and number of the newest letter of each server.
    heard: HashMap<ServerId, (u64, u64)>,
    waiting: VecDeque<Waiting>,
}

impl Letters {
    /// The number of the next letter.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// Whether it is new. One with an old number, or of an earlier task, is somebody's repetition.
    pub(crate) fn is_new(&mut self, letter: &Letter) -> bool {
        if self.heard.len() >= SERVERS_MAX && !self.heard.contains_key(&letter.server) {
            return false;
        }
        let newest = self.heard.entry(letter.server.clone()).or_default();
        let this = (letter.task, letter.number);
        let is_new = this > *newest;
        *newest = this.max(*newest);
        is_new
    }

    /// Whether another private message may wait for its answer.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// A private message waits for its answer from now on.
    pub(crate) fn wait(&mut self, server: ServerId, number: u64, sender: MemberId, to: Author, now: Instant) {
        self.waiting.push_back(Waiting { server, number, sender, to, until: now + ANSWER_TIMEOUT });
    }

    /// The answer to this private message has come.
    pub(crate) fn answered(&mut self, server: &ServerId, number: u64) -> Option<Waiting> {
        let is_it = |waiting: &Waiting| waiting.number == number && waiting.server == *server;
        let place = self.waiting.iter().position(is_it)?;
        self.waiting.remove(place)
    }

    /// A private message whose answer did not come in time.
    pub(crate) fn late(&mut self, now: Instant) -> Option<Waiting> {
        let is_late = self.waiting.front().is_some_and(|waiting| waiting.until <= now);
        is_late.then(|| self.waiting.pop_front()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(number: u64, content: Content) -> Letter {
        Letter { server: "a".to_owned(), task: 9, number, content }
    }

    #[test]
    fn a_letter_is_read_once_and_an_answer_ends_the_wait() {
        let mut letters = Letters::default();
        let private = Content::Private { from: 1, author: "ann".to_owned(), to: 2, text: "hi".to_owned() };
        assert!(letters.is_new(&letter(1, private.clone())));
        assert!(!letters.is_new(&letter(1, private)));
        assert!(letters.is_new(&letter(3, Content::Unknown)));
        let reopened = Letter { task: 10, ..letter(1, Content::Unknown) };
        assert!(letters.is_new(&reopened), "the room was opened there again, which counts from 1");
        assert!(!letters.is_new(&letter(4, Content::Unknown)), "of the room before");
        let (now, to) = (Instant::now(), Author::from_shown("bob"));
        let number = letters.next_number();
        letters.wait("b".to_owned(), number, MemberId::new(1), to.clone(), now);
        assert_eq!(letters.answered(&"a".to_owned(), number), None, "another server");
        assert_eq!(letters.late(now), None);
        let late = letters.late(now + ANSWER_TIMEOUT).unwrap();
        assert_eq!((late.sender, late.to), (MemberId::new(1), to));
        assert_eq!(letters.answered(&"b".to_owned(), number), None, "too late");
    }

    #[test]
    fn no_more_wait_than_may() {
        let mut letters = Letters::default();
        let now = Instant::now();
        while letters.has_room() {
            let number = letters.next_number();
            letters.wait("b".to_owned(), number, MemberId::new(1), Author::Room, now);
        }
        assert_eq!(letters.waiting.len(), WAITING_MAX);
        assert!(letters.answered(&"b".to_owned(), 7).is_some() && letters.has_room());
    }

    #[test]
    fn a_letter_has_one_form_and_one_of_a_later_version_is_skipped() {
        let line = serde_json::to_string(&letter(5, Content::Answer { to_task: 8, to_number: 2, why: None }))
            .unwrap();
        assert_eq!(
            line,
            r#"{"server":"a","task":9,"number":5,"kind":"answer","to_task":8,"to_number":2,"why":null}"#
        );
        let later = r#"{"v":2,"server":"a","task":9,"number":5,"kind":"sings","song":1}"#;
        assert_eq!(serde_json::from_str::<Letter>(later).unwrap(), letter(5, Content::Unknown));
    }
}
