//! Two members that answer each other: the time of a round trip when nothing else happens.

use std::time::Duration;

use super::Effort;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::clock;
use crate::crowd::{self, Crowd};
use crate::failure::{Result, ensure};
use crate::latency::Latencies;
use crate::stamp::{Scanner, Stamp};

const WARM_UP_ROUNDS: usize = 200;
const ROUNDS_MAX: usize = 10_000;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server that confirms no join may not have the second member yet. In that case the first member tries again after
/// this time.
const TRY_AGAIN: Duration = Duration::from_millis(250);
const TRIES_MAX: u64 = 50;

pub(super) fn run(system: &System, programs: &Programs, effort: Effort) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut pair = Pair {
        crowd: crowd::crowd(system.medium, server.address, 2)?,
        scanners: [Scanner::default(), Scanner::default()],
        number: 0,
    };
    while !pair.round_trip(TRY_AGAIN)? {
        ensure(pair.number < TRIES_MAX, || "the two members do not hear each other".to_owned())?;
    }
    for _ in 0..WARM_UP_ROUNDS {
        pair.round_trip(PATIENCE)?;
    }
    let mut latencies = Latencies::default();
    let until = clock::now() + Duration::from_secs_f64(effort.seconds);
    for _ in 0..ROUNDS_MAX {
        let began = clock::now();
        ensure(pair.round_trip(PATIENCE)?, || "a member hears nothing".to_owned())?;
        let now = clock::now();
        latencies.add(now - began);
        if now > until {
            break;
        }
    }
    let micros = |share| latencies.quantile(share).as_secs_f64() * 1e6;
    Ok(Figures::default()
        .with(Quantity::RoundTripP50, micros(0.5))
        .with(Quantity::RoundTripP99, micros(0.99)))
}

/// Two members.
struct Pair {
    crowd: Box<dyn Crowd>,
    scanners: [Scanner; 2],
    number: u64,
}

impl Pair {
    /// The first member says something, the second hears it and answers, and the first hears the answer. Returns
    /// false if one of them hears nothing for `patience`.
    fn round_trip(&mut self, patience: Duration) -> Result<bool> {
        self.number += 1;
        for (talker, hearer) in [(0, 1), (1, 0)] {
            let stamp = Stamp { talker, number: self.number, ..Stamp::default() };
            self.crowd.say(stamp)?;
            self.crowd.send()?;
            let deadline = clock::now() + patience;
            let mut is_heard = false;
            while !is_heard {
                let left = deadline.saturating_duration_since(clock::now());
                if left.is_zero() {
                    return Ok(false);
                }
                let scanner = &mut self.scanners[hearer];
                self.crowd.turn(left, &mut |peer, bytes| {
                    if peer == hearer {
                        scanner.scan(bytes, |heard| is_heard |= heard == stamp);
                    }
                })?;
            }
        }
        Ok(true)
    }
}
