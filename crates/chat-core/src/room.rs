//! The room: a cheap handle on shared state.

pub(crate) mod look_back;
pub(crate) mod moderation;
pub(crate) mod people;

use std::fmt;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use chat_proto::{Author, Name, PeerAddr, Present, Text};

use crate::access::admission::Admission;
use crate::access::ban_list::BanList;
use crate::access::gate::{Gate, JoinRequest};
use crate::access::identity::Identity;
use crate::commands::CommandTable;
use crate::config::RoomConfig;
use crate::error::{NickError, SayError};
use crate::journal::{Committer, Journal, JournalDepth, JournalError, Journals};
use crate::local_member::LocalMember;
use crate::moderator::Moderator;
use crate::rooms::pending_room::{Opened, open_now};
use crate::rooms::{self, RoomInfo, Rooms};
use crate::state::{InFlight, State};
use crate::stats::{Stats, TransportStats};
use crate::sync::{Mutex, MutexGuard};
use crate::transport::attachment::Attachment;
use crate::waker::Waker;
use crate::world::{Clock, UnixClock, World};

/// A chat room: one log and its readers.
///
/// `Room` is a handle: clones share one room, and any thread may use them. The room is passive; it
/// has no thread of its own. A caller with a message calls it, and it wakes the other readers.
///
/// ```
/// use chat_core::{Heard, Room, RoomConfig};
/// use chat_proto::Event;
///
/// let room = Room::new(RoomConfig::default());
/// let (ann, bob) = (room.join("ann")?, room.join("bob")?);
/// ann.say("good morning")?;
/// let Heard::Entry(entry) = bob.recv()? else { panic!("bob missed nothing") };
/// let Event::Said { author, text, .. } = &entry.event else { panic!("it was said") };
/// assert_eq!(format!("[{author}] {text}"), "[ann] good morning");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Room(Arc<Shared>);

pub(crate) struct Shared {
    name: Option<Name>,
    /// All rooms of the server, if there are others.
    rooms: Weak<rooms::Inner>,
    admission: Arc<Admission>,
    state: Mutex<State>,
    /// The state has it, too; here it is reached without the lock.
    journal: Option<Arc<dyn Journal>>,
    clock: Clock,
    unix_clock: UnixClock,
    moderator: Option<Moderator>,
    commands: Option<CommandTable>,
    gate: Option<Gate>,
    bans: BanList,
}

/// Two handles are equal if they are handles on the same room.
impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Room {}

