//! What happens in a run, drawn from its seed: who is there, what the world is like, and what they do when.

use std::fmt;
use std::time::Duration;

use chat_core::{LagPolicy, Rate, RoomConfig};
use chat_testkit::{Conditions, StreamConditions};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::run::Run;
use crate::scenario::{Fault, Report};
use crate::shrink::without_parts;

const MS: Duration = Duration::from_millis(1);

/// A conversation of members of every kind, with what goes wrong in it.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// What the dice of the network and of the threads begin with.
    pub(super) seed: u64,
    pub(super) world: World,
    pub(super) members: Vec<Kind>,
    pub(super) actions: Vec<Action>,
}

/// What the run takes place in.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    /// I/O threads of the TCP server.
    pub(super) threads: usize,
    /// How late a thread may run that has something to do.
    pub(super) lateness: Duration,
    /// How often a thread is interrupted at a system call, and another one runs.
    pub(super) preempted: f64,
    pub(super) streams: StreamConditions,
    pub(super) datagrams: Conditions,
    pub(super) rate: Option<Rate>,
    pub(super) lag_policy: LagPolicy,
    pub(super) members_max: usize,
    /// How long members have to read what they are owed when the room closes.
    pub(super) grace: Duration,
}

/// How a member takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Framed,
    Lf,
    CrLf,
    Chunk,
    UdpFramed,
    UdpPlain,
}

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) at: Duration,
    pub(super) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A member connects, if he is not there.
    Join(usize),
    /// He says so many messages.
    Say(usize, usize),
    /// He asks so often who is present.
    Who(usize, usize),
    /// He stops reading.
    Stall(usize),
    /// He reads again.
    GoOn(usize),
    /// His connection breaks.
    Reset(usize),
    /// His machine is gone without a word.
    Vanish(usize),
    /// He shuts down his side.
    HalfClose(usize),
    /// He leaves.
    Quit(usize),
    Kick(usize),
    /// A program in the room says so many messages.
    Flood(usize),
    /// A local member that is seldom read is read.
    LocalReads,
    Close,
}

