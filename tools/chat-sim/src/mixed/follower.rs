//! Compares what a member is shown with what the room accepted, at the moment when it is shown.

use chat_proto::{Author, Entry, Event, PeerAddr};

use super::truth::Truth;

/// Follows a member through the room's messages. The member must see each message once and in order. If some are
/// missing, it must have been told exactly how many.
#[derive(Debug)]
pub(super) struct Follower {
    /// The number of the last message that the member has seen or was told it missed.
    has: u64,
    /// The author whose messages the member must not get: itself, if it is plain.
    not_shown: Option<PeerAddr>,
    pub(super) delivered: u64,
    pub(super) missed: u64,
}

impl Follower {
    pub(super) fn new(has: u64, not_shown: Option<PeerAddr>) -> Self {
        Self { has, not_shown, delivered: 0, missed: 0 }
    }

    /// The message that the member must be shown next, if there is one.
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

    /// Notes that the member was shown the next message.
    pub(super) fn shown(&mut self) {
        self.has += 1;
        self.delivered += 1;
    }

    /// Notes that the member was told it missed this many messages.
    pub(super) fn missed(&mut self, messages: u64, truth: &Truth) -> Result<(), String> {
        if messages == 0 {
            return Err("was told that it missed nothing".to_owned());
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

    /// Checks an entry that a framed member was shown.
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

    /// Whether the member has been shown everything.
    pub(super) fn is_up_to_date(&mut self, truth: &Truth) -> bool {
        self.next(truth).is_none()
    }
}
