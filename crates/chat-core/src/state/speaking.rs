//! Messages of members: to the room, and to each other.

use std::time::Instant;

use chat_proto::{Author, DirectItem, Event, MemberId, Origin, PeerAddr, Text};

use super::{State, Wakes};
use crate::error::{SayError, TellError};
use crate::journal::Full;
use crate::limits::CROWDED_PAUSE;
use crate::reply::{Action, Reply};
use crate::state::members::{Member, Membership};
use crate::transport::outcome::{Outcome, Said, Taken};
use crate::transport::update::Told;

/// Something that a member has said, once it is counted.
struct Count {
    member: MemberId,
    number: u64,
    attachment: usize,
    /// The tag of its transport.
    tag: &'static str,
    /// Over the rate limit until then.
    throttled: Option<Instant>,
}

/// A member that may speak.
#[derive(Clone, Debug)]
pub(crate) struct Speaker {
    pub(crate) id: MemberId,
    pub(crate) address: PeerAddr,
    /// The newest of its numbers that is dealt with, or in flight.
    pub(crate) taken: u64,
    pub(crate) author: Author,
    pub(crate) is_operator: bool,
}

impl State {
    /// Says a message of a member, or refuses it for a reason.
    pub(crate) fn say(
        &mut self,
        membership: Membership,
        number: Option<u64>,
        text: Result<Text, Text>,
        now: Instant,
    ) -> Result<(Said, Wakes), SayError> {
        let Some(count) = self.count(membership, number, now)? else {
            return Ok((Said { outcome: Outcome::Repeated, pause_until: None }, Wakes::default()));
        };
        let Count { member, number, attachment, tag, throttled } = count;
        let said = text.and_then(|text| Ok((self.may_speak(membership, now)?, text)));
        let (outcome, wakes) = match said {
            Ok((author, text)) => {
                let from = Origin { member, number };
                match self.propose(Event::Said { from, author, text }, Some(attachment)) {
                    Ok(wakes) if self.in_flight.is_none() => {
                        self.settle(membership, number, Vec::new());
                        (Outcome::Accepted { seq: self.log.seq() }, wakes)
                    }
                    Ok(wakes) => (Outcome::Submitted, wakes),
                    Err(Full) => {
                        self.not_kept += 1;
                        let why = Self::journal_full_text();
                        self.settle(membership, number, vec![DirectItem::Refused { number, why }]);
                        (Outcome::Refused, Wakes::default())
                    }
                }
            }
            Err(why) => {
                self.by_transport.of(tag).moderated += 1;
                self.settle(membership, number, vec![DirectItem::Refused { number, why }]);
                (Outcome::Refused, Wakes::default())
            }
        };
        if outcome != Outcome::Refused {
            self.by_transport.of(tag).messages += 1;
        }
        Ok((Said { outcome, pause_until: self.pause_until(membership, throttled, now) }, wakes))
    }

    /// Answers a command of a member. The answer confirms the command.
    pub(crate) fn answer(
        &mut self,
        membership: Membership,
        number: Option<u64>,
        reply: Reply,
        now: Instant,
    ) -> Result<Said, SayError> {
        let Some(Count { number, throttled, .. }) = self.count(membership, number, now)? else {
            return Ok(Said { outcome: Outcome::Repeated, pause_until: None });
        };
        let action = reply.action.clone();
        let mut items = Vec::new();
        if let Some(Action::Ignore { member, is_ignored }) = action {
            items.push(DirectItem::Ignoring { member, is_ignored });
        }
        if let Some(Action::Move(opening)) = &action
            && let Some(member) = self.members.get_mut(membership).filter(|member| member.is_framed)
            && let Some(room) = opening.name().and_then(|name| Text::one_line(name.as_str()).ok())
        {
            member.profile_mut().goes_after = number;
            items.push(DirectItem::Move { room });
        }
        items.extend(reply.items());
        let last = match &action {
            Some(Action::Sent { to, text }) => {
                DirectItem::Sent { number, to: to.clone(), text: text.clone() }
            }
            _ => DirectItem::Done { number },
        };
        items.push(last);
        self.settle(membership, number, items);
        let outcome = Outcome::Answered { action };
        Ok(Said { outcome, pause_until: self.pause_until(membership, throttled, now) })
    }

    pub(super) fn may_be_heard(&self, membership: Membership) -> Result<&Member, SayError> {
        match self.closing {
            Some(_) => Err(SayError::Closing),
            None => self.members.get(membership).ok_or(SayError::NotMember),
        }
    }

