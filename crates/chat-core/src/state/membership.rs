//! Which peers are members: joining, resuming, leaving.

use std::hash::Hasher;
use std::time::{Duration, Instant};

use chat_proto::{
    Author, COMMANDS, DirectItem, Event, Hello, LeaveReason, MemberId, Name, PeerAddr, Resume, Session, Text,
    VERSION, Welcome,
};
use siphasher::sip::SipHasher24;

use super::{State, Wakes};
use crate::access::identity::Identity;
use crate::error::JoinError;
use crate::state::members::{Member, Members, Membership};
use crate::state::profile::Profile;
use crate::transport::outcome::{Joined, Start, Welcomed};

/// A peer that wants to join.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) attachment: usize,
    /// The transport's own number for it.
    pub(crate) key: usize,
    pub(crate) address: PeerAddr,
    /// Who it is known to be.
    pub(crate) proof: Option<Text>,
    /// The transport knows that the peer is really at this address.
    pub(crate) is_proven: bool,
    /// When its connection was made.
    pub(crate) came: Instant,
}

impl Newcomer {
    pub(crate) fn new(
        attachment: usize,
        key: usize,
        peer: &Identity,
        is_proven: bool,
        came: Instant,
    ) -> Self {
        let (address, proof) = (PeerAddr::from(peer.address), peer.proof().cloned());
        Self { attachment, key, address, proof, is_proven, came }
    }
}

impl State {
    pub(crate) fn join(&mut self, newcomer: Newcomer, now: Instant) -> Result<(Joined, Wakes), JoinError> {
        let mut wakes = self.admit(&newcomer, None, now)?;
        let id = self.next_id();
        let member = self.new_member(newcomer, id, self.log.seq());
        let seq = self.log.seq();
        let (member, more) = self.enter(member, now);
        wakes.add(more);
        if let Some(line) = self.topic_line() {
            wakes.add(self.confirm_later(member, DirectItem::Notice { text: line }));
        }
        Ok((Joined { member, id, seq }, wakes))
    }

    /// Joins a framed peer and answers its hello.
    pub(crate) fn welcome(
        &mut self,
        newcomer: Newcomer,
        hello: &Hello,
        now: Instant,
    ) -> Result<(Welcomed, Wakes), JoinError> {
        let head = self.log.seq();
        let resume = hello.resume.filter(|resume| self.goes_on(resume));
        if resume.is_some_and(|resume| resume.have > head) {
            self.count_refused_at(newcomer.attachment);
            return Err(JoinError::Behind);
        }
        let present = resume.and_then(|resume| self.members.key_of(resume.session.member));
        let holder = present.and_then(|membership| self.members.get(membership));
        if holder.is_some_and(|holder| self.since_began_ms(newcomer.came) < holder.came_ms) {
            self.count_refused_at(newcomer.attachment);
            return Err(JoinError::Superseded);
        }
        let mut wakes = self.admit(&newcomer, present, now)?;
        // If an answer is lost, the room cannot say whether it refused a message of the member.
        let mut has_lost = false;
        let (start, taken, (membership, more)) = match (resume, present) {
            (Some(resume), Some(old)) => {
                let member = self.members.get(old);
                has_lost = member.is_some_and(|member| member.has_lost_after(resume.direct));
                let taken = member.map(Member::taken);
                (Start::After(resume.have), taken, self.replace(old, newcomer, &resume))
            }
            (Some(resume), None) => {
                let Resume { session, have, direct, .. } = resume;
                let mut left = self.left.take(session.member);
                let standing = left.as_mut().map(|left| std::mem::take(&mut left.standing));
                let unread = left.as_mut().map(|left| std::mem::take(&mut left.unread)).unwrap_or_default();
                let name = left.as_ref().and_then(|left| left.name.clone());
                let taken = left.map(|left| left.taken).or_else(|| self.log.newest_number_of(session.member));
                let taken = taken.or_else(|| (!self.left.has_forgotten()).then_some(0));
                let mut profile = Profile {
                    name,
                    proof: newcomer.proof.clone(),
                    taken: taken.unwrap_or(0),
                    standing: standing.unwrap_or_default(),
                    ..Profile::default()
                };
                profile.resume(&unread, direct);
                has_lost = unread.has_lost_after(direct);
                let member = Member {
                    is_framed: true,
                    profile: Some(Box::new(profile)),
                    ..self.new_member(newcomer, session.member, have)
                };
                let (membership, mut more) = self.enter(member, now);
                more.add(self.tell_again(membership));
                (Start::After(have), taken, (membership, more))
            }
            (None, _) => {
                let id = self.next_id();
                let mut member = Member { is_framed: true, ..self.new_member(newcomer, id, head) };
                let name = hello.name.as_ref().and_then(|name| name.as_str().parse().ok());
                self.name_at_once(&mut member, name, now);
                let start = Start::History(hello.history.min(self.config.history_max));
                (start, Some(0), self.enter(member, now))
            }
        };
        wakes.add(more);
        let taken = taken.filter(|_| !has_lost);
        if has_lost {
            // Once the member has this, everything before it is settled.
            let text = Text::lossy("Some answers of the room were lost");
            wakes.add(self.confirm_later(membership, DirectItem::Notice { text }));
        }
        // A session that goes on has the name that it took last.
        let has_name = self.members.get(membership).is_some_and(|member| member.name().is_some());
        let wakes = match resume {
            Some(_) if has_name => wakes,
            _ => self.take_name_of_hello(membership, hello, now, wakes),
        };
        Ok((self.answer_hello(membership, resume.is_some(), taken, start), wakes))
    }

