//! A plain member that goes to another room.

use std::time::Instant;

use chat_proto::{DirectItem, LeaveReason, Name, Text};

use super::membership::Newcomer;
use super::{State, Wakes};
use crate::access::identity::Identity;
use crate::access::mutes::Session;
use crate::error::JoinError;
use crate::state::members::Membership;
use crate::state::profile::Standing;
use crate::state::rate::RateLimit;
use crate::transport::outcome::Joined;

/// What a plain member takes along to another room.
#[derive(Clone, Debug)]
pub(crate) struct Luggage {
    pub(crate) identity: Identity,
    pub(crate) is_proven: bool,
    pub(crate) name: Option<Name>,
    standing: Standing,
    /// Its session in the room that it leaves, by which mutes know it.
    session: Session,
    rate_limit: RateLimit,
}

impl State {
    /// What a plain member takes along to another room.
    pub(crate) fn luggage(&self, membership: Membership) -> Option<Luggage> {
        let member = self.members.get(membership)?;
        Some(Luggage {
            identity: member.identity(),
            is_proven: member.is_proven,
            name: member.name().cloned(),
            // The members that it ignores are in this room.
            standing: Standing { ignored: Vec::new(), ..member.standing().cloned().unwrap_or_default() },
            session: self.session_of(member.id),
            rate_limit: member.profile.as_ref().map_or_else(RateLimit::default, |profile| profile.rate_limit),
        })
    }

    /// A plain member leaves for another room. Returns the number of the last message before that, too. `None` if it is
    /// not a member (any more).
    pub(crate) fn depart(&mut self, membership: Membership, now: Instant) -> Option<(Luggage, u64, Wakes)> {
        let (luggage, left_after) = (self.luggage(membership)?, self.log.seq());
        Some((luggage, left_after, self.move_away(membership, LeaveReason::Quit, now)))
    }

    /// A plain member of another room, which it has left, joins this one.
    pub(crate) fn join_with(
        &mut self,
        newcomer: Newcomer,
        luggage: Luggage,
        now: Instant,
    ) -> Result<(Joined, Wakes), JoinError> {
        let mut wakes = self.admit(&newcomer, None, now)?;
        let (id, seq) = (self.next_id(), self.log.seq());
        let mut member = self.new_member(newcomer, id, seq);
        member.profile_mut().rate_limit = luggage.rate_limit;
        member.profile_mut().standing = luggage.standing;
        self.admission.mutes().moved(luggage.session, self.session_of(id));
        self.name_at_once(&mut member, luggage.name.clone(), now);
        let lost_name = luggage.name.filter(|_| member.name().is_none());
        let (membership, more) = self.enter(member, now);
        wakes.add(more);
        let present = self.member_count();
        let here = self.name.as_ref().map_or_else(|| "this room".to_owned(), ToString::to_string);
        let line = Text::lossy(&format!("You are in {here} now: {present} present"));
        let lost = lost_name.map(|name| {
            Text::lossy(&format!("{name} is somebody else here. /nick NAME gives you another name."))
        });
        for text in [Some(line), self.topic_line(), lost].into_iter().flatten() {
            self.confirm(membership, DirectItem::Notice { text });
        }
        Ok((Joined { member: membership, id, seq }, wakes))
    }
}
