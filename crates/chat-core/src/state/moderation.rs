//! Decisions of operators about members and the room.

use std::time::{Duration, Instant};

use chat_proto::limits::TOPIC_BYTES_MAX;
use chat_proto::{Event, LeaveReason, MemberId, Text};

use super::{State, Wakes};
use crate::admission::network_of;
use crate::ban_list::{Ban, Banned};
use crate::commands::in_words;
use crate::error::TopicError;
use crate::journal::Full;
use crate::members::{Member, Membership};
use crate::operators::Entered;

impl State {
    pub(crate) fn enter_password(&mut self, id: MemberId, password: &str) -> Entered {
        let Some((Some(peer), _)) = self.origin_of(id) else { return Entered::Wrong };
        let configured = self.config.operator_password.as_ref();
        let mut attempts = self.admission.attempts();
        let entered =
            attempts.enter(configured, password, network_of(peer.address), self.key_words, self.unix_ms);
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

    /// Kicks the members that a ban covers. Operators stay. Costs a step per member, once per ban.
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
            wakes.0.extend(self.dismiss(membership, &reason, now).0);
        }
        (banned.len(), wakes)
    }

    pub(crate) fn mute(&mut self, id: MemberId, is_muted: bool) -> bool {
        let is_here = self.profile_mut(id).map(|profile| profile.standing.is_muted = is_muted).is_some();
        let is_anywhere = is_here || self.is_elsewhere(id);
        if is_anywhere {
            self.keep_muted(id, is_muted);
        }
        is_anywhere
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
        self.propose(Event::Topic { member: id, author, text }, None).map_err(|Full| TopicError::Behind)
    }

    /// What a plain member that joins is told of the topic. A framed one reads it in its welcome.
    pub(super) fn topic_line(&self) -> Option<Text> {
        self.topic.as_ref().map(|topic| Text::lossy(&format!("The topic is: {topic}")))
    }

    /// Whether a member may say something now; if not, why.
    pub(super) fn may_speak(&mut self, membership: Membership, now: Instant) -> Result<(), Text> {
        let why = |text: &str| Text::lossy(text);
        let now_ms = self.since_began_ms(now);
        let (names, slow) = (self.config.names, self.config.slow);
        let Some(member) = self.members.get_mut(membership) else { return Ok(()) };
        if names.are_required() && member.name().is_none() {
            return Err(why("Choose a name first: type /nick NAME"));
        }
        let profile = member.profile.as_deref();
        if profile.is_some_and(|profile| profile.standing.is_muted) {
            return Err(why("You are muted"));
        }
        let Some(pause) = slow.filter(|_| !profile.is_some_and(|profile| profile.standing.is_operator))
        else {
            return Ok(());
        };
        let profile = member.profile_mut();
        let left_ms = profile.slow_until_ms.saturating_sub(now_ms);
        if left_ms > 0 {
            let left = in_words(left_ms.div_ceil(1000));
            return Err(why(&format!("Slow mode: you may speak again in {left}")));
        }
        profile.slow_until_ms = now_ms + ms(pause);
        Ok(())
    }
}

fn ms(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
}
