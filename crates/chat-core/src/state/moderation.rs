//! Decisions of operators about members and the room.

use std::time::{Duration, Instant};

use chat_proto::limits::TOPIC_BYTES_MAX;
use chat_proto::{Author, Event, LeaveReason, MemberId, Text};

use super::{State, Wakes};
use crate::access::admission::network_of;
use crate::access::ban_list::{Ban, Banned};
use crate::access::mutes::{self, Known, Mute};
use crate::access::operators::Entered;
use crate::error::{MuteError, TopicError};
use crate::journal::Full;
use crate::state::members::{Member, Membership};
use crate::words::in_words;

impl State {
    pub(crate) fn enter_password(&mut self, id: MemberId, password: &str) -> Entered {
        let Some((Some(peer), _)) = self.origin_of(id) else { return Entered::Wrong };
        let configured = self.config.operator_password.as_ref();
        let mut attempts = self.admission.attempts();
        let entered =
            attempts.enter(configured, password, network_of(peer.address), self.secret, self.unix_ms);
        drop(attempts);
        if entered == Entered::Operator {
            self.set_operator(id, true);
        }
        entered
    }

    pub(crate) fn set_operator(&mut self, id: MemberId, is_operator: bool) -> bool {
        if let Some(place) = self.local_place(id) {
            self.local_mut(place).0.is_operator = is_operator;
            return true;
        }
        self.profile_mut(id).map(|profile| profile.standing.is_operator = is_operator).is_some()
    }

    pub(crate) fn is_operator(&self, id: MemberId) -> bool {
        match self.local_place(id) {
            Some(place) => self.locals[place].as_ref().is_some_and(|local| local.is_operator),
            None => self.profile(id).is_some_and(|profile| profile.standing.is_operator),
        }
    }

    /// `None` if no remote member has this id.
    pub(crate) fn kick(&mut self, id: MemberId, reason: &LeaveReason, now: Instant) -> Option<Wakes> {
        let membership = self.members.key_of(id)?;
        Some(self.dismiss(membership, reason, now))
    }

    /// Kicks the members that a ban covers. Operators stay. Sessions that have left lose a banned name. Costs a step
    /// per member and session, once per ban.
    pub(crate) fn kick_banned(&mut self, ban: &Ban, now: Instant) -> (usize, Wakes) {
        let is_meant = |member: &Member| match (&ban.who, member.name()) {
            (Banned::Network(network), _) => network.contains(member.address.ip()),
            (Banned::Name(banned), Some(name)) => name.is_confusable_with(banned),
            (Banned::Name(_), None) => false,
        };
        let is_operator =
            |member: &Member| member.profile.as_ref().is_some_and(|profile| profile.standing.is_operator);
        let banned = self.those(|member| !is_operator(member) && is_meant(member));
        let reason = LeaveReason::banned(&ban.why);
        let mut wakes = Wakes::default();
        for &membership in &banned {
            wakes.add(self.dismiss(membership, &reason, now));
        }
        if let Banned::Name(name) = &ban.who {
            self.end_reservations_of(name);
        }
        (banned.len(), wakes)
    }

    pub(crate) fn mute(&mut self, who: &Author) -> Result<Mute, MuteError> {
        let known = self.find(who).and_then(|id| self.known(id)).ok_or(MuteError::NotPresent)?;
        let session = known.session;
        let author = self.shown_anywhere(session.1).ok_or(MuteError::NotPresent)?;
        let is_by_address = !matches!(who, Author::Named(_)) && known.proof.is_none();
        let mute = Mute {
            name: known.name.cloned(),
            proof: known.proof.cloned(),
            address: known.address.filter(|_| is_by_address),
            ..Mute::of_session(session.0, session.1, author)
        };
        let mute = self.admission.mutes().mute(mute).ok_or(MuteError::Full)?;
        self.keep_muted(session.1, Some(mute.clone()));
        Ok(mute)
    }

    /// The mutes that hold for the member that is shown like this.
    pub(crate) fn mutes_of(&self, who: &Author) -> Vec<mutes::Session> {
        let known = self.find(who).and_then(|id| self.known(id));
        known.map_or_else(Vec::new, |known| self.admission.mutes().of(known))
    }

