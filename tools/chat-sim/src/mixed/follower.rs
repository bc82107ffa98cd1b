//! Compares what a member is shown with what the room accepted, at the moment when it is shown.

use chat_proto::{Entry, Event, MemberId};

use super::truth::{Stay, Truth};

/// Follows a member through a room's messages and renames. The member must see each once and in order. If messages are
/// missing, it must have been told exactly how many.
#[derive(Debug)]
pub(super) struct Follower {
    /// The place of the room that it follows.
    pub(super) room: usize,
    /// The number of the last message that the member has seen or was told it missed.
    has: u64,
    /// The member whose messages it must not get: itself, if it is plain.
    not_shown: Option<MemberId>,
    /// The last rename that it has seen, as its place among the room's renames.
    renamed: Option<usize>,
    /// Renames up to this message may be missing: they are from before it joined, or were skipped with messages.
    renames_since: u64,
    /// It has resumed its session, so that entries after the last message may come again.
    may_repeat: bool,
    pub(super) delivered: u64,
    pub(super) missed: u64,
}

impl Follower {
    pub(super) fn new(room: usize, has: u64, not_shown: Option<MemberId>) -> Self {
        Self {
            room,
            has,
            not_shown,
            renamed: None,
            renames_since: has,
            may_repeat: false,
            delivered: 0,
            missed: 0,
        }
    }

    /// Follows a plain member over TCP through this stay.
    pub(super) fn plain(stay: &Stay) -> Self {
        Self::new(stay.room, stay.since, Some(stay.member))
    }

    /// The plain member has gone to another room.
    pub(super) fn go_on_in(&mut self, stay: &Stay) {
        let (delivered, missed) = (self.delivered, self.missed);
        let not_shown = self.not_shown.map(|_| stay.member);
        *self = Self { delivered, missed, ..Self::new(stay.room, stay.since, not_shown) };
    }

    /// The message that the member must be shown next, if there is one.
    pub(super) fn next<'t>(&mut self, truth: &'t Truth) -> Option<&'t Entry> {
        loop {
            let entry = truth.room(self.room).message(self.has + 1)?;
            let own = matches!(&entry.event, Event::Said { from, .. } if Some(from.member) == self.not_shown);
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
        self.renames_since = self.has;
        Ok(())
    }

    /// Checks an entry that a framed member was shown.
    pub(super) fn entry(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        if !entry.event.is_message() {
            if entry.seq != self.has {
                return Err(format!("{entry:?} after message {}", self.has));
            }
            return match &entry.event {
                Event::Renamed { .. } => self.rename(entry, truth),
                _ => Ok(()),
            };
        }
        if let Some(hidden) = self.hidden_rename(entry.seq, truth) {
            return Err(format!("was shown {entry:?}, and not {hidden:?} before it"));
        }
        match self.next(truth) {
            Some(next) if next == entry => {
                self.shown();
                Ok(())
            }
            next => Err(format!("was shown {entry:?}, not {next:?}")),
        }
    }

    fn rename(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let renames = truth.room(self.room).renames();
        let Some(place) = renames.iter().position(|rename| **rename == *entry) else {
            return Err(format!("was shown {entry:?}, which did not happen"));
        };
        let next = self.renamed.map_or(0, |renamed| renamed + 1);
        if place < next && !self.may_repeat {
            return Err(format!("was shown {entry:?} twice, or in another order"));
        }
        let skipped = renames.get(next..place).filter(|_| !truth.has_journal());
        if let Some(skipped) = skipped.and_then(|skipped| self.first_owed(skipped)) {
            return Err(format!("was shown {entry:?}, and not {skipped:?} before it"));
        }
        self.renamed = Some(place);
        Ok(())
    }

    /// A rename before this message that the member was not shown. The pages of a journal have messages only.
    fn hidden_rename<'t>(&self, before: u64, truth: &'t Truth) -> Option<&'t Entry> {
        if truth.has_journal() {
            return None;
        }
        let renames = truth.room(self.room).renames();
        let rest = renames.get(self.renamed.map_or(0, |renamed| renamed + 1)..)?;
        self.first_owed(rest).filter(|rename| rename.seq < before)
    }

    fn first_owed<'t>(&self, renames: &'t [std::sync::Arc<Entry>]) -> Option<&'t Entry> {
        renames.iter().find(|rename| rename.seq > self.renames_since).map(|rename| &**rename)
    }

    /// Notes that the member goes on with its session over another connection.
    pub(super) fn resumed(&mut self) {
        self.may_repeat = true;
    }

    pub(super) fn has(&self) -> u64 {
        self.has
    }

    /// Whether the member has been shown everything.
    pub(super) fn is_up_to_date(&mut self, truth: &Truth) -> bool {
        self.next(truth).is_none()
    }

    /// Whether the member has been shown everything that came before its stay ended, or up to this message if that is older.
    pub(super) fn has_all_of(&mut self, stay: &Stay, up_to: Option<u64>, truth: &Truth) -> bool {
        let until = stay.until.unwrap_or(u64::MAX).min(up_to.unwrap_or(u64::MAX));
        self.next(truth).is_none_or(|next| next.seq > until)
    }
}
