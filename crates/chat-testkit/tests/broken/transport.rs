//! A transport of lines over channels, with or without a fault.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chat_core::commands::Action;
use chat_core::transport::{
    Attachment, Cursor, Dismissed, EncodedLog, Joined, Membership, Outcome, Pending, Told, Transport, Turn,
    Update,
};
use chat_core::{JoinError, LagPolicy, Room, Waker};
use chat_proto::{LeaveReason, Text};
use chat_testkit::conformance::Heard;
use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};

use crate::fault::Fault;
use crate::peer::{Arrival, Door, UNREAD_LINES_MAX, Word};

pub(crate) struct ChannelTransport {
    fault: Option<Fault>,
    attachment: Attachment,
    update: Update,
    log: EncodedLog,
    lag_policy: LagPolicy,
    bell: Receiver<()>,
    arrivals: Receiver<Arrival>,
    members: Vec<Served>,
    busy: bool,
}

struct Served {
    member: Membership,
    words: Receiver<Word>,
    to_peer: Sender<Heard>,
    is_gone: Arc<AtomicBool>,
    /// Items that wait for this peer alone. These are few unless a fault adds more.
    owed: VecDeque<Heard>,
    cursor: Cursor,
    pause_until: Option<Instant>,
    /// It goes to another room once it has everything before this slot. Its peer has to connect again for that.
    goes_at: Option<u64>,
    leaving: bool,
}

