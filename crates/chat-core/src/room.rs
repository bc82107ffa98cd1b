//! The room: a cheap handle on shared state.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use chat_proto::{Author, DirectItem, LeaveReason, MemberId, Name, Present, Text};

use crate::attachment::Attachment;
use crate::config::RoomConfig;
use crate::error::{KickError, NameTaken, SayError, TellError};
use crate::local_member::LocalMember;
use crate::moderator::Moderator;
use crate::state::State;
use crate::stats::Stats;
use crate::sync::{Mutex, MutexGuard};
use crate::waker::Waker;

/// A chat room: one log, and whoever reads it.
///
/// `Room` is a handle: clones share one room, and any thread may use them. The room is passive; it
/// has no thread of its own. Whoever has a message calls it, and it wakes who has not read yet.
///
/// ```
/// use chat_core::{Heard, Room, RoomConfig};
/// use chat_proto::Event;
///
/// let room = Room::new(RoomConfig::default());
/// let (ann, bob) = (room.join("ann".parse()?)?, room.join("bob".parse()?)?);
/// ann.say("good morning")?;
/// let Heard::Entry(entry) = bob.recv()? else { panic!("bob missed nothing") };
/// let Event::Said { author, text, .. } = &entry.event else { panic!("it was said") };
/// assert_eq!(format!("[{author}] {text}"), "[ann] good morning");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Room(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    clock: Clock,
    moderator: Option<Moderator>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Tells the time; a simulator's own.
pub type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// What a room takes from the world around it. [`Room::new`] takes the real one.
pub struct World {
    /// Tells the time.
    pub clock: Clock,
    /// Unix time in milliseconds at this moment.
    pub unix_ms: u64,
    /// What the room's epoch and session keys are drawn from. Must be unpredictable where peers
    /// are not trusted.
    pub seed: [u8; 32],
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("unix_ms", &self.unix_ms).finish_non_exhaustive()
    }
}

impl World {
    /// The real world: the system's clocks, and a seed from the system's source of randomness.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give, so that no secret could be drawn.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where a room meets the real clocks")]
    pub fn real() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the system has a source of randomness");
        Self {
            clock: Box::new(Instant::now),
            unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
            seed,
        }
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
        let moderator = config.moderator.clone();
        let state = State::new(config, (world.clock)(), world.unix_ms, world.seed);
        Self(Arc::new(Shared { state: Mutex::new(state), clock: world.clock, moderator }))
    }

    /// A place for a transport, which `waker` wakes when the room has something for it. At first it
    /// pulls all that the log holds.
    pub fn attach(&self, waker: Waker) -> Attachment {
        Attachment::new(self.clone(), waker)
    }

    /// A membership inside this process, under `name`. It hears what is said from now on.
    ///
    /// # Errors
    ///
    /// [`NameTaken`] if another local member has the name.
    pub fn join(&self, name: Name) -> Result<LocalMember, NameTaken> {
        LocalMember::new(self.clone(), name)
    }

    /// Says `[*] text` as the room itself. Text of several lines, or longer than a message, becomes
    /// several messages.
    ///
    /// # Errors
    ///
    /// [`SayError::Closing`].
    pub fn notice(&self, text: &str) -> Result<(), SayError> {
        let (texts, now) = (Text::split(text.as_bytes()).collect(), self.now());
        let result = self.lock().say_as_room(texts, now);
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

    /// Tells one remote member something, which nobody else sees: `[*] text`. A text of several lines, or longer than a
    /// message, becomes several items.
    ///
    /// ```
    /// # use chat_core::{Room, RoomConfig, TellError};
    /// # use chat_proto::MemberId;
    /// let room = Room::new(RoomConfig::default());
    /// assert_eq!(room.tell(MemberId::new(7), "hello"), Err(TellError::NotPresent));
    /// ```
    ///
    /// # Errors
    ///
    /// [`TellError`] if it is no remote member, or has not acknowledged what it was told before. Then the rest of the
    /// text is not sent.
    pub fn tell(&self, to: MemberId, text: &str) -> Result<(), TellError> {
        for text in Text::split(text.as_bytes()) {
            let result = self.lock().tell(to, DirectItem::Notice { text });
            result?.wake();
        }
        Ok(())
    }

    /// Makes the remote member that is shown as `who` leave. It is told `why` (which may be empty).
    ///
    /// # Errors
    ///
    /// [`KickError::NotPresent`] if no remote member is shown like this; [`KickError::Why`] if `why` is
    /// longer than [`REASON_BYTES_MAX`](chat_proto::limits::REASON_BYTES_MAX).
    pub fn kick(&self, who: Author, why: &str) -> Result<(), KickError> {
        let reason = LeaveReason::kicked(why)?;
        let now = self.now();
        let wakes = self.lock().kick(&who, &reason, now);
        wakes.ok_or(KickError::NotPresent { who })?.wake();
        Ok(())
    }

    /// The remote members that are present, as they are shown, in no particular order.
    #[must_use]
    pub fn members(&self) -> Vec<Author> {
        self.lock().authors().collect()
    }

    /// How many remote members are present, and who they are, as far as one frame can tell.
    #[must_use]
    pub fn present(&self) -> Present {
        self.lock().present()
    }

    /// What the room was configured with.
    #[must_use]
    pub fn config(&self) -> RoomConfig {
        self.lock().config.clone()
    }

    /// What the room has counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lock().stats()
    }

    /// Closes the room: no one joins and nothing is said any more but `[*] farewell`, and the
    /// transports write out what their members are owed, for `grace` at most. Returns at once;
    /// closing a closed room does nothing.
    pub fn close(&self, farewell: &str, grace: Duration) {
        let farewell = Text::split(farewell.as_bytes()).next().unwrap_or_default();
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

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held would be a bug of ours; the others still get the messages.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
