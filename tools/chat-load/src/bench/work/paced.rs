//! A steady rate far below what the server can do. This is an open loop that shows what one message costs and how
//! long it takes.

use std::time::Duration;

use super::{Effort, fanout};
use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::clock;
use crate::crowd::{self, Crowd, Settled};
use crate::failure::{Failure, Result};
use crate::latency::Latencies;
use crate::stamp::{Scanner, Stamp};

/// Messages before the measurement. They make sure that the server does nothing for the first time during it.
const WARM_UP_MESSAGES: u64 = 10;
/// How long the last deliveries may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// If none comes for this long, the rest is taken for lost, where messages can be lost.
const LOST_AFTER: Duration = Duration::from_millis(500);

pub(super) fn run(
    system: &System,
    programs: &Programs,
    members: usize,
    per_second: u32,
    effort: Effort,
) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut crowd = crowd::crowd(system.medium, server.address, 1)?;
    crowd.join(members, &|_| false)?;
    fanout::closed_loop(&mut *crowd, |sent, _| sent < WARM_UP_MESSAGES)?;

    let counter = effort.counts_calls.then(|| server.count_calls()).transpose()?;
    let cpu_before = server.cpu()?;
    // With fewer messages a percentile would be chance.
    let messages = (effort.seconds * f64::from(per_second)).max(40.0);
    let (sent, settled, latencies) = open_loop(&mut *crowd, per_second, messages)?;
    let cpu = server.cpu()? - cpu_before;

    let deliveries = settled.deliveries as f64;
    if let Some(counter) = counter {
        return Ok(Figures::default().with(Quantity::CallsPerDelivery, counter.finish()? / deliveries));
    }
    let figures =
        with_latencies(&latencies).with(Quantity::CpuPerDelivery, cpu.as_secs_f64() * 1e6 / deliveries);
    Ok(fanout::with_losses(figures, &*crowd, sent, settled))
}

pub(super) fn with_latencies(latencies: &Latencies) -> Figures {
    let micros = |share| latencies.quantile(share).as_secs_f64() * 1e6;
    Figures::default()
        .with(Quantity::LatencyP50, micros(0.5))
        .with(Quantity::LatencyP99, micros(0.99))
        .with(Quantity::LatencyP999, micros(0.999))
}

/// Sends `messages` at the given rate, whatever comes back, and times each message at each member.
pub(super) fn open_loop(
    crowd: &mut dyn Crowd,
    per_second: u32,
    messages: f64,
) -> Result<(u64, Settled, Latencies)> {
    let mut scanners = vec![Scanner::default(); crowd.peers()];
    let talkers = crowd.talkers();
    let listening = crowd.listening().len() as u64;
    let mut latencies = Latencies::default();
    let mut heard_count = 0;
    let mut sent = 0;
    let patience = if crowd.may_lose() { LOST_AFTER } else { PATIENCE };
    crowd.count_from_here();
    let began = clock::now();
    let interval = Duration::from_secs(1) / per_second;
    let mut next = began;
    let mut last_heard = began;
    loop {
        let now = clock::now();
        if now >= next && (sent as f64) < messages {
            crowd.say(Stamp { number: sent, at: now - began, ..Stamp::default() })?;
            crowd.send()?;
            sent += 1;
            next += interval;
        }
        let is_all_sent = sent as f64 >= messages;
        let is_rest_lost = crowd.may_lose() && last_heard.elapsed() >= patience;
        if is_all_sent && (heard_count == sent * listening || is_rest_lost) {
            return Ok((sent, crowd.settle(sent)?, latencies));
        }
        let timeout = if is_all_sent { patience } else { next.saturating_duration_since(clock::now()) };
        crowd.turn(timeout, &mut |peer, bytes| {
            if peer < talkers {
                return;
            }
            last_heard = clock::now();
            scanners[peer].scan(bytes, |stamp| {
                heard_count += 1;
                latencies.add((last_heard - began).saturating_sub(stamp.at));
            });
        })?;
        if is_all_sent && !is_rest_lost && last_heard.elapsed() >= PATIENCE {
            let missing = sent * listening - heard_count;
            return Err(Failure::new(format!("{missing} of {} deliveries never came", sent * listening)));
        }
    }
}
