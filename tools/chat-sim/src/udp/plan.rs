//! What happens in a run, drawn from its seed.

use std::time::Duration;

use chat_core::{Rate, RoomConfig};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use chat_testkit::Conditions;

/// The matrix of networks; each seed takes one of each.
const LOSSES: [f64; 8] = [0.0, 0.001, 0.01, 0.02, 0.05, 0.10, 0.20, 0.30];
const DUPLICATES: [f64; 4] = [0.0, 0.01, 0.1, 0.5];
const REORDERS: [f64; 3] = [0.0, 0.01, 0.04];
const ROUND_TRIPS_MS: [u64; 3] = [1, 100, 500];

/// What happens in a run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What the dice of the run begin with.
    pub(super) seed: u64,
    pub(super) conditions: Conditions,
    pub(super) framed: usize,
    pub(super) plain: usize,
    /// Messages of each member.
    pub(super) says: usize,
    /// The time over which members say them.
    pub(super) talk: Duration,
    pub(super) rate: Option<Rate>,
    /// Messages of the local member at once, more than the log holds.
    pub(super) flood: usize,
    /// Whether members change their address while they talk.
    pub(super) moving: bool,
    /// How long nothing at all gets through, once: from a moment to longer than any lease.
    pub(super) outage: Option<Duration>,
    /// Datagrams from forged addresses, and from members' addresses with what they cannot know.
    pub(super) forged: usize,
}

impl Plan {
    pub(super) fn drawn(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        // Consecutive seeds walk through the matrix, so that a few hundred of them cover it.
        let pick = |count: usize, step: u64| usize::try_from(seed / step).unwrap_or(0) % count;
        let round_trip = Duration::from_millis(ROUND_TRIPS_MS[pick(3, 8)]);
        let conditions = Conditions {
            loss: LOSSES[pick(8, 1)],
            duplicate: DUPLICATES[pick(4, 24)],
            reorder: REORDERS[pick(3, 96)],
            delay: round_trip / 2,
            ..Conditions::default()
        };
        Self {
            seed,
            conditions,
            framed: random.random_range(1..=4),
            plain: random.random_range(0..=2),
            says: random.random_range(1..=40),
            talk: Duration::from_millis([0, 100, 3_000, 90_000][random.random_range(0..4)]),
            rate: random.random_bool(0.2).then(|| Rate {
                burst: 5.try_into().expect("not zero"),
                per_second: 20.try_into().expect("not zero"),
            }),
            flood: if random.random_bool(0.1) { 2_500 } else { 0 },
            moving: random.random_bool(0.2),
            outage: random
                .random_bool(0.2)
                .then(|| Duration::from_secs([1, 5, 15, 100][random.random_range(0..4)])),
            forged: 20,
        }
    }

    /// Plans with less of one thing.
    pub(super) fn with_less(&self) -> Vec<Self> {
        let calm = Conditions { delay: self.conditions.delay, ..Conditions::default() };
        let mut less = vec![
            Self { forged: 0, ..self.clone() },
            Self { flood: 0, ..self.clone() },
            Self { outage: None, ..self.clone() },
            Self { moving: false, ..self.clone() },
            Self { rate: None, ..self.clone() },
            Self { plain: self.plain / 2, ..self.clone() },
            Self { framed: self.framed.div_ceil(2), ..self.clone() },
            Self { says: self.says / 2, ..self.clone() },
            Self { says: self.says.saturating_sub(1), ..self.clone() },
            Self { conditions: Conditions { reorder: 0.0, ..self.conditions }, ..self.clone() },
            Self { conditions: Conditions { duplicate: 0.0, ..self.conditions }, ..self.clone() },
            Self { conditions: calm, ..self.clone() },
        ];
        let own = format!("{self:?}");
        less.retain(|plan| format!("{plan:?}") != own);
        less
    }

    pub(super) fn room(&self) -> RoomConfig {
        RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN).with_rate(self.rate)
    }
}
