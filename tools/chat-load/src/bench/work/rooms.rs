//! Many small rooms: what a message costs in each of them, and what a room costs in which nothing happens.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Effort;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::clock;
use crate::failure::{Failure, Result, ensure};
use crate::stamp::{Stamp, count};

/// The pause between the messages of a second: every room speaks in one of these turns.
const TURN: Duration = Duration::from_millis(10);
const TURNS_PER_SECOND: usize = 100;
const WARM_UP: Duration = Duration::from_secs(1);
/// How long the last messages may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long idle rooms are watched.
const REST: Duration = Duration::from_secs(3);

/// One message per second in each room.
pub(super) fn run(
    system: &System,
    programs: &Programs,
    rooms: usize,
    members: usize,
    effort: Effort,
) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut peers = Peers::new()?;
    for room in 0..rooms {
        for _ in 0..members {
            peers.join(server.address, room)?;
        }
    }
    let hearers = members as u64 - 1;
    let mut sent = peers.speak(WARM_UP, rooms, members)?;
    peers.settle(sent * hearers)?;
    let (cpu_before, began) = (server.cpu()?, clock::now());
    let said = peers.speak(Duration::from_secs_f64(effort.seconds.ceil()), rooms, members)?;
    sent += said;
    peers.settle(sent * hearers)?;
    let (cpu, seconds) = (server.cpu()? - cpu_before, began.elapsed().as_secs_f64());
    let deliveries = (said * hearers) as f64;
    Ok(Figures::default()
        .with(Quantity::CpuPerDelivery, cpu.as_secs_f64() * 1e6 / deliveries)
        .with(Quantity::DeliveriesPerSecond, deliveries / seconds))
}

/// Rooms with one silent member each, compared with the same members in one room.
pub(super) fn run_idle(system: &System, programs: &Programs, rooms: usize) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut peers = Peers::new()?;
    for _ in 0..rooms {
        peers.join(server.address, 0)?;
    }
    let before = server.memory()?;
    for peer in 1..rooms {
        peers.go(peer, peer)?;
    }
    let memory = server.memory()?.saturating_sub(before);
    clock::pause(REST);
    let cpu_before = server.cpu()?;
    clock::pause(REST);
    let cpu = server.cpu()? - cpu_before;
    Ok(Figures::default()
        .with(Quantity::MemoryPerRoom, memory as f64 / (rooms - 1) as f64)
        .with(Quantity::CpuIdle, cpu.as_secs_f64() / REST.as_secs_f64()))
}

/// Plain members over TCP, those of one room next to each other.
struct Peers {
    poll: Poll,
    events: Events,
    sockets: Vec<TcpStream>,
    buffer: Vec<u8>,
    heard: u64,
}

impl Peers {
    fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            sockets: Vec::new(),
            buffer: vec![0; 64 * 1024],
            heard: 0,
        })
    }

    /// Connects another member, and takes it to a room.
    fn join(&mut self, address: SocketAddr, room: usize) -> Result<()> {
        let socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        self.poll.registry().register(&mut socket, Token(self.sockets.len()), Interest::READABLE)?;
        self.sockets.push(socket);
        self.go(self.sockets.len() - 1, room)
    }

    /// Takes a member to a room, and waits until it is there.
    fn go(&mut self, peer: usize, room: usize) -> Result<()> {
        self.sockets[peer].write_all(format!("/join room-{room}\n").as_bytes())?;
        let (deadline, mut answer) = (clock::now() + PATIENCE, Vec::new());
        while !memchr::memmem::find(&answer, b"[*] You are in ").is_some_and(|_| answer.ends_with(b"\n")) {
            ensure(clock::now() < deadline, || "a member did not get to its room".to_owned())?;
            match self.sockets[peer].read(&mut self.buffer) {
                Ok(0) => return Err(Failure::new("the server closed it")),
                Ok(count) => answer.extend_from_slice(&self.buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.poll.poll(&mut self.events, Some(TURN))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Lets one member of each room say a message per second. Returns how many messages were said.
    fn speak(&mut self, time: Duration, rooms: usize, members: usize) -> Result<u64> {
        let (mut next, mut said) = (clock::now(), 0);
        let turns = usize::try_from(time.as_millis() / TURN.as_millis()).unwrap_or(usize::MAX);
        for turn in 0..turns {
            next += TURN;
            for room in (0..rooms).skip(turn % TURNS_PER_SECOND).step_by(TURNS_PER_SECOND) {
                let text = [&Stamp { number: said, ..Stamp::default() }.text()[..], b"\n"].concat();
                self.sockets[room * members].write_all(&text)?;
                said += 1;
            }
            while let wait = next.saturating_duration_since(clock::now())
                && !wait.is_zero()
            {
                self.hear(wait)?;
            }
        }
        Ok(said)
    }

    /// Waits until this many messages were heard in all.
    fn settle(&mut self, heard: u64) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        while self.heard < heard {
            ensure(clock::now() < deadline, || format!("{} of {heard} messages were heard", self.heard))?;
            self.hear(TURN)?;
        }
        ensure(self.heard == heard, || format!("{} messages were heard, and {heard} said", self.heard))
    }

    fn hear(&mut self, timeout: Duration) -> Result<()> {
        self.poll.poll(&mut self.events, Some(timeout))?;
        for event in &self.events {
            loop {
                match self.sockets[event.token().0].read(&mut self.buffer) {
                    Ok(0) => return Err(Failure::new("the server closed it")),
                    // A message arrives in one piece: it is much smaller than a segment, and few come at once.
                    Ok(bytes) => self.heard += count(&self.buffer[..bytes]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}
