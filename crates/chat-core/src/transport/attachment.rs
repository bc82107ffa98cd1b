//! The connection between a transport and a room.

mod speaking;

use std::net::SocketAddr;
use std::time::Instant;

use chat_proto::{Entry, Hello, LeaveReason, MemberId, Name, Tag};

use crate::access::identity::Identity;
use crate::error::JoinError;
use crate::journal::Query;
use crate::room::Room;
use crate::state::members::Membership;
use crate::state::{DEFAULT_TAG, Luggage, Newcomer};
use crate::transport::outcome::{Joined, Moved, Taken, Welcomed};
use crate::transport::update::{CaughtUp, Update};
use crate::waker::Waker;

/// A transport's place at a room: its members join, speak and leave here, and here it pulls
/// the room's updates. Made by [`Room::attach`].
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
    tag: &'static str,
}

impl Attachment {
    pub(crate) fn new(room: Room, waker: Waker) -> Self {
        let (id, wakes) = room.lock().attach(waker);
        wakes.wake();
        Self { room, id, tag: DEFAULT_TAG }
    }

    /// Sets the tag of the transport, at most four letters, which tells members with one address apart:
    /// `192.0.2.1:5/udp`. Default: `tcp`.
    ///
    /// # Panics
    ///
    /// If it is not such a tag.
    pub fn with_tag(mut self, tag: &'static str) -> Self {
        let is_tag = tag.len() <= 4 && Tag::new(tag, 1).is_ok();
        assert!(is_tag, "one to four lower-case letters: {tag:?}");
        self.room.lock().set_tag(self.id, tag);
        self.tag = tag;
        self
    }

    /// The tag of its transport.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        self.tag
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Joins the peer at `peer`, an address that the transport has verified. `key` is the transport's own number for
    /// it, by which [`Dismissed`](crate::transport::Dismissed) and [`Told`](crate::transport::Told) name it.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the room, or the peer's address, has the maximum of members, or if
    /// the room is closing.
    pub fn join(&self, key: usize, peer: impl Into<Identity>, now: Instant) -> Result<Joined, JoinError> {
        self.join_as(key, &peer.into(), true, now)
    }

    /// Like [`join`](Self::join), for a peer whose address may be forged. It never speaks under the address of a member
    /// whose address is verified.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join).
    pub fn join_unproven(&self, key: usize, peer: SocketAddr, now: Instant) -> Result<Joined, JoinError> {
        self.join_as(key, &peer.into(), false, now)
    }

    fn let_in(&self, peer: &Identity, name: Option<&Name>) -> Result<(), JoinError> {
        self.room.let_in(peer, self.tag, name)
    }

    fn join_as(
        &self,
        key: usize,
        peer: &Identity,
        is_proven: bool,
        now: Instant,
    ) -> Result<Joined, JoinError> {
        self.let_in(peer, None)?;
        let newcomer = Newcomer::new(self.id, key, peer, is_proven, now);
        let result = self.room.lock().join(newcomer, now);
        let (joined, wakes) = result?;
        wakes.wake();
        self.room.enforce_bans(peer, self.tag, None);
        Ok(joined)
    }

    /// Joins the peer at `peer`, an address that the transport has verified, and answers its hello.
    ///
    /// If it resumes a session, it goes on as that member: the session's old connection is dismissed first, so
    /// that nothing more is accepted over it. `came` is when the peer's connection was made: a late hello
    /// must not end a connection that the same client has made since.
    ///
    /// # Errors
    ///
    /// Like [`join`](Self::join), and [`JoinError::Superseded`]; then the session stays on its connection.
    pub fn welcome(
        &self,
        key: usize,
        peer: impl Into<Identity>,
        hello: &Hello,
        came: Instant,
        now: Instant,
    ) -> Result<Welcomed, JoinError> {
        let peer = peer.into();
        let name = self.room.lock().name_wanted(hello);
        self.let_in(&peer, name.as_ref())?;
        let newcomer = Newcomer::new(self.id, key, &peer, true, came);
        let result = self.room.lock().welcome(newcomer, hello, now);
        let (welcomed, wakes) = result?;
        wakes.wake();
        self.room.enforce_bans(&peer, self.tag, name.as_ref());
        Ok(welcomed)
    }

