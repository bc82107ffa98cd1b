//! Talkers and members of one server over UDP, in one poll loop.
//!
//! Datagrams may be lost, and a plain member does not even learn of it. So this crowd counts what arrives, message by
//! message and member by member, and takes nothing else for delivered.

mod peer;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use self::peer::Peer;
use super::{Crowd, PATIENCE, Settled, in_time, roll_call};
use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::stamp::{self, Stamp};

/// How many peers may be joining at once. A socket's buffer holds the first datagrams of this many.
const ENTERING_MAX: usize = 64;
/// How often to check which of them are in.
const ENTERING_PAUSE: Duration = Duration::from_millis(10);
/// If nobody has heard anything for this long, the messages that are missing are lost.
const LOST_AFTER: Duration = Duration::from_millis(200);

/// Sockets connected to one server.
pub(super) struct UdpCrowd {
    framed: bool,
    address: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    out: Vec<u8>,
    peers: Vec<Place>,
    talkers: usize,
    /// Which peer has to send something at which time although it has received nothing, the earliest first.
    due: BTreeSet<(Instant, usize)>,
    calls: u64,
    /// Messages heard since the count began, and the time of the last one.
    heard: u64,
    heard_at: Instant,
}

struct Place {
    socket: UdpSocket,
    peer: Peer,
    /// Its entry in the list of peers that have something to send.
    due: Option<Instant>,
}

impl UdpCrowd {
    pub(super) fn new(framed: bool, address: SocketAddr, talkers: usize) -> Result<Self> {
        let mut crowd = Self {
            framed,
            address,
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 64 * 1024],
            out: Vec::new(),
            peers: Vec::new(),
            talkers,
            due: BTreeSet::new(),
            calls: 0,
            heard: 0,
            heard_at: clock::now(),
        };
        crowd.enter(talkers)?;
        Ok(crowd)
    }

    fn enter(&mut self, count: usize) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        let end = self.peers.len() + count;
        let mut entering: Vec<usize> = Vec::new();
        while self.peers.len() < end || !entering.is_empty() {
            while self.peers.len() < end && entering.len() < ENTERING_MAX {
                let key = self.peers.len();
                let peer = Peer::new(self.framed, key as u64, clock::now());
                let place = Place { socket: self.connect(key)?, peer, due: None };
                self.peers.push(place);
                self.flush(key, clock::now()).when(format!("peer {key}"))?;
                if !self.peers[key].peer.is_in() {
                    entering.push(key);
                }
            }
            let timeout = if entering.is_empty() { Duration::ZERO } else { ENTERING_PAUSE };
            self.turn(timeout, &mut |_, _| {})?;
            entering.retain(|&key| !self.peers[key].peer.is_in());
            in_time(deadline, "not everyone could join")?;
        }
        Ok(())
    }

    fn connect(&self, key: usize) -> Result<UdpSocket> {
        let socket = Socket::new(Domain::for_address(self.address), Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&self.address.into())?;
        let mut socket = UdpSocket::from_std(socket.into());
        self.poll.registry().register(&mut socket, Token(key), Interest::READABLE)?;
        Ok(socket)
    }

    /// Sends what a peer has to send now.
    fn flush(&mut self, key: usize, now: Instant) -> Result<()> {
        let place = &mut self.peers[key];
        while place.peer.transmit(&mut self.out, now) {
            match place.socket.send(&self.out) {
                Ok(_) => {}
                // The datagram is lost, as on any network.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error).when("a datagram cannot be sent"),
            }
        }
        let due = place.peer.deadline();
        if due != place.due {
            place.due.map(|before| self.due.remove(&(before, key)));
            place.due = due;
            self.due.extend(due.map(|due| (due, key)));
        }
        Ok(())
    }

    /// Sends what is due.
    fn on_time(&mut self) -> Result<()> {
        let now = clock::now();
        while let Some(&(_, key)) = self.due.first().filter(|(due, _)| *due <= now) {
            self.flush(key, now)?;
        }
        Ok(())
    }

    /// Receives everything that has arrived for a peer.
    fn receive(&mut self, key: usize, hear: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        let now = clock::now();
        loop {
            let Place { socket, peer, .. } = &mut self.peers[key];
            let datagram = match socket.recv(&mut self.buffer) {
                Ok(count) => &self.buffer[..count],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let (heard, heard_at) = (&mut self.heard, &mut self.heard_at);
            peer.receive(datagram, now, &mut |bytes| {
                *heard += stamp::count(bytes);
                *heard_at = now;
                hear(key, bytes);
            })?;
        }
        // Acknowledge everything that one look at the socket brought together, as our client does.
        self.flush(key, now)
    }
}

impl Crowd for UdpCrowd {
    fn talkers(&self) -> usize {
        self.talkers
    }

    fn peers(&self) -> usize {
        self.peers.len()
    }

    /// All peers, because an author gets its own message back over UDP.
    fn hearers(&self) -> usize {
        self.peers.len()
    }

    fn listening(&self) -> Vec<usize> {
        (self.talkers..self.peers.len()).collect()
    }

    fn may_lose(&self) -> bool {
        !self.framed
    }

    fn join(&mut self, count: usize, _will_stall: &dyn Fn(usize) -> bool) -> Result<()> {
        self.enter(count)?;
        let mut calls = self.calls;
        let called = roll_call::call(self, &mut calls, |crowd, key| {
            crowd.peers[key].peer.say_hello();
            crowd.flush(key, clock::now())
        });
        self.calls = calls;
        called
    }

    fn stall(&mut self) -> Result<()> {
        Err(Failure::new("a member that reads nothing over UDP harms nobody but itself"))
    }

    fn say(&mut self, stamp: Stamp) -> Result<()> {
        self.peers[stamp.talker].peer.say(&stamp.text(), clock::now())
    }

    fn send(&mut self) -> Result<()> {
        let now = clock::now();
        (0..self.talkers).try_for_each(|key| self.flush(key, now))
    }

    fn turn(&mut self, timeout: Duration, hear: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        let due = self.due.first().map(|&(due, _)| due.saturating_duration_since(clock::now()));
        let timeout = due.map_or(timeout, |due| due.min(timeout));
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let keys: Vec<usize> = self.events.iter().map(|event| event.token().0).collect();
        for key in keys {
            self.receive(key, hear).when(format!("peer {key} of {}", self.peers.len()))?;
        }
        self.on_time()
    }

    fn count_from_here(&mut self) {
        (self.heard, self.heard_at) = (0, clock::now());
    }

    fn settle(&mut self, sent: u64) -> Result<Settled> {
        let deadline = clock::now() + PATIENCE;
        let all = sent * self.hearers() as u64;
        loop {
            let is_rest_lost = self.may_lose() && self.heard_at.elapsed() >= LOST_AFTER;
            if self.heard >= all || is_rest_lost {
                return Ok(Settled { deliveries: self.heard, at: self.heard_at });
            }
            in_time(deadline, &format!("{} of {all} deliveries did not come", all - self.heard))?;
            self.turn(LOST_AFTER, &mut |_, _| {})?;
        }
    }
}
