//! What members say: to the room, and to each other.

use std::time::{Duration, Instant};

use chat_proto::{DirectItem, Event, MemberId, Origin, PeerAddr, Text};

use super::{State, Wakes};
use crate::attachment::{Outcome, Said, Taken, Told};
use crate::error::{SayError, TellError};
use crate::members::{Member, Membership};

/// How long a speaker waits while some transport has more than half of the log, or much of its direct lane, still to
/// pull.
const CROWDED_PAUSE: Duration = Duration::from_millis(1);

/// A member that may speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Speaker {
    pub(crate) id: MemberId,
    pub(crate) address: PeerAddr,
    pub(crate) taken: u64,
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
        let Speaker { id, address, taken } = self.speaker(membership)?;
        let number = number.unwrap_or(taken + 1);
        if number <= taken {
            return Ok((Said { outcome: Outcome::Repeated, pause_until: None }, Wakes::default()));
        }
        let since_began = now.saturating_duration_since(self.began);
        let author = self.identity(membership).map(|(_, author)| author).ok_or(SayError::NotMember)?;
        let rate = self.config.rate.filter(|_| !self.is_exempt(address));
        let member = self.members_mut().get_mut(membership).ok_or(SayError::NotMember)?;
        member.taken = number;
        let within = rate.and_then(|rate| member.rate_limit.count(rate, since_began));
        let attachment = member.attachment as usize;
        self.counted.paced += u64::from(within.is_some());
        let (outcome, wakes) = match text {
            Ok(text) => {
                let from = Origin { member: id, number };
                let wakes = self.append(Event::Said { from, author, text }, now, Some(attachment));
                (Outcome::Accepted { seq: self.log.seq() }, wakes)
            }
            Err(why) => {
                self.counted.moderated += 1;
                self.refuse(membership, number, why);
                (Outcome::Refused, Wakes::default())
            }
        };
        let throttled = within.map(|within| self.began + within);
        Ok((Said { outcome, pause_until: self.pause_until(membership, throttled, now) }, wakes))
    }

    fn pause_until(
        &self,
        membership: Membership,
        throttled: Option<Instant>,
        now: Instant,
    ) -> Option<Instant> {
        let lane_is_crowded = || self.members.get(membership).is_some_and(Member::is_lane_crowded);
        throttled.max((self.is_crowded() || lane_is_crowded()).then(|| now + CROWDED_PAUSE))
    }

    /// A member that may speak.
    pub(crate) fn speaker(&self, membership: Membership) -> Result<Speaker, SayError> {
        if self.closing.is_some() {
            return Err(SayError::Closing);
        }
        let member = self.members.get(membership).ok_or(SayError::NotMember)?;
        Ok(Speaker { id: member.id, address: member.address, taken: member.taken })
    }

    pub(crate) fn taken(&self, membership: Membership) -> Taken {
        let number = self.members.get(membership).map_or(0, |member| member.taken);
        Taken { number, head: self.log.seq() }
    }

    // ---- direct lanes --------------------------------------------------------------------------

    /// Puts an item into a member's direct lane.
    pub(crate) fn tell(&mut self, to: MemberId, item: DirectItem) -> Result<Wakes, TellError> {
        let membership = self.members.key_of(to).ok_or(TellError::NotPresent)?;
        let member = self.members.get_mut(membership).ok_or(TellError::NotPresent)?;
        let direct = member.push_direct(item).ok_or(TellError::Full)?;
        let (attachment, key) = (member.attachment as usize, member.key as usize);
        self.hand_over(attachment, Told { key, member: membership, direct });
        Ok(self.wake_attachment(attachment))
    }

    /// Tells a member why its message was refused. Its transport, whose turn this is, pulls at the end of it.
    fn refuse(&mut self, membership: Membership, number: u64, why: Text) {
        let Some(member) = self.members.get_mut(membership) else { return };
        let direct = member.push_refusal(number, why);
        let (attachment, key) = (member.attachment as usize, member.key as usize);
        self.hand_over(attachment, Told { key, member: membership, direct });
    }

    /// Hands everything in a member's lane to its transport, which is another one than before.
    pub(super) fn tell_again(&mut self, membership: Membership) -> Wakes {
        let Some(member) = self.members.get_mut(membership) else { return Wakes::default() };
        let (attachment, key) = (member.attachment as usize, member.key as usize);
        let items = member.unacknowledged();
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

    pub(crate) fn got(&mut self, membership: Membership, direct: u64) {
        if let Some(member) = self.members.get_mut(membership) {
            member.direct_got(direct);
        }
    }
}
