//! Two members who answer each other: the time of a round trip when nothing else happens.

use std::time::Duration;

use super::Effort;
use crate::clock;
use crate::failure::Result;
use crate::figures::{Figures, Latencies, Quantity};
use crate::load::Pair;
use crate::system::{Programs, Server, System};

const WARM_UP_ROUNDS: usize = 200;
/// What a system answers to a speaker that only speaks stays in his socket, which must hold it.
const ROUNDS_MAX: usize = 10_000;

pub(super) fn run(system: System, programs: &Programs, effort: Effort) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut pair = Pair::join(system.medium(), server.address)?;
    for _ in 0..WARM_UP_ROUNDS {
        pair.round_trip()?;
    }
    let mut latencies = Latencies::default();
    let until = clock::now() + Duration::from_secs_f64(effort.seconds);
    for _ in 0..ROUNDS_MAX {
        let began = clock::now();
        pair.round_trip()?;
        let now = clock::now();
        latencies.add(u64::try_from((now - began).as_nanos()).unwrap_or(u64::MAX));
        if now > until {
            break;
        }
    }
    let [p50, p99] = latencies.percentiles([0.5, 0.99]);
    Ok(Figures::default().with(Quantity::RoundTripP50, p50).with(Quantity::RoundTripP99, p99))
}