impl Script {
    pub(super) fn drawn(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0x6d69_7865_6400);
        let world = World::drawn(&mut random);
        let count = random.random_range(1..=9);
        let members: Vec<Kind> = (0..count).map(|_| Kind::drawn(&mut random)).collect();
        let span = [50 * MS, 1_000 * MS, 10_000 * MS, 150_000 * MS][random.random_range(0..4)];
        let mut actions: Vec<Action> = (0..count)
            .map(|member| Action { at: span.mul_f64(random.random::<f64>() / 4.0), act: Act::Join(member) })
            .collect();
        for _ in 0..random.random_range(0..=60) {
            let at = span.mul_f64(random.random());
            actions.push(Action { at, act: Act::drawn(random.random_range(0..count), &mut random) });
        }
        if random.random_bool(0.4) {
            actions.push(Action { at: span.mul_f64(random.random()), act: Act::Close });
        }
        actions.sort_by_key(|action| action.at);
        Self { seed, world, members, actions }
    }

    /// A thousand members with more to read than their sockets hold when the room closes; some never read.
    pub(super) fn crowded_end(seed: u64, members: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let world = World {
            threads: 2,
            streams: StreamConditions {
                delay: (MS, 20 * MS),
                buffer_bytes: 4 * 1024,
                ..StreamConditions::default()
            },
            grace: 10_000 * MS,
            ..World::calm()
        };
        let kinds: Vec<Kind> = (0..members).map(|_| Kind::drawn(&mut random)).collect();
        let mut actions: Vec<Action> =
            (0..members).map(|member| Action { at: MS, act: Act::Join(member) }).collect();
        actions.extend(
            (0..members).step_by(10).map(|member| Action { at: 2_000 * MS, act: Act::Stall(member) }),
        );
        actions.extend((0..4).map(|_| Action { at: 3_000 * MS, act: Act::Flood(100) }));
        actions.push(Action { at: 3_000 * MS, act: Act::Close });
        Self { seed, world, members: kinds, actions }
    }

    /// Fifty members who say `messages` all together while they come, go, break off and are put out.
    pub(super) fn busy(seed: u64, messages: usize) -> Self {
        const MEMBERS: usize = 50;
        const SAYS: usize = 20;
        let mut random = StdRng::seed_from_u64(seed);
        let mut world = World { threads: 3, preempted: 0.01, ..World::calm() };
        world.streams.delay = (MS, 10 * MS);
        world.datagrams = Conditions { loss: 0.01, duplicate: 0.01, reorder: 0.01, ..world.datagrams };
        let members: Vec<Kind> = (0..MEMBERS).map(|_| Kind::drawn(&mut random)).collect();
        let span = 20 * MS * u32::try_from(messages / SAYS).unwrap_or(u32::MAX);
        let mut draw = |act: fn(usize) -> Act| {
            let at = span.mul_f64(random.random());
            Action { at, act: act(random.random_range(0..MEMBERS)) }
        };
        let mut actions: Vec<Action> =
            (0..messages / SAYS).map(|_| draw(|member| Act::Say(member, SAYS))).collect();
        for _ in 0..messages / 500 {
            actions.extend([draw(Act::Reset), draw(Act::Quit), draw(Act::Kick), draw(Act::Vanish)]);
            actions.extend((0..20).map(|_| draw(Act::Join)));
        }
        actions.extend((0..MEMBERS).map(|member| Action { at: Duration::ZERO, act: Act::Join(member) }));
        actions.sort_by_key(|action| action.at);
        Self { seed, world, members, actions }
    }

    pub(super) fn without_some(&self) -> Vec<Self> {
        let with = |actions| Self { actions, ..self.clone() };
        let without = |gone| {
            let kept = self.actions.iter().filter(|action| action.act.member() != Some(gone));
            with(kept.copied().collect())
        };
        let mut shorter: Vec<Self> = (0..self.members.len()).map(without).collect();
        shorter.retain(|script| script.actions.len() < self.actions.len());
        shorter.extend(self.without_parts());
        shorter.extend(self.world.calmer().map(|world| Self { world, ..self.clone() }));
        for (index, action) in self.actions.iter().enumerate() {
            shorter.extend(action.act.less().map(|act| {
                let mut actions = self.actions.clone();
                actions[index].act = act;
                with(actions)
            }));
        }
        shorter
    }

    /// Without a part of what happens: each half, each quarter, and so on.
    pub(super) fn without_parts(&self) -> Vec<Self> {
        let parts = without_parts(&self.actions).into_iter();
        parts.map(|actions| Self { actions, ..self.clone() }).collect()
    }

    pub(super) fn play(&self) -> Result<Report, Fault> {
        if self.world.streams.short_read_is_all {
            Run::<true>::new(self).play()
        } else {
            Run::<false>::new(self).play()
        }
    }

    pub(super) fn room(&self) -> RoomConfig {
        let World { rate, lag_policy, members_max, .. } = self.world;
        let mut config = RoomConfig::default();
        config.log_bytes_max = RoomConfig::LOG_BYTES_MIN;
        (config.rate, config.lag_policy) = (rate, lag_policy);
        (config.members_max, config.members_per_address_max) = (members_max, usize::MAX);
        config
    }
}

impl World {
    fn drawn(random: &mut StdRng) -> Self {
        let delay = [0, 1, 20, 150][random.random_range(0..4)] * MS;
        // Less than the silence by which a plain peer's line ending is told: his first line stays in one piece.
        let jitter = [0, 0, 10, 40][random.random_range(0..4)] * MS;
        let streams = StreamConditions {
            delay: (delay, delay + jitter),
            bite_bytes_max: [usize::MAX, 1_000, 100, 7][random.random_range(0..4)],
            buffer_bytes: [64 * 1024, 4 * 1024, 512, 64][random.random_range(0..4)],
            short_read_is_all: random.random(),
            reset_destroys: random.random(),
        };
        let datagrams = Conditions {
            delay,
            loss: [0.0, 0.0, 0.02, 0.2][random.random_range(0..4)],
            duplicate: [0.0, 0.1][random.random_range(0..2)],
            reorder: [0.0, 0.04][random.random_range(0..2)],
            ..Conditions::default()
        };
        Self {
            threads: random.random_range(1..=3),
            lateness: [0, 0, 5, 100, 2_000][random.random_range(0..5)] * MS,
            preempted: [0.0, 0.01, 0.1, 0.5][random.random_range(0..4)],
            streams,
            datagrams,
            rate: random.random_bool(0.2).then(|| Rate {
                burst: 5.try_into().expect("not zero"),
                per_second: 20.try_into().expect("not zero"),
            }),
            lag_policy: if random.random_bool(0.1) { LagPolicy::Close } else { LagPolicy::Skip },
            members_max: if random.random_bool(0.1) { 3 } else { 10_000 },
            grace: if random.random_bool(0.2) { 1_000 * MS } else { 600_000 * MS },
        }
    }

