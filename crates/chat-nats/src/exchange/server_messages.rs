//! Messages of one server to another about one member: private messages, their results, and kicks.
//!
//! A private message is sent once. The server of its recipient answers whether it is in the recipient's lane; if no
//! answer comes, its sender is told that, and nothing is sent again. So it arrives once at most, and two of one sender
//! arrive in order: they are published one after the other to one subject.

use std::collections::{HashMap, VecDeque};

use chat_core::{Author, LeaveReason, MemberId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::exchange::servers::ServerId;
use crate::limits::{PRIVATE_TIMEOUT, SENDERS_MAX, WAITING_MAX};

/// A message of one server to another.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct ServerMessage {
    /// Who tells it.
    pub(crate) server: ServerId,
    /// Which of its tasks for this room: a later one has a greater number.
    pub(crate) task: u64,
    /// Counts the messages of this task, so that nobody can repeat one.
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

/// The messages of one room.
#[derive(Debug, Default)]
pub(crate) struct ServerMessages {
    sent: u64,
    /// Task and number of the newest message of each server.
    heard: HashMap<ServerId, (u64, u64)>,
    waiting: VecDeque<Waiting>,
}

impl ServerMessages {
    /// The number of the next message.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.sent += 1;
        self.sent
    }

    /// Whether it is new. One with an old number, or of an earlier task, is somebody's repetition.
    pub(crate) fn is_new(&mut self, server_message: &ServerMessage) -> bool {
        if self.heard.len() >= SENDERS_MAX && !self.heard.contains_key(&server_message.server) {
            return false;
        }
        let newest = self.heard.entry(server_message.server.clone()).or_default();
        let this = (server_message.task, server_message.number);
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
        self.waiting.push_back(Waiting { server, number, sender, to, until: now + PRIVATE_TIMEOUT });
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

    fn server_message(number: u64, content: Content) -> ServerMessage {
        ServerMessage { server: "a".to_owned(), task: 9, number, content }
    }

    #[test]
    fn a_message_is_read_once_and_an_answer_ends_the_wait() {
        let mut messages = ServerMessages::default();
        let private = Content::Private { from: 1, author: "ann".to_owned(), to: 2, text: "hi".to_owned() };
        assert!(messages.is_new(&server_message(1, private.clone())));
        assert!(!messages.is_new(&server_message(1, private)));
        assert!(messages.is_new(&server_message(3, Content::Unknown)));
        let reopened = ServerMessage { task: 10, ..server_message(1, Content::Unknown) };
        assert!(messages.is_new(&reopened), "the room was opened there again, which counts from 1");
        assert!(!messages.is_new(&server_message(4, Content::Unknown)), "of the room before");
        let (now, to) = (Instant::now(), Author::from_shown("bob"));
        let number = messages.next_number();
        messages.wait("b".to_owned(), number, MemberId::new(1), to.clone(), now);
        assert_eq!(messages.answered(&"a".to_owned(), number), None, "another server");
        assert_eq!(messages.late(now), None);
        let late = messages.late(now + PRIVATE_TIMEOUT).unwrap();
        assert_eq!((late.sender, late.to), (MemberId::new(1), to));
        assert_eq!(messages.answered(&"b".to_owned(), number), None, "too late");
    }

    #[test]
    fn no_more_wait_than_may() {
        let mut messages = ServerMessages::default();
        let now = Instant::now();
        while messages.has_room() {
            let number = messages.next_number();
            messages.wait("b".to_owned(), number, MemberId::new(1), Author::Room, now);
        }
        assert_eq!(messages.waiting.len(), WAITING_MAX);
        assert!(messages.answered(&"b".to_owned(), 7).is_some() && messages.has_room());
    }

    #[test]
    fn a_message_has_one_form_and_one_of_a_later_version_is_skipped() {
        let line = serde_json::to_string(&server_message(
            5,
            Content::Answer { to_task: 8, to_number: 2, why: None },
        ))
        .unwrap();
        assert_eq!(
            line,
            r#"{"server":"a","task":9,"number":5,"kind":"answer","to_task":8,"to_number":2,"why":null}"#
        );
        let later = r#"{"v":2,"server":"a","task":9,"number":5,"kind":"sings","song":1}"#;
        assert_eq!(
            serde_json::from_str::<ServerMessage>(later).unwrap(),
            server_message(5, Content::Unknown)
        );
    }
}
