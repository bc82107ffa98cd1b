//! The parts of a run: the world, the members, and what happens to them at which time.

use std::time::Duration;

use chat_core::{LagPolicy, Rate};
use chat_testkit::{Conditions, StreamConditions};
use rand::RngExt;
use rand::rngs::StdRng;

pub(super) const MS: Duration = Duration::from_millis(1);

/// The surroundings of a run: threads, networks and limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct World {
    /// I/O threads of the TCP server.
    pub(super) threads: usize,
    /// The longest time that a thread may wait before it runs although it has something to do.
    pub(super) lateness: Duration,
    /// The probability that a thread is interrupted at a system call and another thread runs.
    pub(super) preempted: f64,
    pub(super) streams: StreamConditions,
    pub(super) datagrams: Conditions,
    pub(super) rate: Option<Rate>,
    pub(super) lag_policy: LagPolicy,
    pub(super) members_max: usize,
    /// Framed members form pairs where possible: one over TCP and one over UDP with the same address.
    pub(super) twins: bool,
    /// Every other connection of a framed TCP member that reconnects is lost before its welcome arrives.
    pub(super) loses_welcomes: bool,
    /// When the room closes, members have this much time to read everything they are owed.
    pub(super) grace: Duration,
}

/// The kind of a member: its transport and its line ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Framed,
    Lf,
    CrLf,
    Chunk,
    UdpFramed,
    UdpPlain,
}

/// An act and the time at which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) at: Duration,
    pub(super) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A member connects, unless it is connected.
    Join(usize),
    /// The member says this many messages.
    Say(usize, usize),
    /// It asks this many times who is present.
    Who(usize, usize),
    /// It stops reading.
    Stall(usize),
    /// It reads again.
    GoOn(usize),
    /// Its connection breaks.
    Reset(usize),
    /// Its machine vanishes without a goodbye.
    Vanish(usize),
    /// It ends its side of the connection and goes on reading.
    HalfClose(usize),
    /// It leaves.
    Quit(usize),
    Kick(usize),
    /// It takes another name.
    Rename(usize),
    /// It goes to the room at this place.
    Go(usize, usize),
    /// It tells another member something privately.
    Tell(usize, usize),
    /// An operator mutes it.
    Mute(usize),
    /// An operator lifts the mute.
    Unmute(usize),
    /// An operator bans its name, or its address and a few others.
    Ban(usize),
    /// The network gives it another address.
    Move(usize),
    /// An attacker sends a forged datagram.
    Forge,
    /// For this long, no datagram between the server and framed members gets through.
    Outage(Duration),
    /// A program in the server's process says this many messages.
    Flood(usize),
    /// The local member that is seldom read reads everything.
    LocalReads,
    Close,
}

impl World {
    pub(super) fn drawn(random: &mut StdRng) -> Self {
        let delay = [0, 1, 20, 150][random.random_range(0..4)] * MS;
        // The jitter is shorter than the silence that reveals a plain peer's line ending, so the first line of a peer
        // stays in one piece.
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
            loss: [0.0, 0.0, 0.02, 0.3][random.random_range(0..4)],
            duplicate: [0.0, 0.5][random.random_range(0..2)],
            reorder: [0.0, 0.04][random.random_range(0..2)],
            ..Conditions::default()
        };
        Self {
            threads: random.random_range(1..=3),
            lateness: [0, 0, 5, 100, 2_000][random.random_range(0..5)] * MS,
            preempted: [0.0, 0.01, 0.1, 0.5][random.random_range(0..4)],
            streams,
            datagrams,
            rate: random.random_bool(0.2).then(Self::slow),
            lag_policy: if random.random_bool(0.1) { LagPolicy::Close } else { LagPolicy::Skip },
            twins: random.random_bool(0.3),
            loses_welcomes: random.random_bool(0.3),
            members_max: if random.random_bool(0.1) { 3 } else { 10_000 },
            grace: if random.random_bool(0.2) { 1_000 * MS } else { 600_000 * MS },
        }
    }

    /// A rate limit that members soon reach.
    pub(super) fn slow() -> Rate {
        Rate { burst: 5.try_into().expect("not zero"), per_second: 20.try_into().expect("not zero") }
    }

    pub(super) fn calm() -> Self {
        Self {
            threads: 1,
            lateness: Duration::ZERO,
            preempted: 0.0,
            streams: StreamConditions::default(),
            datagrams: Conditions::default(),
            rate: None,
            lag_policy: LagPolicy::Skip,
            twins: false,
            loses_welcomes: false,
            members_max: 10_000,
            grace: 600_000 * MS,
        }
    }

    /// Copies of this world, each with one difficulty less.
    pub(super) fn calmer(self) -> impl Iterator<Item = Self> {
        let calm = Self::calm();
        let worlds = [
            Self { threads: 1, ..self },
            Self { lateness: Duration::ZERO, ..self },
            Self { preempted: 0.0, ..self },
            Self { streams: calm.streams, ..self },
            Self { datagrams: calm.datagrams, ..self },
            Self { rate: None, ..self },
            Self { members_max: calm.members_max, ..self },
            Self { twins: false, ..self },
            Self { loses_welcomes: false, ..self },
        ];
        let is_same = move |world: &Self| format!("{world:?}") == format!("{self:?}");
        worlds.into_iter().filter(move |world| !is_same(world))
    }
}

impl Kind {
    pub(super) fn drawn(random: &mut StdRng) -> Self {
        use Kind::{Chunk, CrLf, Framed, Lf, UdpFramed, UdpPlain};
        [Framed, Framed, Framed, Lf, Lf, CrLf, Chunk, UdpFramed, UdpPlain][random.random_range(0..9)]
    }
}

impl Act {
    /// An act of one of `members`.
    pub(super) fn drawn(members: usize, random: &mut StdRng) -> Self {
        let member = random.random_range(0..members);
        match random.random_range(0..130) {
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
            88..90 => Self::Move(member),
            90..92 => Self::Forge,
            92 => Self::Outage([1_000, 5_000, 100_000][random.random_range(0..3)] * MS),
            93..100 => Self::Join(member),
            100..107 => Self::Rename(member),
            107..113 => Self::Go(member, random.random_range(0..2)),
            113..124 => Self::Tell(member, random.random_range(0..members)),
            124..126 => Self::Mute(member),
            126..128 => Self::Unmute(member),
            _ => Self::Ban(member),
        }
    }

    pub(super) fn member(mut self) -> Option<usize> {
        self.member_mut().copied()
    }

    /// The member that the act is about.
    pub(super) fn member_mut(&mut self) -> Option<&mut usize> {
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
            | Self::Move(member)
            | Self::Rename(member)
            | Self::Go(member, _)
            | Self::Tell(member, _)
            | Self::Mute(member)
            | Self::Unmute(member)
            | Self::Ban(member)
            | Self::Kick(member) => Some(member),
            Self::Forge | Self::Outage(_) | Self::Flood(_) | Self::LocalReads | Self::Close => None,
        }
    }

    /// The same act with half the amount, if it has an amount above the minimum.
    pub(super) fn less(self) -> Option<Self> {
        match self {
            Self::Say(member, count) if count > 1 => Some(Self::Say(member, count / 2)),
            Self::Who(member, count) if count > 1 => Some(Self::Who(member, count / 2)),
            Self::Outage(length) if length > MS => Some(Self::Outage(length / 2)),
            Self::Flood(count) if count > 1 => Some(Self::Flood(count / 2)),
            _ => None,
        }
    }
}