    /// Takes a number of a member, and counts against its rate limit. `None` if the number was taken before.
    fn count(
        &mut self,
        membership: Membership,
        number: Option<u64>,
        now: Instant,
    ) -> Result<Option<Count>, SayError> {
        let speaker = self.may_be_heard(membership)?;
        let newest = self.newest_number(speaker.id, speaker.taken());
        let number = number.unwrap_or_else(|| newest.saturating_add(1));
        if number <= newest {
            return Ok(None);
        }
        if speaker.profile.as_ref().is_some_and(|profile| profile.goes_after > 0) {
            return Err(SayError::Moving);
        }
        let (member, attachment, tag) = (speaker.id, speaker.attachment as usize, self.tag(speaker));
        let throttled = self.note_activity(membership, now)?;
        Ok(Some(Count { member, number, attachment, tag, throttled }))
    }

    /// A member did something: it is not idle, and this counts against its rate limit. Returns until when it is over
    /// its rate limit.
    pub(super) fn note_activity(
        &mut self,
        membership: Membership,
        now: Instant,
    ) -> Result<Option<Instant>, SayError> {
        let since_began = now.saturating_duration_since(self.began);
        let member = self.members.get_mut(membership).ok_or(SayError::NotMember)?;
        let is_limited = self.config.limit_loopback || !member.address.is_loopback();
        let rate = self.config.rate.filter(|_| is_limited);
        let profile = member.profile_mut();
        profile.spoke_s = u32::try_from(since_began.as_secs()).unwrap_or(u32::MAX);
        let Some(within) = rate.and_then(|rate| profile.rate_limit.count(rate, since_began)) else {
            return Ok(None);
        };
        if let Some(member) = self.members.get(membership) {
            let tag = self.tag(member);
            self.by_transport.of(tag).throttled += 1;
        }
        Ok(Some(self.began + within))
    }

    pub(super) fn pause_until(
        &self,
        membership: Membership,
        throttled: Option<Instant>,
        now: Instant,
    ) -> Option<Instant> {
        let lane_is_crowded = || {
            self.members
                .get(membership)
                .and_then(|member| member.profile.as_ref())
                .is_some_and(|profile| profile.is_lane_crowded())
        };
        self.pause(throttled, lane_is_crowded, now)
    }

    /// Until when to say nothing: because of the rate limit, or because others cannot keep up.
    pub(super) fn pause(
        &self,
        throttled: Option<Instant>,
        lane_is_crowded: impl FnOnce() -> bool,
        now: Instant,
    ) -> Option<Instant> {
        let is_crowded = self.is_crowded() || lane_is_crowded();
        let pause = self.journal_pause().or_else(|| is_crowded.then_some(CROWDED_PAUSE));
        throttled.max(pause.map(|pause| now + pause))
    }

    /// Says something as the room, all of it in a row. Returns the last one's number.
    pub(crate) fn say_as_room(&mut self, texts: Vec<Text>) -> Result<Wakes, SayError> {
        let mut said = self.said_by_room;
        let result = self.say_in_a_row(MemberId::ROOM, &Author::Room, &mut said, texts);
        self.said_by_room = said; // in any case: no number is used twice
        result.map(|(_, wakes)| wakes)
    }

    /// Says something as a local member, all of it in a row. Returns the last one's sequence number.
    pub(crate) fn say_as_local(
        &mut self,
        local: usize,
        texts: Vec<Text>,
        now: Instant,
    ) -> Result<(Option<u64>, Wakes), SayError> {
        let (since_began, rate) = (now.saturating_duration_since(self.began), self.config.rate);
        let (state, _) = self.local_mut(local);
        if let Some(rate) = rate {
            for _ in &texts {
                state.throttled = state.rate_limit.count(rate, since_began);
            }
        }
        let (id, author, mut said) = (state.id, Author::Named(state.name.clone()), state.said);
        let result = self.say_in_a_row(id, &author, &mut said, texts);
        let spoke_ms = self.since_began_ms(now);
        let (state, _) = self.local_mut(local);
        state.said = said; // in any case: no number is used twice
        if result.is_ok() {
            state.spoke_ms = spoke_ms;
        }
        result
    }

    /// Until when a local member must say nothing.
    pub(crate) fn local_pause_until(&mut self, local: usize, now: Instant) -> Option<Instant> {
        let (state, _) = self.local_mut(local);
        let throttled = state.throttled;
        let until = throttled.map(|within| self.began + within).filter(|&until| until > now);
        self.pause(until, || false, now)
    }

    fn say_in_a_row(
        &mut self,
        member: MemberId,
        author: &Author,
        said: &mut u64,
        texts: Vec<Text>,
    ) -> Result<(Option<u64>, Wakes), SayError> {
        if self.closing.is_some() {
            return Err(SayError::Closing);
        }
        let last = (!texts.is_empty()).then(|| self.log.seq() + texts.len() as u64);
        let mut wakes = Wakes::default();
        for text in texts {
            *said += 1;
            let from = Origin { member, number: *said };
            let event = Event::Said { from, author: author.clone(), text };
            wakes.add(self.propose(event, None).map_err(|Full| SayError::Behind)?);
        }
        // The journal decides the number later.
        Ok((last.filter(|_| self.in_flight.is_none()), wakes))
    }

