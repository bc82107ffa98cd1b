//! What members at an attachment do, and what happens to them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_core::transport::{Membership, Outcome, Start, Update};
use chat_core::{MemberId, Waker};
use chat_proto::{Event, Hello, LeaveReason, Resume, Text, Welcome};

use super::reading::Reading;
use super::{ADDRESSES, Member, PORTS, Run, Transport};
use crate::choices::Choices;

impl Run {
    pub(super) fn attach_or_detach(&mut self, choices: &mut Choices<'_>) {
        let index = choices.below(PORTS);
        if self.attachments[index].is_none() {
            let wakes = Arc::<AtomicUsize>::default();
            let count = Arc::clone(&wakes);
            let waker = Waker::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            });
            let attachment = self.room.attach(waker);
            let is_update = self.room.stats().log_entries > 0;
            let transport = Transport {
                attachment,
                wakes,
                is_update,
                reading: Reading::default(),
                dismissed: Vec::new(),
            };
            self.attachments[index] = Some(transport);
        } else if choices.yes() {
            self.attachments[index] = None;
            for member in self.members.iter_mut().filter(|member| member.attachment == index) {
                member.is_here = false;
            }
            self.tell_all_but(None);
        }
    }

    pub(super) fn join(&mut self, index: usize, choices: &mut Choices<'_>) {
        let Some(transport) = &self.attachments[index] else { return };
        let host = choices.below(usize::from(ADDRESSES));
        let address: SocketAddr = match host {
            0..=2 => ([127, 0, 0, 1], 1 + u16::try_from(host).expect("few")).into(),
            _ => ([192, 0, 2, 1], u16::try_from(host).expect("few")).into(),
        };
        let stats = self.room.stats();
        let Ok(joined) = transport.attachment.join(0, address, self.time.now()) else {
            assert_eq!(self.room.stats().refused, stats.refused + 1);
            return;
        };
        assert_eq!(joined.seq, self.truth.len() as u64, "it hears what follows");
        self.arrived(joined.member, joined.id, index, None);
    }

    /// A member has joined that was not here.
    fn arrived(&mut self, key: Membership, id: MemberId, attachment: usize, welcome: Option<Welcome>) {
        assert!(self.members.iter().all(|member| member.key != key), "a membership is given out once");
        let taken = welcome.as_ref().and_then(|welcome| welcome.taken).unwrap_or(0);
        self.members.push(Member { key, id, attachment, is_here: true, taken, welcome });
        self.joined += 1;
        self.tell_all_but(Some(attachment));
    }

    /// Chooses one of all memberships, including ended ones.
    fn member(&self, choices: &mut Choices<'_>) -> Option<usize> {
        let back = usize::from(choices.byte()).min(self.members.len().checked_sub(1)?);
        Some(self.members.len() - 1 - back)
    }

    pub(super) fn say(&mut self, choices: &mut Choices<'_>) {
        let Some(index) = self.member(choices) else { return };
        let length = usize::from(choices.byte());
        let text = Text::one_line(&"x".repeat(length)).expect("short");
        let member = &mut self.members[index];
        let Some(transport) = &self.attachments[member.attachment] else { return };
        let moderated = self.is_moderated;
        let present = self.room.presence(usize::MAX).1;
        let is_muted = present.iter().any(|one| one.member == member.id && one.is_muted);
        let said = transport.attachment.say(member.key, text.clone(), self.time.now());
        assert_eq!(said.is_ok(), member.is_here && !self.room.is_closing(), "a member is heard, nobody else");
        let Ok(said) = said else { return };
        member.taken += 1;
        match (said.outcome, moderated, length % 10) {
            // Only the speaker learns of a refusal, so no other transport has an update.
            (Outcome::Refused, true, 9) => return,
            (Outcome::Refused, ..) if is_muted => return,
            (Outcome::Accepted { seq }, _, _) => {
                let text = if moderated && length % 10 == 8 { "changed" } else { text.as_str() };
                self.truth.push((member.id, text.to_owned()));
                assert_eq!(seq, self.truth.len() as u64);
            }
            (outcome, ..) => panic!("{outcome:?}"),
        }
        let attachment = member.attachment;
        self.tell_all_but(Some(attachment));
    }

    /// A member sends a command, or an operator acts on a member.
    pub(super) fn command(&mut self, choices: &mut Choices<'_>) {
        let Some(index) = self.member(choices) else { return };
        let member = &self.members[index];
        let Some(transport) = &self.attachments[member.attachment] else { return };
        let (key, id, own) = (member.key, member.id, member.attachment);
        let who = ["ann", "Ann", "iris", "lris", "bob", "192.0.2.1:4", "127.0.0.1:1"][choices.below(7)];
        let line = match choices.below(8) {
            0..=1 => format!("/nick {who}"),
            2 => "/nick".to_owned(),
            3..=4 => format!("/msg {who} {}", "x".repeat(usize::from(choices.byte()))),
            5 => format!("/ignore {who}"),
            6 => format!("/unignore {who}"),
            _ => ["/reply hi", "/who", "/rooms", "/topic", "/help", "/", "/kick ann", "/join dev"]
                [choices.below(8)]
            .to_owned(),
        };
        if choices.below(4) == 0 {
            let shown = self.room.presence(usize::MAX).1.into_iter().find(|one| one.member == id);
            match shown.map(|one| one.author) {
                Some(who) if choices.yes() => drop(self.room.unmute(&who.to_string())),
                Some(who) => drop(self.room.mute(&who).expect("it is present, and there are few mutes")),
                None => {}
            }
        }
        let (seq, was_here) = (self.truth.len() as u64, member.is_here && !self.room.is_closing());
        let text = Text::one_line(&line).expect("short");
        let said = transport.attachment.say(key, text, self.time.now());
        assert_eq!(said.is_ok(), was_here, "a member is answered, nobody else");
        let Ok(said) = said else { return };
        assert!(matches!(said.outcome, Outcome::Answered { .. }), "{line} is not said: {said:?}");
        self.members[index].taken += 1;
        assert_eq!(self.room.stats().messages, seq, "{line} is no message");
        if choices.yes() {
            let transport = self.attachments[own].as_ref().expect("it was there");
            transport.attachment.got(key, choices.number());
        }
        // It depends on names and direct lanes whether the command concerns another member. Take it as given that a
        // transport that was woken has an update.
        for transport in self.attachments.iter_mut().flatten() {
            transport.is_update |= transport.wakes.load(Ordering::Relaxed) > 0;
        }
        let mut shown = self.room.members();
        let count = shown.len();
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown.len(), count, "no two are shown alike");
    }

    pub(super) fn leave(&mut self, choices: &mut Choices<'_>) {
        let Some(index) = self.member(choices) else { return };
        let member = &mut self.members[index];
        let Some(transport) = &mut self.attachments[member.attachment] else { return };
        let told = transport.attachment.leave(member.key, LeaveReason::Quit, self.time.now());
        // If the room has dismissed the peer, `leave` reports that, and the next pull does not report it again.
        let was_dismissed = transport.dismissed.contains(&member.key);
        transport.dismissed.retain(|dismissed| *dismissed != member.key);
        assert_eq!(told != LeaveReason::Quit, was_dismissed, "{told:?}");
        let attachment = member.attachment;
        if std::mem::take(&mut member.is_here) {
            self.tell_all_but(Some(attachment));
        }
    }

    pub(super) fn kick(&mut self, choices: &mut Choices<'_>) {
        let members = self.room.members();
        let Some(who) = members.get(choices.below(members.len().max(1))) else { return };
        assert!(members.iter().filter(|member| *member == who).count() == 1, "no two are shown alike");
        self.room.kick(who.clone(), "why not").expect("it is here");
        // Find the kicked member: the one that is no longer a member.
        let gone: Vec<usize> = (0..self.members.len())
            .filter(|&index| {
                let member = &self.members[index];
                let attachment = self.attachments[member.attachment].as_ref();
                member.is_here
                    && attachment.is_some_and(|transport| !transport.attachment.is_member(member.key))
            })
            .collect();
        assert_eq!(gone.len(), 1, "one and nobody else");
        self.dismissed(gone[0]);
        self.tell_all_but(None);
    }

    /// The room has ended a membership.
    fn dismissed(&mut self, index: usize) {
        let member = &mut self.members[index];
        member.is_here = false;
        let transport =
            self.attachments[member.attachment].as_mut().expect("members leave with their attachment");
        transport.dismissed.push(member.key);
        transport.is_update = true;
    }

    /// A framed peer joins. It may resume the session of an earlier peer.
    pub(super) fn welcome(&mut self, choices: &mut Choices<'_>) {
        let (index, before) = (choices.below(PORTS), self.member(choices));
        let known = before.and_then(|before| self.members[before].welcome.clone()).filter(|_| choices.yes());
        let (have, direct) = (choices.number(), choices.number());
        let forged = choices.below(8) == 1;
        let resume = known.as_ref().map(|known| {
            let mut session = known.session;
            session.key ^= u64::from(forged);
            Resume { epoch: known.epoch, session, have, direct }
        });
        let hello = Hello { resume, history: u16::from(choices.byte()), ..Hello::default() };
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let Some(transport) = &self.attachments[index] else { return };
        let (head, now) = (self.truth.len() as u64, self.time.now());
        let Ok(welcomed) = transport.attachment.welcome(0, address, &hello, now, now) else { return };
        let (key, start, welcome) = (welcomed.member, welcomed.start, welcomed.welcome);
        assert_eq!((welcome.head, welcome.address.as_str()), (head, "127.0.0.1:9"));
        let proven = known.filter(|known| !forged && have >= known.session.since && have <= head);
        assert_eq!(welcome.resumed, proven.is_some());
        let Some(known) = proven else {
            assert!(matches!(start, Start::History(messages) if messages <= hello.history), "{start:?}");
            return self.arrived(key, welcome.session.member, index, Some(welcome));
        };
        assert_eq!(start, Start::After(have));
        let id = known.session.member;
        assert_eq!(welcome.session.member, id, "it is the same member");
        match self.members.iter().position(|member| member.is_here && member.id == id) {
            None => self.arrived(key, id, index, Some(welcome)),
            Some(old) => {
                assert_eq!(welcome.taken, Some(self.members[old].taken));
                let taken = self.members[old].taken;
                self.dismissed(old);
                self.members.push(Member {
                    key,
                    id,
                    attachment: index,
                    is_here: true,
                    taken,
                    welcome: Some(welcome),
                });
            }
        }
    }

    pub(super) fn pull(&mut self, index: usize) {
        let Some(transport) = &mut self.attachments[index] else { return };
        let mut update = Update::default();
        transport.attachment.pull(&mut update);
        transport.wakes.store(0, Ordering::Relaxed);
        transport.is_update = false;
        if let Some(seq) = update.missed_up_to {
            transport.reading.miss(seq - transport.reading.seq);
        }
        for entry in &update.entries {
            transport.reading.entry(entry, &self.truth);
        }
        assert_eq!(transport.reading.seq, self.truth.len() as u64, "a pull brings all");
        let mut dismissed: Vec<Membership> =
            update.dismissed.iter().map(|dismissed| dismissed.member).collect();
        dismissed.sort_unstable();
        transport.dismissed.sort_unstable();
        assert_eq!(dismissed, std::mem::take(&mut transport.dismissed), "each is dismissed once");
        assert_eq!(update.closing.is_some(), self.room.is_closing());
        // The first attachment that pulls gets the presence summary.
        let newest =
            update.entries.last().filter(|entry| matches!(entry.event, Event::PresenceSummary { .. }));
        if let Some(newest) = newest
            && !self.summary.as_ref().is_some_and(|known| Arc::ptr_eq(known, newest))
        {
            self.summary = Some(Arc::clone(newest));
            self.tell_all_but(Some(index));
        }
    }
}
