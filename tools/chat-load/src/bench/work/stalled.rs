//! A tenth of the members stop reading: how it affects the others, and what it costs in memory.

use std::time::Duration;

use super::{Effort, fanout, paced};
use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::crowd;
use crate::failure::Result;

/// One member in this many stalls.
const ONE_IN: usize = 10;
/// More messages than our log and the system's buffers hold for a stalled member.
const FILLING_MESSAGES: u64 = 60_000;
/// Stops earlier if a server takes too long over them.
const FILLING_TIME: Duration = Duration::from_secs(6);
const PER_SECOND: u32 = 50;

pub(super) fn run(system: &System, programs: &Programs, members: usize, effort: Effort) -> Result<Figures> {
    let will_stall = |member: usize| member % ONE_IN == ONE_IN - 1;
    let server = Server::start(system, programs)?;
    let mut crowd = crowd::crowd(system.medium, server.address, 1)?;
    crowd.join(members, &will_stall)?;
    let messages = effort.seconds * f64::from(PER_SECOND);

    // Do the same before and after the stall. So memory that a server keeps anyway does not count as the price of the
    // stalled members.
    let is_filling = |sent, elapsed| sent < FILLING_MESSAGES && elapsed < FILLING_TIME;
    fanout::closed_loop(&mut *crowd, is_filling)?;
    let (_, _, before) = paced::open_loop(&mut *crowd, PER_SECOND, messages)?;
    let memory_before = server.memory()?;

    crowd.stall()?;
    fanout::closed_loop(&mut *crowd, is_filling)?;
    let (_, _, after) = paced::open_loop(&mut *crowd, PER_SECOND, messages)?;
    let memory = server.memory()?.saturating_sub(memory_before);

    let ratio = after.quantile(0.99).as_secs_f64() / before.quantile(0.99).as_secs_f64();
    Ok(paced::with_latencies(&after)
        .with(Quantity::StalledP99Ratio, ratio)
        .with(Quantity::StalledMemory, memory as f64))
}
