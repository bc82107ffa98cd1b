//! Members who come and are silent: what they cost on the way in and while they are there.

use crate::clock;
use crate::failure::Result;
use crate::figures::{Figures, Quantity};
use crate::load::Crowd;
use crate::system::{Programs, Server, System};

pub(super) fn run(system: System, programs: &Programs, members: usize) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut crowd = Crowd::new(system.wire(), server.address, 1)?;
    let memory_before = server.memory()?;
    let cpu_before = server.cpu()?;
    let began = clock::now();
    crowd.join(members, |_| false)?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = server.cpu()? - cpu_before;
    let memory = server.memory()?.saturating_sub(memory_before);
    let count = members as f64;
    Ok(Figures::default()
        .with(Quantity::MemoryPerMember, memory as f64 / count)
        .with(Quantity::JoinsPerSecond, count / seconds)
        .with(Quantity::CpuPerJoin, cpu.as_secs_f64() * 1e6 / count))
}
