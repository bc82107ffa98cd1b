//! The members: as many connections as it takes, all in one thread, as cheap as possible.
//!
//! There is a crowd over TCP and one over UDP; the work does not see which it has.

mod pair;
mod roll;
mod tcp;
mod udp;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub(crate) use self::pair::Pair;
use self::tcp::TcpCrowd;
use self::udp::UdpCrowd;
use crate::clock;
use crate::failure::{Failure, Result};
use crate::wire::Medium;

/// How long everyone together may take to come in, or to get what was said.
const PATIENCE: Duration = Duration::from_secs(60);

/// Talkers, who say something, and members, who hear it, at one server.
pub(crate) trait Crowd {
    fn talkers(&self) -> usize;

    fn members(&self) -> usize;

    /// How many get each message: the members who listen, and where only members may speak also talkers.
    fn hearers(&self) -> usize;

    /// The members who read.
    fn listening(&self) -> Vec<usize>;

    /// Whether a message may be lost on its way and nobody is to blame.
    fn may_lose(&self) -> bool;

    /// `count` more members come in; those who will be stalled later say so now. Returns once all are known to hear.
    fn join(&mut self, count: usize, will_stall: &dyn Fn(usize) -> bool) -> Result<()>;

    /// From here on these members read nothing.
    fn stall(&mut self, which: &dyn Fn(usize) -> bool) -> Result<()>;

    /// Queues a message; [`send`](Self::send) sends it.
    fn say(&mut self, talker: usize, stamp: u64) -> Result<()>;

    /// Sends what is queued, as far as the sockets take it; what is left goes when they take more.
    fn send(&mut self) -> Result<()>;

    /// Waits for events, `timeout` at most, and reads what has come.
    fn turn(&mut self, timeout: Duration, hear: &mut dyn FnMut(Heard<'_>)) -> Result<()>;

    /// What is heard counts from here on.
    fn count_from_here(&mut self);

    /// Reads until everyone who listens has got the `sent` messages since the count began, or what is not lost of
    /// them.
    fn settle(&mut self, sent: u64) -> Result<Settled>;
}

/// What a member is told of what he hears.
#[derive(Debug)]
pub(crate) struct Heard<'a> {
    /// Which member: 0 is the first that came in.
    pub(crate) member: usize,
    pub(crate) bytes: &'a [u8],
}

/// What became of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    /// Messages that arrived, each counted for everyone it came to.
    pub(crate) deliveries: u64,
    /// When the last one did.
    pub(crate) at: Instant,
}

/// A crowd of `talkers` who can say something; members come later.
pub(crate) fn crowd(medium: Medium, address: SocketAddr, talkers: usize) -> Result<Box<dyn Crowd>> {
    Ok(match medium {
        Medium::Stream(wire) => Box::new(TcpCrowd::new(wire, address, talkers)?),
        Medium::Datagrams { framed } => Box::new(UdpCrowd::new(framed, address, talkers)?),
    })
}

/// The first, the middle and the last of some members, who stand for all of them.
pub(crate) fn observed(members: &[usize]) -> Vec<usize> {
    let mut chosen = vec![0, members.len() / 2, members.len().saturating_sub(1)];
    chosen.dedup();
    chosen.into_iter().filter_map(|place| members.get(place).copied()).collect()
}

fn in_time(deadline: Instant, what: &str) -> Result<()> {
    if clock::now() < deadline { Ok(()) } else { Err(Failure::new(format!("{what} within {PATIENCE:?}"))) }
}
