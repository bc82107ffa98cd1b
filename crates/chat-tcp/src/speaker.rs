//! A member as one who says things.

use std::time::Instant;

use chat_core::{Cursor, EncodedLog, MemberId};
use chat_proto::Text;

use crate::connection::Context;
use crate::own::Own;

/// What a connection keeps of its member while he is one.
#[derive(Debug)]
pub(crate) struct Speaker {
    member: MemberId,
    /// A plain member's own messages, which he does not get back. Nothing for who only listens.
    own: Option<Box<Own>>,
    /// He is over his rate: nothing more is taken from him before this moment.
    pub(crate) pause_until: Option<Instant>,
}

impl Speaker {
    pub(crate) fn new(member: MemberId) -> Self {
        Self { member, own: None, pause_until: None }
    }

    pub(crate) fn member(&self) -> MemberId {
        self.member
    }

    /// Says one message; a framed member gets it back as confirmation.
    pub(crate) fn say(&mut self, text: Text, cx: &Context<'_>) {
        self.say_and_tell_seq(text, cx);
    }

    /// Says what a plain member wrote in one line, or in several messages if it is long. He does not get
    /// it back. An empty line says nothing: someone has only pressed Enter. `tail` is where the log begins
    /// that he reads.
    pub(crate) fn say_line(&mut self, line: &[u8], tail: u64, cx: &Context<'_>) {
        for text in Text::split(line) {
            if let Some(seq) = self.say_and_tell_seq(text, cx) {
                self.own.get_or_insert_default().add(seq, tail);
            }
        }
    }

    /// `None` if the room takes nothing from him any more: he has been made to leave, or it is closing,
    /// and his transport is about to learn it.
    fn say_and_tell_seq(&mut self, text: Text, cx: &Context<'_>) -> Option<u64> {
        let said = cx.port.say(self.member, text, cx.now).ok()?;
        self.pause_until = said.pause_until.or(self.pause_until);
        Some(said.seq)
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
    pub(crate) fn own_overtaken_up_to(&mut self, seq: u64) -> u64 {
        self.own.as_mut().map_or(0, |own| own.overtaken_up_to(seq))
    }
}
