//! The messages of a framed member: each once, in the order of their numbers.

use std::time::Instant;
use std::vec;

use chat_core::commands::Action;
use chat_core::transport::{Attachment, Membership, Outcome};
use chat_proto::{LookBack, Text};

/// The receiving half of a session.
///
/// A repeated message is recognised by its number, and one that arrives too early must be
/// sent again. For a throttled member, at most the rest of one datagram is held;
/// held messages are not acknowledged until they are said.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// Messages up to this number are dealt with.
    taken: u64,
    /// The member is over its rate limit. Rare, and so not a part of every session.
    paused: Option<Box<Paused>>,
}

#[derive(Debug)]
struct Paused {
    /// Nothing more is said before this moment.
    until: Instant,
    held: vec::IntoIter<Text>,
}

impl Incoming {
    /// Of a member of which the room has dealt with messages up to this number, over other connections.
    pub(crate) fn new(taken: u64) -> Self {
        Self { taken, paused: None }
    }

    /// Messages up to this number are dealt with.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Messages up to this number are not said any more.
    pub(crate) fn settle(&mut self, number: u64) {
        if number > self.taken {
            self.taken = number;
            self.paused = None;
        }
    }

    /// Takes in messages with consecutive numbers from `first` on. True if one is the command to leave.
    pub(crate) fn receive(
        &mut self,
        first: u64,
        mut says: Vec<Text>,
        member: Membership,
        attachment: &Attachment,
        now: Instant,
    ) -> bool {
        // How many of them are dealt with already; `None` if those before them are missing.
        let Some(known) = self.taken.checked_add(1).and_then(|next| next.checked_sub(first)) else {
            return false;
        };
        says.drain(..usize::try_from(known).unwrap_or(usize::MAX).min(says.len()));
        let says = says.into_iter();
        match &mut self.paused {
            Some(paused) if paused.held.len() > 0 => return false,
            Some(paused) if paused.until > now => paused.held = says,
            _ => return self.say(says, member, attachment, now),
        }
        false
    }

    /// Takes in a question about the past. While the member is over its rate limit it must be asked again.
    pub(crate) fn ask(
        &mut self,
        number: u64,
        question: LookBack,
        member: Membership,
        attachment: &Attachment,
        now: Instant,
    ) {
        if self.paused.as_ref().is_some_and(|paused| paused.until > now) {
            return;
        }
        // An error means that it has been made to leave, or the room is closing.
        let until = attachment.look_back(member, number, question, now).unwrap_or_default();
        if let (Some(until), None) = (until, &self.paused) {
            self.paused = Some(Box::new(Paused { until, held: Vec::new().into_iter() }));
        }
    }

    /// Says the held messages, as far as the rate limit allows. True if one of them is the command to leave.
    pub(crate) fn say_held(&mut self, member: Membership, attachment: &Attachment, now: Instant) -> bool {
        let paused = self.paused.take_if(|paused| paused.until <= now);
        paused.is_some_and(|paused| self.say(paused.held, member, attachment, now))
    }

    fn say(
        &mut self,
        mut texts: vec::IntoIter<Text>,
        member: Membership,
        attachment: &Attachment,
        now: Instant,
    ) -> bool {
        self.paused = None;
        while let Some(text) = texts.next() {
            let Some(number) = self.taken.checked_add(1) else { return false };
            // An error means that it has been made to leave, or the room is closing: nothing is taken from it
            // any more.
            let Ok(said) = attachment.say_numbered(member, number, text, now) else { return false };
            self.taken = number;
            if matches!(said.outcome, Outcome::Answered { action: Some(Action::Leave | Action::Move(_)) }) {
                return true;
            }
            if let Some(until) = said.pause_until.filter(|&until| until > now) {
                self.paused = Some(Box::new(Paused { until, held: texts }));
                return false;
            }
        }
        false
    }

    /// When to call [`say_held`](Self::say_held).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.paused.as_ref().filter(|paused| paused.held.len() > 0).map(|paused| paused.until)
    }

    /// Nothing more is heard from the member.
    pub(crate) fn close(&mut self) {
        self.paused = None;
    }
}
