//! The journal of a simulated room, if it has one. The journal is late, and keeps a few records and answers a few
//! questions at a time.

use std::time::{Duration, Instant};

use chat_core::{Room, RoomConfig, Rooms, RoomsConfig, World};
use chat_testkit::ScriptedJournal;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The most that the journal is late.
const LATENESS_MAX_MS: u64 = 50;

/// With a smaller stream buffer the room has no journal. This holds several messages of an undelimited peer.
const BUFFER_BYTES_MIN: usize = 4 * 1024;

/// The names of the rooms if there is no journal.
pub(super) const ROOMS: [&str; 2] = ["lobby", "dev"];

/// Does the work of a journal's threads.
#[derive(Debug)]
pub(super) struct Keeper {
    journal: Option<ScriptedJournal>,
    random: StdRng,
    due: Option<Instant>,
}

impl Keeper {
    /// One run in three has a journal, unless a message may not fit into the buffer of a stream. In that case the rest
    /// of an undelimited peer's message would wait while the peer is paused. It would then arrive so late that it
    /// becomes another message.
    pub(super) fn drawn(seed: u64, buffer_bytes: usize) -> Self {
        let journal = (seed % 3 == 1 && buffer_bytes >= BUFFER_BYTES_MIN).then(ScriptedJournal::default);
        Self { journal, random: StdRng::seed_from_u64(seed ^ 0x6a6f_7572), due: None }
    }

    /// One room with the journal, or two without one.
    pub(super) fn rooms(
        &self,
        config: RoomConfig,
        world: impl Fn() -> World + Send + Sync + 'static,
    ) -> Rooms {
        if let Some(journal) = &self.journal {
            return Room::restore_in_world(config, world(), journal).expect("it is in memory").into();
        }
        let config = ROOMS.iter().fold(RoomsConfig::default().with_room_config(config), |config, name| {
            config.with_room(name.parse().expect("a name"))
        });
        Rooms::in_worlds(config, world).expect("two names")
    }

    /// When the journal works next, if it has anything to do. It is never late while the room closes: the room accepts
    /// nothing between the call that closes it and the farewell, so that time should be short.
    pub(super) fn due(&mut self, now: Instant, is_closing: bool) -> Option<Instant> {
        let journal = self.journal.as_ref()?;
        if journal.waiting() + journal.questions() == 0 {
            return None;
        }
        if is_closing {
            self.due = Some(now);
        }
        let late = Duration::from_millis(self.random.random_range(0..=LATENESS_MAX_MS));
        Some(*self.due.get_or_insert(now + late))
    }

    /// Whether somebody waits for a page.
    pub(super) fn is_asked(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.questions() > 0)
    }

    /// Answers all questions.
    pub(super) fn answer(&self) {
        if let Some(journal) = &self.journal {
            journal.answer(usize::MAX);
        }
    }

    pub(super) fn run(&mut self, now: Instant) {
        let Some(journal) = &self.journal else { return };
        if self.due.take_if(|due| *due <= now).is_some() {
            journal.keep([1, 10, 100][self.random.random_range(0..3)]);
            journal.commit();
            journal.answer([1, usize::MAX][self.random.random_range(0..2)]);
        }
    }
}
