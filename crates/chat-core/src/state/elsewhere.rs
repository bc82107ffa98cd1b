//! Events of other servers that share the room, and events for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_proto::{Author, DirectItem, Event, LeaveReason, MemberId, Name, Text};

use super::{LOCAL_TAG, State, Wakes};
use crate::access::mutes::{Known, Mute};
use crate::error::{KickError, TellError};
use crate::other_servers::elsewhere::Elsewhere;
use crate::other_servers::relay::{OtherMember, Outbound, Relay};
use crate::presence::Presence;
use crate::state::members::Member;

/// What is known of other servers. Empty for a room that no other server has.
#[derive(Debug, Default)]
pub(crate) struct Elsewheres {
    /// Reaches them.
    relay: Option<Arc<dyn Relay>>,
    /// Members of other servers. The relay bounds them.
    members: BTreeMap<MemberId, OtherMember>,
    /// Those that have no name, by how they are shown.
    unnamed: BTreeMap<String, MemberId>,
}

impl Elsewheres {
    pub(super) fn set_relay(&mut self, relay: Option<Arc<dyn Relay>>) {
        self.relay = relay;
    }

    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn authors(&self) -> impl Iterator<Item = &Author> {
        self.members.values().map(|member| &member.author)
    }

    fn insert(&mut self, member: OtherMember) -> Option<OtherMember> {
        let before = self.remove(member.member);
        if !matches!(member.author, Author::Named(_)) {
            self.unnamed.insert(member.author.to_string(), member.member);
        }
        self.members.insert(member.member, member);
        before
    }

    fn remove(&mut self, member: MemberId) -> Option<OtherMember> {
        let before = self.members.remove(&member)?;
        let shown = before.author.to_string();
        if self.unnamed.get(&shown) == Some(&member) {
            self.unnamed.remove(&shown);
        }
        Some(before)
    }

    /// If it cannot be sent, the other servers learn it later. For a member's request the member is told instead.
    fn send(&self, what: Outbound) -> Result<(), TellError> {
        let relay = self.relay.as_ref().ok_or(TellError::NotPresent)?;
        relay.send(what).map_err(|_full| TellError::Behind)
    }
}

impl State {
    pub(crate) fn hear_elsewhere(&mut self, what: Elsewhere, now: Instant) -> Wakes {
        match what {
            // Every server has local members of its own. They are called the same at each, and keep their names.
            Elsewhere::Name { skeleton, holder: Some(_) } if self.local_holder(&skeleton).is_some() => {
                Wakes::default()
            }
            Elsewhere::Name { skeleton, holder: Some(holder) } => {
                let loser = self.names.give_elsewhere(skeleton, holder);
                // A session that has moved there has not lost anything.
                let loser = loser.filter(|&loser| loser != holder || self.author_of(loser).is_none());
                loser.map(|loser| self.lose_name(loser, now)).unwrap_or_default()
            }
            Elsewhere::Name { skeleton, holder: None } => {
                self.names.free_elsewhere(&skeleton);
                // Another server's local member had the name. It is claimed now, so that no remote member can have it.
                if let Some((id, name)) = self.local_holder(&skeleton) {
                    // If there is no room for it, the name is protected at this server alone.
                    let _full = self.keep_name(id, Some(name));
                }
                Wakes::default()
            }
            Elsewhere::Here { member, is_news } => self.here_elsewhere(member, is_news, now),
            Elsewhere::Gone { member, reason } => self.gone_elsewhere(member, reason, now),
            Elsewhere::Undelivered { sender, to, why } => {
                let sender_here =
                    self.members.key_of(sender).and_then(|membership| self.members.get(membership));
                let tag = sender_here.map_or(LOCAL_TAG, |member| self.tag(member));
                self.by_transport.of(tag).undelivered += 1;
                self.tell_undelivered(sender, to, why)
            }
            Elsewhere::Kick { member, reason } => self.kick(member, &reason, now).unwrap_or_default(),
            Elsewhere::Slow { pause } => {
                Arc::make_mut(&mut self.config).slow = pause;
                Wakes::default()
            }
            Elsewhere::Muted { member, mute } => {
                let mutes = self.admission.mutes();
                match mute {
                    Some(mute) => drop(mutes.mute(Mute { epoch: self.epoch, ..mute })),
                    None => drop(mutes.lift([self.session_of(member)])),
                }
                Wakes::default()
            }
        }
    }

