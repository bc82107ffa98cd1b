//! Talkers and members at each server, each crowd on a thread of its own.

use std::thread;
use std::time::{Duration, Instant};

use super::server::Server;
use super::{PATIENCE, SERVERS, TALKERS, pause_of_each, share_of_each};
use crate::clock;
use crate::crowd::{Carrier, Crowd, TcpCrowd, Wire};
use crate::failure::{Failure, Result};
use crate::latency::Latencies;
use crate::stamp::{ROLL_CALL, Scanner, Stamp};

/// What the crowd of each server says and hears.
#[derive(Clone, Copy, Debug)]
struct Talk {
    began: Instant,
    /// Messages that each crowd says, and the pause after each of them.
    says: u64,
    pause: Duration,
    /// Messages that each member hears.
    hears: u64,
}

/// Members join all servers, and `per_second` messages per second are said for this long. Returns how old the messages are when they
/// are heard. Of servers that share no room each has all of its messages said by its own talkers.
pub(super) fn said_to_heard(
    servers: &[Server],
    members: usize,
    per_second: u32,
    time: Duration,
    is_shared: bool,
) -> Result<Latencies> {
    let mut crowds = Vec::new();
    for server in servers {
        let mut crowd = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server.address, TALKERS)?;
        crowd.join(members / servers.len() - TALKERS, &|_| false)?;
        crowds.push(crowd);
    }
    let per_server = share_of_each(per_second, time);
    let hears = per_server * u64::from(SERVERS);
    let pause = pause_of_each(per_second);
    let talk = match is_shared {
        true => Talk { began: clock::now(), says: per_server, pause, hears },
        false => Talk { began: clock::now(), says: hears, pause: pause / SERVERS, hears },
    };
    thread::scope(|scope| {
        let crowds: Vec<_> =
            crowds.iter_mut().map(|crowd| scope.spawn(move || say_and_hear(crowd, talk))).collect();
        let mut heard = Latencies::default();
        for crowd in crowds {
            heard.merge(&crowd.join().map_err(|_| Failure::new("a crowd has ended"))??);
        }
        Ok(heard)
    })
}

fn say_and_hear(crowd: &mut TcpCrowd, talk: Talk) -> Result<Latencies> {
    let Talk { began, says, pause, hears } = talk;
    let mut scanners = vec![Scanner::default(); crowd.peers()];
    let expected = hears * crowd.listening().len() as u64;
    let (mut latencies, mut heard, mut said) = (Latencies::default(), 0, 0);
    let mut next = clock::now();
    let mut last = next;
    while heard < expected {
        let now = clock::now();
        if said < says && now >= next {
            let talker = usize::try_from(said).unwrap_or(0) % TALKERS;
            crowd.say(Stamp { talker, number: said, at: now - began })?;
            crowd.send()?;
            said += 1;
            next += pause;
        }
        let timeout = if said < says { next.saturating_duration_since(clock::now()) } else { PATIENCE };
        crowd.turn(timeout, &mut |peer, bytes| {
            if peer < TALKERS {
                return;
            }
            last = clock::now();
            scanners[peer].scan(bytes, |stamp| {
                if stamp.number < ROLL_CALL {
                    heard += 1;
                    latencies.add((last - began).saturating_sub(stamp.at));
                }
            });
        })?;
        if said == says && last.elapsed() >= PATIENCE {
            return Err(Failure::new(format!("{} of {expected} deliveries never came", expected - heard)));
        }
    }
    Ok(latencies)
}

/// How many messages per second one server gets back from the stream when its talkers say everything at once, and one member listens.
pub(super) fn flooded(server: &Server, talkers: usize, count: u64) -> Result<f64> {
    let mut crowd = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server.address, talkers)?;
    crowd.join(1, &|_| false)?;
    let began = clock::now();
    for number in 0..count {
        let talker = usize::try_from(number).unwrap_or(0) % talkers;
        crowd.say(Stamp { talker, number, at: Duration::ZERO })?;
    }
    crowd.send()?;
    let (mut scanner, mut heard, mut last) = (Scanner::default(), 0, began);
    while heard < count {
        crowd.turn(PATIENCE, &mut |peer, bytes| {
            if peer == talkers {
                last = clock::now();
                scanner.scan(bytes, |stamp| heard += u64::from(stamp.number < ROLL_CALL));
            }
        })?;
        if last.elapsed() >= PATIENCE {
            return Err(Failure::new(format!("{} of {count} messages never came", count - heard)));
        }
    }
    Ok(count as f64 / (last - began).as_secs_f64())
}
