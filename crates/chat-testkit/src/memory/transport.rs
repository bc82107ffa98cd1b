//! The transport: an endpoint of chat-stream over pipes in memory.

use std::io;
use std::time::Instant;

use chat_core::transport::{Transport, Turn};
use chat_core::{Room, Waker};
use chat_stream::{Endpoint, Readiness};
use crossbeam_channel::{Receiver, bounded};

use super::peer::{Arrival, MemoryDoor};
use super::pipe::{RoomEnd, now};
use crate::VirtualTime;

/// How many peers may wait to be accepted.
const ARRIVALS_MAX: usize = 1024;

/// Carries a room to [`MemoryPeer`](crate::MemoryPeer)s in the same process, as `[author] text` lines.
///
/// A member does not get its own lines back. Joins and leaves are not shown. Like every transport, it may run on a
/// thread of its own:
///
/// ```
/// use std::time::Duration;
/// use chat_core::{Room, RoomConfig, Running};
/// use chat_testkit::MemoryTransport;
///
/// let room = Room::new(RoomConfig::default());
/// let (transport, door) = MemoryTransport::new(&room);
/// let (ann, mut bob) = (door.connect(), door.connect());
/// assert!(ann.say(b"hello"));
/// let mut running = Running::new(&room);
/// running.spawn("memory", transport)?;
/// # #[expect(clippy::disallowed_methods)]
/// let deadline = std::time::Instant::now() + Duration::from_secs(30);
/// assert_eq!(bob.hear_by(deadline), Some(format!("[{}] hello", ann.address())));
///
/// room.close("That was all", Duration::from_secs(5));
/// running.join()?;
/// assert_eq!(bob.hear(), Some("[*] That was all".into()));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// In [virtual time](Self::in_time) a test calls each turn itself, and nothing ever waits:
///
/// ```
/// use std::num::NonZeroU32;
/// use chat_core::{Rate, Room, RoomConfig, World};
/// use chat_core::transport::Transport;
/// use chat_testkit::{MemoryTransport, VirtualTime};
///
/// let time = VirtualTime::default();
/// let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [1; 32] };
/// let one = NonZeroU32::MIN;
/// let rate = Some(Rate { burst: one, per_second: one });
/// let room = Room::in_world(RoomConfig::default().with_rate(rate), world);
/// let (mut transport, door) = MemoryTransport::in_time(&room, &time);
/// let (ann, mut bob) = (door.connect(), door.connect());
/// assert!(ann.say(b"one") && ann.say(b"two") && ann.say(b"three"));
///
/// let mut heard = Vec::new();
/// loop {
///     let _open = transport.turn(None)?;
///     heard.extend(std::iter::from_fn(|| bob.hear()));
///     match transport.due() {
///         Some(due) if heard.len() < 3 => time.advance_to(due),
///         _ => break,
///     }
/// }
/// // The second message was one too many at once, so the third waited for the second to be due.
/// assert!(heard[2].ends_with("] three"));
/// assert_eq!(time.passed().as_secs(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MemoryTransport {
    endpoint: Endpoint<RoomEnd>,
    arrivals: Receiver<Arrival>,
    /// Holds a token when there may be something to do. A token stays until it is taken, so it does not matter whether
    /// the transport waits when the bell rings.
    bell: Receiver<()>,
    /// The endpoint's token of each peer. The bell does not tell which peer has rung it.
    tokens: Vec<usize>,
    /// `None`: the real clock.
    time: Option<VirtualTime>,
}

impl MemoryTransport {
    /// A transport of `room`, and the door where its peers connect.
    #[must_use]
    pub fn new(room: &Room) -> (Self, MemoryDoor) {
        Self::with_time(room, None)
    }

    /// A transport in virtual time: a turn does everything that is ready, and returns without waiting. When nothing
    /// else happens, advance the clock to [`due`](Transport::due).
    #[must_use]
    pub fn in_time(room: &Room, time: &VirtualTime) -> (Self, MemoryDoor) {
        Self::with_time(room, Some(time.clone()))
    }

    fn with_time(room: &Room, time: Option<VirtualTime>) -> (Self, MemoryDoor) {
        let (ring, bell) = bounded(1);
        let waker = Waker::new(move || {
            let _full = ring.try_send(()); // then a token is there already
        });
        let (arrive, arrivals) = bounded(ARRIVALS_MAX);
        let door = MemoryDoor::new(arrive, waker.clone());
        let endpoint = Endpoint::new(room, waker, false).with_tag("mem");
        (Self { endpoint, arrivals, bell, tokens: Vec::new(), time }, door)
    }

    fn now(&self) -> Instant {
        self.time.as_ref().map_or_else(now, VirtualTime::now)
    }

    /// Waits until the bell rings, something is due, or `until` has come. In virtual time it does not wait.
    fn wait(&self, until: Option<Instant>) {
        let _rang = match until.into_iter().chain(self.due()).min() {
            _ if self.time.is_some() => self.bell.try_recv().is_ok(),
            Some(until) => self.bell.recv_deadline(until).is_ok(),
            None => self.bell.recv().is_ok(),
        };
    }
}

impl Transport for MemoryTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        self.wait(until);
        let now = self.now();
        while let Ok((pipe, address)) = self.arrivals.try_recv() {
            self.tokens.push(self.endpoint.next_token());
            self.endpoint.adopt(pipe, address, now);
        }
        let ready = Readiness { readable: true, writable: true, ..Readiness::default() };
        let Self { endpoint, tokens, .. } = self;
        tokens.retain(|&token| endpoint.ready(token, ready));
        let turn = endpoint.turn(now);
        if turn != Turn::Open {
            self.arrivals = bounded(0).1; // a peer that comes now finds its connection closed
        }
        Ok(turn)
    }

    fn due(&self) -> Option<Instant> {
        self.endpoint.deadline(self.now())
    }
}