    fn calm() -> Self {
        Self {
            threads: 1,
            lateness: Duration::ZERO,
            preempted: 0.0,
            streams: StreamConditions::default(),
            datagrams: Conditions::default(),
            rate: None,
            lag_policy: LagPolicy::Skip,
            members_max: 10_000,
            grace: 600_000 * MS,
        }
    }

    /// Worlds with one trouble less.
    fn calmer(self) -> impl Iterator<Item = Self> {
        let calm = Self::calm();
        let worlds = [
            Self { threads: 1, ..self },
            Self { lateness: Duration::ZERO, ..self },
            Self { preempted: 0.0, ..self },
            Self { streams: calm.streams, ..self },
            Self { datagrams: calm.datagrams, ..self },
            Self { rate: None, ..self },
            Self { members_max: calm.members_max, ..self },
        ];
        let is_same = move |world: &Self| format!("{world:?}") == format!("{self:?}");
        worlds.into_iter().filter(move |world| !is_same(world))
    }
}

impl Kind {
    fn drawn(random: &mut StdRng) -> Self {
        use Kind::{Chunk, CrLf, Framed, Lf, UdpFramed, UdpPlain};
        [Framed, Framed, Framed, Lf, Lf, CrLf, Chunk, UdpFramed, UdpPlain][random.random_range(0..9)]
    }
}

impl Act {
    fn drawn(member: usize, random: &mut StdRng) -> Self {
        match random.random_range(0..100) {
            0..35 => Self::Say(member, [1, 3, 10, 40][random.random_range(0..4)]),
            35..37 => Self::Say(member, 600),
            37..42 => Self::Who(member, random.random_range(1..=300)),
            42..50 => Self::Stall(member),
            50..56 => Self::GoOn(member),
            56..62 => Self::Reset(member),
            62..66 => Self::Vanish(member),
            66..70 => Self::HalfClose(member),
            70..75 => Self::Quit(member),
            75..79 => Self::Kick(member),
            79..85 => Self::Flood([5, 100, 2_500][random.random_range(0..3)]),
            85..88 => Self::LocalReads,
            _ => Self::Join(member),
        }
    }

    pub(super) fn member(self) -> Option<usize> {
        match self {
            Self::Join(member)
            | Self::Say(member, _)
            | Self::Who(member, _)
            | Self::Stall(member)
            | Self::GoOn(member)
            | Self::Reset(member)
            | Self::Vanish(member)
            | Self::HalfClose(member)
            | Self::Quit(member)
            | Self::Kick(member) => Some(member),
            Self::Flood(_) | Self::LocalReads | Self::Close => None,
        }
    }

    /// The same with less of it.
    fn less(self) -> Option<Self> {
        match self {
            Self::Say(member, count) if count > 1 => Some(Self::Say(member, count / 2)),
            Self::Who(member, count) if count > 1 => Some(Self::Who(member, count / 2)),
            Self::Flood(count) if count > 1 => Some(Self::Flood(count / 2)),
            _ => None,
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let World { threads, lateness, preempted, streams, datagrams, rate, lag_policy, members_max, grace } =
            self.world;
        writeln!(
            f,
            "threads: {threads}, up to {lateness:?} late, interrupted at {preempted} of the system calls"
        )?;
        writeln!(f, "streams: {streams:?}")?;
        writeln!(f, "datagrams: {datagrams:?}")?;
        writeln!(
            f,
            "room: rate {rate:?}, lag policy {lag_policy:?}, {members_max} members, {grace:?} to drain"
        )?;
        for Action { at, act } in &self.actions {
            let kind = act.member().map_or(String::new(), |member| format!("  {:?}", self.members[member]));
            writeln!(f, "{:>10.3} s  {act:?}{kind}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
