//! Members and talkers of one server in one poll loop.
//!
//! What a member receives is counted in bytes and otherwise dropped, since looking at it would cost more than the
//! server takes to send it. A few observed members count messages; in the end every member must have as many bytes
//! as they.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::stamp::{self, Scanner, TEXT_BYTES};
use crate::wire::{Step, Wire};

/// How long everyone together may take to come in, or to get what was said.
const PATIENCE: Duration = Duration::from_secs(60);
/// When nobody may have heard a message since not all were in, another one is sent.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Stamps of messages that only ask whether everyone is there.
const ROLL_CALL: u64 = 1 << 63;
/// Segment size and receive buffer of members that will stall: as over a network. With what loopback has the system
/// would take megabytes for each before the server notices anything.
const STALLING_MSS: u32 = 1400;
const STALLING_BUFFER_BYTES: usize = 64 * 1024;

/// What a member is told of what he hears.
#[derive(Debug)]
pub(crate) struct Heard<'a> {
    /// Which member: 0 is the first that came in.
    pub(crate) member: usize,
    pub(crate) bytes: &'a [u8],
}

/// Connections to one server.
#[derive(Debug)]
pub(crate) struct Crowd {
    wire: Wire,
    address: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// The talkers and, after them, the members.
    peers: Vec<Peer>,
    talkers: usize,
    calls: u64,
}

#[derive(Debug)]
struct Peer {
    socket: TcpStream,
    entering: Option<Entering>,
    /// Bytes received since the count began.
    heard_bytes: u64,
    unsent: Vec<u8>,
    /// Reads nothing any more.
    is_stalled: bool,
}

struct Entering {
    steps: std::vec::IntoIter<Step>,
    is_answered: fn(&[u8]) -> bool,
    heard: Vec<u8>,
}

impl std::fmt::Debug for Entering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entering").field("heard", &self.heard.len()).finish_non_exhaustive()
    }
}

impl Crowd {
    /// `talkers` that can say something; members come later.
    pub(crate) fn new(wire: Wire, address: SocketAddr, talkers: usize) -> Result<Self> {
        let mut crowd = Self {
            wire,
            address,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            peers: Vec::new(),
            talkers,
            calls: 0,
        };
        crowd.enter(talkers, Wire::join_as_talker, |_| false)?;
        Ok(crowd)
    }

    pub(crate) fn talkers(&self) -> usize {
        self.talkers
    }

    pub(crate) fn members(&self) -> usize {
        self.peers.len() - self.talkers
    }

    /// `count` more members come in; those who will be stalled later say so now. Returns once all are known to hear.
    pub(crate) fn join(&mut self, count: usize, will_stall: impl Fn(usize) -> bool) -> Result<()> {
        self.enter(count, Wire::join, will_stall)?;
        self.call_the_roll()
    }

    fn enter(
        &mut self,
        count: usize,
        steps: impl Fn(Wire, usize) -> Vec<Step>,
        will_stall: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        let range = self.peers.len()..self.peers.len() + count;
        let mut still_entering: Vec<usize> = Vec::new();
        while self.peers.len() < range.end || !still_entering.is_empty() {
            while self.peers.len() < range.end && still_entering.len() < self.wire.entering_max() {
                let key = self.peers.len();
                let will_stall = will_stall(key - range.start);
                self.connect(steps(self.wire, key), will_stall).when(format!("connection {key}"))?;
                still_entering.push(key);
            }
            self.turn(Some(PATIENCE), |_| {})?;
            still_entering.retain(|&key| self.peers[key].entering.is_some());
            in_time(deadline, "not everyone could join")?;
        }
        Ok(())
    }

