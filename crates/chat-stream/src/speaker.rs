//! A member as one who says things.

use std::time::Instant;

use chat_core::{Cursor, EncodedLog, MemberId, Outcome, Said};
use chat_proto::Text;

use crate::context::Context;
use crate::limits::ENTRY_BYTES;
use crate::own::Own;

/// What a connection keeps of its member while he is one.
#[derive(Debug)]
pub(crate) struct Speaker {
    member: MemberId,
    /// A plain member's own messages, which he does not get back. Nothing for who only listens.
    own: Option<Box<Own>>,
}

/// What became of a line.
#[derive(Debug, Default)]
pub(crate) struct SaidLine {
    /// He is over his rate: nothing more is to be taken from him until then.
    pub(crate) pause_until: Option<Instant>,
    /// Something of it was refused, and why.
    pub(crate) refused: Option<Text>,
}

impl Speaker {
    pub(crate) fn new(member: MemberId) -> Self {
        Self { member, own: None }
    }

    pub(crate) fn member(&self) -> MemberId {
        self.member
    }

    /// Says one message; a framed member gets it back as confirmation. If he is over his rate, returns
    /// until when nothing more is to be taken from him.
    ///
    /// What the room refuses is dropped: it is closing, or has made him leave, and his transport is about
    /// to learn it.
    pub(crate) fn say(&mut self, text: Text, cx: &mut Context<'_>) -> Option<Instant> {
        self.say_text(text, cx)?.pause_until
    }

    /// Says what a plain member wrote in one line, in several messages if it is long. The member does not get it
    /// back. What is empty, or only invisible, says nothing: someone has only pressed Enter. `tail` is where the log
    /// begins that the member reads.
    pub(crate) fn say_line(&mut self, line: &[u8], tail: u64, cx: &mut Context<'_>) -> SaidLine {
        let mut said_line = SaidLine::default();
        for text in Text::split(line).filter(|text| !text.as_str().is_empty()) {
            let Some(said) = self.say_text(text, cx) else { break };
            said_line.pause_until = said.pause_until;
            match said.outcome {
                Outcome::Accepted { seq } => self.own.get_or_insert_default().add(seq, tail),
                Outcome::Refused { why } => said_line.refused = Some(why),
            }
        }
        said_line
    }

    fn say_text(&mut self, text: Text, cx: &mut Context<'_>) -> Option<Said> {
        cx.room_left = cx.room_left.saturating_sub(ENTRY_BYTES + text.as_str().len());
        cx.feed.attachment().say(self.member, text, cx.now).ok()
    }

    /// The next message in the log that is not to be sent to him; past the end if there is none.
    pub(crate) fn next_own(&self) -> u64 {
        self.own.as_ref().and_then(|own| own.next()).unwrap_or(u64::MAX)
    }

    /// The cursor behind his own message, if that is what comes next.
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

    /// How many of the messages that overtook him, up to `seq`, were his own.
    pub(crate) fn own_passed_up_to(&mut self, seq: u64) -> u64 {
        self.own.as_mut().map_or(0, |own| own.passed_up_to(seq))
    }
}