/// A room that is gone leaves its counters to the server, and the entries that its observers have not heard to them.
impl Drop for Shared {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.admission.count_vanished(&state.stats(), &state.stats_by_transport());
        let wakes = state.leave_the_rest();
        drop(state);
        wakes.wake();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Room {
    /// An empty room.
    #[must_use]
    pub fn new(config: RoomConfig) -> Self {
        Self::in_world(config, World::real())
    }

    /// An empty room in a world of your own, for tests and simulations: the same world and the same
    /// calls give the same room.
    #[must_use]
    pub fn in_world(config: RoomConfig, world: World) -> Self {
        let admission = Arc::new(Admission::new(&config));
        Self::build(Arc::new(config), world, None, admission, Weak::new(), None)
    }

    /// A room whose messages a journal keeps: it goes on where it stopped. Its members may resume their sessions, and
    /// nothing that was confirmed is lost or said twice.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the past cannot be read.
    pub fn restore(config: RoomConfig, journals: &dyn Journals) -> Result<Self, JournalError> {
        Self::restore_in_world(config, World::real(), journals)
    }

    /// As [`restore`](Self::restore), in a world of your own. The journal decides about the seed.
    ///
    /// # Errors
    ///
    /// As [`restore`](Self::restore).
    pub fn restore_in_world(
        config: RoomConfig,
        world: World,
        journals: &dyn Journals,
    ) -> Result<Self, JournalError> {
        let admission = Arc::new(Admission::new(&config));
        let opened = open_now(journals, None, config.log_bytes_max)?;
        Ok(Self::build(Arc::new(config), world, None, admission, Weak::new(), Some(opened)))
    }

    /// A room among others.
    pub(crate) fn in_rooms(
        config: Arc<RoomConfig>,
        world: World,
        name: Name,
        admission: Arc<Admission>,
        rooms: Weak<rooms::Inner>,
        opened: Option<Opened>,
    ) -> Self {
        Self::build(config, world, Some(name), admission, rooms, opened)
    }

    fn build(
        config: Arc<RoomConfig>,
        world: World,
        name: Option<Name>,
        admission: Arc<Admission>,
        rooms: Weak<rooms::Inner>,
        opened: Option<Opened>,
    ) -> Self {
        let World { clock, unix_clock, seed } = world;
        let RoomConfig { moderator, commands, gate, bans, .. } = RoomConfig::clone(&config);
        let began = opened.as_ref().and_then(|(past, _)| past.began);
        let now_unix_ms = unix_clock();
        let (seed, began_unix_ms) = began.unwrap_or((seed, now_unix_ms));
        let admission_of_state = Arc::clone(&admission);
        let mut state =
            State::new(config, name.clone(), admission_of_state, clock(), now_unix_ms, began_unix_ms, seed);
        let journal = opened.map(|(past, journal)| {
            state.in_flight = Some(Box::new(InFlight::new(Arc::clone(&journal), &past)));
            state.restore(past);
            journal
        });
        let state = Mutex::new(state);
        let room = Self(Arc::new(Shared {
            name,
            rooms,
            admission,
            state,
            journal: journal.clone(),
            clock,
            unix_clock,
            moderator,
            commands,
            gate,
            bans,
        }));
        if let Some(journal) = journal {
            journal.start(Committer::new(room.downgrade()));
        }
        room
    }

    /// Its name; `None` for a room that is the only one.
    #[must_use]
    pub fn name(&self) -> Option<&Name> {
        self.0.name.as_ref()
    }

    /// All rooms of the server; `None` for a room that is the only one.
    #[must_use]
    pub fn rooms(&self) -> Option<Rooms> {
        Rooms::upgrade(&self.0.rooms)
    }

    /// The line about it in `/rooms`.
    #[must_use]
    pub fn info(&self) -> RoomInfo {
        let state = self.lock();
        let members = state.member_count() as usize;
        RoomInfo { name: self.0.name.clone(), members, topic: state.topic.clone() }
    }

    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.0.admission
    }

    pub(crate) fn downgrade(&self) -> Weak<Shared> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(room: &Weak<Shared>) -> Option<Self> {
        room.upgrade().map(Self)
    }

    /// Attaches a transport, which `waker` wakes when the room has an update for it. Its first pull
    /// returns all that the log holds.
    pub fn attach(&self, waker: Waker) -> Attachment {
        Attachment::new(self.clone(), waker)
    }

    /// A membership inside this process, under `name`. It hears all later messages.
    ///
    /// # Errors
    ///
    /// [`NickError`] if it cannot be a name, or another member has it.
    pub fn join(&self, name: &str) -> Result<LocalMember, NickError> {
        LocalMember::new(self.clone(), &name.parse()?)
    }

    /// Says `[*] text` as the room itself. Text of several lines, or longer than a message, becomes
    /// several messages.
    ///
    /// # Errors
    ///
    /// [`SayError::Closing`].
    pub fn notice(&self, text: &str) -> Result<(), SayError> {
        let result = self.lock().say_as_room(Text::split(text.as_bytes()).collect());
        result?.wake();
        Ok(())
    }

    /// Says `text` as a local member; returns the sequence number of its last message.
    pub(crate) fn say_as_local(&self, local: usize, text: &str) -> Result<Option<u64>, SayError> {
        let (texts, now) = (Text::split(text.as_bytes()).collect(), self.now());
        let result = self.lock().say_as_local(local, texts, now);
        let (last, wakes) = result?;
        wakes.wake();
        Ok(last)
    }

