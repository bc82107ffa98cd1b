//! Names, private messages, and which members a member ignores.

use std::time::{Duration, Instant};

use chat_proto::limits::PRESENT_AUTHORS_MAX;
use chat_proto::{Author, DirectItem, Hello, MemberId, Name, Present, Text};

use super::readers::LOCAL_TAG;
use super::{State, Wakes};
use crate::access::identity::Identity;
use crate::error::{IgnoreError, NickError, TellError};
use crate::limits::{IGNORED_MAX, NAME_RESERVED_MS};
use crate::presence::Presence;
use crate::state::members::{Member, Membership};
use crate::state::names::{self, Holder};
use crate::state::profile::Profile;

impl State {
    // ---- names ---------------------------------------------------------------------------------

    pub(crate) fn rename(
        &mut self,
        id: MemberId,
        name: Option<Name>,
        now: Instant,
    ) -> Result<(Author, Wakes), NickError> {
        let from = self.author_of(id).ok_or(NickError::NotPresent)?;
        if !self.config.names.are_allowed() {
            return Err(NickError::Off);
        }
        let old = match &from {
            Author::Named(old) => Some(old.clone()),
            _ => None,
        };
        // The member already has the name: its hello asked for it.
        if old.is_some() && old == name {
            return Ok((from, Wakes::default()));
        }
        if self.has_muted(id) {
            return Err(NickError::Muted);
        }
        if let Some(name) = &name {
            self.check_name(name, id, now)?;
        } else if self.config.names.are_required() || self.local_place(id).is_some() {
            return Err(NickError::Required);
        }
        if old == name {
            return Ok((from, Wakes::default()));
        }
        self.keep_name(id, name.clone())?;
        if let Some(old) = &old {
            self.names.release(old);
        }
        if let Some(name) = &name {
            self.names.give(name, id);
        }
        match self.local_place(id) {
            Some(place) => {
                self.local_mut(place).0.name = name.clone().expect("a local member never gives up its name");
            }
            None => {
                let name_before = old.filter(|_| self.is_shared());
                let profile = self.profile_mut(id).ok_or(NickError::NotPresent)?;
                (profile.name, profile.name_before) = (name, name_before);
            }
        }
        let to = self.author_of(id).ok_or(NickError::NotPresent)?;
        let wakes = self.note_rename(id, from, to.clone());
        self.tell_others_of(id);
        Ok((to, wakes))
    }

    /// Whether a member may take this name. If it is reserved for a session that left too long ago, it is freed.
    pub(super) fn check_name(&mut self, name: &Name, id: MemberId, now: Instant) -> Result<(), NickError> {
        if names::is_reserved(name) && self.local_place(id).is_none() {
            return Err(NickError::Reserved { name: name.clone() });
        }
        // Every server has local members of its own, and they are called the same at each.
        let is_ours = |holder: &Holder| !holder.is_elsewhere || self.local_place(id).is_none();
        match self.names.other_holder(name, id).filter(is_ours) {
            None => Ok(()),
            Some(Holder { member, is_elsewhere: false })
                if self.author_of(member).is_none() && self.frees_name(member, now) =>
            {
                Ok(())
            }
            Some(_) => Err(NickError::Taken { name: name.clone(), suggestion: self.names.suggest(name, id) }),
        }
    }

    /// Takes the name from a session that has left, if it was long ago.
    fn frees_name(&mut self, holder: MemberId, now: Instant) -> bool {
        let now_ms = self.since_began_ms(now);
        let left = self.left.get(holder);
        let is_reserved = left.is_some_and(|left| left.left_ms + NAME_RESERVED_MS > now_ms);
        if !is_reserved {
            self.end_reservation(holder);
        }
        !is_reserved
    }

    /// A session that has left loses its name.
    fn end_reservation(&mut self, holder: MemberId) {
        if let Some(name) = self.left.release_name(holder) {
            self.names.release(&name);
            self.give_up_name(holder);
        }
    }

    /// Sessions that left too long ago lose their names, for members of other servers that want them. Costs a step per
    /// session.
    pub(crate) fn end_old_reservations(&mut self, now: Instant) {
        let Some(left_ms) = self.since_began_ms(now).checked_sub(NAME_RESERVED_MS) else { return };
        self.left.named_until(left_ms).into_iter().for_each(|holder| self.end_reservation(holder));
    }

