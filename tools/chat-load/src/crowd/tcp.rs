//! Talkers and members of one server over connections, in one poll loop.
//!
//! The bytes that a member receives are counted and then dropped, because looking at them would cost more than the
//! server spends on sending them. A few observed members count messages. In the end every member must have as many
//! bytes as they have.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use super::connection::{Connection, Opener};
use super::wire::{Carrier, Step, Wire};
use super::{Crowd, PATIENCE, Settled, in_time, roll_call};
use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::stamp::{Stamp, TEXT_BYTES};

/// Segment size and receive buffer of members that will stall, as over a network. With loopback's defaults the system
/// would take megabytes for each of them before the server notices anything.
const SMALL_MSS: u32 = 1400;
const SMALL_BUFFER_BYTES: usize = 16 * 1024;

/// Connections to one server.
pub(crate) struct TcpCrowd {
    wire: Wire,
    carrier: Carrier,
    opener: Opener,
    address: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// The message that is being said; it keeps its memory.
    message: Vec<u8>,
    peers: Vec<Peer>,
    talkers: usize,
    calls: u64,
}

struct Peer {
    connection: Connection,
    entering: Option<Entering>,
    /// Bytes received since the count began.
    heard_bytes: u64,
    unsent: Vec<u8>,
    /// Messages that this peer has said.
    said: u64,
    will_stall: bool,
    /// Whether this peer has stopped reading.
    is_stalled: bool,
}

struct Entering {
    steps: std::vec::IntoIter<Step>,
    is_answered: fn(&[u8]) -> bool,
    heard: Vec<u8>,
}

impl TcpCrowd {
    pub(crate) fn new(wire: Wire, carrier: Carrier, address: SocketAddr, talkers: usize) -> Result<Self> {
        let mut crowd = Self {
            wire,
            carrier,
            opener: Opener::new(carrier)?,
            address,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            message: Vec::new(),
            peers: Vec::new(),
            talkers,
            calls: 0,
        };
        crowd.enter(talkers, &|_| false)?;
        Ok(crowd)
    }

    /// Lets the talkers of a crowd that speaks lines say `per_second` messages per second in total, in turn, until
    /// `is_done`. Each talker numbers its messages from 1. The others read at the same time. Each message ends with
    /// `padding`. Returns how many messages each talker has said.
    pub(crate) fn talk(
        &mut self,
        per_second: f64,
        began: Instant,
        padding: &str,
        is_done: impl Fn() -> bool,
    ) -> Result<Vec<u64>> {
        let mut said = vec![0; self.talkers];
        let mut next = clock::now();
        for talker in (0..self.talkers).cycle() {
            while let wait = next.saturating_duration_since(clock::now())
                && !wait.is_zero()
            {
                self.turn(wait, &mut |_, _| {})?;
            }
            if is_done() {
                break;
            }
            next += Duration::from_secs_f64(1.0 / per_second);
            said[talker] += 1;
            let stamp = Stamp { talker, number: said[talker], at: clock::now() - began };
            let line = [stamp.text().as_slice(), padding.as_bytes(), b"\n"].concat();
            self.peers[talker].unsent.extend_from_slice(&line);
            self.peers[talker].send()?;
        }
        Ok(said)
    }

    fn enter(&mut self, count: usize, will_stall: &dyn Fn(usize) -> bool) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        let range = self.peers.len()..self.peers.len() + count;
        let mut still_entering: Vec<usize> = Vec::new();
        while self.peers.len() < range.end || !still_entering.is_empty() {
            while self.peers.len() < range.end && still_entering.len() < self.wire.entering_max() {
                let key = self.peers.len();
                self.connect(will_stall(key - range.start)).when(format!("connection {key}"))?;
                still_entering.push(key);
            }
            self.turn(PATIENCE, &mut |_, _| {})?;
            still_entering.retain(|&key| self.peers[key].entering.is_some());
            in_time(deadline, "not everyone could join")?;
        }
        Ok(())
    }

    fn connect(&mut self, will_stall: bool) -> Result<()> {
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
        let key = self.peers.len();
        self.poll.registry().register(&mut socket, Token(key), Interest::READABLE | Interest::WRITABLE)?;
        let steps = self.wire.join(key, self.carrier).into_iter();
        let entering = Some(Entering { steps, is_answered: |_| true, heard: Vec::new() });
        let unsent = Vec::new();
        self.peers.push(Peer {
            connection: self.opener.open(socket)?,
            entering,
            heard_bytes: 0,
            unsent,
            said: 0,
            will_stall,
            is_stalled: false,
        });
        Ok(())
    }
}

impl Crowd for TcpCrowd {
    fn talkers(&self) -> usize {
        self.talkers
    }

    fn peers(&self) -> usize {
        self.peers.len()
    }