    /// The remote members that are present, as they are shown, in no particular order.
    #[must_use]
    pub fn members(&self) -> Vec<Author> {
        self.lock().authors().collect()
    }

    /// How many remote members are present, and as many of their authors as fit into one frame.
    #[must_use]
    pub fn present(&self) -> Present {
        self.lock().present()
    }

    /// The configuration of the room.
    #[must_use]
    pub fn config(&self) -> Arc<RoomConfig> {
        Arc::clone(&self.lock().config)
    }

    /// The counters of the room.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lock().stats()
    }

    /// The counters of each transport, by the transport's tag.
    #[must_use]
    pub fn stats_by_transport(&self) -> Vec<(&'static str, TransportStats)> {
        self.lock().stats_by_transport()
    }

    /// What the room's journal is busy with; `None` without a journal.
    #[must_use]
    pub fn journal_depth(&self) -> Option<JournalDepth> {
        let queued = self.0.journal.as_ref()?.queued();
        let state = self.lock();
        let (in_flight, is_failing) = state.in_flight.as_ref()?.depth();
        Some(JournalDepth { in_flight, queued, is_failing })
    }

    pub(crate) fn newest_seq(&self) -> u64 {
        self.lock().log.seq()
    }

    /// Closes the room: nobody can join or speak any more. The room says `[*] farewell`, and the
    /// transports write out all pending output, for `grace` at most. Returns at once;
    /// closing a closed room does nothing.
    pub fn close(&self, farewell: &str, grace: Duration) {
        let farewell = Text::lossy(farewell);
        let now = self.now();
        let wakes = self.lock().close(farewell, grace, now);
        wakes.wake();
    }

    /// Whether the room was closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.lock().is_closing()
    }

    pub(crate) fn now(&self) -> Instant {
        (self.0.clock)()
    }

    /// Without the room's lock: it may call the room.
    pub(crate) fn moderator(&self) -> Option<&Moderator> {
        self.0.moderator.as_ref()
    }

    /// When the room began, in milliseconds of Unix time: what the times of its entries count from.
    #[must_use]
    pub fn began_unix_ms(&self) -> u64 {
        self.lock().began_unix_ms
    }

    /// The time of the wall clock, in milliseconds of Unix time.
    #[must_use]
    pub fn unix_ms(&self) -> u64 {
        (self.0.unix_clock)()
    }

    pub(crate) fn commands(&self) -> Option<&CommandTable> {
        self.0.commands.as_ref()
    }

    pub(crate) fn journal(&self) -> Option<&Arc<dyn Journal>> {
        self.0.journal.as_ref()
    }

    pub(crate) fn ban_list(&self) -> &BanList {
        &self.0.bans
    }

    /// Whether a peer may join, or take this name. Without the room's lock: a gate may call the room.
    pub(crate) fn admit(
        &self,
        peer: &Identity,
        transport: &'static str,
        name: Option<&Name>,
    ) -> Result<(), Text> {
        let request = self.join_request(peer, transport, name);
        let result = self
            .0
            .bans
            .admit(&request)
            .and_then(|()| self.0.gate.as_ref().map_or(Ok(()), |gate| gate.decide(&request)));
        result.map_err(|refusal| refusal.why)
    }

    pub(crate) fn join_request<'k>(
        &self,
        peer: &'k Identity,
        transport: &'static str,
        name: Option<&'k Name>,
    ) -> JoinRequest<'k> {
        let (address, proof) = (PeerAddr::from(peer.address), peer.proof());
        JoinRequest { address, proof, transport, name, unix_ms: self.unix_ms() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held would be a bug of ours; the others still get the messages.
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unix_ms = (self.0.unix_clock)();
        state
    }

    /// As [`lock`](Self::lock), `now`. The wall clock is read once for all messages of one moment: reading it takes as
    /// long as everything else that is done under the lock.
    pub(crate) fn lock_at(&self, now: Instant) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.heard_at.replace(now) != Some(now) {
            state.unix_ms = (self.0.unix_clock)();
        }
        state
    }
}
