//! A transport's place at a room.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use chat_proto::{Entry, Hello, LeaveReason, PeerAddr, Text, Welcome};

use crate::error::{JoinError, SayError};
use crate::members::MemberId;
use crate::moderator::Verdict;
use crate::room::Room;
use crate::waker::Waker;

/// Where a transport meets the room: its members join, speak and leave here, and here it pulls
/// what the room has to say. Made by [`Room::attach`].
///
/// Dropping the attachment makes all its members leave.
///
/// Each call takes the room's lock for a few hundred nanoseconds. `now` is the transport's clock,
/// which a simulator replaces.
#[derive(Debug)]
#[must_use = "dropping an attachment makes its members leave"]
pub struct Attachment {
    room: Room,
    id: usize,
}

/// A peer that has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "who is not made to leave stays a member"]
pub struct Joined {
    /// Who he is from now on.
    pub member: MemberId,
    /// Sequence number of the newest message at that moment: he gets what follows. [`Attachment::pull`] before
    /// you look up his cursor with [`EncodedLog::after`](crate::EncodedLog::after).
    pub seq: u64,
}

/// What [`Attachment::say`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a member over his rate is to be paused, and one who was refused told why"]
pub struct Said {
    /// What became of the message.
    pub outcome: Outcome,
    /// The member is over his rate, or fills the log faster than some transport pulls it: take nothing more
    /// from him before this moment.
    pub pause_until: Option<Instant>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has its place in the order.
    Accepted {
        /// Its sequence number.
        seq: u64,
    },
    /// The [`Moderator`](crate::Moderator) has refused it. A framed member reads that in the log
    /// ([`Event::Refused`](chat_proto::Event::Refused)); others are to be told.
    Refused {
        /// What he is told instead.
        why: Text,
    },
}

/// A member that the room has made leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissed {
    /// The transport's own number for its peer, as given to [`Attachment::join`].
    pub key: usize,
    /// The membership that has ended.
    pub member: MemberId,
    /// What the peer is to be told.
    pub reason: LeaveReason,
}

/// How far the room has come with a member, as [`Attachment::accepted`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// How many of his messages it has dealt with, refused ones among them; 0 if he is no member.
    pub messages: u64,
    /// The newest sequence number at that moment.
    pub head: u64,
}

/// Where a welcomed member starts to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With this many of the newest messages.
    History(u16),
    /// After this message, the last one he has; if the log no longer reaches back to it, he is to
    /// be told what he missed.
    After(u64),
}

/// What a attachment pulls from the room, in a buffer that the transport keeps.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Update {
    /// Entries since the last pull, oldest first.
    pub entries: Vec<Arc<Entry>>,
    /// The attachment itself was overtaken by the log's tail (or has just been attached to a room with
    /// a past): messages up to this one are gone. Comes before `entries`.
    pub missed_up_to: Option<u64>,
    /// Members that are out of the room already, and whose peers are to be told.
    pub dismissed: Vec<Dismissed>,
    /// Pull again by then, even if nothing has woken the transport: something will be due.
    pub pull_by: Option<Instant>,
    /// The room is closing: what is owed must be written by then.
    pub closing: Option<Instant>,
}

impl Update {
    fn clear(&mut self) {
        self.entries.clear();
        self.missed_up_to = None;
        self.dismissed.clear();
        self.pull_by = None;
        self.closing = None;
    }
}

impl Attachment {
    pub(crate) fn new(room: Room, waker: Waker) -> Self {
        let (id, wakes) = room.lock().attach(waker);
        wakes.wake();
        Self { room, id }
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Takes in the peer at `peer`. `key` is the transport's own number for it, by which [`Dismissed`] names it.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the room, or the peer's address, has all the members it may have, or if
    /// the room is closing.
    pub fn join(&self, key: usize, peer: SocketAddr, now: Instant) -> Result<Joined, JoinError> {
        let result = self.room.lock().join(self.id, key, PeerAddr::from(peer), now);
        let (joined, wakes) = result?;
        wakes.wake();
        Ok(joined)
    }

    /// Answers a framed member's hello. If he resumes a session that is still here, that one is
    /// dismissed first, so that nothing of it can be said any more. `None` if he is no member.
    #[must_use]
    pub fn welcome(&self, member: MemberId, hello: &Hello, now: Instant) -> Option<(Welcome, Start)> {
        let result = self.room.lock().welcome(member, hello, now);
        let (welcome, start, wakes) = result?;
        wakes.wake();
        Some((welcome, start))
    }

    /// Says `text` as `member`. Once this returns, the message has its place in the one order, or was
    /// refused by the room's [`Moderator`](crate::Moderator).
    ///
    /// The attachment's own transport is not woken: it pulls at the end of its turn.
    ///
    /// # Errors
    ///
    /// [`SayError`] if he is no member (any more) or the room is closing.
    pub fn say(&self, member: MemberId, text: Text, now: Instant) -> Result<Said, SayError> {
        let verdict = match self.room.moderator() {
            Some(moderator) => {
                let peer = self.room.lock().speaker(member)?;
                moderator.decide(peer, &text)
            }
            None => Verdict::Accept,
        };
        let mut state = self.room.lock();
        let result = match verdict {
            Verdict::Accept => state.say(member, text, now),
            Verdict::Change(text) => state.say(member, text, now),
            Verdict::Refuse(why) => state.refuse(member, why, now),
        };
        drop(state);
        let (said, wakes) = result?;
        wakes.wake();
        Ok(said)
    }

    /// `member` leaves. Nothing happens if he has left already, so a reason is announced once. Returns the one
    /// that his peer is to be told: if the room has put him out in the meantime, and no
    /// [`pull`](Self::pull) has told so, that is the room's.
    pub fn leave(&self, member: MemberId, reason: LeaveReason, now: Instant) -> LeaveReason {
        let (reason, wakes) = self.room.lock().leave_by_attachment(self.id, member, reason, now);
        wakes.wake();
        reason
    }

    /// How far the room has come with what `member` says.
    #[must_use]
    pub fn accepted(&self, member: MemberId) -> Accepted {
        self.room.lock().accepted(member)
    }

    /// Replaces what is in `news` by what happened since the last pull.
    pub fn pull(&mut self, update: &mut Update) {
        update.clear();
        let now = self.room.now();
        let wakes = self.room.lock().pull(self.id, update, now);
        wakes.wake();
    }

    /// Calls `each` with every entry that the log holds and this attachment has pulled already, oldest
    /// first: for a wire format that is needed only now. Returns the sequence number of the last
    /// message before them. Holds the room's lock meanwhile.
    pub fn replay(&self, mut each: impl FnMut(&Entry)) -> u64 {
        let state = self.room.lock();
        let (seq, entries) = state.replay(self.id);
        entries.for_each(|entry| each(entry));
        seq
    }

    /// Counts messages that a member was told he missed, for [`Stats`](crate::Stats).
    pub fn count_missed(&self, messages: u64) {
        self.room.lock().count_missed(messages);
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let now = self.room.now();
        let wakes = self.room.lock().detach(self.id, now);
        wakes.wake();
    }
}
