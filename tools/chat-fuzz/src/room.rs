//! Compares a room, its attachments and its local members with a simple model.

mod locals;
mod members;
mod reading;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_core::transport::{Attachment, Membership};
use chat_core::{LocalMember, MemberId, Moderator, Room, RoomConfig, Verdict, World};
use chat_proto::{Entry, Welcome};
use chat_testkit::VirtualTime;
use reading::Reading;

use crate::choices::Choices;

const PORTS: usize = 3;
const SEATS: usize = 3;

/// How many addresses members come from. Some of them share a network.
const ADDRESSES: u16 = 8;

/// Runs a room. The bytes are the choices of what happens to it.
pub fn room(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let mut run = Run::new(&mut choices);
    while !choices.is_empty() {
        run.step(&mut choices);
        run.check_wakes();
    }
    run.end();
}

struct Run {
    time: VirtualTime,
    room: Room,
    is_moderated: bool,
    attachments: [Option<Transport>; PORTS],
    locals: [Option<Listener>; SEATS],
    /// Every membership since the run began. Some of them may have ended.
    members: Vec<Member>,
    /// All messages in order, each with its author.
    truth: Vec<(MemberId, String)>,
    joined: u64,
    /// The newest presence summary.
    summary: Option<Arc<Entry>>,
}

struct Member {
    key: Membership,
    id: MemberId,
    attachment: usize,
    is_here: bool,
    taken: u64,
    welcome: Option<Welcome>,
}

struct Transport {
    attachment: Attachment,
    wakes: Arc<AtomicUsize>,
    /// Something that this transport did not cause has happened since its last pull.
    is_update: bool,
    reading: Reading,
    /// Members that the next pull must report as dismissed.
    dismissed: Vec<Membership>,
}

struct Listener {
    local: LocalMember,
    reading: Reading,
}

impl Run {
    fn new(choices: &mut Choices<'_>) -> Self {
        let time = VirtualTime::default();
        let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [3; 32] };
        let moderator = Moderator::new(|offer| match offer.text.as_str().len() % 10 {
            8 => Verdict::Change("changed".parse().expect("clean")),
            9 => Verdict::Refuse("refused".parse().expect("clean")),
            _ => Verdict::Accept,
        });
        let config = RoomConfig::default()
            .with_log_bytes_max(RoomConfig::LOG_BYTES_MIN)
            .with_members_max(1 + choices.below(80))
            .with_members_per_address_max(2 + choices.below(80));
        let is_moderated = choices.yes();
        let config = if is_moderated { config.with_moderator(moderator) } else { config };
        Self {
            room: Room::in_world(config, world),
            time,
            is_moderated,
            attachments: Default::default(),
            locals: Default::default(),
            members: Vec::new(),
            truth: Vec::new(),
            joined: 0,
            summary: None,
        }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(18) {
            0..=1 => self.join(choices.below(PORTS), choices),
            2..=4 => self.say(choices),
            5 => self.leave(choices),
            6 => self.kick(choices),
            7 => self.welcome(choices),
            8..=9 => self.pull(choices.below(PORTS)),
            10 => self.join_or_leave_local(choices.below(SEATS)),
            11 => self.listen(choices.below(SEATS), choices.below(20)),
            12 => self.say_from_within(choices),
            13 => self.time.advance_to(self.time.now() + Duration::from_millis(choices.number().min(10_000))),
            14 => self.attach_or_detach(choices),
            15..=16 => self.command(choices),
            _ => self.room_closes(choices),
        }
    }

    fn room_closes(&mut self, choices: &mut Choices<'_>) {
        // Close the room rarely, because little happens after that.
        if choices.below(8) == 7 && !self.room.is_closing() {
            self.room.close("That was all", Duration::from_secs(5));
            self.truth.push((MemberId::ROOM, "That was all".to_owned()));
            self.tell_all_but(None);
        }
    }

    fn tell_all_but(&mut self, own: Option<usize>) {
        for (index, transport) in self.attachments.iter_mut().enumerate() {
            if let Some(transport) = transport.as_mut().filter(|_| own != Some(index)) {
                transport.is_update = true;
            }
        }
    }

    /// Checks that every reader with something to read has been woken once, and that the counts are right.
    fn check_wakes(&self) {
        for transport in self.attachments.iter().flatten() {
            let wakes = transport.wakes.load(Ordering::Relaxed);
            assert_eq!(wakes, usize::from(transport.is_update), "one wake for all news");
        }
        for listener in self.locals.iter().flatten() {
            let lags = listener.reading.seq < self.truth.len() as u64;
            assert!(!lags || listener.local.ready().len() == 1, "a token for the waiting reader");
        }
        let stats = self.room.stats();
        let here = self.members.iter().filter(|member| member.is_here).count();
        assert_eq!((stats.members, stats.joined), (here, self.joined));
        assert_eq!(stats.left, stats.joined - here as u64, "each leaves once");
        assert_eq!(stats.messages, self.truth.len() as u64);
        assert!(stats.log_bytes <= RoomConfig::LOG_BYTES_MIN, "the log is bounded");
    }

    /// Lets all readers read everything that is left, and hear the end.
    fn end(&mut self) {
        (0..PORTS).for_each(|index| self.pull(index));
        for member in &self.members {
            if let Some(transport) = self.attachments[member.attachment].as_ref().filter(|_| member.is_here) {
                assert_eq!(transport.attachment.taken(member.key).number, member.taken);
            }
        }
        if !self.room.is_closing() {
            self.room.close("That was all", Duration::from_secs(5));
            self.truth.push((MemberId::ROOM, "That was all".to_owned()));
            self.tell_all_but(None);
        }
        (0..PORTS).for_each(|index| self.pull(index));
        for index in 0..PORTS {
            self.attachments[index] = None;
            self.members
                .iter_mut()
                .filter(|member| member.attachment == index)
                .for_each(|member| member.is_here = false);
            self.tell_all_but(None);
        }
        self.check_wakes();
        (0..SEATS).for_each(|index| self.listen(index, usize::MAX));
        let missed: u64 = self.locals.iter().flatten().map(|listener| listener.reading.missed).sum();
        assert!(self.room.stats().missed >= missed);
    }
}
