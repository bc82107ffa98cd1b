//! Messages with which the room has dealt, as the log or a welcome shows. The room may still say later that one of them
//! was refused.

use std::collections::VecDeque;

use chat_proto::Text;

use super::Conversation;
use crate::limits::UNCONFIRMED_MAX;

/// The texts of these messages with their numbers, in order: at most [`UNCONFIRMED_MAX`].
#[derive(Debug, Default)]
pub(super) struct Settled(VecDeque<(u64, Text)>);

impl Conversation {
    /// The room has dealt with the messages up to this number. If one of them was refused, the direct lane tells so
    /// later: over UDP it may be behind the log.
    pub(super) fn pass(&mut self, number: u64) {
        let first = self.confirmed.saturating_add(1);
        let texts = self.confirm(number);
        self.settled.extend(first, texts);
    }

    /// The room has dealt with the messages up to this number. Returns those that were not confirmed before.
    pub(super) fn confirm(&mut self, number: u64) -> Vec<Text> {
        let more = number.saturating_sub(self.confirmed);
        let sent = usize::try_from(more).unwrap_or(usize::MAX).min(self.sent);
        self.sent -= sent;
        self.confirmed += sent as u64;
        self.drain(sent)
    }

    /// Removes the first messages, which are settled.
    pub(super) fn drain(&mut self, messages: usize) -> Vec<Text> {
        for question in &mut self.questions {
            question.said_before = question.said_before.saturating_sub(messages);
        }
        self.unconfirmed.drain(..messages).map(|said| said.text).collect()
    }
}

impl Settled {
    /// These messages are dealt with. The first of them has the number `first`.
    pub(super) fn extend(&mut self, first: u64, texts: Vec<Text>) {
        self.0.extend((first..).zip(texts));
        let surplus = self.0.len().saturating_sub(UNCONFIRMED_MAX);
        self.0.drain(..surplus);
    }

    /// The text of a message that was refused. Refusals come in the order of the numbers.
    pub(super) fn take(&mut self, number: u64) -> Option<Text> {
        let earlier = self.0.partition_point(|(settled, _)| *settled < number);
        self.0.drain(..earlier);
        if self.0.front()?.0 == number { self.0.pop_front().map(|(_, text)| text) } else { None }
    }
}
