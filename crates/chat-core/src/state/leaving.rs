//! Members that leave: by themselves, for their transport, or because the room wants it.

use std::time::Instant;

use chat_proto::{Author, DirectItem, Event, LeaveReason, MemberId, Name, Text};

use super::{DEFAULT_TAG, State, Wakes};
use crate::state::direct_lane::Lane;
use crate::state::members::{Member, Membership};
use crate::state::sessions::Left;
use crate::transport::update::Dismissed;

impl State {
    /// A member leaves, and its transport knows that already.
    pub(crate) fn leave(&mut self, membership: Membership, reason: LeaveReason, now: Instant) -> Wakes {
        self.end_mutes_of(membership, &reason);
        self.move_away(membership, reason, now)
    }

    /// Like [`leave`](Self::leave), for a member that goes on in another room: the mutes that hold for it move later.
    pub(super) fn move_away(&mut self, membership: Membership, reason: LeaveReason, now: Instant) -> Wakes {
        let attachment = self.members.get(membership).map(|member| member.attachment as usize);
        self.remove(membership, reason, now, attachment)
    }

    /// A plain session cannot be resumed, and one that left by choice is not. So mutes that hold for this session alone
    /// end with it.
    fn end_mutes_of(&self, membership: Membership, reason: &LeaveReason) {
        let member = self.members.get(membership);
        if let Some(member) = member.filter(|member| !member.is_framed || *reason == LeaveReason::Quit) {
            self.end_mutes(member.id);
        }
    }

    /// This session is over, and so are the mutes that hold for nothing else.
    pub(super) fn end_mutes(&self, session: MemberId) {
        for mute in self.admission.mutes().end(self.session_of(session)) {
            self.keep_lifted(mute.epoch, mute.member);
        }
    }

    /// Like [`leave`](Self::leave), and removes the member's dismissal from what `attachment` will pull: returns the
    /// reason for its peer.
    pub(crate) fn leave_by_attachment(
        &mut self,
        attachment: usize,
        membership: Membership,
        reason: LeaveReason,
        now: Instant,
    ) -> (LeaveReason, Wakes) {
        let dismissed = self.attachments[attachment].as_mut().and_then(|attachment| {
            let place = attachment.dismissed.iter().position(|dismissed| dismissed.member == membership)?;
            Some(attachment.dismissed.remove(place).reason)
        });
        match dismissed {
            Some(reason) => (reason, Wakes::default()),
            None => (reason.clone(), self.leave(membership, reason, now)),
        }
    }

    /// A member must go, and its transport must be told.
    pub(super) fn dismiss(&mut self, membership: Membership, reason: &LeaveReason, now: Instant) -> Wakes {
        self.end_mutes_of(membership, reason);
        let mut wakes = self.tell_dismissed(membership, reason.clone());
        wakes.add(self.remove(membership, reason.clone(), now, None));
        wakes
    }

    pub(super) fn tell_dismissed(&mut self, membership: Membership, reason: LeaveReason) -> Wakes {
        let Some(&Member { attachment, key, .. }) = self.members.get(membership) else {
            return Wakes::default();
        };
        if let Some(Some(attachment)) = self.attachments.get_mut(attachment as usize) {
            attachment.dismissed.push(Dismissed { key: key as usize, member: membership, reason });
        }
        self.wake_attachment(attachment as usize)
    }

    /// Ends a membership, and tells the others.
    fn remove(
        &mut self,
        membership: Membership,
        reason: LeaveReason,
        now: Instant,
        except: Option<usize>,
    ) -> Wakes {
        let Some(id) = self.members.get(membership).map(|member| member.id) else { return Wakes::default() };
        let Some((author, mut wakes)) = self.end_membership(membership, &reason, now) else {
            return Wakes::default();
        };
        self.tell_others_gone(id, &reason);
        let left = Event::Left { member: id, author, reason, members: self.member_count() };
        self.presence_summary.count(&left, now);
        wakes.add(self.append(left, except));
        wakes
    }

    /// Ends a membership without a word to the others. Returns how it was shown.
    pub(super) fn end_membership(
        &mut self,
        membership: Membership,
        reason: &LeaveReason,
        now: Instant,
    ) -> Option<(Author, Wakes)> {
        let (_, author) = self.identity(membership)?;
        let tag = self.members.get(membership).map_or(DEFAULT_TAG, |member| self.tag(member));
        let member = self.members.remove(membership)?;
        let author = self.forget_renames(member.id).unwrap_or(author);
        self.admission.leave(member.address);
        // A member that leaves by its own choice does not come back with the session, but may with another one.
        let mut reserved =
            member.name().filter(|_| member.is_framed && *reason != LeaveReason::Quit).cloned();
        if let Some(name) = member.name().filter(|_| reserved.is_none()) {
            self.names.release(name);
            self.give_up_name(member.id);
        }
        if member.is_framed {
            let left = Left {
                taken: member.taken(),
                name: reserved.take(),
                left_ms: self.since_began_ms(now),
                standing: member.standing().cloned().unwrap_or_default(),
                unread: member.profile.as_ref().map(|profile| profile.unread()).unwrap_or_default(),
            };
            if let Some((forgotten, left)) = self.left.remember(member.id, left) {
                self.forget(forgotten, left.name);
            }
        }
        let lane = member.profile.as_ref().and_then(|profile| profile.lane.as_deref());
        let wakes = self.return_undelivered(&author, lane, reason, tag);
        self.by_transport.of(tag).left += 1;
        Some((author, wakes))
    }

    /// A session that left long ago makes way for others.
    pub(super) fn forget(&mut self, session: MemberId, name: Option<Name>) {
        if let Some(name) = name {
            self.names.release(&name);
            self.give_up_name(session);
        }
        self.end_mutes(session);
    }

    pub(super) fn those(&self, which: impl Fn(&Member) -> bool) -> Vec<Membership> {
        self.members.iter().filter(|(_, member)| which(member)).map(|(membership, _)| membership).collect()
    }

    /// Tells the senders of a member's unacknowledged items that these were not delivered.
    fn return_undelivered(
        &mut self,
        to: &Author,
        lane: Option<&Lane>,
        reason: &LeaveReason,
        tag: &'static str,
    ) -> Wakes {
        let mut wakes = Wakes::default();
        let why = Text::one_line(&format!("left ({reason})")).unwrap_or_default();
        for from in lane.into_iter().flat_map(Lane::senders) {
            self.by_transport.of(tag).undelivered += 1;
            if self.is_elsewhere(from) {
                self.return_elsewhere(from, to.clone(), why.clone());
                continue;
            }
            wakes.add(self.tell_undelivered(from, to.clone(), why.clone()));
        }
        wakes
    }

    /// The sender of a private message learns that it was not delivered. Many leaving recipients must not fill the
    /// memory of a sender that acknowledges nothing: it learns their number once it acknowledges.
    pub(super) fn tell_undelivered(&mut self, sender: MemberId, to: Author, why: Text) -> Wakes {
        match self.profile_mut(sender).filter(|profile| profile.is_lane_choked()) {
            Some(profile) => {
                profile.untold += 1;
                Wakes::default()
            }
            None => self.tell_of_its_own(sender, DirectItem::Undelivered { to, why }),
        }
    }
}