    /// Answers the hello of a member that was considered a plain listener. If it resumes a session, it is another
    /// member from now on.
    pub(crate) fn upgrade(
        &mut self,
        membership: Membership,
        hello: &Hello,
        now: Instant,
    ) -> Option<(Result<Welcomed, JoinError>, Wakes)> {
        let head = self.log.seq();
        if hello.resume.is_some_and(|resume| self.goes_on(&resume)) {
            let member = self.members.get(membership)?;
            let &Member { attachment, key, address, is_proven, came_ms, .. } = member;
            let proof = member.proof().cloned();
            let came = self.began + Duration::from_millis(came_ms);
            let (attachment, key) = (attachment as usize, key as usize);
            let mut wakes = self.leave(membership, LeaveReason::Replaced, now);
            let result =
                self.welcome(Newcomer { attachment, key, address, proof, is_proven, came }, hello, now);
            let result = result.map(|(welcomed, more)| {
                wakes.add(more);
                welcomed
            });
            return Some((result, wakes));
        }
        let member = self.members.get_mut(membership)?;
        (member.is_framed, member.since) = (true, head);
        let start = Start::History(hello.history.min(self.config.history_max));
        let wakes = self.take_name_of_hello(membership, hello, now, Wakes::default());
        Some((Ok(self.answer_hello(membership, false, Some(0), start)), wakes))
    }

    fn answer_hello(
        &self,
        membership: Membership,
        resumed: bool,
        taken: Option<u64>,
        start: Start,
    ) -> Welcomed {
        let (member, head) = (self.members.get(membership).expect("it is a member"), self.log.seq());
        let welcome = Welcome {
            version: VERSION,
            capabilities: if self.config.commands.is_some() { COMMANDS } else { 0 },
            epoch: self.epoch,
            session: self.session(member.id, member.since),
            resumed,
            taken,
            you: self.shown(member),
            address: Text::lossy(&member.address.to_string()),
            room: self.name.as_ref().and_then(|name| Text::one_line(name.as_str()).ok()),
            name: member.name().and_then(|name| Text::one_line(name.as_str()).ok()),
            topic: self.topic.clone(),
            head,
            began_unix_ms: self.began_unix_ms,
            members: self.member_count(),
        };
        Welcomed { member: membership, seq: head, welcome, start }
    }

