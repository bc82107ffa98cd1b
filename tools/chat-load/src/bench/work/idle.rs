//! Members that join and stay silent: what joining costs, and what their presence costs.

use std::time::Duration;

use super::fanout;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::clock;
use crate::crowd;
use crate::failure::Result;

/// More messages than our log holds. A server that keeps messages then has already taken the memory for them.
/// Otherwise the entries about the joins would count as memory of the members.
const FILLING_MESSAGES: u64 = 60_000;
/// Stops earlier if a server takes too long over them.
const FILLING_TIME: Duration = Duration::from_secs(2);

pub(super) fn run(system: &System, programs: &Programs, members: usize) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut crowd = crowd::crowd(system.medium, server.address, 1)?;
    // Somebody must hear the messages that fill the log.
    crowd.join(1, &|_| false)?;
    fanout::closed_loop(&mut *crowd, |sent, elapsed| sent < FILLING_MESSAGES && elapsed < FILLING_TIME)?;
    let memory_before = server.memory()?;
    let cpu_before = server.cpu()?;
    let began = clock::now();
    crowd.join(members, &|_| false)?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = server.cpu()? - cpu_before;
    let memory = server.memory()?.saturating_sub(memory_before);
    let count = members as f64;
    Ok(Figures::default()
        .with(Quantity::MemoryPerMember, memory as f64 / count)
        .with(Quantity::JoinsPerSecond, count / seconds)
        .with(Quantity::CpuPerJoin, cpu.as_secs_f64() * 1e6 / count))
}
