//! What a framed member says: each message once, in the order of its number.

use std::time::Instant;
use std::vec;

use chat_core::{Attachment, MemberId};
use chat_proto::Text;

/// The receiving half of a session.
///
/// Messages that come again are known by their number, and those that come too early are left to be
/// sent again. A member who is over his rate has the rest of one datagram held for him, at most;
/// what is held is not acknowledged until it is said.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Messages up to this number are said.
    said: u64,
    /// He is over his rate. Rare, and so not a part of every session.
    paused: Option<Box<Paused>>,
}

#[derive(Debug)]
struct Paused {
    /// Nothing more is said before this moment.
    until: Instant,
    held: vec::IntoIter<Text>,
}

impl Inbox {
    /// Messages up to this number are said.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }

    /// Takes in messages with consecutive numbers from `first` on.
    pub(crate) fn receive(
        &mut self,
        first: u64,
        mut says: Vec<Text>,
        member: MemberId,
        attachment: &Attachment,
        now: Instant,
    ) {
        // How many of them are said already; `None` if those before them are missing.
        let Some(known) = (self.said + 1).checked_sub(first) else { return };
        says.drain(..usize::try_from(known).unwrap_or(usize::MAX).min(says.len()));
        let says = says.into_iter();
        match &mut self.paused {
            Some(paused) if paused.held.len() > 0 => {}
            Some(paused) if paused.until > now => paused.held = says,
            _ => self.say(says, member, attachment, now),
        }
    }

    /// Says what is held, as far as the rate allows.
    pub(crate) fn say_held(&mut self, member: MemberId, attachment: &Attachment, now: Instant) {
        if let Some(paused) = self.paused.take_if(|paused| paused.until <= now) {
            self.say(paused.held, member, attachment, now);
        }
    }

    fn say(
        &mut self,
        mut texts: vec::IntoIter<Text>,
        member: MemberId,
        attachment: &Attachment,
        now: Instant,
    ) {
        self.paused = None;
        while let Some(text) = texts.next() {
            // An error means that he has been made to leave, or the room is closing: nothing is taken from him
            // any more.
            let Ok(said) = attachment.say(member, text, now) else { return };
            self.said += 1;
            if let Some(until) = said.pause_until.filter(|&until| until > now) {
                self.paused = Some(Box::new(Paused { until, held: texts }));
                return;
            }
        }
    }

    /// When [`say_held`](Self::say_held) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.paused.as_ref().filter(|paused| paused.held.len() > 0).map(|paused| paused.until)
    }

    /// Nothing more is heard from him.
    pub(crate) fn close(&mut self) {
        self.paused = None;
    }
}