    /// Gives a member that is about to enter the name that it wants, if it can have that: then nobody sees its address.
    pub(super) fn name_at_once(&mut self, member: &mut Member, name: Option<Name>, now: Instant) {
        if let Some(name) = name
            && self.config.names.are_allowed()
            && self.check_name(&name, member.id, now).is_ok()
            && self.keep_name(member.id, Some(name.clone())).is_ok()
        {
            self.names.give(&name, member.id);
            member.profile_mut().name = Some(name);
        }
    }

    /// Gives a member the name that its hello asks for, unless it entered with it, or tells it why not.
    fn take_name_of_hello(
        &mut self,
        membership: Membership,
        hello: &Hello,
        now: Instant,
        mut wakes: Wakes,
    ) -> Wakes {
        let (Some(name), Some((id, _))) = (&hello.name, self.identity(membership)) else { return wakes };
        let result = match name.as_str().parse::<Name>() {
            Ok(name) => self.rename(id, Some(name), now).map_err(|error| error.advice()),
            Err(error) => Err(format!("'{name}' cannot be your name: {error}")),
        };
        let told = match result {
            Ok((_, renamed)) => Ok(renamed),
            Err(why) => self.tell(id, DirectItem::Notice { text: Text::lossy(&why) }),
        };
        wakes.add(told.unwrap_or_default());
        wakes
    }

    /// Whether a peer at `address` may be a member, if `instead` stops being one. In a full room the member
    /// that has not answered its welcome for the longest time makes way.
    pub(super) fn admit(
        &mut self,
        newcomer: &Newcomer,
        instead: Option<Membership>,
        now: Instant,
    ) -> Result<Wakes, JoinError> {
        let address = newcomer.address;
        let result = match self.check_limits(address, instead) {
            Ok(()) => Ok(Wakes::default()),
            Err(full @ JoinError::RoomFull { .. }) => match self.members.oldest_unanswered(instead) {
                Some(silent) => {
                    let wakes = self.dismiss(silent, &LeaveReason::RoomFull, now);
                    self.check_limits(address, instead).map(|()| wakes)
                }
                None => Err(full),
            },
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.count_refused_at(newcomer.attachment);
        }
        result
    }

    fn count_refused_at(&mut self, attachment: usize) {
        let tag = tag_of(&self.attachments, u32::try_from(attachment).unwrap_or(u32::MAX));
        self.count_refused(tag);
    }

    fn check_limits(&self, address: PeerAddr, instead: Option<Membership>) -> Result<(), JoinError> {
        if self.closing.is_some() {
            return Err(JoinError::Closing);
        }
        let old = instead.and_then(|membership| self.members.get(membership));
        self.admission.enter(address, old.map(|member| member.address))
    }

    pub(super) fn next_id(&mut self) -> MemberId {
        self.newest_id += 1;
        self.set_ids_aside();
        MemberId::new(self.newest_id)
    }

    /// The id of a local member, from the same numbers.
    pub(super) fn next_local_id(&mut self) -> MemberId {
        self.next_id()
    }

    /// Adds a member and announces it to the others.
    pub(super) fn enter(&mut self, member: Member, now: Instant) -> (Membership, Wakes) {
        let (id, attachment) = (member.id, member.attachment as usize);
        let membership = self.insert(member);
        if let Some(member) = self.members.get(membership) {
            let tag = self.tag(member);
            self.by_transport.of(tag).joined += 1;
        }
        self.members_peak = self.members_peak.max(self.members.len());
        let author = self.members.get(membership).map_or(Author::Room, |member| self.shown(member));
        // Before the members are counted: a session that comes from another server is not there any more.
        self.tell_others_of(id);
        let joined = Event::Joined { member: id, author, members: self.member_count() };
        self.presence_summary.count(&joined, now);
        (membership, self.append(joined, Some(attachment)))
    }