    /// Sessions that have left lose a name that is banned now, and those that look like it. Costs a step per session.
    pub(super) fn end_reservations_of(&mut self, banned: &Name) {
        self.left.holders_like(banned).into_iter().for_each(|holder| self.end_reservation(holder));
    }

    /// The name that a peer with this hello is going to have, if it can: that of the session that it resumes, or the
    /// one that it asks for.
    pub(crate) fn name_wanted(&self, hello: &Hello) -> Option<Name> {
        let resumed = hello.resume.filter(|resume| self.goes_on(resume)).map(|resume| resume.session.member);
        let of_session = resumed.and_then(|member| match self.members.key_of(member) {
            Some(membership) => self.members.get(membership)?.name(),
            None => self.left.get(member)?.name.as_ref(),
        });
        of_session.cloned().or_else(|| hello.name.as_ref()?.as_str().parse().ok())
    }

    /// How a member that is here is shown.
    pub(crate) fn author_of(&self, id: MemberId) -> Option<Author> {
        match self.members.key_of(id) {
            Some(membership) => self.identity(membership).map(|(_, author)| author),
            None => {
                let place = self.local_place(id)?;
                self.locals[place].as_ref().map(|local| Author::Named(local.name.clone()))
            }
        }
    }

    pub(crate) fn find(&self, who: &Author) -> Option<MemberId> {
        if let Author::Named(name) = who {
            return self.names.holder(name).filter(|&holder| self.shown_anywhere(holder).is_some());
        }
        let based = self.members.based_like(who);
        let mut members = based.into_iter().filter_map(|membership| self.members.get(membership));
        // A member with a name is found by its address, too, if it would be shown as the bare address without the name.
        let here = members.find(|member| member.bare_author(self.tag(member)) == *who);
        here.map(|member| member.id).or_else(|| self.unnamed_elsewhere(who))
    }

    /// Where a member comes from and who it is known to be, unless it is local, and the tag of its transport.
    pub(crate) fn origin_of(&self, id: MemberId) -> Option<(Option<Identity>, &'static str)> {
        match self.members.key_of(id).and_then(|membership| self.members.get(membership)) {
            Some(member) => Some((Some(member.identity()), self.tag(member))),
            None => self.local_place(id).map(|_| (None, LOCAL_TAG)),
        }
    }

    pub(super) fn profile_mut(&mut self, id: MemberId) -> Option<&mut Profile> {
        let membership = self.members.key_of(id)?;
        let member = self.members.get_mut(membership)?;
        Some(member.profile_mut())
    }

    pub(super) fn profile(&self, id: MemberId) -> Option<&Profile> {
        self.members.get(self.members.key_of(id)?)?.profile.as_deref()
    }

    // ---- present members -----------------------------------------------------------------------

    pub(crate) fn present(&self) -> Present {
        let authors: Vec<Author> = self.authors().take(PRESENT_AUTHORS_MAX).collect();
        let members = self.member_count();
        Present { members, more: authors.len() < members as usize, authors }
    }

    /// The remote members as they are shown, those of other servers last.
    pub(crate) fn authors(&self) -> impl Iterator<Item = Author> {
        let here = self.members.iter().map(|(_, member)| self.shown(member));
        here.chain(self.elsewhere.authors().cloned())
    }

    pub(crate) fn presence(&self, max: usize, now: Instant) -> (usize, Vec<Presence>) {
        let now_ms = self.since_began_ms(now);
        let since = |ms: u64| Duration::from_millis(now_ms.saturating_sub(ms));
        let locals = self.local_members().map(|local| Presence {
            member: local.id,
            author: Author::Named(local.name.clone()),
            address: None,
            transport: LOCAL_TAG.into(),
            here: since(local.came_ms),
            idle: Some(since(local.spoke_ms)),
            is_operator: local.is_operator,
            is_muted: false,
            server: None,
        });
        let members = self.members.iter().map(|(_, member)| Presence {
            member: member.id,
            author: self.shown(member),
            address: Some(member.address),
            transport: self.tag(member).into(),
            here: since(member.came_ms),
            idle: Some(since(member.came_ms.max(spoke_ms(member)))),
            is_operator: member.profile.as_ref().is_some_and(|profile| profile.standing.is_operator),
            is_muted: self.is_muted(member),
            server: None,
        });
        let count = self.local_members().count() + self.members.len() + self.elsewhere.count();
        (count, locals.chain(members).chain(self.presence_elsewhere()).take(max).collect())
    }

