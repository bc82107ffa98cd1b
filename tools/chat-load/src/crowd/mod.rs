//! The members: as many connections as it takes, all in one thread, as cheap as possible.
//!
//! There is a crowd over TCP and one over UDP; the work does not see which it has. Peers are numbered as they come: the
//! talkers first, which also hear, then the members, which only hear.

mod roll;
mod tcp;
mod udp;
mod wire;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) use self::tcp::{TcpCrowd, connect_with_small_buffers};
use self::udp::UdpCrowd;
pub(crate) use self::wire::{Medium, Wire};
use crate::clock;
use crate::failure::{Result, ensure};
use crate::stamp::Stamp;

/// How long everyone together may take to come in, or to get what was said.
const PATIENCE: Duration = Duration::from_secs(60);

/// Talkers and members at one server.
pub(crate) trait Crowd {
    fn talkers(&self) -> usize;

    /// Talkers and members.
    fn peers(&self) -> usize;

    /// How many get each message: the members that listen and the talkers, except the author where it does not get its
    /// own message.
    fn hearers(&self) -> usize;

    /// The members that read.
    fn listening(&self) -> Vec<usize>;

    /// Whether a message may be lost on its way and nobody is to blame.
    fn may_lose(&self) -> bool;

    /// `count` more members come in; `will_stall` says which of them, counted from 0, will stall later. Returns once all
    /// are known to hear.
    fn join(&mut self, count: usize, will_stall: &dyn Fn(usize) -> bool) -> Result<()>;

    /// From here on the members that will stall read nothing.
    fn stall(&mut self) -> Result<()>;

    /// Queues a message of the stamp's talker; [`send`](Self::send) sends it.
    fn say(&mut self, stamp: Stamp) -> Result<()>;

    /// Sends what is queued, as far as the sockets take it; what is left goes when they take more.
    fn send(&mut self) -> Result<()>;

    /// Waits for events, `timeout` at most, and reads what has come: `hear` is told which peer got which bytes.
    fn turn(&mut self, timeout: Duration, hear: &mut dyn FnMut(usize, &[u8])) -> Result<()>;

    /// What is heard counts from here on.
    fn count_from_here(&mut self);

    /// Reads until everyone who listens has got the `sent` messages since the count began, or those of them that are
    /// not lost.
    fn settle(&mut self, sent: u64) -> Result<Settled>;
}

/// What became of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    /// Messages that arrived, each counted for everyone it came to.
    pub(crate) deliveries: u64,
    /// When the last one did.
    pub(crate) at: Instant,
}

/// A crowd of `talkers`; members come later.
pub(crate) fn crowd(medium: Medium, address: SocketAddr, talkers: usize) -> Result<Box<dyn Crowd>> {
    Ok(match medium {
        Medium::Stream(wire) => Box::new(TcpCrowd::new(wire, address, talkers)?),
        Medium::Datagrams { framed } => Box::new(UdpCrowd::new(framed, address, talkers)?),
    })
}

fn in_time(deadline: Instant, what: &str) -> Result<()> {
    ensure(clock::now() < deadline, || format!("{what} within {PATIENCE:?}"))
}
