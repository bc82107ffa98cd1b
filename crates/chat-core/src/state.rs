//! The room's state and its rules. No clock, no lock, no I/O: `now` is an argument, and whoever
//! must be woken is handed back to the caller.

use std::hash::Hasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_proto::limits::PRESENT_PEERS_MAX;
use chat_proto::{
    Author, Entry, Event, Hello, LeaveReason, Name, PeerAddr, Present, Resume, Session, Text, Welcome,
};
use siphasher::sip::SipHasher24;

use crate::config::RoomConfig;
use crate::error::{JoinError, NameTaken, SayError};
use crate::gathered::Gathered;
use crate::log::Log;
use crate::members::{Member, MemberId, Members};
use crate::port::{Accepted, Joined, News, Outcome, Said, Start};
use crate::rate::Pace;
use crate::stats::Stats;
use crate::waker::Waker;

/// The longest time that members are given to read what they are owed; an `Instant` has an end.
const GRACE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long a speaker waits while some transport has more than half of the log still to pull.
const CROWDED_PAUSE: Duration = Duration::from_millis(1);

/// Whoever reads the log from another thread: a transport's port or a seat.
#[derive(Debug)]
pub(crate) struct Reader {
    waker: Waker,
    /// A wake is on its way, so another one would tell nothing new.
    woken: bool,
    /// Position of the next entry to read.
    pub(crate) position: u64,
    /// Sequence number of the last message before it.
    pub(crate) seq: u64,
}

impl Reader {
    /// What wakes it, unless a wake is on its way already.
    fn wake(&mut self) -> Option<Waker> {
        (!std::mem::replace(&mut self.woken, true)).then(|| self.waker.clone())
    }

    /// Wakes it at once, if there `is` something that happened before it came.
    fn wake_if(&mut self, is: bool) -> Wakes {
        Wakes(is.then(|| self.wake()).flatten().into_iter().collect())
    }

    /// Has read all there was: the next entry wakes it again.
    pub(crate) fn is_up_to_date(&mut self) {
        self.woken = false;
    }
}

#[derive(Debug)]
pub(crate) struct PortState {
    reader: Reader,
    /// Members that are out of the room already and whose peers must be told so.
    dismissed: Vec<(MemberId, LeaveReason)>,
}

#[derive(Debug)]
pub(crate) struct SeatState {
    pub(crate) reader: Reader,
    pub(crate) name: Name,
}

/// Wakers to call once the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakes(Vec<Waker>);

impl Wakes {
    pub(crate) fn wake(self) {
        self.0.iter().for_each(Waker::wake);
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: RoomConfig,
    pub(crate) log: Log,
    began: Instant,
    began_unix_ms: u64,
    epoch: u64,
    /// Makes session keys, so that a session can be proven after its member has left.
    keys: SipHasher24,
    members: Members,
    ports: Vec<Option<PortState>>,
    seats: Vec<Option<SeatState>>,
    gathered: Gathered,
    closing: Option<Instant>,
    counted: Stats,
}

impl State {
    pub(crate) fn new(mut config: RoomConfig, began: Instant, began_unix_ms: u64, seed: [u8; 32]) -> Self {
        config.log_bytes_max = config.log_bytes_max.max(RoomConfig::LOG_BYTES_MIN);
        let [epoch, key_0, key_1, _] = words(seed);
        Self {
            log: Log::new(config.log_bytes_max),
            config,
            began,
            began_unix_ms,
            epoch,
            keys: SipHasher24::new_with_keys(key_0, key_1),
            members: Members::default(),
            ports: Vec::new(),
            seats: Vec::new(),
            gathered: Gathered::default(),
            closing: None,
            counted: Stats::default(),
        }
    }

    // ---- members -----------------------------------------------------------------------------

    pub(crate) fn join(
        &mut self,
        port: usize,
        peer: PeerAddr,
        now: Instant,
    ) -> Result<(Joined, Wakes), JoinError> {
        if let Err(error) = self.admit(peer) {
            self.counted.refused += 1;
            return Err(error);
        }
        let seq = self.log.seq();
        let member = Member { peer, port, since: seq, pace: Pace::default(), accepted: 0 };
        let member = self.members.insert(member);
        self.counted.joined += 1;
        self.counted.members_peak = self.counted.members_peak.max(self.members.len());
        let joined = Event::Joined { peer, members: self.member_count() };
        self.gathered.count(&joined, now);
        let wakes = self.append(joined, now, Some(port));
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
        if self.members.sharing_network_with(peer) >= members_per_address_max {
            return Err(JoinError::AddressFull { members_per_address_max });
        }
        Ok(())
    }

