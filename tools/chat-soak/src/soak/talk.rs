//! Those who talk at a steady pace, and those who only listen.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Options;
use crate::clock;
use crate::crowd::Crowd;
use crate::failure::Result;
use crate::stamp::Stamp;

/// Returns how many messages each talker has said.
pub(super) fn talk(
    server: SocketAddr,
    options: &Options,
    began: Instant,
    stop: &AtomicBool,
) -> Result<Vec<u64>> {
    let mut crowd = Crowd::new()?;
    crowd.join(server, options.talkers + options.listeners)?;
    let mut said = vec![0; options.talkers];
    let mut next = clock::now();
    let interval = Duration::from_secs_f64(1.0 / options.rate);
    for talker in (0..options.talkers).cycle() {
        while let wait = next.saturating_duration_since(clock::now())
            && !wait.is_zero()
        {
            crowd.read(wait)?;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        next += interval;
        said[talker] += 1;
        let at = clock::now() - began;
        crowd.say(talker, &Stamp { talker, number: said[talker], at }.text())?;
    }
    Ok(said)
}
