//! Who is a member: joining, speaking, leaving, and sessions that are taken up again.

use std::hash::Hasher;
use std::time::{Duration, Instant};

use chat_proto::limits::PRESENT_PEERS_MAX;
use chat_proto::{Author, Event, Hello, LeaveReason, PeerAddr, Present, Resume, Session, Text, Welcome};

use super::{State, Wakes};
use crate::attachment::{Accepted, Dismissed, Joined, Outcome, Said, Start};
use crate::config::RoomConfig;
use crate::error::{JoinError, SayError};
use crate::members::{Member, MemberId, Members};
use crate::rate::RateLimit;

/// How long a speaker waits while some transport has more than half of the log still to pull.
const CROWDED_PAUSE: Duration = Duration::from_millis(1);

impl State {
    pub(crate) fn join(
        &mut self,
        attachment: usize,
        key: usize,
        peer: PeerAddr,
        now: Instant,
    ) -> Result<(Joined, Wakes), JoinError> {
        if let Err(error) = self.admit(peer) {
            self.counted.refused += 1;
            return Err(error);
        }
        let seq = self.log.seq();
        let member = Member { peer, attachment, key, since: seq, pace: RateLimit::default(), accepted: 0 };
        let member = self.members.insert(member);
        self.counted.joined += 1;
        self.counted.members_peak = self.counted.members_peak.max(self.members.len());
        let joined = Event::Joined { peer, members: self.member_count() };
        self.gathered.count(&joined, now);
        let wakes = self.append(joined, now, Some(attachment));
        Ok((Joined { member, seq }, wakes))
    }

    fn admit(&self, peer: PeerAddr) -> Result<(), JoinError> {
        let RoomConfig { members_max, members_per_address_max, .. } = self.config;
        if self.closing.is_some() {
            return Err(JoinError::Closing);
        }
        if self.members.len() >= members_max {
            return Err(JoinError::RoomFull { members_max });
        }
        if !self.is_exempt(peer) && self.members.sharing_network_with(peer) >= members_per_address_max {
            return Err(JoinError::AddressFull { members_per_address_max });
        }
        Ok(())
    }

    /// Whether limits per address and rate do not concern `peer`.
    fn is_exempt(&self, peer: PeerAddr) -> bool {
        peer.is_loopback() && !self.config.limit_loopback
    }

    /// Answers the hello of a framed member: who he is and where he starts to read.
    pub(crate) fn welcome(
        &mut self,
        id: MemberId,
        hello: &Hello,
        now: Instant,
    ) -> Option<(Welcome, Start, Wakes)> {
        // Who was put out before his hello came replaces nobody.
        self.members.get(id)?;
        let head = self.log.seq();
        let known = hello.resume.filter(|resume| self.is_proven(resume) && resume.have <= head);
        let (start, wakes) = match known {
            Some(resume) => {
                // Whatever the old connection still had under way must not be said after this
                // moment, or the member would say it a second time.
                let wakes = self.replace(MemberId::from_u64(resume.session.member), id, now);
                self.members.get_mut(id)?.since = resume.have;
                (Start::After(resume.have), wakes)
            }
            None => (Start::History(hello.history.min(self.config.history_max)), Wakes::default()),
        };
        let &Member { peer, since, .. } = self.members.get(id)?;
        let welcome = Welcome {
            epoch: self.epoch,
            session: self.session(id.as_u64(), since),
            you: peer,
            head,
            began_unix_ms: self.began_unix_ms,
            members: self.member_count(),
        };
        Some((welcome, start, wakes))
    }

    fn session(&self, member: u64, since: u64) -> Session {
        let mut hasher = self.keys;
        hasher.write_u64(member);
        hasher.write_u64(since);
        Session { member, since, key: hasher.finish() }
    }

    /// Whether `resume` is of a session of this room, and asks for nothing older than that.
    fn is_proven(&self, resume: &Resume) -> bool {
        let Resume { epoch, session, have } = *resume;
        epoch == self.epoch && session == self.session(session.member, session.since) && have >= session.since
    }

    /// The session of `old` goes on as `new`, at the pace it had.
    fn replace(&mut self, old: MemberId, new: MemberId, now: Instant) -> Wakes {
        if old == new {
            return Wakes::default();
        }
        if let Some(pace) = self.members.get(old).map(|member| member.pace)
            && let Some(member) = self.members.get_mut(new)
        {
            member.pace = pace;
        }
        self.dismiss(old, LeaveReason::Replaced, now)
    }

    pub(crate) fn say(&mut self, id: MemberId, text: Text, now: Instant) -> Result<(Said, Wakes), SayError> {
        let (pause, attachment, event) = self.count(id, now, |member| {
            let author = Author::Peer(member.peer);
            Event::Said { author, text }
        })?;
        let wakes = self.append(event, now, Some(attachment));
        let outcome = Outcome::Accepted { seq: self.log.seq() };
        Ok((Said { outcome, pause_until: self.pause_until(pause, now) }, wakes))
    }

