//! Members of every kind in one room, on threads that interrupt each other: real room, real connections and
//! sessions, simulated streams and datagrams, virtual time.
//!
//! What must hold:
//!
//! - each member is shown every message from its join to its leave once, in one order, except those that it
//!   is told it missed, whose number is exact; a plain one over TCP is never shown its own;
//! - what a member said is in the log once, in its order, all of it unless something happened that excuses it;
//! - no two members are shown alike, also where one over TCP and one over UDP have one address and port, and what a
//!   member says is its own, also if its welcome was lost when it came back;
//! - each membership is announced once and ends once, for a reason that there was, which the member was told;
//! - nothing forged is taken, and no address that proved nothing is sent more than three times what it sent;
//! - nothing that is held for members exceeds its maximum;
//! - a thread runs only when it was woken, has an event, or is due; still everyone gets everything;
//! - when the room closes, each member that reads gets all that was accepted, the farewell and a goodbye.

mod follower;
mod forger;
mod framed_tcp;
mod framed_udp;
mod interrupt;
mod keeper;
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

/// Framed and plain members over UDP, on a network of the matrix loss 0 to 30 %, duplicates 0 to 50 %, reordering 0 to
/// 4 %, round trips of 1, 100 and 500 ms; some with members that change their address, with an outage, with a slow rate,
/// with a flood that makes everyone lag; all with forged datagrams.
#[derive(Clone, Debug)]
pub struct Udp(Script);

/// A thousand members with more to read than their sockets hold when the room closes; every tenth reads nothing
/// any more.
#[derive(Clone, Debug)]
pub struct Drain(Script);

/// Fifty members that say a hundred thousand messages while they come, go, break off and are kicked.
#[derive(Clone, Debug)]
pub struct Crowd(Script);

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

/// A scenario whose script is drawn by `$draw` and made shorter by `$shorter`.
macro_rules! scenario {
    ($scenario:ident, $name:literal, $draw:expr, $shorter:expr) => {
        impl Scenario for $scenario {
            const NAME: &'static str = $name;

            fn draw(seed: u64) -> Self {
                Self($draw(seed))
            }

            fn play(&self) -> Result<Report, Fault> {
                if self.0.world.streams.short_read_is_all {
                    Run::<true>::new(&self.0).play()
                } else {
                    Run::<false>::new(&self.0).play()
                }
            }

            fn shorter(&self) -> Vec<Self> {
                $shorter(&self.0).into_iter().map(Self).collect()
            }
        }

        impl fmt::Display for $scenario {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

scenario!(Mixed, "mixed", Script::drawn, Script::without_some);
scenario!(Udp, "udp", Script::over_udp, Script::without_some);
scenario!(Drain, "drain", |seed| Script::crowded_end(seed, DRAIN_MEMBERS), Script::without_parts);
scenario!(Crowd, "crowd", |seed| Script::busy(seed, CROWD_MESSAGES), Script::without_parts);