    fn hearers(&self) -> usize {
        self.listening().len() + self.talkers - usize::from(!self.wire.echoes())
    }

    fn listening(&self) -> Vec<usize> {
        (self.talkers..self.peers.len()).filter(|&peer| !self.peers[peer].is_stalled).collect()
    }

    fn may_lose(&self) -> bool {
        false
    }

    fn join(&mut self, count: usize, will_stall: &dyn Fn(usize) -> bool) -> Result<()> {
        self.enter(count, will_stall)?;
        let mut calls = self.calls;
        let called = roll_call::call(self, &mut calls, |_, _| Ok(()));
        self.calls = calls;
        called
    }

    fn stall(&mut self) -> Result<()> {
        self.peers.iter_mut().for_each(|peer| peer.is_stalled = peer.will_stall);
        Ok(())
    }

    fn say(&mut self, stamp: Stamp) -> Result<()> {
        let peer = &mut self.peers[stamp.talker];
        peer.said += 1;
        self.message.clear();
        self.wire.say(peer.said, &stamp.text(), &mut self.message);
        self.carrier.put(&self.message, self.wire.opcode(), &mut peer.unsent);
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        self.peers[..self.talkers].iter_mut().try_for_each(Peer::send)
    }

    fn turn(&mut self, timeout: Duration, hear: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
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
                let read = peer.read(&mut self.buffer, |bytes| hear(key, bytes));
                read.when(format!("connection {key} of {}", self.peers.len()))?;
            }
        }
        Ok(())
    }

    fn count_from_here(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.heard_bytes = 0);
    }

    /// Reads until no member that listens lacks a message that another one has. A message has 64 bytes or more. A
    /// smaller difference may be a server's question whether one member is still there.
    fn settle(&mut self, sent: u64) -> Result<Settled> {
        let deadline = clock::now() + PATIENCE;
        let listening = self.listening();
        loop {
            let heard = || listening.iter().map(|&member| self.peers[member].heard_bytes);
            let most = heard().max().unwrap_or(0);
            let behind = heard().filter(|&bytes| bytes + TEXT_BYTES as u64 <= most).count();
            if behind == 0 {
                return Ok(Settled { deliveries: sent * self.hearers() as u64, at: clock::now() });
            }
            in_time(deadline, &format!("{behind} members did not get everything"))?;
            self.turn(PATIENCE, &mut |_, _| {})?;
        }
    }
}

/// A connection whose system buffers little of what the program does not read.
pub(crate) fn connect_with_small_buffers(server: SocketAddr) -> Result<std::net::TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    set_small_buffers(&socket)?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

#[cfg(unix)]
fn set_small_buffers(socket: &Socket) -> Result<()> {
    socket.set_tcp_mss(SMALL_MSS)?;
    Ok(socket.set_recv_buffer_size(SMALL_BUFFER_BYTES)?)
}

#[cfg(not(unix))]
fn set_small_buffers(_socket: &Socket) -> Result<()> {
    Err(Failure::new("members that stall need socket options of Unix"))
}

/// The error code on Linux of a connect that goes on in the background. On other systems the error is `WouldBlock`.
const IN_PROGRESS: i32 = 115;

impl Peer {
    fn send(&mut self) -> Result<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.connection.write(&self.unsent[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).when("a talker cannot send"),
            }
        }
        self.unsent.drain(..sent);
        match self.connection.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error).when("a talker cannot send"),
            _ => Ok(()),
        }
    }

    fn read(&mut self, buffer: &mut [u8], mut hear: impl FnMut(&[u8])) -> Result<()> {
        self.go_on_entering()?;
        if !self.connection.open()? {
            return Ok(());
        }
        loop {
            match self.connection.read(buffer) {
                Ok(got) => {
                    let bytes = &buffer[..got.bytes];
                    if let Some(entering) = &mut self.entering {
                        entering.heard.extend_from_slice(bytes);
                        self.go_on_entering()?;
                    } else {
                        self.heard_bytes += bytes.len() as u64;
                        hear(bytes);
                    }
                    if got.is_all {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(Failure::new("the server closed it"));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Begins the next step of joining if the last one is answered.
    fn go_on_entering(&mut self) -> Result<()> {
        let Some(entering) = &mut self.entering else { return Ok(()) };
        if !self.connection.open()? || !(entering.is_answered)(&entering.heard) {
            return Ok(());
        }
        if let Some(error) = self.connection.socket.take_error()? {
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
                let socket = SockRef::from(&self.connection.socket);
                socket.set_tcp_nodelay(true)?;
                // Close with a reset, so that ten thousand connections leave nothing behind for the next run.
                Ok(socket.set_linger(Some(Duration::ZERO))?)
            }
        }
    }
}