    // ---- private messages ----------------------------------------------------------------------

    pub(crate) fn tell_private(
        &mut self,
        from: MemberId,
        to: MemberId,
        text: Text,
    ) -> Result<(Author, Wakes), TellError> {
        let author = self.author_of(from).ok_or(TellError::NotMember)?;
        if self.has_muted(from) {
            return Err(TellError::Muted);
        }
        if self.config.names.are_required() && !matches!(author, Author::Named(_)) {
            return Err(TellError::NeedsName);
        }
        let Some(recipient) = self.author_of(to) else {
            return self
                .tell_elsewhere(from, author, to, text)
                .map(|recipient| (recipient, Wakes::default()));
        };
        let wakes = self.hand_private(from, author, to, text)?;
        Ok((recipient, wakes))
    }

    /// Puts a private message into the lane of a member here.
    pub(super) fn hand_private(
        &mut self,
        from: MemberId,
        author: Author,
        to: MemberId,
        text: Text,
    ) -> Result<Wakes, TellError> {
        if self.ignores(to, from) {
            return Err(TellError::Ignored);
        }
        let wakes = self.tell(to, DirectItem::Private { from, author, text })?;
        match self.local_place(to) {
            Some(place) => self.local_mut(place).0.answers = Some(from),
            None => {
                if let Some(profile) = self.profile_mut(to) {
                    profile.answers = Some(from);
                }
            }
        }
        Ok(wakes)
    }

    pub(crate) fn last_private(&self, id: MemberId) -> Option<MemberId> {
        let from = match self.local_place(id) {
            Some(place) => self.locals[place].as_ref()?.answers,
            None => self.profile(id)?.answers,
        };
        from.filter(|&from| self.shown_anywhere(from).is_some())
    }

    // ---- ignoring ------------------------------------------------------------------------------

    pub(crate) fn ignore(&mut self, id: MemberId, whom: MemberId) -> Result<(), IgnoreError> {
        let here: Vec<MemberId> =
            self.profile(id).map_or_else(Vec::new, |profile| profile.standing.ignored.clone());
        let here: Vec<MemberId> =
            here.into_iter().filter(|&ignored| self.shown_anywhere(ignored).is_some()).collect();
        let profile = self.profile_mut(id).ok_or(IgnoreError::NotPresent)?;
        // Those that have left make room.
        profile.standing.ignored = here;
        if profile.standing.ignored.contains(&whom) {
            return Ok(());
        }
        if profile.standing.ignored.len() >= IGNORED_MAX {
            return Err(IgnoreError::TooMany);
        }
        profile.standing.ignored.push(whom);
        Ok(())
    }

    pub(crate) fn unignore(&mut self, id: MemberId, whom: MemberId) -> bool {
        let Some(profile) = self.profile_mut(id) else { return false };
        let before = profile.standing.ignored.len();
        profile.standing.ignored.retain(|&ignored| ignored != whom);
        profile.standing.ignored.len() < before
    }

    pub(crate) fn ignored(&self, id: MemberId) -> Vec<Author> {
        let ignored = self.profile(id).map_or(&[][..], |profile| &profile.standing.ignored);
        ignored.iter().filter_map(|&ignored| self.shown_anywhere(ignored)).collect()
    }

    pub(crate) fn ignored_ids(&self, membership: Membership) -> Vec<MemberId> {
        let profile = self.members.get(membership).and_then(|member| member.profile.as_deref());
        let mut ids = profile.map_or_else(Vec::new, |profile| profile.standing.ignored.clone());
        ids.sort_unstable();
        ids
    }

    fn ignores(&self, id: MemberId, whom: MemberId) -> bool {
        self.profile(id).is_some_and(|profile| profile.standing.ignored.contains(&whom))
    }
}

fn spoke_ms(member: &Member) -> u64 {
    member.profile.as_ref().map_or(0, |profile| u64::from(profile.spoke_s) * 1000)
}