    /// Records whether `member` must still answer its welcome. Until it has, it makes way for any newcomer to a full
    /// room: over a medium without connections a peer may say hello and then fall silent for ever.
    pub fn set_unanswered(&self, member: Membership, is_unanswered: bool) {
        self.room.lock().members_mut().set_unanswered(member, is_unanswered);
    }

    /// Answers the hello of a member that has joined as a plain listener, and turns out to be framed. If it resumes a
    /// session, it goes on as that member. `None` if it is not a member (any longer).
    ///
    /// # Errors
    ///
    /// As [`welcome`](Self::welcome); then it is no longer a member.
    pub fn upgrade(
        &self,
        member: Membership,
        hello: &Hello,
        now: Instant,
    ) -> Option<Result<Welcomed, JoinError>> {
        let (peer, name) = {
            let state = self.room.lock();
            (state.luggage(member)?.identity, state.name_wanted(hello))
        };
        if let Err(refused) = self.let_in(&peer, name.as_ref()) {
            self.leave(member, LeaveReason::from(refused.clone()), now);
            return Some(Err(refused));
        }
        let result = self.room.lock().upgrade(member, hello, now);
        let (result, wakes) = result?;
        wakes.wake();
        self.room.enforce_bans(&peer, self.tag, name.as_ref());
        Some(result)
    }

    /// Takes a plain `member` to the room of another attachment, with its name, and as an operator or muted if it is
    /// that. In this room it leaves, after a message that may not be pulled yet; there it joins, and is told where it
    /// is. `key` is the transport's own number for it.
    ///
    /// # Errors
    ///
    /// As [`join`](Self::join). If a gate keeps it out of the other room, it stays in this one; after another error it
    /// is a member of neither. `None` if it is not a member (any longer).
    pub fn move_to(
        &self,
        member: Membership,
        other: &Attachment,
        key: usize,
        now: Instant,
    ) -> Option<Result<Moved, JoinError>> {
        let luggage = self.room.lock().luggage(member)?;
        if let Err(refused) = other.let_in(&luggage.identity, luggage.name.as_ref()) {
            return Some(Err(refused));
        }
        // An operator may have decided something about it meanwhile: it may be kicked by now.
        let (luggage, left_after, wakes) = self.room.lock().depart(member, now)?;
        wakes.wake();
        let Luggage { identity, is_proven, name, .. } = luggage.clone();
        let newcomer = Newcomer::new(other.id, key, &identity, is_proven, now);
        let result = other.room.lock().join_with(newcomer, luggage, now);
        Some(result.map(|(joined, wakes)| {
            wakes.wake();
            other.room.enforce_bans(&identity, other.tag, name.as_ref());
            Moved { joined, left_after }
        }))
    }

    /// `member` has the items of its direct lane up to this number.
    ///
    /// Where a medium has no acknowledgements, call it once they are handed to the system.
    pub fn got(&self, member: Membership, direct: u64) {
        let wakes = self.room.lock().got(member, direct);
        wakes.wake();
    }

    /// `member` leaves. Nothing happens if it has left already, so a reason is announced once. Returns the reason
    /// to tell the peer. That is the room's reason if the room has dismissed the member in the meantime, and no
    /// [`pull`](Self::pull) has returned that.
    pub fn leave(&self, member: Membership, reason: LeaveReason, now: Instant) -> LeaveReason {
        let (reason, wakes) = self.room.lock().leave_by_attachment(self.id, member, reason, now);
        wakes.wake();
        reason
    }

    /// Where `member` comes from, and who it is known to be; `None` if it is not a member (any longer).
    #[must_use]
    pub fn identity(&self, member: Membership) -> Option<Identity> {
        self.room.lock().luggage(member).map(|luggage| luggage.identity)
    }