    fn insert(&mut self, member: Member) -> Membership {
        let attachments = &self.attachments;
        self.members.insert(member, |attachment| tag_of(attachments, attachment))
    }

    /// A session goes on over another connection, with the state of its rate limit and the items of its lane. The
    /// others do not notice.
    fn replace(&mut self, old: Membership, newcomer: Newcomer, resume: &Resume) -> (Membership, Wakes) {
        let mut wakes = self.tell_dismissed(old, LeaveReason::Replaced);
        let old = self.members.remove(old).expect("it was just found");
        let Member { id, mut profile, .. } = old;
        if newcomer.proof.is_some() || profile.is_some() {
            profile.get_or_insert_default().proof = newcomer.proof.clone();
        }
        let mut member = Member { profile, is_framed: true, ..self.new_member(newcomer, id, resume.have) };
        if resume.direct > 0 {
            let profile = member.profile_mut();
            // A late hello may have taken the session up with an older number than the client has come to by now.
            profile.direct = profile.direct.max(resume.direct);
            profile.direct_got(resume.direct);
        }
        if let Some(profile) = &mut member.profile {
            profile.goes_on();
        }
        let membership = self.insert(member);
        wakes.add(self.tell_again(membership));
        (membership, wakes)
    }

    pub(super) fn new_member(&self, newcomer: Newcomer, id: MemberId, since: u64) -> Member {
        let Newcomer { attachment, key, address, proof, is_proven, came } = newcomer;
        let small = |number| u32::try_from(number).expect("a process has fewer of them than 2^32");
        Member {
            id,
            address,
            attachment: small(attachment),
            key: small(key),
            tag_count: 0,
            is_proven,
            is_framed: false,
            came_ms: self.since_began_ms(came),
            since,
            profile: proof.map(|proof| Box::new(Profile { proof: Some(proof), ..Profile::default() })),
        }
    }

    fn session(&self, member: MemberId, since: u64) -> Session {
        let mut hasher = SipHasher24::new_with_keys(self.secret.0, self.secret.1);
        hasher.write_u64(member.as_u64());
        hasher.write_u64(since);
        Session { member, since, key: hasher.finish() }
    }

    /// Whether `resume` names a session of this room and asks for nothing older than that session.
    fn is_proven(&self, resume: &Resume) -> bool {
        let Resume { epoch, session, have, .. } = *resume;
        epoch == self.epoch && session == self.session(session.member, session.since) && have >= session.since
    }

    /// Whether this is a session of the room that can go on: here and now, or once what it has read elsewhere has come
    /// here.
    pub(super) fn goes_on(&self, resume: &Resume) -> bool {
        self.is_proven(resume) && (self.is_shared() || resume.have <= self.log.seq())
    }

    /// The tag of a member's transport.
    pub(super) fn tag(&self, member: &Member) -> &'static str {
        tag_of(&self.attachments, member.attachment)
    }

    /// A member's identity, and how it is shown.
    pub(crate) fn identity(&self, membership: Membership) -> Option<(MemberId, Author)> {
        let member = self.members.get(membership)?;
        Some((member.id, self.shown(member)))
    }

    /// The author that is shown for a member.
    pub(super) fn shown(&self, member: &Member) -> Author {
        let is_bare = !member.is_proven && member.tag_count == 0 && member.name().is_none();
        if is_bare && self.admission.opening().contains(member.address) {
            return self.members.tagged(member, |attachment| tag_of(&self.attachments, attachment));
        }
        member.author(self.tag(member))
    }

    pub(crate) fn members_mut(&mut self) -> &mut Members {
        &mut self.members
    }
}

fn tag_of(attachments: &[Option<super::readers::AttachmentState>], attachment: u32) -> &'static str {
    let attachment = attachments.get(attachment as usize).and_then(Option::as_ref);
    attachment.map_or(super::readers::DEFAULT_TAG, |attachment| attachment.tag)
}
