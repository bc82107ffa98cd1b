//! Members and talkers of one server over TCP, in one poll loop.
//!
//! What a member receives is counted in bytes and otherwise dropped, since looking at it would cost more than the
//! server takes to send it. A few observed members count messages; in the end every member must have as many bytes
//! as they.

mod speaker;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

pub(super) use self::speaker::TcpSpeaker;
use super::{Crowd, Heard, PATIENCE, Settled, in_time, roll};
use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::stamp::{self, TEXT_BYTES};
use crate::wire::{Step, Wire};

/// Segment size and receive buffer of members that will stall: as over a network. With what loopback has the system
/// would take megabytes for each before the server notices anything.
const STALLING_MSS: u32 = 1400;
const STALLING_BUFFER_BYTES: usize = 64 * 1024;

/// Connections to one server.
#[derive(Debug)]
pub(super) struct TcpCrowd {
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

impl TcpCrowd {
    /// `talkers` that can say something; members come later.
    pub(super) fn new(wire: Wire, address: SocketAddr, talkers: usize) -> Result<Self> {
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
            self.turn(PATIENCE, &mut |_| {})?;
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
}

impl Crowd for TcpCrowd {
    fn talkers(&self) -> usize {
        self.talkers
    }

    fn members(&self) -> usize {
        self.peers.len() - self.talkers
    }

    fn hearers(&self) -> usize {
        self.listening().len() + self.wire.talkers_who_hear(self.talkers)
    }

    fn listening(&self) -> Vec<usize> {
        let members = self.peers[self.talkers..].iter().enumerate();
        members.filter(|(_, peer)| !peer.is_stalled).map(|(member, _)| member).collect()
    }

    fn may_lose(&self) -> bool {
        false
    }

    fn join(&mut self, count: usize, will_stall: &dyn Fn(usize) -> bool) -> Result<()> {
        self.enter(count, Wire::join, will_stall)?;
        let mut calls = self.calls;
        let called = roll::call(self, &mut calls, |_, _| Ok(()));
        self.calls = calls;
        called
    }

    fn stall(&mut self, which: &dyn Fn(usize) -> bool) -> Result<()> {
        for (member, peer) in self.peers[self.talkers..].iter_mut().enumerate() {
            peer.is_stalled = which(member);
        }
        Ok(())
    }

    fn say(&mut self, talker: usize, stamp: u64) -> Result<()> {
        self.wire.say(&stamp::text(stamp), &mut self.peers[talker].unsent);
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        self.peers[..self.talkers].iter_mut().try_for_each(Peer::send)
    }

    fn turn(&mut self, timeout: Duration, hear: &mut dyn FnMut(Heard<'_>)) -> Result<()> {
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

    fn count_from_here(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.heard_bytes = 0);
    }

    /// Reads until no member who listens lacks a message that another one has: that is, 64 bytes or more. Less may be
    /// a server's asking whether one member is still there.
    fn settle(&mut self, sent: u64) -> Result<Settled> {
        let deadline = clock::now() + PATIENCE;
        let listening = self.listening();
        loop {
            let heard = || listening.iter().map(|member| self.peers[self.talkers + member].heard_bytes);
            let most = heard().max().unwrap_or(0);
            let behind = heard().filter(|&bytes| bytes + TEXT_BYTES as u64 <= most).count();
            if behind == 0 {
                return Ok(Settled { deliveries: sent * self.hearers() as u64, at: clock::now() });
            }
            in_time(deadline, &format!("{behind} members did not get everything"))?;
            self.turn(PATIENCE, &mut |_| {})?;
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
