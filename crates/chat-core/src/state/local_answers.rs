//! The results of what a local member has said, or has had the room say or do. Its program may wait for them.

use std::collections::BTreeMap;

use chat_proto::{DirectItem, MemberId, Text};

use super::State;
use super::readers::Wakes;
use crate::error::SayError;
use crate::state::members::Membership;
use crate::sync::{Receiver, Sender, bounded};

/// Records in flight for local members beside their own messages. The journal's queue bounds them.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The local member that had the room say a message, by the number of the message.
    notices: BTreeMap<u64, MemberId>,
    /// The local members that have set a topic, once for each topic.
    topics: Vec<MemberId>,
}

/// The answer that a local member waits for.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Why something was not kept, since this was asked for last.
    refused: Option<Text>,
    waiting: Option<Sender<Result<(), Text>>>,
}

impl State {
    /// Whether everything that this member said is dealt with, and it was told how.
    pub(crate) fn is_answered(&self, membership: Membership) -> bool {
        let Some(in_flight) = &self.in_flight else { return true };
        self.members.get(membership).is_none_or(|member| !in_flight.has_of(member.id))
    }

    /// As [`say_as_room`](Self::say_as_room), for a local member, which is told if it is not kept.
    pub(crate) fn say_as_room_for(&mut self, local: usize, texts: Vec<Text>) -> Result<Wakes, SayError> {
        let first = self.said_by_room + 1;
        let result = self.say_as_room(texts);
        if self.in_flight.is_some() {
            // The last number is not in flight if the journal was full.
            let end = self.said_by_room + u64::from(result.is_ok());
            let member = self.local_mut(local).0.id;
            self.asked.notices.extend((first..end).map(|number| (number, member)));
        }
        result
    }

    /// A topic of this member is in flight.
    pub(super) fn asked_for_topic(&mut self, member: MemberId) {
        if self.in_flight.is_some() && self.local_place(member).is_some() {
            self.asked.topics.push(member);
        }
    }

    /// A topic of this member has come back.
    pub(super) fn topic_came_back(&mut self, member: MemberId) {
        if let Some(place) = self.asked.topics.iter().position(|asked| *asked == member) {
            self.asked.topics.swap_remove(place);
        }
    }

    /// This message of the room has come back.
    pub(super) fn notice_came_back(&mut self, number: u64) {
        self.asked.notices.remove(&number);
    }

    /// This message of the room was not kept: the local member that asked for it is told `why`.
    pub(super) fn notice_refused(&mut self, number: u64, why: &Text) -> Wakes {
        let Some(member) = self.asked.notices.remove(&number) else { return Wakes::default() };
        self.has_refused(member, "Not said", why);
        self.tell_of_its_own(member, DirectItem::Refused { number, why: why.clone() })
    }

    /// Something that this member asked for was not kept. Does nothing if it is not a local member.
    pub(super) fn has_refused(&mut self, member: MemberId, what: &str, why: &Text) {
        if let Some(place) = self.local_place(member) {
            self.local_mut(place).0.answer.refused = Some(Text::lossy(&format!("{what}: {why}")));
        }
    }

    /// Receives one result for everything that a local member has asked for until now, once all of it is dealt with.
    pub(crate) fn local_answer(&mut self, local: usize) -> Receiver<Result<(), Text>> {
        let (waiting, answer) = bounded(1);
        self.local_mut(local).0.answer.waiting = Some(waiting);
        self.answer_locals();
        answer
    }

    /// Answers the local members that have nothing in flight any more.
    pub(super) fn answer_locals(&mut self) {
        let (asked, in_flight) = (&self.asked, &self.in_flight);
        for local in self.locals.iter_mut().flatten() {
            if local.answer.waiting.is_none() {
                continue;
            }
            let is_answered = in_flight.as_ref().is_none_or(|in_flight| !in_flight.has_of(local.id))
                && !asked.topics.contains(&local.id)
                && !asked.notices.values().any(|member| *member == local.id);
            if is_answered && let Some(waiting) = local.answer.waiting.take() {
                let _gone = waiting.try_send(local.answer.refused.take().map_or(Ok(()), Err));
            }
        }
    }
}
