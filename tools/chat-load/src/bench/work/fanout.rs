//! As fast as it goes: a closed loop with a window.

use std::time::Duration;

use super::Effort;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::clock;
use crate::crowd::{self, Crowd, Settled};
use crate::failure::{Failure, Result};
use crate::stamp::{Scanner, Stamp};

/// How many messages may be under way. A message is under way until all observed members have it.
const WINDOW: u64 = 256;
/// If nobody hears anything for this long, the run fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// If nobody hears anything for this long, the messages under way are taken for lost, where messages can be lost.
const LOST_AFTER: Duration = Duration::from_millis(50);
const WARM_UP: Duration = Duration::from_millis(200);

pub(super) fn run(
    system: &System,
    programs: &Programs,
    talkers: usize,
    members: usize,
    effort: Effort,
) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut crowd = crowd::crowd(system.medium, server.address, talkers)?;
    crowd.join(members, &|_| false)?;
    closed_loop(&mut *crowd, |_, elapsed| elapsed < WARM_UP)?;

    let counter = effort.counts_calls.then(|| server.count_calls()).transpose()?;
    let cpu_before = server.cpu()?;
    let began = clock::now();
    let (sent, settled) = closed_loop(&mut *crowd, |_, elapsed| elapsed.as_secs_f64() < effort.seconds)?;
    let seconds = (settled.at - began).as_secs_f64();
    let cpu = server.cpu()? - cpu_before;

    let deliveries = settled.deliveries as f64;
    if let Some(counter) = counter {
        return Ok(Figures::default().with(Quantity::CallsPerDelivery, counter.finish()? / deliveries));
    }
    let figures = Figures::default()
        .with(Quantity::CpuPerDelivery, cpu.as_secs_f64() * 1e6 / deliveries)
        .with(Quantity::DeliveriesPerSecond, deliveries / seconds);
    Ok(with_losses(figures, &*crowd, sent, settled))
}

/// Adds the share of deliveries that did not arrive, where messages can be lost.
pub(super) fn with_losses(figures: Figures, crowd: &dyn Crowd, sent: u64, settled: Settled) -> Figures {
    let all = (sent * crowd.hearers() as u64) as f64;
    if crowd.may_lose() {
        figures.with(Quantity::Lost, 1.0 - settled.deliveries as f64 / all)
    } else {
        figures
    }
}

/// Sends as many messages as the window allows while `goes_on` returns true for the number of messages sent and the
/// time since the beginning. Then waits until everyone has everything. Returns the number of messages and what became
/// of them.
///
/// Where messages can be lost, a member that has heard a later message no longer waits for an earlier one. When
/// nobody hears anything for a while, all messages under way are taken for lost.
pub(super) fn closed_loop(
    crowd: &mut dyn Crowd,
    goes_on: impl Fn(u64, Duration) -> bool,
) -> Result<(u64, Settled)> {
    let observed = observed(&crowd.listening());
    let may_lose = crowd.may_lose();
    let patience = if may_lose { LOST_AFTER } else { PATIENCE };
    let mut scanners: Vec<Scanner> = observed.iter().map(|_| Scanner::default()).collect();
    let mut counts = vec![0_u64; observed.len()];
    let talkers = crowd.talkers() as u64;
    let began = clock::now();
    let mut heard_at = began;
    let mut sent = 0;
    crowd.count_from_here();
    loop {
        let done = counts.iter().copied().min().unwrap_or(0);
        if goes_on(sent, began.elapsed()) {
            let free = WINDOW - (sent - done);
            // Each talker says the same number of messages, and sends them with one `send`.
            for _ in 0..free / talkers {
                for talker in 0..crowd.talkers() {
                    crowd.say(Stamp { talker, number: sent, ..Stamp::default() })?;
                    sent += 1;
                }
            }
            crowd.send()?;
        } else if done == sent {
            break;
        }
        crowd.turn(patience, &mut |peer, bytes| {
            heard_at = clock::now();
            if let Some(at) = observed.iter().position(|&member| member == peer) {
                let count = &mut counts[at];
                scanners[at].scan(bytes, |stamp| {
                    *count = if may_lose { (stamp.number + 1).clamp(*count, sent) } else { *count + 1 };
                });
            }
        })?;
        if heard_at.elapsed() >= patience && done < sent {
            if !may_lose {
                return Err(Failure::new(format!("nothing was delivered for {PATIENCE:?}")));
            }
            counts.fill(sent);
            heard_at = clock::now();
        }
    }
    Ok((sent, crowd.settle(sent)?))
}

/// The first, the middle and the last of some members. They stand for all of them.
fn observed(members: &[usize]) -> Vec<usize> {
    let mut chosen = vec![0, members.len() / 2, members.len().saturating_sub(1)];
    chosen.dedup();
    chosen.into_iter().filter_map(|place| members.get(place).copied()).collect()
}