    /// Answers the hello of a framed member: who he is and where he starts to read.
    pub(crate) fn welcome(
        &mut self,
        id: MemberId,
        hello: &Hello,
        now: Instant,
    ) -> Option<(Welcome, Start, Wakes)> {
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
        let (pause, port, event) = self.count(id, now, |member| {
            let author = Author::Peer(member.peer);
            Event::Said { author, text }
        })?;
        let wakes = self.append(event, now, Some(port));
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
        let (pause, port, event) = self.count(id, now, |member| Event::Refused {
            peer: member.peer,
            member: id.as_u64(),
            said: member.accepted,
            why: why.clone(),
        })?;
        self.counted.moderated += 1;
        let wakes = self.append(event, now, Some(port));
        Ok((Said { outcome: Outcome::Refused { why }, pause_until: self.pause_until(pause, now) }, wakes))
    }

    /// Counts a message of a member; returns the end of the pause that it costs him, his port, and what
    /// `event` makes of it.
    fn count(
        &mut self,
        id: MemberId,
        now: Instant,
        event: impl FnOnce(&Member) -> Event,
    ) -> Result<(Option<Instant>, usize, Event), SayError> {
        self.speaker(id)?;
        let since_began = now.saturating_duration_since(self.began);
        let member = self.members.get_mut(id).ok_or(SayError::NotMember)?;
        let rate = self.config.rate.filter(|_| !member.peer.is_loopback());
        let within = rate.and_then(|rate| member.pace.count(rate, since_began));
        member.accepted += 1;
        let (port, event) = (member.port, event(member));
        self.counted.paced += u64::from(within.is_some());
        Ok((within.map(|within| self.began + within), port, event))
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

    /// Whether the log soon overtakes a transport, and with it members who are not slow. One that has been
    /// overtaken already holds up nobody.
    fn is_crowded(&self) -> bool {
        let (tail, head) = (self.log.tail(), self.log.head());
        let lags = |position| position >= tail && head - position > (head - tail) / 2;
        self.log.bytes() > self.config.log_bytes_max / 2
            && self.ports.iter().flatten().any(|port| lags(port.reader.position))
    }

    /// A member leaves whose transport knows of it.
    pub(crate) fn leave(&mut self, id: MemberId, reason: LeaveReason, now: Instant) -> Wakes {
        match self.members.remove(id) {
            Some(member) => self.announce_left(&member, reason, now, Some(member.port)),
            None => Wakes::default(),
        }
    }

    /// A member must go, and his transport must be told.
    fn dismiss(&mut self, id: MemberId, reason: LeaveReason, now: Instant) -> Wakes {
        let Some(member) = self.members.remove(id) else {
            return Wakes::default();
        };
        if let Some(Some(port)) = self.ports.get_mut(member.port) {
            port.dismissed.push((id, reason.clone()));
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

    fn those(&self, which: impl Fn(&Member) -> bool) -> Vec<MemberId> {
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

    fn member_count(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    // ---- the log and its readers ---------------------------------------------------------------

    /// Says something that no remote member said, all of it in a row. Returns the last one's number.
    pub(crate) fn say_as(
        &mut self,
        author: &Author,
        texts: Vec<Text>,
        now: Instant,
    ) -> Result<(Option<u64>, Wakes), SayError> {
        if self.closing.is_some() {
            return Err(SayError::Closing);
        }
        let last = (!texts.is_empty()).then(|| self.log.seq() + texts.len() as u64);
        let mut wakes = Wakes::default();
        for text in texts {
            wakes.0.extend(self.append(Event::Said { author: author.clone(), text }, now, None).0);
        }
        Ok((last, wakes))
    }

    /// Stamps `event`, and lists who must be woken: every reader but the port whose own turn this
    /// is, which reads at the end of it anyway.
    fn append(&mut self, event: Event, now: Instant, except: Option<usize>) -> Wakes {
        let at = now.saturating_duration_since(self.began).as_millis();
        self.log.append(event, u64::try_from(at).unwrap_or(u64::MAX));
        self.wake_readers(except)
    }

    fn wake_readers(&mut self, except: Option<usize>) -> Wakes {
        let ports = self.ports.iter_mut().enumerate().filter(|&(id, _)| Some(id) != except);
        let ports = ports.filter_map(|(_, port)| Some(&mut port.as_mut()?.reader));
        let seats = self.seats.iter_mut().filter_map(|seat| Some(&mut seat.as_mut()?.reader));
        let readers = ports.chain(seats);
        Wakes(readers.filter_map(Reader::wake).collect())
    }

    fn new_reader(&self, waker: Waker) -> Reader {
        Reader { waker, woken: false, position: self.log.head(), seq: self.log.seq() }
    }

    pub(crate) fn attach(&mut self, waker: Waker) -> (usize, Wakes) {
        // A port begins before everything, so that its first members can have history.
        let mut reader = Reader { position: 0, seq: 0, ..self.new_reader(waker) };
        let wakes = reader.wake_if(self.log.head() > 0);
        (insert(&mut self.ports, PortState { reader, dismissed: Vec::new() }), wakes)
    }

    /// The transport is gone, and so are its members.
    pub(crate) fn detach(&mut self, port: usize, now: Instant) -> Wakes {
        let lost = self.those(|member| member.port == port);
        self.ports[port] = None;
        let reason = if self.closing.is_some() { LeaveReason::Stopping } else { LeaveReason::Lost };
        let mut wakes = Wakes::default();
        for id in lost {
            wakes.0.extend(self.leave(id, reason.clone(), now).0);
        }
        wakes.0.extend(self.wake_readers(None).0);
        wakes
    }

    /// Every entry held that `port` has pulled already.
    pub(crate) fn replay(&self, port: usize) -> (u64, impl Iterator<Item = &Arc<Entry>>) {
        let position = self.ports[port].as_ref().map_or(0, |port| port.reader.position);
        let count = usize::try_from(position.saturating_sub(self.log.tail())).unwrap_or(usize::MAX);
        (self.log.evicted_seq(), self.log.from(self.log.tail()).take(count))
    }

    pub(crate) fn pull(&mut self, port: usize, news: &mut News, now: Instant) -> Wakes {
        let members = self.member_count();
        let wakes = match self.gathered.take_if_due(members, now).filter(|_| self.closing.is_none()) {
            Some(gathered) => self.append(gathered, now, Some(port)),
            None => Wakes::default(),
        };
        self.deliver(port, news);
        wakes
    }

    fn deliver(&mut self, port: usize, news: &mut News) {
        news.closing = self.closing;
        news.pull_by = self.gathered.due();
        let Some(port) = &mut self.ports[port] else {
            return;
        };
        std::mem::swap(&mut news.dismissed, &mut port.dismissed);
        port.reader.is_up_to_date();
        if port.reader.position < self.log.tail() {
            news.missed_up_to = Some(self.log.evicted_seq());
        }
        news.entries.extend(self.log.from(port.reader.position).cloned());
        port.reader.position = self.log.head();
        port.reader.seq = self.log.seq();
    }

    pub(crate) fn take_seat(&mut self, name: Name, waker: Waker) -> Result<(usize, Wakes), NameTaken> {
        if self.seats.iter().flatten().any(|seat| seat.name == name) {
            return Err(NameTaken { name });
        }
        let mut reader = self.new_reader(waker);
        let wakes = reader.wake_if(self.is_over());
        Ok((insert(&mut self.seats, SeatState { reader, name }), wakes))
    }

    pub(crate) fn leave_seat(&mut self, seat: usize) {
        self.seats[seat] = None;
    }

    pub(crate) fn seat_mut(&mut self, seat: usize) -> (&mut SeatState, &Log) {
        let state = self.seats[seat].as_mut().expect("a seat is given up only when its handle is dropped");
        (state, &self.log)
    }

    // ---- the end -------------------------------------------------------------------------------

    pub(crate) fn close(&mut self, farewell: Text, grace: Duration, now: Instant) -> Wakes {
        if self.closing.is_some() {
            return Wakes::default();
        }
        self.closing = Some(now + grace.min(GRACE_MAX));
        self.append(Event::Said { author: Author::Room, text: farewell }, now, None)
    }

    /// Nothing more will be appended: the room is closing and no transport is left.
    pub(crate) fn is_over(&self) -> bool {
        self.closing.is_some() && self.ports.iter().all(Option::is_none)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(crate) fn count_missed(&mut self, messages: u64) {
        self.counted.missed += messages;
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            members: self.members.len(),
            seats: self.seats.iter().flatten().count(),
            messages: self.log.seq(),
            log_entries: usize::try_from(self.log.head() - self.log.tail()).unwrap_or(usize::MAX),
            log_bytes: self.log.bytes(),
            ..self.counted
        }
    }
}

/// Puts `value` into the first free place.
fn insert<T>(places: &mut Vec<Option<T>>, value: T) -> usize {
    let free = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    });
    places[free] = Some(value);
    free
}

/// The seed, eight bytes at a time.
fn words(seed: [u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(seed.chunks_exact(8)) {
        *word = bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    }
    words
}