    // ---- members of other servers --------------------------------------------------------------

    fn here_elsewhere(&mut self, member: OtherMember, is_news: bool, now: Instant) -> Wakes {
        let (id, author) = (member.member, member.author.clone());
        let (before, mut wakes) = match self.members.key_of(id) {
            Some(membership)
                if self.members.get(membership).map(|here| self.came_unix_ms(here))
                    >= Some(member.came_unix_ms) =>
            {
                return Wakes::default(); // the session goes on here, and the other server has not noticed yet
            }
            // It goes on there: its connection here is an old one, which may be half open.
            Some(membership) => {
                let mut wakes = self.tell_dismissed(membership, LeaveReason::Replaced);
                let departed = self.end_membership(membership, &LeaveReason::Replaced, now);
                let author = departed.map(|(author, more)| {
                    wakes.add(more);
                    author
                });
                (author, wakes)
            }
            None => (None, Wakes::default()),
        };
        let before = self.elsewhere.insert(member).map(|before| before.author).or(before);
        let event = match before {
            Some(from) if from != author => Event::Renamed { member: id, from, to: author },
            None if is_news => Event::Joined { member: id, author, members: self.member_count() },
            _ => return wakes,
        };
        if is_news {
            self.presence_summary.count(&event, now);
            wakes.add(self.append(event, None));
        }
        wakes
    }

    /// When a member came here, by the wall clock: servers that opened the room at different times compare this.
    fn came_unix_ms(&self, member: &Member) -> u64 {
        self.began_here_unix_ms + member.came_ms
    }

    fn gone_elsewhere(&mut self, member: MemberId, reason: LeaveReason, now: Instant) -> Wakes {
        let Some(before) = self.elsewhere.remove(member) else { return Wakes::default() };
        let event = Event::Left { member, author: before.author, reason, members: self.member_count() };
        self.presence_summary.count(&event, now);
        self.append(event, None)
    }

    /// The other servers learn of a member that has joined or changed here.
    pub(super) fn tell_others_of(&mut self, id: MemberId) {
        if self.elsewhere.relay.is_none() {
            return;
        }
        // The session goes on here.
        self.elsewhere.remove(id);
        let member = self.members.key_of(id).and_then(|membership| self.members.get(membership));
        if let Some(member) = member.map(|member| self.for_others(member)) {
            // The relay tells of all members later if there is no room for this one.
            let _full = self.elsewhere.send(Outbound::Here(member));
        }
    }

    /// The other servers learn that a member has left.
    pub(super) fn tell_others_gone(&self, member: MemberId, reason: &LeaveReason) {
        if self.elsewhere.relay.is_some() {
            // As above.
            let _full = self.elsewhere.send(Outbound::Gone { member, reason: reason.clone() });
        }
    }

    fn for_others(&self, member: &Member) -> OtherMember {
        let tag = self.tag(member);
        OtherMember {
            member: member.id,
            author: self.shown(member),
            address: Some(member.address),
            transport: tag.into(),
            came_unix_ms: self.came_unix_ms(member),
            server: Text::default(),
        }
    }

    pub(crate) fn members_for_others(&self) -> Vec<OtherMember> {
        self.members.iter().map(|(_, member)| self.for_others(member)).collect()
    }

    /// How a member is shown, at whichever server it is.
    pub(super) fn shown_anywhere(&self, id: MemberId) -> Option<Author> {
        let elsewhere = || self.elsewhere.members.get(&id).map(|member| member.author.clone());
        self.author_of(id).or_else(elsewhere)
    }

    /// The member of another server that has no name and is shown like this.
    pub(super) fn unnamed_elsewhere(&self, who: &Author) -> Option<MemberId> {
        (self.elsewhere.count() > 0).then(|| self.elsewhere.unnamed.get(&who.to_string()).copied())?
    }

    pub(super) fn presence_elsewhere(&self) -> impl Iterator<Item = Presence> {
        self.elsewhere.members.values().map(|member| Presence {
            member: member.member,
            author: member.author.clone(),
            address: member.address,
            transport: member.transport.clone(),
            here: Duration::from_millis(self.unix_ms.saturating_sub(member.came_unix_ms)),
            idle: None,
            is_operator: false,
            is_muted: self.admission.mutes().is_muted(self.known_there(member)),
            server: Some(member.server.clone()),
        })
    }

