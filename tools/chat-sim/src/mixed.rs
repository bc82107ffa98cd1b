//! Members of every kind in two rooms, served by threads that interrupt each other. The room, the connections and the
//! sessions are the real ones. Streams, datagrams and time are simulated.
//!
//! These promises are checked:
//!
//! - A member is shown every message from its join to its leave once, and all members see the same order. If messages
//!   are left out, the member is told exactly how many. A plain member over TCP never sees its own messages.
//! - Each message of a member is in the log once, in the order in which the member said them. A message may be absent
//!   only if something happened that excuses it.
//! - No two members are shown alike, even if one over TCP and one over UDP share an address and port. What a member
//!   says is shown as its own, even if its welcome was lost when it reconnected.
//! - A member shows the same name in every entry from one rename to the next, and every framed member reads each rename
//!   in its place. A member that goes to another room has first got everything of the old one.
//! - A private message arrives at most once, and in the order of its sender. If a framed member does not get it, the
//!   sender is told so.
//! - What a muted member says is not in the log, and nobody joins that is banned.
//! - Each membership is announced once and ends once. It ends for a reason that really occurred, and the member was
//!   told that reason.
//! - The room accepts nothing forged. An address that has proven nothing is sent at most three times the bytes that it
//!   sent.
//! - Nothing that is held for members exceeds its maximum.
//! - A thread runs only when it was woken, has an event, or is due. Still every member gets everything.
//! - When the room closes, each member that reads gets every accepted message, the farewell and a goodbye.

mod follower;
mod forger;
mod framed_tcp;
mod framed_udp;
mod interrupt;
mod journal;
mod lines;
mod person;
mod plain_tcp;
mod plain_udp;
mod plan;
mod private_messages;
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

/// How many members the scenario [`Drain`] has.
const DRAIN_MEMBERS: usize = 1_000;

/// How many messages the members of the scenario [`Crowd`] have to say. Some are lost because their member is kicked
/// first, so the room accepts about a hundred thousand.
const CROWD_MESSAGES: usize = 120_000;

/// Framed and plain members over TCP and UDP, and local members, on one to three TCP threads and one UDP thread.
///
/// The members join, talk, stop reading, lose their connections, come back and are kicked. Meanwhile a program in the
/// server's process may flood the room. The room may close at any moment.
#[derive(Clone, Debug)]
pub struct Mixed(Script);

/// Framed and plain members over UDP on bad networks.
///
/// The networks form a matrix: loss of 0 to 30 %, duplicates of 0 to 50 %, reordering of 0 to 4 %, and round trips of
/// 1, 100 and 500 ms. In some runs members change their address, the network has an outage, the rate limit is low, or
/// a flood makes every member lag. All runs have forged datagrams.
#[derive(Clone, Debug)]
pub struct Udp(Script);

/// A thousand members that have more to read than their sockets hold when the room closes. Every tenth member has
/// stopped reading.
#[derive(Clone, Debug)]
pub struct Drain(Script);

/// Fifty members that say a hundred thousand messages while they join, leave, lose connections and are kicked.
#[derive(Clone, Debug)]
pub struct Crowd(Script);

impl Mixed {
    /// How many actions the script has.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.0.actions.len()
    }
}

impl Crowd {
    /// The scenario of `seed` with this many messages.
    #[must_use]
    pub fn of(seed: u64, messages: usize) -> Self {
        Self(Script::busy(seed, messages))
    }
}

/// Implements [`Scenario`] for a type whose script is drawn by `$draw` and made shorter by `$shorter`.
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
