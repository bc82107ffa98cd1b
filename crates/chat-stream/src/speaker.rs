//! The speaking side of a member.

use std::time::Instant;

use chat_core::{Cursor, EncodedLog, Membership, Outcome};
use chat_proto::Text;

use crate::context::Context;
use crate::own::Own;

/// The state of a connection's member, while the peer is one.
#[derive(Debug)]
pub(crate) struct Speaker {
    member: Membership,
    /// A plain member's own messages, which it does not get back. `None` for a member that only listens.
    own: Option<Box<Own>>,
}

impl Speaker {
    pub(crate) fn new(member: Membership) -> Self {
        Self { member, own: None }
    }

    pub(crate) fn member(&self) -> Membership {
        self.member
    }

    /// Says one message of a framed member, which gets it back as confirmation. If it is over its rate limit, returns
    /// until when nothing more is to be taken from it.
    ///
    /// A message that the room does not take is dropped: the room is closing, or has kicked the member, and the transport is
    /// about to learn of it.
    pub(crate) fn say(&mut self, number: u64, text: Text, cx: &mut Context<'_>) -> Option<Instant> {
        cx.count_heard(&text);
        let said = cx.feed.attachment().say_numbered(self.member, number, text, cx.now);
        said.ok()?.pause_until
    }

    /// Says what a plain member wrote in one line, in several messages if it is long. The member does not get it
    /// back. What is empty, or only invisible, says nothing: someone has only pressed Enter. `tail` is where the log
    /// begins that the member reads. Returns until when nothing more is to be taken from it, if it is over its rate
    /// limit.
    pub(crate) fn say_line(&mut self, line: &[u8], tail: u64, cx: &mut Context<'_>) -> Option<Instant> {
        let mut pause_until = None;
        for text in Text::split(line).filter(|text| !text.as_str().is_empty()) {
            cx.count_heard(&text);
            let Ok(said) = cx.feed.attachment().say(self.member, text, cx.now) else { break };
            pause_until = said.pause_until;
            if let Outcome::Accepted { seq } = said.outcome {
                self.own.get_or_insert_default().add(seq, tail);
            }
        }
        pause_until
    }

    /// The next message in the log that must not be sent to the member; past the end if there is none.
    pub(crate) fn next_own(&self) -> u64 {
        self.own.as_ref().and_then(|own| own.next()).unwrap_or(u64::MAX)
    }

    /// The cursor after its own message, if that is the next entry.
    pub(crate) fn step_over_own(&mut self, log: &EncodedLog, cursor: Cursor) -> Option<Cursor> {
        let own = self.own.as_mut()?;
        let seq = own.next()?;
        let cursor = log.step_over(cursor, seq)?;
        own.went_past(seq);
        if own.is_empty() {
            self.own = None;
        }
        Some(cursor)
    }

    /// How many of the messages that it missed, up to `seq`, were its own.
    pub(crate) fn own_passed_up_to(&mut self, seq: u64) -> u64 {
        self.own.as_mut().map_or(0, |own| own.passed_up_to(seq))
    }
}