    /// A member that may speak.
    pub(crate) fn speaker(&self, membership: Membership) -> Result<Speaker, SayError> {
        let member = self.may_be_heard(membership)?;
        let is_operator = member.profile.as_ref().is_some_and(|profile| profile.standing.is_operator);
        let author = self.shown(member);
        let taken = self.newest_number(member.id, member.taken());
        Ok(Speaker { id: member.id, address: member.address, taken, author, is_operator })
    }

    pub(crate) fn taken(&self, membership: Membership) -> Taken {
        let number = self.members.get(membership).map_or(0, Member::taken);
        Taken { number, head: self.log.seq() }
    }

    // ---- direct lanes --------------------------------------------------------------------------

    /// Puts an item into a member's direct lane.
    pub(crate) fn tell(&mut self, to: MemberId, item: DirectItem) -> Result<Wakes, TellError> {
        if let Some(place) = self.local_place(to) {
            return self.tell_local(place, item);
        }
        let membership = self.members.key_of(to).ok_or(TellError::NotPresent)?;
        let member = self.members.get_mut(membership).ok_or(TellError::NotPresent)?;
        let direct = member.profile_mut().push_direct(item).ok_or(TellError::Full)?;
        let (attachment, key) = (member.attachment as usize, member.key as usize);
        self.hand_over(attachment, Told { key, member: membership, direct });
        Ok(self.wake_attachment(attachment))
    }

    /// Tells everyone who is here, beside the log.
    pub(crate) fn tell_everyone(&mut self, text: &Text) -> Wakes {
        let members = self.members.iter().map(|(_, member)| member.id);
        let locals = self.locals.iter().flatten().map(|local| local.id);
        let everyone: Vec<MemberId> = members.chain(locals).collect();
        let mut wakes = Wakes::default();
        for member in everyone {
            // A member whose lane is full has more to read than this.
            wakes.add(self.tell(member, DirectItem::Notice { text: text.clone() }).unwrap_or_default());
        }
        wakes
    }

    /// /// Tells a member the result of something that it said earlier. If it has left, it is told when its session
    /// goes on. A plain /// member that has left is not told.
    pub(super) fn tell_of_its_own(&mut self, to: MemberId, item: DirectItem) -> Wakes {
        if let Some(membership) = self.members.key_of(to) {
            return self.confirm_later(membership, item);
        }
        if let Some(place) = self.local_place(to) {
            return self.tell_local_of_its_own(place, item);
        }
        let _is_kept = self.left.tell(to, item);
        Wakes::default()
    }

    /// Tells a member the result of its message. Its transport, whose turn this is, pulls at the end of the turn.
    pub(super) fn confirm(&mut self, membership: Membership, item: DirectItem) {
        let Some(member) = self.members.get_mut(membership) else { return };
        let direct = member.profile_mut().push_confirmation(item);
        let (attachment, key) = (member.attachment as usize, member.key as usize);
        self.hand_over(attachment, Told { key, member: membership, direct });
    }

    /// As [`confirm`](Self::confirm), for a result that came later: it is not the transport's turn.
    pub(super) fn confirm_later(&mut self, membership: Membership, item: DirectItem) -> Wakes {
        self.confirm(membership, item);
        let attachment = self.members.get(membership).map(|member| member.attachment as usize);
        attachment.map(|attachment| self.wake_attachment(attachment)).unwrap_or_default()
    }

    /// Hands everything in a member's lane to its new transport.
    pub(super) fn tell_again(&mut self, membership: Membership) -> Wakes {
        let Some(member) = self.members.get_mut(membership) else { return Wakes::default() };
        let (attachment, key) = (member.attachment as usize, member.key as usize);
        let items = member.profile_mut().unacknowledged();
        if items.is_empty() {
            return Wakes::default();
        }
        for direct in items {
            self.hand_over(attachment, Told { key, member: membership, direct });
        }
        self.wake_attachment(attachment)
    }

    fn hand_over(&mut self, attachment: usize, told: Told) {
        if let Some(Some(attachment)) = self.attachments.get_mut(attachment) {
            attachment.direct.push(told);
        }
    }

    pub(crate) fn got(&mut self, membership: Membership, direct: u64) -> Wakes {
        let profile = self.members.get_mut(membership).and_then(|member| member.profile.as_mut());
        let Some(profile) = profile else { return Wakes::default() };
        profile.direct_got(direct);
        match profile.take_untold() {
            0 => Wakes::default(),
            untold => {
                let text = format!("{untold} more of your private messages were not delivered");
                self.confirm_later(membership, DirectItem::Notice { text: Text::lossy(&text) })
            }
        }
    }
}
