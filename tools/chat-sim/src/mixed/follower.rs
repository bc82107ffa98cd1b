//! Holds what a member is shown against what the room took, at the moment when he is shown it.

use chat_proto::{Author, Entry, Event, PeerAddr};

use super::truth::Truth;

/// Follows a member through the room's messages: each once and in order; where some are missing, exactly as
/// many as he was told.
#[derive(Debug)]
pub(super) struct Follower {
    /// The last message that he has or was told he missed.
    has: u64,
    /// Whose messages he is not to get: his own, if he is plain.
    not_shown: Option<PeerAddr>,
    pub(super) delivered: u64,
    pub(super) missed: u64,
}

impl Follower {
    pub(super) fn new(has: u64, not_shown: Option<PeerAddr>) -> Self {
        Self { has, not_shown, delivered: 0, missed: 0 }
    }

    /// What he must be shown next, if it is a message.
    pub(super) fn next<'t>(&mut self, truth: &'t Truth) -> Option<&'t Entry> {
        loop {
            let entry = truth.message(self.has + 1)?;
            let own = matches!(&entry.event, Event::Said { author: Author::Peer(peer), .. } if Some(*peer) == self.not_shown);
            if !own {
                return Some(entry);
            }
            self.has += 1;
        }
    }

    /// He was shown what came next.
    pub(super) fn shown(&mut self) {
        self.has += 1;
        self.delivered += 1;
    }

    /// He was told that he missed so many.
    pub(super) fn missed(&mut self, messages: u64, truth: &Truth) -> Result<(), String> {
        if messages == 0 {
            return Err("was told that he missed nothing".to_owned());
        }
        for number in 0..messages {
            if self.next(truth).is_none() {
                return Err(format!("was told of {messages} missed messages, and there were only {number}"));
            }
            self.has += 1;
        }
        self.missed += messages;
        Ok(())
    }

    /// A framed member was shown an entry.
    pub(super) fn entry(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        if !entry.event.is_message() {
            return if entry.seq == self.has {
                Ok(())
            } else {
                Err(format!("{entry:?} after message {}", self.has))
            };
        }
        match self.next(truth) {
            Some(next) if next == entry => {
                self.shown();
                Ok(())
            }
            next => Err(format!("was shown {entry:?}, not {next:?}")),
        }
    }

    pub(super) fn has(&self) -> u64 {
        self.has
    }

    /// Whether he has been shown everything.
    pub(super) fn is_up_to_date(&mut self, truth: &Truth) -> bool {
        self.next(truth).is_none()
    }
}
