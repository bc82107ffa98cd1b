//! The speaking side of a member.

use std::ops::RangeInclusive;
use std::time::Instant;

use chat_core::SayError;
use chat_core::commands::Action;
use chat_core::transport::{Cursor, EncodedLog, Feed, Membership, Outcome, PendingRoom, Said};
use chat_proto::{Event, MemberId, Text};

use crate::context::Context;
use crate::outgoing::own_messages::OwnMessages;

/// The state of a connection's member, while the peer is one.
#[derive(Debug)]
pub(crate) struct Speaker {
    member: Membership,
    /// Nothing for a member that only listens.
    extra: Option<Box<Extra>>,
}

/// State that only members need that speak.
#[derive(Debug, Default)]
struct Extra {
    /// The room that it has asked to be taken to.
    goal: Option<PendingRoom>,
    /// Its own messages in the log, which a plain member is not sent.
    own: OwnMessages,
    /// The members whose messages it does not want, sorted.
    ignored: Vec<MemberId>,
    /// Itself, if its own messages are found among those of `ignored`: a journal decides their numbers.
    itself: Option<MemberId>,
}

/// The effect of a member's message or command on its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// Nothing more must be taken from it before this moment.
    pub(crate) pause_until: Option<Instant>,
    /// It has given the command to leave.
    pub(crate) leaves: bool,
    /// It has given the command to go to another room.
    pub(crate) moves: bool,
    /// The line was longer than a command may be, and its rest was dropped.
    pub(crate) is_cut: bool,
}

impl Speaker {
    pub(crate) fn new(member: Membership) -> Self {
        Self { member, extra: None }
    }

    pub(crate) fn member(&self) -> Membership {
        self.member
    }

    /// Whether a plain member is not sent this message: it ignores the author, or is the author.
    pub(crate) fn ignores(&self, event: &Event) -> bool {
        let Event::Said { from, .. } = event else { return false };
        self.extra.as_ref().is_some_and(|extra| extra.ignored.binary_search(&from.member).is_ok())
    }

    /// The room that it has asked to be taken to.
    pub(crate) fn goal(&self) -> Option<&PendingRoom> {
        self.extra.as_ref()?.goal.as_ref()
    }

