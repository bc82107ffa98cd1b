//! Draws what members say and where the process dies, and makes it shorter.

use std::fmt;
use std::time::Duration;

use chat_testkit::{Conditions, StreamConditions};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::shrink::without_parts;

const MS: Duration = Duration::from_millis(1);

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathPoint {
    /// Bytes of a member have arrived, and nothing of them was submitted to the journal.
    Received,
    /// Records were submitted to the journal, which has kept none of them.
    Submitted,
    /// The journal has kept some of the records that wait. The room does not know.
    KeptSome,
    /// The journal has kept all records that wait. The room does not know.
    KeptAll,
    /// The room knows what the journal has kept, and no member was served.
    Committed,
    /// The room knows what the journal has kept, and was to write to its members for the second time since.
    Serving,
    /// The journal has refused the records that wait. The room knows, and no member was told.
    Refused,
}

/// A promise that the journal breaks. The checks must find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// What it has reported last is lost when the process dies.
    LosesKept,
    /// It keeps each member's first message twice.
    KeepsTwice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    Tcp,
    Udp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A member says this many messages.
    Say(usize, usize),
    /// Its connection breaks.
    Break(usize),
    /// The process dies the next time, or the time after this many others, that it comes to this point.
    Die(DeathPoint, usize),
    /// For this long the journal refuses what it is to keep.
    Fail(Duration),
    /// For this long the journal does nothing.
    Stand(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) at: Duration,
    pub(super) act: Act,
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) seed: u64,
    pub(super) streams: StreamConditions,
    pub(super) datagrams: Conditions,
    /// The most records that may wait for the journal.
    pub(super) queue_max: usize,
    /// The journal works at most this long after it was given something.
    pub(super) lateness: Duration,
    /// The process is started again this long after its death.
    pub(super) pause: Duration,
    pub(super) members: Vec<Over>,
    pub(super) actions: Vec<Action>,
    pub(super) flaw: Option<Flaw>,
}

impl DeathPoint {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Received,
        Self::Submitted,
        Self::KeptSome,
        Self::KeptAll,
        Self::Committed,
        Self::Serving,
        Self::Refused,
    ];
}

impl Script {
    pub(super) fn drawn(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0x6a6f_7572_6e61);
        let delay = [0, 1, 20][random.random_range(0..3)] * MS;
        let members: Vec<Over> = (0..random.random_range(1..=4))
            .map(|_| [Over::Tcp, Over::Udp][random.random_range(0..2)])
            .collect();
        let span = [50 * MS, 1_000 * MS, 20_000 * MS][random.random_range(0..3)];
        let mut actions: Vec<Action> = (0..random.random_range(1..=40))
            .map(|_| {
                let at = span.mul_f64(random.random());
                Action { at, act: Act::drawn(members.len(), &mut random) }
            })
            .collect();
        actions.sort_by_key(|action| action.at);
        Self {
            seed,
            streams: StreamConditions {
                delay: (delay, delay + [0, 10][random.random_range(0..2)] * MS),
                bite_bytes_max: [usize::MAX, 100, 7][random.random_range(0..3)],
                short_read_is_all: false,
                reset_destroys: random.random(),
                ..StreamConditions::default()
            },
            datagrams: Conditions {
                delay,
                loss: [0.0, 0.02, 0.2][random.random_range(0..3)],
                duplicate: [0.0, 0.3][random.random_range(0..2)],
                reorder: [0.0, 0.04][random.random_range(0..2)],
                ..Conditions::default()
            },
            queue_max: [usize::MAX, 20, 2][random.random_range(0..3)],
            lateness: [0, 5, 50][random.random_range(0..3)] * MS,
            pause: [0, 200, 5_000][random.random_range(0..3)] * MS,
            members,
            actions,
            flaw: None,
        }
    }

    pub(super) fn dying_at(point: DeathPoint, count: usize) -> Self {
        let say = |at: u32, member| Action { at: at * 100 * MS, act: Act::Say(member, 4) };
        let fails = (point == DeathPoint::Refused).then_some(Act::Fail(150 * MS));
        let first = [Some(Act::Die(point, count)), fails].into_iter().flatten();
        let first = first.map(|act| Action { at: 100 * MS, act });
        let says = (1..=3).flat_map(|at| [say(at, 0), say(at, 1)]);
        Self {
            seed: 0,
            streams: StreamConditions::default(),
            datagrams: Conditions::default(),
            queue_max: usize::MAX,
            lateness: 5 * MS,
            pause: 200 * MS,
            members: vec![Over::Tcp, Over::Udp],
            actions: first.chain(says).collect(),
            flaw: None,
        }
    }

    /// Whether the journal may refuse a message.
    pub(super) fn may_refuse(&self) -> bool {
        self.queue_max != usize::MAX || self.actions.iter().any(|action| matches!(action.act, Act::Fail(_)))
    }

    pub(super) fn shorter(&self) -> Vec<Self> {
        let with = |actions| Self { actions, ..self.clone() };
        let mut shorter: Vec<Self> = without_parts(&self.actions).into_iter().map(with).collect();
        for (index, action) in self.actions.iter().enumerate() {
            if let Act::Say(member, messages) = action.act
                && messages > 1
            {
                let mut actions = self.actions.clone();
                actions[index].act = Act::Say(member, messages / 2);
                shorter.push(with(actions));
            }
        }
        shorter
    }
}

impl Act {
    fn drawn(members: usize, random: &mut StdRng) -> Self {
        let member = random.random_range(0..members);
        let length = [10, 300, 5_000][random.random_range(0..3)] * MS;
        match random.random_range(0..20) {
            0..10 => Self::Say(member, [1, 3, 10, 40][random.random_range(0..4)]),
            10..12 => Self::Break(member),
            12..17 => Self::Die(
                DeathPoint::ALL[random.random_range(0..DeathPoint::ALL.len())],
                random.random_range(0..4),
            ),
            17..19 => Self::Fail(length),
            _ => Self::Stand(length),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { streams, datagrams, queue_max, lateness, pause, members, flaw, .. } = self;
        writeln!(f, "streams: {streams:?}")?;
        writeln!(f, "datagrams: {datagrams:?}")?;
        writeln!(f, "journal: {queue_max} records wait at most, up to {lateness:?} late, flaw: {flaw:?}")?;
        writeln!(f, "members: {members:?}; started again after {pause:?}")?;
        for Action { at, act } in &self.actions {
            writeln!(f, "{:>10.3} s  {act:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
