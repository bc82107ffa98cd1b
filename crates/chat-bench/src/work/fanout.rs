//! As fast as it goes: a closed loop with a window.

use std::time::Duration;

use super::Effort;
use crate::clock;
use crate::failure::{Failure, Result};
use crate::figures::{Figures, Quantity};
use crate::load::{Crowd, observed};
use crate::stamp::Scanner;
use crate::system::{Programs, Server, System};

/// Messages that may be under way: sent, and not with all observed members yet.
const WINDOW: u64 = 256;
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(30);
const WARM_UP: Duration = Duration::from_millis(200);

pub(super) fn run(
    system: System,
    programs: &Programs,
    talkers: usize,
    members: usize,
    effort: Effort,
) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut crowd = Crowd::new(system.wire(), server.address, talkers)?;
    crowd.join(members, |_| false)?;
    closed_loop(&mut crowd, |_, elapsed| elapsed < WARM_UP)?;

    let counter = effort.counts_calls.then(|| server.count_calls()).transpose()?;
    let cpu_before = server.cpu()?;
    let began = clock::now();
    let sent = closed_loop(&mut crowd, |_, elapsed| elapsed.as_secs_f64() < effort.seconds)?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = server.cpu()? - cpu_before;

    let deliveries = sent as f64 * (members + system.wire().talkers_who_hear(talkers)) as f64;
    let figures = Figures::default()
        .with(Quantity::CpuPerDelivery, cpu.as_secs_f64() * 1e6 / deliveries)
        .with(Quantity::DeliveriesPerSecond, deliveries / seconds);
    match counter {
        Some(counter) => {
            Ok(Figures::default().with(Quantity::CallsPerDelivery, counter.finish()? / deliveries))
        }
        None => Ok(figures),
    }
}

/// Says as much as the window allows while `goes_on`, given the messages sent and the time since the beginning; then
/// waits until everyone has everything. Returns the number of messages.
pub(super) fn closed_loop(crowd: &mut Crowd, goes_on: impl Fn(u64, Duration) -> bool) -> Result<u64> {
    let listening: Vec<usize> = crowd.listening().collect();
    let observed = observed(&listening);
    let mut scanners: Vec<Scanner> = observed.iter().map(|_| Scanner::default()).collect();
    let mut counts = vec![0_u64; observed.len()];
    let talkers = crowd.talkers() as u64;
    let began = clock::now();
    let mut sent = 0;
    crowd.count_from_here();
    loop {
        let done = counts.iter().copied().min().unwrap_or(0);
        if goes_on(sent, began.elapsed()) {
            let free = WINDOW - (sent - done);
            // Each talker says the same number, in one `send`.
            for _ in 0..free / talkers {
                (0..crowd.talkers()).for_each(|talker| crowd.say(talker, sent + talker as u64));
                sent += talkers;
            }
            crowd.send()?;
        } else if done == sent {
            break;
        }
        let waiting_since = clock::now();
        crowd.turn(Some(PATIENCE), |heard| {
            if let Some(at) = observed.iter().position(|&member| member == heard.member) {
                scanners[at].scan(heard.bytes, |_| counts[at] += 1);
            }
        })?;
        if waiting_since.elapsed() >= PATIENCE {
            return Err(Failure::new(format!("nothing was delivered for {PATIENCE:?}")));
        }
    }
    crowd.wait_until_all_have_the_same()?;
    Ok(sent)
}