impl ChannelTransport {
    pub(crate) fn new(room: &Room, fault: Option<Fault>) -> (Self, Door) {
        let (ring, bell) = bounded(1);
        let (arrive, arrivals) = bounded(64);
        let wake = ring.clone();
        let attachment = room.attach(Waker::new(move || {
            let _full = wake.try_send(());
        }));
        let config = room.config();
        let transport = Self {
            fault,
            attachment,
            update: Update::default(),
            log: EncodedLog::new(config.log_bytes_max()),
            lag_policy: config.lag_policy(),
            bell,
            arrivals,
            members: Vec::new(),
            busy: false,
        };
        (transport, Door::new(arrive, ring))
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn wait(&self, until: Option<Instant>) {
        if self.has(Fault::LosesEarlyWakes) {
            let _token = self.bell.try_recv();
        }
        if self.busy || self.has(Fault::Spins) {
            return;
        }
        let until = if self.has(Fault::OverstaysItsTurn) { None } else { until };
        let _token = match until.into_iter().chain(self.due()).min() {
            Some(until) => self.bell.recv_deadline(until).is_ok(),
            None => self.bell.recv().is_ok(),
        };
    }

    fn accept(&mut self, now: Instant) {
        while let Ok((address, words, to_peer, is_gone)) = self.arrivals.try_recv() {
            match self.attachment.join(0, address, now) {
                Ok(Joined { member, seq, .. }) => {
                    if !self.has(Fault::LooksUpTooEarly) {
                        self.pull();
                    }
                    let cursor = self.log.after(seq);
                    let owed = VecDeque::new();
                    self.members.push(Served {
                        member,
                        words,
                        to_peer,
                        is_gone,
                        owed,
                        cursor,
                        pause_until: None,
                        goes_at: None,
                        leaving: false,
                    });
                }
                Err(_) if self.has(Fault::RefusesSilently) => {}
                Err(error) => refuse(&to_peer, error),
            }
        }
    }

    fn listen(&mut self, now: Instant) -> io::Result<()> {
        self.busy = false;
        for at in 0..self.members.len() {
            self.listen_to(at, now)?;
        }
        Ok(())
    }

    fn listen_to(&mut self, at: usize, now: Instant) -> io::Result<()> {
        let fault = self.fault;
        let has = |one| fault == Some(one);
        let member = &mut self.members[at];
        while !member.leaving && (member.goes_at.is_none() || has(Fault::HearsOnInTheOldRoom)) {
            // This fault stops listening as soon as the peer is gone.
            if has(Fault::DropsLastWords) && member.is_gone.load(Ordering::SeqCst) {
                self.attachment.leave(member.member, LeaveReason::Quit, now);
                member.leaving = true;
                break;
            }
            if let Some(until) = member.pause_until {
                if until <= now {
                    member.pause_until = None;
                } else if has(Fault::DropsInPauses) {
                    let _dropped = member.words.try_recv();
                    break;
                } else {
                    break;
                }
            }
            match member.words.try_recv() {
                Ok(Word::Line(line)) => {
                    for text in
                        Text::split(&line).take(if has(Fault::CutsLongLines) { 1 } else { usize::MAX })
                    {
                        let said = match has(Fault::SaysCommands) {
                            true => self.attachment.say_as_it_is(member.member, None, text, now),
                            false => self.attachment.say(member.member, text, now),
                        };
                        let Ok(said) = said else { break };
                        member.pause_until = said.pause_until.filter(|_| !has(Fault::DoesNotPause));
                        if matches!(said.outcome, Outcome::Answered { action: Some(Action::Move(_)) }) {
                            member.goes_at = Some(u64::MAX); // until the next pull tells
                        }
                    }
                    self.busy = true; // the others have their turn, too
                }
                Err(TryRecvError::Empty) => break,
                Ok(Word::Goodbye) | Err(TryRecvError::Disconnected) if has(Fault::KeepsGhosts) => break,
                Err(TryRecvError::Disconnected) if has(Fault::EndsWithAPeer) => {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                ended => {
                    let reason = if ended.is_ok() { LeaveReason::Quit } else { LeaveReason::Lost };
                    self.attachment.leave(member.member, reason, now);
                    member.leaving = true;
                }
            }
        }
        Ok(())
    }

    fn pull(&mut self) {
        self.attachment.pull(&mut self.update);
        if let Some(seq) = self.update.missed_up_to
            && self.fault != Some(Fault::IgnoresItsOwnGap)
        {
            self.log.restart_after(seq);
        }
        for entry in &self.update.entries {
            self.log.push(entry, |entry, out| {
                if entry.event.is_message() {
                    out.extend_from_slice(entry.event.to_string().as_bytes());
                }
            });
        }
        for Told { member, direct, .. } in &self.update.direct {
            let fault = self.fault;
            let told = |served: &&mut Served| served.member == *member || fault == Some(Fault::TellsEveryone);
            for served in self.members.iter_mut().filter(told) {
                let heard = Heard::Line(direct.item.to_string());
                match fault {
                    Some(Fault::KeepsRefusalsBack) => {}
                    Some(Fault::TellsNewestFirst) => served.owed.push_front(heard),
                    _ => served.owed.push_back(heard),
                }
            }
            self.attachment.got(*member, direct.number);
        }
        for Dismissed { member, reason, .. } in &self.update.dismissed {
            if let Some(member) = self.members.iter_mut().find(|served| served.member == *member) {
                member.leaving = true;
                if self.fault != Some(Fault::DismissesSilently) {
                    member.owed.push_back(Heard::Closed(reason.to_string()));
                }
            }
        }
    }

    fn flush_all(&mut self, now: Instant) {
        let end = if self.has(Fault::GoesBeforeItsTime) { 0 } else { self.log.slots().end };
        let goes = self.members.iter_mut().filter_map(|member| member.goes_at.as_mut());
        goes.filter(|slot| **slot == u64::MAX).for_each(|slot| *slot = end);
        let Self { fault, attachment, log, lag_policy, members, .. } = self;
        for member in &mut *members {
            member.flush(log, *lag_policy, attachment, *fault, now);
        }
        members.retain(|member| !member.leaving || !member.owed.is_empty());
    }
}

fn refuse(to_peer: &Sender<Heard>, error: JoinError) {
    let _gone = to_peer.try_send(Heard::Closed(LeaveReason::from(error).to_string()));
}

impl Served {
    fn flush(
        &mut self,
        log: &EncodedLog,
        lag_policy: LagPolicy,
        attachment: &Attachment,
        fault: Option<Fault>,
        now: Instant,
    ) {
        let has = |one| fault == Some(one);
        let mut lines = 0;
        loop {
            while let Some(next) = self.owed.pop_front() {
                if has(Fault::WaitsForReaders) {
                    let _gone = self.to_peer.send(next);
                } else if let Err(TrySendError::Full(next)) = self.to_peer.try_send(next) {
                    self.owed.push_front(next);
                    if has(Fault::BuffersWithoutEnd) {
                        break;
                    }
                    return;
                }
            }
            if self.leaving {
                return;
            }
            let is_there = self.goes_at.is_some_and(|slot| self.cursor.slot() >= slot);
            if is_there && !has(Fault::StaysInTheOldRoom) {
                attachment.leave(self.member, LeaveReason::Quit, now);
                self.leaving = true;
                self.owed.push_back(Heard::Closed(LeaveReason::Quit.to_string()));
                continue;
            }
            match log.pending(self.cursor) {
                Pending::Nothing => return,
                Pending::Lagged { missed, resume } => {
                    self.cursor = resume;
                    if missed == 0 || has(Fault::SkipsSilently) {
                        continue;
                    }
                    if lag_policy == LagPolicy::Close && !has(Fault::KeepsLaggards) {
                        attachment.leave(self.member, LeaveReason::Lagged, now);
                        self.leaving = true;
                        self.owed.push_back(Heard::Closed(LeaveReason::Lagged.to_string()));
                        continue;
                    }
                    attachment.count_missed(missed);
                    self.owed.push_back(Heard::Missed(missed + u64::from(has(Fault::MiscountsMissed))));
                }
                // It must not have everything by the time it goes, however fast it reads.
                Pending::Bytes(..) if has(Fault::GoesBeforeItsTime) && lines == UNREAD_LINES_MAX => return,
                Pending::Bytes(..) => {
                    lines += 1;
                    let slot = self.cursor.slot();
                    if has(Fault::StrandsTheTail) && slot + 1 == log.slots().end {
                        return; // the line stays until a later one pushes it out
                    }
                    let (next, a, b) = log.batch(slot..slot + 1, usize::MAX);
                    let line = Heard::Line(String::from_utf8_lossy(&[a, b].concat()).into_owned());
                    if has(Fault::SendsTwice) {
                        self.owed.push_back(line.clone());
                    }
                    if has(Fault::SendsNewestFirst) && self.owed.len() < 8 && next < log.slots().end {
                        self.owed.push_front(line);
                        let (after, a, b) = log.batch(next..next + 1, usize::MAX);
                        self.owed
                            .push_front(Heard::Line(String::from_utf8_lossy(&[a, b].concat()).into_owned()));
                        self.cursor = log.at_slot(after).expect("it is in the log");
                        continue;
                    }
                    self.owed.push_back(line);
                    self.cursor = log.at_slot(next).expect("it is in the log");
                }
            }
        }
    }

    fn has_everything(&self, log: &EncodedLog) -> bool {
        self.owed.is_empty() && log.pending(self.cursor) == Pending::Nothing
    }
}

impl Transport for ChannelTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        self.wait(until);
        let now = now();
        self.accept(now);
        if self.update.closing.is_none() {
            self.listen(now)?;
        }
        if !self.has(Fault::PullsOnlyWhenItsMembersSpeak) || self.busy || self.attachment.room().is_closing()
        {
            self.pull();
        }
        self.flush_all(now);
        match self.update.closing.filter(|_| !self.has(Fault::HidesTheEnd)) {
            None => Ok(Turn::Open),
            Some(_) if self.has(Fault::DropsTheFarewell) => Ok(Turn::Done),
            Some(deadline) => Ok(self.end(deadline, now)),
        }
    }

    fn due(&self) -> Option<Instant> {
        let pauses = self.members.iter().filter_map(|member| member.pause_until);
        let end = self.update.closing.filter(|_| !self.has(Fault::DrainsForEver)).or(self.update.pull_by);
        let busy = self.busy.then(now);
        pauses.chain(end).chain(busy).min()
    }
}

impl ChannelTransport {
    /// Call this while the room is closing. Each member that has everything leaves.
    fn end(&mut self, deadline: Instant, now: Instant) -> Turn {
        self.arrivals = bounded(0).1;
        self.busy = false;
        for member in self.members.iter_mut().filter(|member| !member.leaving) {
            member.pause_until = None;
            if member.has_everything(&self.log) {
                self.attachment.leave(member.member, LeaveReason::Stopping, now);
                member.leaving = true;
            }
        }
        self.members.retain(|member| !member.leaving || !member.owed.is_empty());
        let is_over = now >= deadline && !self.has(Fault::DrainsForEver);
        if self.members.is_empty() || is_over { Turn::Done } else { Turn::Closing }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn now() -> Instant {
    Instant::now()
}
