//! Actions of operators: bans, mutes, slow mode, the topic.

use std::time::Duration;

use chat_proto::{Author, LeaveReason, MemberId, Name, Text};

use crate::access::ban_list::{Ban, BanListFull, Banned};
use crate::access::identity::Identity;
use crate::access::mutes::{Mute, MuteList};
use crate::access::operators::Entered;
use crate::error::{JoinError, KickError, MuteError, TopicError};
use crate::room::Room;
use crate::waker::Waker;

impl Room {
    /// A member enters the operators' password
    /// ([`RoomConfig::with_operator_password`](crate::RoomConfig::with_operator_password)). Three attempts per minute
    /// and address are checked.
    pub fn enter_password(&self, member: MemberId, password: &str) -> Entered {
        self.lock().enter_password(member, password)
    }

    /// Makes a member an operator, or an ordinary member again. `false` if it is not here.
    pub fn set_operator(&self, member: MemberId, is_operator: bool) -> bool {
        self.lock().set_operator(member, is_operator)
    }

    /// Kicks the member that is shown like this, by its name or its address, and tells it `why` (it may be empty).
    ///
    /// # Errors
    ///
    /// As [`kick_member`](Self::kick_member).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "what `parse` and `into` give can be handed over as it is"
    )]
    pub fn kick(&self, who: Author, why: &str) -> Result<(), KickError> {
        let member = self.lock().find(&who).ok_or(KickError::NotPresent)?;
        self.kick_member(member, why)
    }

    /// Kicks one member and tells it `why` (it may be empty).
    ///
    /// # Errors
    ///
    /// [`KickError::NotPresent`] if no remote member has this id; [`KickError::Why`] if `why` is too long.
    pub fn kick_member(&self, member: MemberId, why: &str) -> Result<(), KickError> {
        let reason = LeaveReason::kicked(why)?;
        let now = self.now();
        let mut state = self.lock();
        let Some(wakes) = state.kick(member, &reason, now) else {
            return state.kick_elsewhere(member, reason);
        };
        drop(state);
        wakes.wake();
        Ok(())
    }

    /// Adds a ban, and kicks the members that it covers from all rooms of the server. Returns how many those were.
    ///
    /// # Errors
    ///
    /// [`BanListFull`]; then no ban was added.
    pub fn ban(&self, ban: &Ban) -> Result<usize, BanListFull> {
        self.ban_list().forget_ended(self.unix_ms());
        self.ban_list().ban(ban.clone())?;
        let kicked = self.of_the_server().into_iter().map(|room| {
            let (count, wakes) = room.lock().kick_banned(ban, room.now());
            wakes.wake();
            count
        });
        Ok(kicked.sum())
    }

    /// Whether bans and the gate let this peer in under this name. One that they keep out is counted.
    pub(crate) fn let_in(
        &self,
        peer: &Identity,
        transport: &'static str,
        name: Option<&Name>,
    ) -> Result<(), JoinError> {
        self.admit(peer, transport, name).map_err(|why| {
            self.lock().count_banned(transport);
            JoinError::Refused { why }
        })
    }

    /// Checks the bans once more after a peer has joined or taken a name, and kicks the members of the ban that covers
    /// it. An operator may have added that ban between the gate's answer and the join, when there was no member to
    /// kick.
    pub(crate) fn enforce_bans(&self, peer: &Identity, transport: &'static str, name: Option<&Name>) {
        if let Some(ban) = self.ban_list().find(&self.join_request(peer, transport, name)) {
            let (_, wakes) = self.lock().kick_banned(&ban, self.now());
            wakes.wake();
        }
    }

    /// Lifts a ban, and returns it if there was one.
    pub fn unban(&self, who: &Banned) -> Option<Ban> {
        self.ban_list().unban(who)
    }

    /// The bans in force.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.ban_list().bans(self.unix_ms())
    }

    /// Calls `waker` after each ban and each lift from now on, as
    /// [`BanList::add_waker`](crate::access::BanList::add_waker) does.
    pub fn watch_bans(&self, waker: Waker) {
        self.ban_list().add_waker(waker);
    }

    /// Mutes the member that is shown like this: its messages, private messages and new names are refused, in all rooms
    /// of the server, until the mute is lifted. It ends with the server, unless the [list](Self::mute_list) is kept.
    /// Nobody else is told, and a refused message costs the others nothing.
    ///
    /// The mute holds for the member's session, for its name with all that look like it, and for all members whose
    /// transport knows them to be the same. One that holds for nothing but the session ends with it. By its address,
    /// `who` means a member and everyone else from there, except operators. Loopback addresses count only with
    /// [`RoomConfig::with_limit_loopback`](crate::RoomConfig::with_limit_loopback).
    ///
    /// # Errors
    ///
    /// [`MuteError`]; then nothing has changed.
    pub fn mute(&self, who: &Author) -> Result<Mute, MuteError> {
        self.lock().mute(who)
    }

    /// Lifts the mutes that hold for the member which is shown like this, or for its name or address if it is not here.
    /// Returns them.
    pub fn unmute(&self, who: &str) -> Vec<Mute> {
        let mut sessions = self.lock().mutes_of(&Author::from_shown(who));
        let mutes = self.admission().mutes();
        sessions.extend(mutes.shown(who));
        let lifted = mutes.lift(sessions);
        let rooms = self.of_the_server();
        for mute in &lifted {
            rooms.iter().for_each(|room| room.lock().keep_lifted(mute.epoch, mute.member));
        }
        lifted
    }

    /// The mutes in force, sorted by how the members were shown.
    #[must_use]
    pub fn mutes(&self) -> Vec<Mute> {
        self.admission().mutes().mutes()
    }

    /// The list of the mutes, for code that keeps it over a restart.
    #[must_use]
    pub fn mute_list(&self) -> MuteList {
        self.admission().mutes().clone()
    }

    /// The rooms of the server that this one belongs to.
    fn of_the_server(&self) -> Vec<Room> {
        self.rooms().map_or_else(|| vec![self.clone()], |rooms| rooms.all())
    }

    /// How long a member waits between two messages, in slow mode.
    #[must_use]
    pub fn slow(&self) -> Option<Duration> {
        self.lock().config.slow
    }

    /// Turns slow mode on, or with `None` off. Operators and local members are exempt. A
    /// [`Journal`](crate::journal::Journal) may keep it over a restart.
    pub fn set_slow(&self, pause: Option<Duration>) {
        self.lock().set_slow(pause);
    }

    /// The topic of the room.
    #[must_use]
    pub fn topic(&self) -> Option<Text> {
        self.lock().topic.clone()
    }

    /// Sets the topic, or with an empty text removes it. Every member reads it in the log
    /// ([`Event::Topic`](chat_proto::Event::Topic)), and later members are told it when they join.
    ///
    /// # Errors
    ///
    /// [`TopicError`] if it is too long, or the member is not here.
    pub fn set_topic(&self, member: MemberId, topic: &str) -> Result<(), TopicError> {
        let result = self.lock().set_topic(member, topic);
        result?.wake();
        Ok(())
    }
}
