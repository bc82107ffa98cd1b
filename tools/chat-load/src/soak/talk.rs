//! Members that talk at a steady rate, and members that only listen.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Options;
use crate::crowd::{Carrier, Crowd, TcpCrowd, Wire};
use crate::failure::Result;

/// Lets the talkers talk. Returns how many messages each of them has said.
pub(super) fn talk(
    server: SocketAddr,
    options: &Options,
    began: Instant,
    stop: &AtomicBool,
) -> Result<Vec<u64>> {
    let mut crowd = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server, options.talkers)?;
    crowd.join(options.listeners, &|_| false)?;
    crowd.talk(options.rate, began, "", || stop.load(Ordering::Relaxed))
}