    /// The mute of a member was lifted: if the member was in this room, others learn it.
    pub(crate) fn keep_lifted(&self, epoch: u64, member: MemberId) {
        if epoch == self.epoch {
            self.keep_muted(member, None);
        }
    }

    /// Whether a member here is muted.
    pub(super) fn is_muted(&self, member: &Member) -> bool {
        self.admission.mutes().is_muted(self.known_here(member))
    }

    /// Whether the member with this id is muted, which may be local.
    pub(super) fn has_muted(&self, id: MemberId) -> bool {
        let member = self.members.key_of(id).and_then(|membership| self.members.get(membership));
        member.is_some_and(|member| self.is_muted(member))
    }

    fn known_here<'a>(&self, member: &'a Member) -> Known<'a> {
        let is_operator = member.standing().is_some_and(|standing| standing.is_operator);
        let address = if is_operator { None } else { self.admission.network(member.address) };
        Known { session: self.session_of(member.id), name: member.name(), proof: member.proof(), address }
    }

    /// The identity by which mutes know a remote member, at whichever server it is.
    fn known(&self, id: MemberId) -> Option<Known<'_>> {
        let here = self.members.key_of(id).and_then(|membership| self.members.get(membership));
        here.map(|member| self.known_here(member)).or_else(|| self.known_elsewhere(id))
    }

    /// How mutes know a session of this room.
    pub(super) fn session_of(&self, id: MemberId) -> mutes::Session {
        (self.epoch, id)
    }

    pub(crate) fn set_topic(&mut self, id: MemberId, topic: &str) -> Result<Wakes, TopicError> {
        let author = self.author_of(id).ok_or(TopicError::NotPresent)?;
        let text = Text::one_line(topic).map_err(|_| TopicError::TooLong)?;
        if text.as_str().len() > TOPIC_BYTES_MAX {
            return Err(TopicError::TooLong);
        }
        if self.in_flight.is_none() {
            self.topic = Some(text.clone()).filter(|text| !text.as_str().is_empty());
        }
        let wakes = self
            .propose(Event::Topic { member: id, author, text }, None)
            .map_err(|Full| TopicError::Behind)?;
        self.asked_for_topic(id);
        Ok(wakes)
    }

    /// The line about the topic for a plain member that joins. A framed one reads it in its welcome.
    pub(super) fn topic_line(&self) -> Option<Text> {
        self.topic.as_ref().map(|topic| Text::lossy(&format!("The topic is: {topic}")))
    }

    /// The author for a message that a member says now. An error says why it may not speak.
    pub(super) fn may_speak(&mut self, membership: Membership, now: Instant) -> Result<Author, Text> {
        let why = |text: &str| Text::lossy(text);
        let (names, slow) = (self.config.names, self.config.slow);
        let member = self.members.get(membership).ok_or_else(|| why("You are not in the room"))?;
        if names.are_required() && member.name().is_none() {
            return Err(why("Choose a name first: type /nick NAME"));
        }
        if self.is_muted(member) {
            return Err(why("You are muted"));
        }
        let is_operator = member.standing().is_some_and(|standing| standing.is_operator);
        let author = self.shown(member);
        let Some(pause) = slow.filter(|_| !is_operator) else { return Ok(author) };
        let now_ms = self.since_began_ms(now);
        let Some(member) = self.members.get_mut(membership) else { return Ok(author) };
        let profile = member.profile_mut();
        let left_ms = profile.slow_until_ms.saturating_sub(now_ms);
        if left_ms > 0 {
            let left = in_words(left_ms.div_ceil(1000));
            return Err(why(&format!("Slow mode: you may speak again in {left}")));
        }
        profile.slow_until_ms = now_ms + ms(pause);
        Ok(author)
    }

    /// A message of this member was not kept: in slow mode it may speak again at once.
    pub(super) fn give_back_turn(&mut self, member: MemberId) {
        if let Some(membership) = self.members.key_of(member)
            && let Some(member) = self.members.get_mut(membership)
            && self.config.slow.is_some()
        {
            member.profile_mut().slow_until_ms = 0;
        }
    }
}

fn ms(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
}