    // ---- private messages and kicks ------------------------------------------------------------

    /// A private message to a member that is not here.
    pub(super) fn tell_elsewhere(
        &self,
        from: MemberId,
        author: Author,
        to: MemberId,
        text: Text,
    ) -> Result<Author, TellError> {
        let recipient = self
            .elsewhere
            .members
            .get(&to)
            .map(|member| member.author.clone())
            .ok_or(TellError::NotPresent)?;
        self.elsewhere.send(Outbound::Private { from, author, to, recipient: recipient.clone(), text })?;
        Ok(recipient)
    }

    /// A private message of a member of another server.
    pub(crate) fn deliver_private(
        &mut self,
        from: MemberId,
        author: Author,
        to: MemberId,
        text: Text,
    ) -> Result<Wakes, TellError> {
        self.author_of(to).ok_or(TellError::NotPresent)?;
        self.hand_private(from, author, to, text)
    }

    /// The sender of a private message, which is not here, learns that it was not delivered.
    pub(super) fn return_elsewhere(&self, sender: MemberId, to: Author, why: Text) {
        // It is not told if the relay has no room.
        let _full = self.elsewhere.send(Outbound::Undelivered { sender, to, why });
    }

    /// Kicks a member of another server.
    pub(crate) fn kick_elsewhere(&self, member: MemberId, reason: LeaveReason) -> Result<(), KickError> {
        if !self.elsewhere.members.contains_key(&member) {
            return Err(KickError::NotPresent);
        }
        self.elsewhere.send(Outbound::Kick { member, reason }).map_err(|_| KickError::Behind)
    }

    /// The identity by which mutes know a member of another server.
    pub(super) fn known_elsewhere(&self, id: MemberId) -> Option<Known<'_>> {
        self.elsewhere.members.get(&id).map(|member| self.known_there(member))
    }

    fn known_there<'a>(&self, member: &'a OtherMember) -> Known<'a> {
        let name = match &member.author {
            Author::Named(name) => Some(name),
            _ => None,
        };
        let address = member.address.and_then(|address| self.admission.network(address));
        Known { session: self.session_of(member.member), name, proof: None, address }
    }

    pub(super) fn is_elsewhere(&self, member: MemberId) -> bool {
        self.elsewhere.members.contains_key(&member)
    }

    // ---- names ---------------------------------------------------------------------------------

    /// The local member that has a name with this skeleton, and the name.
    fn local_holder(&self, skeleton: &str) -> Option<(MemberId, Name)> {
        let holder = self.names.holder_here(skeleton)?;
        let local = self.locals[self.local_place(holder)?].as_ref()?;
        Some((holder, local.name.clone()))
    }

    /// The name that a remote member has here belongs to a member of another server. It gets the one back that it had
    /// before, if that is still free.
    fn lose_name(&mut self, loser: MemberId, now: Instant) -> Wakes {
        let Some(from) = self.author_of(loser) else {
            self.left.release_name(loser);
            return Wakes::default();
        };
        let Some(profile) = self.profile_mut(loser) else { return Wakes::default() };
        let (name, before) = (profile.name.take(), profile.name_before.take());
        let Some(name) = name else { return Wakes::default() };
        self.names.release(&name);
        let before = before.filter(|before| self.check_name(before, loser, now).is_ok());
        let before = before.filter(|before| self.keep_name(loser, Some(before.clone())).is_ok());
        match &before {
            Some(before) => self.names.give(before, loser),
            None => self.give_up_name(loser),
        }
        let again = before.as_ref().map_or(String::new(), |before| format!(" You are {before} again."));
        if let Some(profile) = self.profile_mut(loser) {
            profile.name = before;
        }
        let to = self.author_of(loser).unwrap_or(Author::Room);
        let mut wakes = self.note_rename(loser, from, to);
        self.tell_others_of(loser);
        let why = format!(
            "{name} belongs to somebody at another server.{again} /nick NAME gives you another name."
        );
        let told = self.tell(loser, DirectItem::Notice { text: Text::lossy(&why) });
        wakes.add(told.unwrap_or_default());
        wakes
    }
}
