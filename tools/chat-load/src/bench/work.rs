//! The work that a server does while it is measured.

mod confirmed;
mod fanout;
mod idle;
mod paced;
mod ping_pong;
mod returning;
mod rooms;
mod stalled;

use super::figures::Figures;
use super::system::{Programs, System};
use crate::failure::Result;

/// A piece of work. Every run of it gets a fresh server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Work {
    /// As fast as it goes, with a bounded number of messages under way.
    Fanout { talkers: usize, members: usize },
    /// This many messages per second. Each is timed on its way to each member.
    Paced { members: usize, per_second: u32 },
    /// Members join and do nothing.
    Idle { members: usize },
    /// Many rooms, with a message per second in each.
    Rooms { rooms: usize, members: usize },
    /// Many rooms in which nothing happens.
    IdleRooms { rooms: usize },
    /// The server is killed, and when it is back, members come that lack all messages of before.
    Returning { members: usize, behind: u16 },
    /// One client says this many messages, and waits until they are kept.
    Confirmed { messages: u64 },
    /// Two members answer each other.
    PingPong,
    /// Paced work, first with all members reading, then with a tenth of them reading nothing.
    Stalled { members: usize },
}

/// How long each measurement goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    pub(super) seconds: f64,
    /// Whether to count system calls. That needs `perf` and slows the server down, so figures of time then mean
    /// little.
    pub(super) counts_calls: bool,
}

impl Work {
    /// Starts the server, lets it work, and ends it.
    pub(super) fn run(self, system: &System, programs: &Programs, effort: Effort) -> Result<Figures> {
        match self {
            Self::Fanout { talkers, members } => fanout::run(system, programs, talkers, members, effort),
            Self::Paced { members, per_second } => paced::run(system, programs, members, per_second, effort),
            Self::Idle { members } => idle::run(system, programs, members),
            Self::Rooms { rooms, members } => rooms::run(system, programs, rooms, members, effort),
            Self::IdleRooms { rooms } => rooms::run_idle(system, programs, rooms),
            Self::Returning { members, behind } => returning::run(system, programs, members, behind),
            Self::Confirmed { messages } => confirmed::run(system, programs, messages),
            Self::PingPong => ping_pong::run(system, programs, effort),
            Self::Stalled { members } => stalled::run(system, programs, members, effort),
        }
    }
}