    /// A message of this member is not to be said: `why` stands in its place.
    pub(crate) fn refuse(
        &mut self,
        id: MemberId,
        why: Text,
        now: Instant,
    ) -> Result<(Said, Wakes), SayError> {
        let (pause, attachment, event) = self.count(id, now, |member| Event::Refused {
            peer: member.peer,
            member: id.as_u64(),
            said: member.accepted,
            why: why.clone(),
        })?;
        self.counted.moderated += 1;
        let wakes = self.append(event, now, Some(attachment));
        Ok((Said { outcome: Outcome::Refused { why }, pause_until: self.pause_until(pause, now) }, wakes))
    }

    /// Counts a message of a member; returns the end of the pause that it costs him, his attachment, and what
    /// `event` makes of it.
    fn count(
        &mut self,
        id: MemberId,
        now: Instant,
        event: impl FnOnce(&Member) -> Event,
    ) -> Result<(Option<Instant>, usize, Event), SayError> {
        self.speaker(id)?;
        let since_began = now.saturating_duration_since(self.began);
        let limits_loopback = self.config.limit_loopback;
        let member = self.members.get_mut(id).ok_or(SayError::NotMember)?;
        let rate = self.config.rate.filter(|_| limits_loopback || !member.peer.is_loopback());
        let within = rate.and_then(|rate| member.pace.count(rate, since_began));
        member.accepted += 1;
        let (attachment, event) = (member.attachment, event(member));
        self.counted.paced += u64::from(within.is_some());
        Ok((within.map(|within| self.began + within), attachment, event))
    }

    fn pause_until(&self, paced: Option<Instant>, now: Instant) -> Option<Instant> {
        paced.max(self.is_crowded().then(|| now + CROWDED_PAUSE))
    }

    /// The address of a member who may speak.
    pub(crate) fn speaker(&self, id: MemberId) -> Result<PeerAddr, SayError> {
        if self.closing.is_some() {
            return Err(SayError::Closing);
        }
        self.members.get(id).map(|member| member.peer).ok_or(SayError::NotMember)
    }

    /// A member leaves whose transport knows of it.
    pub(crate) fn leave(&mut self, id: MemberId, reason: LeaveReason, now: Instant) -> Wakes {
        match self.members.remove(id) {
            Some(member) => self.announce_left(&member, reason, now, Some(member.attachment)),
            None => Wakes::default(),
        }
    }

    /// As [`leave`](Self::leave), and takes back what `attachment` was to be told of him: returns what his peer is to
    /// be told.
    pub(crate) fn leave_by_attachment(
        &mut self,
        attachment: usize,
        id: MemberId,
        reason: LeaveReason,
        now: Instant,
    ) -> (LeaveReason, Wakes) {
        let dismissed = self.attachments[attachment].as_mut().and_then(|attachment| {
            let place = attachment.dismissed.iter().position(|dismissed| dismissed.member == id)?;
            Some(attachment.dismissed.remove(place).reason)
        });
        match dismissed {
            Some(reason) => (reason, Wakes::default()),
            None => (reason.clone(), self.leave(id, reason, now)),
        }
    }

    /// A member must go, and his transport must be told.
    fn dismiss(&mut self, id: MemberId, reason: LeaveReason, now: Instant) -> Wakes {
        let Some(member) = self.members.remove(id) else {
            return Wakes::default();
        };
        if let Some(Some(attachment)) = self.attachments.get_mut(member.attachment) {
            attachment.dismissed.push(Dismissed { key: member.key, member: id, reason: reason.clone() });
        }
        self.announce_left(&member, reason, now, None)
    }

    fn announce_left(
        &mut self,
        member: &Member,
        reason: LeaveReason,
        now: Instant,
        except: Option<usize>,
    ) -> Wakes {
        self.counted.left += 1;
        let left = Event::Left { peer: member.peer, reason, members: self.member_count() };
        self.gathered.count(&left, now);
        self.append(left, now, except)
    }

    /// `None` if no member has this address. It can be several: over several transports, or through
    /// several listening sockets.
    pub(crate) fn kick(&mut self, peer: PeerAddr, reason: &LeaveReason, now: Instant) -> Option<Wakes> {
        let kicked = self.those(|member| member.peer == peer);
        let wakes = |id| self.dismiss(id, reason.clone(), now).0;
        (!kicked.is_empty()).then(|| Wakes(kicked.into_iter().flat_map(wakes).collect()))
    }

    pub(super) fn those(&self, which: impl Fn(&Member) -> bool) -> Vec<MemberId> {
        self.members.iter().filter(|(_, member)| which(member)).map(|(id, _)| id).collect()
    }

    pub(crate) fn present(&self) -> Present {
        let peers: Vec<PeerAddr> =
            self.members.iter().map(|(_, member)| member.peer).take(PRESENT_PEERS_MAX).collect();
        Present { members: self.member_count(), more: peers.len() < self.members.len(), peers }
    }

    pub(crate) fn accepted(&self, id: MemberId) -> Accepted {
        let messages = self.members.get(id).map_or(0, |member| member.accepted);
        Accepted { messages, head: self.log.seq() }
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }
}