    fn connect(&mut self, steps: Vec<Step>, will_stall: bool) -> Result<()> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if will_stall {
            set_small_buffers(&socket)?;
        }
        match socket.connect(&self.address.into()) {
            Err(error)
                if error.raw_os_error() == Some(IN_PROGRESS) || error.kind() == ErrorKind::WouldBlock => {}
            result => result?,
        }
        let mut socket = TcpStream::from_std(socket.into());
        let token = Token(self.peers.len());
        self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let entering = Entering { steps: steps.into_iter(), is_answered: |_| true, heard: Vec::new() };
        let entering = Some(entering);
        self.peers.push(Peer { socket, entering, heard_bytes: 0, unsent: Vec::new(), is_stalled: false });
        Ok(())
    }

    /// Says something until every member has heard it, and so all that was said before.
    fn call_the_roll(&mut self) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        let mut scanners: Vec<Scanner> =
            self.peers.iter().skip(self.talkers).map(|_| Scanner::default()).collect();
        let mut heard_call = vec![0; self.members()];
        loop {
            self.calls += 1;
            let call = ROLL_CALL | self.calls;
            self.say(0, call);
            self.send()?;
            let mut missing = self.members();
            let mut ask_again = clock::now() + ASK_AGAIN;
            while missing > 0 && clock::now() < ask_again {
                let before = missing;
                self.turn(Some(ASK_AGAIN), |heard| {
                    scanners[heard.member].scan(heard.bytes, |stamp| {
                        if stamp == call && heard_call[heard.member] != call {
                            heard_call[heard.member] = call;
                            missing -= 1;
                        }
                    });
                })?;
                if missing < before {
                    ask_again = clock::now() + ASK_AGAIN;
                }
            }
            if missing == 0 {
                return Ok(());
            }
            in_time(deadline, &format!("{missing} members hear nothing"))?;
        }
    }

    /// Bytes count from here on.
    pub(crate) fn count_from_here(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.heard_bytes = 0);
    }

    /// From here on these members read nothing.
    pub(crate) fn stall(&mut self, will_stall: impl Fn(usize) -> bool) {
        for (member, peer) in self.peers[self.talkers..].iter_mut().enumerate() {
            peer.is_stalled = will_stall(member);
        }
    }

    /// The members who read.
    pub(crate) fn listening(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.peers[self.talkers..]
            .iter()
            .enumerate()
            .filter(|(_, peer)| !peer.is_stalled)
            .map(|(member, _)| member)
    }

    /// Queues a message; [`send`](Self::send) sends it.
    pub(crate) fn say(&mut self, talker: usize, stamp: u64) {
        self.wire.say(&stamp::text(stamp), &mut self.peers[talker].unsent);
    }

    /// Sends what is queued, as far as the sockets take it; what is left goes when they take more.
    pub(crate) fn send(&mut self) -> Result<()> {
        self.peers[..self.talkers].iter_mut().try_for_each(Peer::send)
    }

    /// Waits for events and reads what has come.
    pub(crate) fn turn(&mut self, timeout: Option<Duration>, mut hear: impl FnMut(Heard<'_>)) -> Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            let Token(key) = event.token();
            let peer = &mut self.peers[key];
            if event.is_writable() {
                peer.send().or_else(|failure| peer.entering.as_ref().map_or(Err(failure), |_| Ok(())))?;
                peer.go_on_entering().when(format!("connection {key}"))?;
            }
            if event.is_readable() && !peer.is_stalled {
                let member = key.checked_sub(self.talkers);
                peer.read(&mut self.buffer, |bytes| {
                    if let Some(member) = member {
                        hear(Heard { member, bytes });
                    }
                })
                .when(format!("connection {key} of {}", self.peers.len()))?;
            }
        }
        Ok(())
    }

    /// Reads until no member who listens lacks a message that another one has: that is, 64 bytes or more. Less may be
    /// a server's asking whether one member is still there.
    pub(crate) fn wait_until_all_have_the_same(&mut self) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        loop {
            let heard = || self.listening().map(|member| self.peers[self.talkers + member].heard_bytes);
            let most = heard().max().unwrap_or(0);
            let behind = heard().filter(|&bytes| bytes + TEXT_BYTES as u64 <= most).count();
            if behind == 0 {
                return Ok(());
            }
            in_time(deadline, &format!("{behind} members did not get everything"))?;
            self.turn(Some(PATIENCE), |_| {})?;
        }
    }
}

#[cfg(unix)]
fn set_small_buffers(socket: &Socket) -> Result<()> {
    socket.set_tcp_mss(STALLING_MSS)?;
    Ok(socket.set_recv_buffer_size(STALLING_BUFFER_BYTES)?)
}

#[cfg(not(unix))]
fn set_small_buffers(_socket: &Socket) -> Result<()> {
    Err(Failure::new("members that stall need socket options of Unix"))
}

/// What a connect that goes on in the background says on Linux; the other systems' code is `WouldBlock`'s.
const IN_PROGRESS: i32 = 115;

impl Peer {
    fn send(&mut self) -> Result<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.socket.write(&self.unsent[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).when("a talker cannot send"),
            }
        }
        self.unsent.drain(..sent);
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], mut hear: impl FnMut(&[u8])) -> Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(Failure::new("the server closed it")),
                Ok(count) => {
                    if let Some(entering) = &mut self.entering {
                        entering.heard.extend_from_slice(&buffer[..count]);
                        self.go_on_entering()?;
                    } else {
                        self.heard_bytes += count as u64;
                        hear(&buffer[..count]);
                    }
                    // A socket that gave less than it was asked for is empty: no need to ask it once more.
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Goes on to the next step on the way in, if the last one is answered.
    fn go_on_entering(&mut self) -> Result<()> {
        let Some(entering) = &mut self.entering else { return Ok(()) };
        if !(entering.is_answered)(&entering.heard) {
            return Ok(());
        }
        if let Some(error) = self.socket.take_error()? {
            return Err(error.into());
        }
        match entering.steps.next() {
            Some(step) => {
                entering.heard.clear();
                entering.is_answered = step.is_answered;
                self.unsent.extend_from_slice(&step.send);
                self.send()
            }
            None => {
                self.entering = None;
                let socket = SockRef::from(&self.socket);
                socket.set_tcp_nodelay(true)?;
                // A reset at the end: ten thousand connections leave nothing behind for the next run.
                Ok(socket.set_linger(Some(Duration::ZERO))?)
            }
        }
    }
}

fn in_time(deadline: Instant, what: &str) -> Result<()> {
    if clock::now() < deadline { Ok(()) } else { Err(Failure::new(format!("{what} within {PATIENCE:?}"))) }
}

/// The first, the middle and the last of some members, who stand for all of them.
pub(crate) fn observed(members: &[usize]) -> Vec<usize> {
    let places: Range<usize> = 0..members.len();
    let mut chosen = vec![places.start, places.len() / 2, places.end.saturating_sub(1)];
    chosen.dedup();
    chosen.into_iter().filter_map(|place| members.get(place).copied()).collect()
}
