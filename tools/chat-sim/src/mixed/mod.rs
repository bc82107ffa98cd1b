//! Members of every kind in one room, on threads that interrupt each other: real room, real connections and
//! sessions, simulated streams and datagrams, virtual time.
//!
//! What must hold:
//!
//! - each member is shown every message from its join to its leave once, in one order, except those that it
//!   is told it missed, whose number is exact; a plain one over TCP is never shown its own;
//! - what a member said is in the log once, in its order, all of it unless something happened that excuses it;
//! - each membership is announced once and ends once, for a reason that there was, which the member was told;
//! - nothing that is held for members exceeds its maximum;
//! - a thread runs only when it was woken, has an event, or is due; still everyone gets everything;
//! - when the room closes, each member that reads gets all that was accepted, the farewell and a goodbye.

mod follower;
mod framed_tcp;
mod framed_udp;
mod interrupt;
mod lines;
mod person;
mod plain_tcp;
mod plain_udp;
mod plan;
mod run;
mod script;
mod talk;
mod tcp_thread;
mod threads;
mod truth;
mod udp_thread;

use std::fmt;

use self::run::Run;
use self::script::Script;
use crate::scenario::{Fault, Report, Scenario};

/// Members of the scenario [`Drain`].
const DRAIN_MEMBERS: usize = 1_000;

/// What members of the scenario [`Crowd`] have to say. Some of it is lost with members that are kicked before, so that
/// the room takes a hundred thousand.
const CROWD_MESSAGES: usize = 120_000;

/// Framed and plain members over TCP and UDP, and local members. They join, talk, stall, break off, come back and are
/// kicked, while a program in the room may flood it, on one to three TCP threads and one UDP thread; until
/// the room closes, which may be at any moment.
#[derive(Clone, Debug)]
pub struct Mixed(Script);

/// A thousand members with more to read than their sockets hold when the room closes; every tenth reads nothing
/// any more.
#[derive(Clone, Debug)]
pub struct Drain(Script);

/// Fifty members that say a hundred thousand messages while they come, go, break off and are kicked.
#[derive(Clone, Debug)]
pub struct Crowd(Script);

fn play(script: &Script) -> Result<Report, Fault> {
    if script.world.streams.short_read_is_all {
        Run::<true>::new(script).play()
    } else {
        Run::<false>::new(script).play()
    }
}

impl Mixed {
    /// How many things happen in it.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.0.actions.len()
    }
}

impl Crowd {
    /// With so many messages.
    #[must_use]
    pub fn of(seed: u64, messages: usize) -> Self {
        Self(Script::busy(seed, messages))
    }
}

impl Scenario for Mixed {
    const NAME: &'static str = "mixed";

    fn draw(seed: u64) -> Self {
        Self(Script::drawn(seed))
    }

    fn play(&self) -> Result<Report, Fault> {
        play(&self.0)
    }

    fn shorter(&self) -> Vec<Self> {
        self.0.without_some().into_iter().map(Self).collect()
    }
}

impl Scenario for Drain {
    const NAME: &'static str = "drain";

    fn draw(seed: u64) -> Self {
        Self(Script::crowded_end(seed, DRAIN_MEMBERS))
    }

    fn play(&self) -> Result<Report, Fault> {
        play(&self.0)
    }

    fn shorter(&self) -> Vec<Self> {
        self.0.without_parts().into_iter().map(Self).collect()
    }
}

impl Scenario for Crowd {
    const NAME: &'static str = "crowd";

    fn draw(seed: u64) -> Self {
        Self::of(seed, CROWD_MESSAGES)
    }

    fn play(&self) -> Result<Report, Fault> {
        play(&self.0)
    }

    fn shorter(&self) -> Vec<Self> {
        self.0.without_parts().into_iter().map(Self).collect()
    }
}

impl fmt::Display for Mixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
