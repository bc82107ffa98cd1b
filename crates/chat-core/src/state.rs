//! The room's state and its rules. No clock, no lock, no I/O: `now` is an argument, and the wakers to call are handed
//! back to the caller.

pub(crate) mod direct_lane;
mod elsewhere;
mod in_flight;
mod leaving;
mod local_answers;
mod local_lane;
mod local_past;
pub(crate) mod log;
mod look_back;
pub(crate) mod members;
mod membership;
mod moderation;
mod moving;
pub(crate) mod names;
pub(crate) mod observers;
mod people;
pub(crate) mod presence_summary;
pub(crate) mod profile;
pub(crate) mod rate;
mod readers;
mod renames;
pub(crate) mod sessions;
pub(crate) mod speaking;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_proto::{Name, Text};

use crate::access::admission::Admission;
use crate::config::RoomConfig;
use crate::limits::GRACE_MAX;
use crate::state::log::Log;
use crate::state::members::Members;
use crate::state::names::Names;
use crate::state::presence_summary::PresenceSummary;
use crate::state::sessions::Sessions;
use crate::stats::{ByTransport, Stats, TransportStats};

use elsewhere::Elsewheres;
pub(crate) use in_flight::InFlight;
use local_answers::Asked;
pub(crate) use local_past::Next;
pub(crate) use look_back::{Question, Questions};
pub(crate) use membership::Newcomer;
pub(crate) use moving::Luggage;
use readers::{AttachmentState, Wakes};
pub(crate) use readers::{DEFAULT_TAG, LOCAL_TAG, LocalState};
use renames::Renames;

#[derive(Debug)]
pub(crate) struct State {
    /// Shared with the other rooms until something in this one changes.
    pub(crate) config: Arc<RoomConfig>,
    /// The room's name, if it is one of several.
    name: Option<Name>,
    pub(crate) log: Log,
    /// `None` if the room decides the order itself.
    pub(crate) in_flight: Option<Box<InFlight>>,
    /// When this process opened the room.
    began: Instant,
    /// The same moment by the wall clock.
    began_here_unix_ms: u64,
    /// When the room began, perhaps in another process: the times of its entries count from there.
    pub(crate) began_unix_ms: u64,
    /// The time, in milliseconds of Unix time. The function that takes the lock sets it.
    pub(crate) unix_ms: u64,
    /// The moment for which [`Room::lock_at`](crate::Room) read the wall clock last.
    pub(crate) heard_at: Option<Instant>,
    epoch: u64,
    /// Makes the keys of sessions, so that one can be proven after its member has left, and hides how much of a
    /// password is right.
    secret: (u64, u64),
    members: Members,
    admission: Arc<Admission>,
    /// The newest number that was given to a member.
    newest_id: u64,
    /// Sessions of members that have left.
    left: Sessions,
    names: Names,
    renames: Renames,
    /// What is known of other servers that share the room.
    elsewhere: Elsewheres,
    pub(crate) topic: Option<Text>,
    /// Messages of the room itself.
    said_by_room: u64,
    asked: Asked,
    attachments: Vec<Option<AttachmentState>>,
    locals: Vec<Option<LocalState>>,
    presence_summary: PresenceSummary,
    closing: Option<Instant>,
    members_peak: usize,
    /// Messages and topics that the journal could not keep.
    not_kept: u64,
    by_transport: ByTransport,
}

impl State {
    pub(crate) fn new(
        config: Arc<RoomConfig>,
        name: Option<Name>,
        admission: Arc<Admission>,
        began: Instant,
        began_here_unix_ms: u64,
        began_unix_ms: u64,
        seed: [u8; 32],
    ) -> Self {
        let [epoch, secret_0, secret_1, _] = words(seed);
        let log = Log::new(config.log_bytes_max);
        Self {
            log,
            in_flight: None,
            config,
            name,
            began,
            began_here_unix_ms,
            began_unix_ms,
            unix_ms: began_here_unix_ms,
            heard_at: None,
            epoch,
            secret: (secret_0, secret_1),
            members: Members::default(),
            admission,
            newest_id: 0,
            left: Sessions::default(),
            names: Names::default(),
            renames: Renames::default(),
            elsewhere: Elsewheres::default(),
            topic: None,
            said_by_room: 0,
            asked: Asked::default(),
            attachments: Vec::new(),
            locals: Vec::new(),
            presence_summary: PresenceSummary::default(),
            closing: None,
            members_peak: 0,
            not_kept: 0,
            by_transport: ByTransport::default(),
        }
    }

    pub(crate) fn member_count(&self) -> u32 {
        u32::try_from(self.members.len() + self.elsewhere.count()).unwrap_or(u32::MAX)
    }

    pub(crate) fn close(&mut self, farewell: Text, grace: Duration, now: Instant) -> Wakes {
        if self.closing.is_some() {
            return Wakes::default();
        }
        // A journal that is full keeps no farewell. Members at other servers stay where they are, and need none.
        let mut wakes = match self.is_shared() {
            true => self.tell_everyone(&farewell),
            false => self.say_as_room(vec![farewell]).unwrap_or_default(),
        };
        self.closing = Some(now + grace.min(GRACE_MAX));
        // Wake also a transport that has nothing to send.
        wakes.add(self.wake_readers(None));
        wakes
    }

    /// Nothing more will be appended: the room is closing and no transport is left.
    pub(crate) fn is_over(&self) -> bool {
        self.closing.is_some() && self.is_settled() && self.attachments.iter().all(Option::is_none)
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// A gate or a ban has kept a peer of this transport out.
    pub(crate) fn count_banned(&mut self, tag: &'static str) {
        self.count_refused(tag);
        self.by_transport.of(tag).banned += 1;
    }

    /// A peer of this transport was kept out.
    pub(crate) fn count_refused(&mut self, tag: &'static str) {
        self.by_transport.of(tag).refused += 1;
    }

    pub(crate) fn count_missed(&mut self, tag: &'static str, messages: u64) {
        self.by_transport.of(tag).missed += messages;
    }

    pub(crate) fn count_unknown(&mut self, tag: &'static str) {
        self.by_transport.of(tag).unknown += 1;
    }

    /// A connection has ended before it was a member.
    pub(crate) fn count_unopened(&mut self, tag: &'static str, in_handshake: bool) {
        let stats = self.by_transport.of(tag);
        match in_handshake {
            true => stats.handshakes_failed += 1,
            false => stats.openings_failed += 1,
        }
    }

    pub(crate) fn stats_by_transport(&self) -> Vec<(&'static str, TransportStats)> {
        let mut by_transport = self.by_transport.clone();
        for (_, member) in self.members.iter() {
            by_transport.of(self.tag(member)).members += 1;
        }
        by_transport.all().to_vec()
    }

    pub(crate) fn stats(&self) -> Stats {
        let TransportStats {
            joined, left, refused, moderated, missed, undelivered, unknown, throttled, ..
        } = self.by_transport.sum();
        Stats {
            members: self.members.len(),
            members_peak: self.members_peak,
            local_members: self.local_members().count(),
            joined,
            left,
            refused,
            messages: self.log.seq(),
            moderated,
            not_kept: self.not_kept,
            missed,
            undelivered,
            unknown,
            throttled,
            log_entries: usize::try_from(self.log.head() - self.log.tail()).unwrap_or(usize::MAX),
            log_bytes: self.log.bytes(),
        }
    }
}

/// The seed, eight bytes at a time.
fn words(seed: [u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(seed.chunks_exact(8)) {
        *word = bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    }
    words
}
