//! The members: as many connections as are needed, all in one thread, as cheap as possible.
//!
//! There is a crowd over connections and one over UDP, and the work cannot tell them apart. Peers are numbered in the order
//! in which they join: first the talkers, which also hear, then the members, which only hear.

mod connection;
mod roll_call;
mod tcp;
mod udp;
mod wire;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) use self::tcp::{TcpCrowd, connect_with_small_buffers};
use self::udp::UdpCrowd;
pub(crate) use self::wire::{Carrier, Medium, Wire, object_bytes, plain_bytes};
use crate::clock;
use crate::failure::{Result, ensure};
use crate::stamp::Stamp;

/// How long all peers together may take to join, or to get what was said.
const PATIENCE: Duration = Duration::from_secs(60);

/// Talkers and members at one server.
pub(crate) trait Crowd {
    fn talkers(&self) -> usize;

    /// Talkers and members.
    fn peers(&self) -> usize;

    /// How many peers get each message: the members that listen and the talkers. The author is not counted where it
    /// does not get its own message.
    fn hearers(&self) -> usize;

    /// The members that read.
    fn listening(&self) -> Vec<usize>;

    /// Whether a message may be lost on its way without a fault of the server.
    fn may_lose(&self) -> bool;

    /// Lets `count` more members join. `will_stall` says which of them, counted from 0, will stall later. Returns
    /// once all of them are known to hear.
    fn join(&mut self, count: usize, will_stall: &dyn Fn(usize) -> bool) -> Result<()>;

    /// Makes the members that will stall stop reading.
    fn stall(&mut self) -> Result<()>;

    /// Queues a message of the stamp's talker; [`send`](Self::send) sends it.
    fn say(&mut self, stamp: Stamp) -> Result<()>;

    /// Sends what is queued, as far as the sockets take it. The rest goes out when they take more.
    fn send(&mut self) -> Result<()>;

    /// Waits for events, for `timeout` at most, and reads what has arrived. Calls `hear` with each peer and the bytes
    /// that it got.
    fn turn(&mut self, timeout: Duration, hear: &mut dyn FnMut(usize, &[u8])) -> Result<()>;

    /// Starts the count: only what is heard from here on counts.
    fn count_from_here(&mut self);

    /// Reads until every peer that listens has got the `sent` messages since the count began, except those that are
    /// lost.
    fn settle(&mut self, sent: u64) -> Result<Settled>;
}

/// The deliveries of some messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    /// Messages that arrived. Each is counted once for every peer that got it.
    pub(crate) deliveries: u64,
    /// When the last one arrived.
    pub(crate) at: Instant,
}

/// A crowd of `talkers`. Members join later.
pub(crate) fn crowd(medium: Medium, address: SocketAddr, talkers: usize) -> Result<Box<dyn Crowd>> {
    Ok(match medium {
        Medium::Stream { wire, carrier } => Box::new(TcpCrowd::new(wire, carrier, address, talkers)?),
        Medium::Datagrams { framed } => Box::new(UdpCrowd::new(framed, address, talkers)?),
    })
}

fn in_time(deadline: Instant, what: &str) -> Result<()> {
    ensure(clock::now() < deadline, || format!("{what} within {PATIENCE:?}"))
}