    /// It cannot be taken there.
    pub(crate) fn forget_goal(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.goal = None;
            self.let_go();
        }
    }

    /// Says one message of a framed member, which gets it back as confirmation.
    /// A message that the room does not take is dropped: the room is closing, or has made the member leave, and the
    /// transport is about to learn it.
    pub(crate) fn say(&mut self, number: u64, text: Text, cx: &mut Context<'_>) -> Spoken {
        cx.count_heard(&text);
        Self::said(cx.feed().attachment().say_numbered(self.member, number, text, cx.now))
    }

    /// As [`say`](Self::say), for a member that says whether it is a command.
    #[cfg(feature = "web")]
    pub(crate) fn say_object(
        &mut self,
        number: Option<u64>,
        text: Text,
        is_command: bool,
        cx: &mut Context<'_>,
    ) -> Spoken {
        cx.count_heard(&text);
        let attachment = cx.feed().attachment();
        Self::said(match (is_command, number) {
            (false, number) => attachment.say_as_it_is(self.member, number, text, cx.now),
            (true, Some(number)) => attachment.say_numbered(self.member, number, text, cx.now),
            (true, None) => attachment.say(self.member, text, cx.now),
        })
    }

    fn said(result: Result<Said, SayError>) -> Spoken {
        let Ok(said) = result else { return Spoken::default() };
        // Its client hides the members that it ignores.
        let action = if let Outcome::Answered { action } = said.outcome { action } else { None };
        // It has been told to come back to another room.
        let leaves = matches!(action, Some(Action::Leave | Action::Move(_)));
        Spoken { pause_until: said.pause_until, leaves, ..Spoken::default() }
    }

    /// Says what a plain member wrote in one line, in several messages if it is long. The member does not get it
    /// back. A line that is empty, or only invisible, says nothing: someone has only pressed Enter. `tail` is where the
    /// log begins that the member reads.
    pub(crate) fn say_line(&mut self, line: &[u8], tail: u64, cx: &mut Context<'_>) -> Spoken {
        let mut spoken = Spoken::default();
        let (mut is_first, mut is_command) = (true, false);
        for text in Text::split(line).filter(|text| !text.as_str().is_empty()) {
            // The rest of a command must not be said to the room: it may be a private message.
            if is_command {
                spoken.is_cut = true;
                break;
            }
            cx.count_heard(&text);
            let attachment = cx.feed().attachment();
            let said = match std::mem::take(&mut is_first) {
                true => attachment.say(self.member, text, cx.now),
                false => attachment.say_as_it_is(self.member, None, text, cx.now),
            };
            let Ok(said) = said else { break };
            spoken.pause_until = said.pause_until;
            match said.outcome {
                Outcome::Accepted { seq } => self.extra.get_or_insert_default().own.add(seq, tail),
                // Its number is not known yet: the message is recognised by who said it.
                Outcome::Submitted => self.skip_by_author(cx),
                Outcome::Answered { action } => {
                    self.obey(action.as_ref(), &mut spoken, cx);
                    is_command = true;
                }
                _ => {}
            }
        }
        spoken
    }

    fn obey(&mut self, action: Option<&Action>, spoken: &mut Spoken, cx: &mut Context<'_>) {
        match action {
            Some(Action::Leave) => spoken.leaves = true,
            Some(Action::Move(opening)) => {
                if opening.room().is_none() {
                    cx.feeds.wait_for(opening, cx.key);
                }
                self.extra.get_or_insert_default().goal = Some(opening.clone());
                spoken.moves = true;
            }
            Some(Action::Ignore { .. }) => {
                cx.feed_mut().note_authors();
                let ignored = cx.feed().attachment().ignored(self.member);
                let extra = self.extra.get_or_insert_default();
                extra.ignored = ignored;
                let by_author = extra.itself;
                by_author.into_iter().for_each(|itself| self.skip_author(itself));
                self.let_go();
            }
            _ => {}
        }
    }

    fn skip_by_author(&mut self, cx: &mut Context<'_>) {
        if self.extra.as_ref().is_some_and(|extra| extra.itself.is_some()) {
            return;
        }
        cx.feed_mut().note_authors();
        if let Some(itself) = cx.feed().attachment().id_of(self.member) {
            self.skip_author(itself);
        }
    }

    fn skip_author(&mut self, itself: MemberId) {
        let extra = self.extra.get_or_insert_default();
        extra.itself = Some(itself);
        if let Err(place) = extra.ignored.binary_search(&itself) {
            extra.ignored.insert(place, itself);
        }
    }

    /// The next message after `seq` that is not to be sent to the member; past the end if there is none.
    pub(crate) fn next_skipped(&self, seq: u64, feed: &Feed) -> u64 {
        self.skipped_after(seq, feed).map_or(u64::MAX, |seqs| *seqs.start())
    }

    /// The cursor behind messages that are not to be sent to the member, if they come next.
    pub(crate) fn step_over(&mut self, log: &EncodedLog, cursor: Cursor, feed: &Feed) -> Option<Cursor> {
        let seqs = self.skipped_after(cursor.seq(), feed)?;
        let cursor = log.step_over(cursor, seqs)?;
        if let Some(extra) = &mut self.extra {
            extra.own.went_past(cursor.seq());
            self.let_go();
        }
        Some(cursor)
    }

    /// The next messages after `seq`, in a row, that are not to be sent to the member.
    fn skipped_after(&self, seq: u64, feed: &Feed) -> Option<RangeInclusive<u64>> {
        let extra = self.extra.as_ref()?;
        let ignored = feed.next_said_by(&extra.ignored, seq).map(|seq| seq..=seq);
        extra.own.next().into_iter().chain(ignored).min_by_key(|seqs| *seqs.start())
    }

    /// How many of the messages that the tail has passed, those after `from` up to `seq`, were not for the member.
    pub(crate) fn skipped_up_to(&mut self, from: u64, seq: u64, feed: &Feed) -> u64 {
        let Some(extra) = &mut self.extra else { return 0 };
        extra.own.passed_up_to(seq) + feed.count_said_by(&extra.ignored, from + 1..=seq)
    }

    /// Gives back memory that is not needed any more.
    fn let_go(&mut self) {
        self.extra.take_if(|extra| extra.goal.is_none() && extra.own.is_empty() && extra.ignored.is_empty());
    }
}