    /// Whether it is still a member.
    #[must_use]
    pub fn is_member(&self, member: Membership) -> bool {
        self.room.lock().identity(member).is_some()
    }

    /// Whom `member` ignores, sorted. Do not send their messages to a plain member; the client of a framed one hides
    /// them.
    #[must_use]
    pub fn ignored(&self, member: Membership) -> Vec<MemberId> {
        self.room.lock().ignored_ids(member)
    }

    /// How many of `member`'s messages the room has dealt with.
    #[must_use]
    pub fn taken(&self, member: Membership) -> Taken {
        self.room.lock().taken(member)
    }

    /// Whether the room has dealt with everything that `member` said. Without a [`Journal`](crate::journal::Journal)
    /// that is always so.
    #[must_use]
    pub fn is_answered(&self, member: Membership) -> bool {
        self.room.journal().is_none() || self.room.lock().is_answered(member)
    }

    /// Whether the room has a [`Journal`](crate::journal::Journal), so that a member may catch up on messages that the
    /// log no longer holds.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.room.journal().is_some()
    }

    /// Asks the room's journal for the page after message `after`. A later [`pull`](Self::pull) returns it
    /// ([`Update::caught_up`]).
    pub fn read_for(&self, key: usize, member: Membership, after: u64) {
        let (room, id) = (self.room.downgrade(), self.id);
        self.room.read(Query::After(after), move |page| {
            let Some(room) = Room::upgrade(&room) else { return };
            let wakes = room.lock().hand_page(id, CaughtUp { key, member, after, page });
            wakes.wake();
        });
    }

    /// The pages of [`Update::caught_up`] alone, once nothing else is pulled any more.
    pub(crate) fn take_pages(&mut self) -> Vec<CaughtUp> {
        self.room.lock().take_pages(self.id)
    }

    /// How many of the messages up to `said`, which this attachment's transport has passed on for `member`, the room
    /// has dealt with. Without a [`Journal`](crate::journal::Journal) these are all of them, and it costs nothing.
    #[must_use]
    pub fn taken_of(&self, member: Membership, said: u64) -> u64 {
        match self.room.journal() {
            Some(_) => self.taken(member).number.min(said),
            None => said,
        }
    }

    /// Which member of the room it is; `None` if it is no longer one.
    #[must_use]
    pub fn id_of(&self, member: Membership) -> Option<MemberId> {
        self.room.lock().identity(member).map(|(id, _)| id)
    }

    /// Replaces the content of `update` with everything since the last pull.
    pub fn pull(&mut self, update: &mut Update) {
        update.clear();
        let now = self.room.now();
        let wakes = self.room.lock().pull(self.id, update, now);
        wakes.wake();
    }

    /// Calls `each` with every entry that the log holds and this attachment has already pulled, oldest
    /// first, for a wire format that is needed only now. Returns the sequence number of the last
    /// message before them. Holds the room's lock meanwhile.
    pub fn replay(&self, mut each: impl FnMut(&Entry)) -> u64 {
        let state = self.room.lock();
        let (seq, entries) = state.replay(self.id);
        entries.for_each(|entry| each(entry));
        seq
    }

    /// Counts messages that a member was told it missed, for [`Stats`](crate::Stats).
    pub fn count_missed(&self, messages: u64) {
        self.room.lock().count_missed(self.tag, messages);
    }

    /// Counts a frame or datagram of an unknown kind, for [`Stats`](crate::Stats).
    pub fn count_unknown(&self) {
        self.room.lock().count_unknown(self.tag);
    }

    /// Counts a connection that has ended before it was a member, for [`TransportStats`](crate::TransportStats).
    pub fn count_unopened(&self, in_handshake: bool) {
        self.room.lock().count_unopened(self.tag, in_handshake);
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let now = self.room.now();
        let wakes = self.room.lock().detach(self.id, now);
        wakes.wake();
    }
}
