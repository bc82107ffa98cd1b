//! The shell around the connections: one poll loop, all system calls.
//!
//! A turn: wait; read who has something to say and hand it to the room; pull what the room has to say,
//! encode it once; write to every member that is behind and whose socket takes it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{News, Port, Room, Transport, Turn, Waker};
use crossbeam_channel::Receiver;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use crate::acceptor::{Acceptor, Dealt};
use crate::connection::{Connection, Context};
use crate::deadlines::Deadlines;
use crate::limits::{HEARD_BYTES_PER_FANOUT, LEAVING_MAX, READ_BYTES_PER_TURN};
use crate::logs::Logs;
use crate::peer::Peer;
use crate::socket;

/// The token of the room's wakes.
const WAKE: Token = Token(usize::MAX);
/// The token of the listening socket.
pub(crate) const LISTEN: Token = Token(usize::MAX - 1);

/// One I/O thread's share of a TCP server: a [`Transport`]. Made by
/// [`TcpServer::bind`](crate::TcpServer::bind).
#[derive(Debug)]
pub struct TcpTransport {
    poll: Poll,
    events: Events,
    waker: Arc<mio::Waker>,
    port: Port,
    news: News,
    logs: Logs,
    acceptor: Option<Acceptor>,
    inbox: Receiver<Dealt>,
    peers: Slab<Peer>,
    /// Peers that were never members.
    refused: usize,
    /// Of the newest peer.
    generation: u16,
    /// Who has an event to be handled, or bytes left from his last turn.
    queue: VecDeque<usize>,
    deadlines: Deadlines,
    /// Bytes that may be said before everyone is served.
    heard_bytes_max: usize,
    /// The logs have grown since everyone was served.
    grown: bool,
    /// The room is closing.
    closing: Option<Instant>,
    buffer: Box<[u8]>,
}

impl TcpTransport {
    pub(crate) fn new(room: &Room, announce: bool, inbox: Receiver<Dealt>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE)?);
        let wake = Arc::clone(&waker);
        let port = room.attach(Waker::new(move || {
            if let Err(error) = wake.wake() {
                tracing::error!(%error, "cannot wake an I/O thread");
            }
        }));
        let log_bytes_max = room.config().log_bytes_max;
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            waker,
            port,
            news: News::default(),
            logs: Logs::new(log_bytes_max, announce),
            heard_bytes_max: HEARD_BYTES_PER_FANOUT.min(log_bytes_max / 4),
            acceptor: None,
            inbox,
            peers: Slab::new(),
            refused: 0,
            generation: 0,
            queue: VecDeque::new(),
            deadlines: Deadlines::default(),
            grown: false,
            closing: None,
            buffer: vec![0; READ_BYTES_PER_TURN].into(),
        })
    }

    pub(crate) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    pub(crate) fn mio_waker(&self) -> Arc<mio::Waker> {
        Arc::clone(&self.waker)
    }

    pub(crate) fn set_acceptor(&mut self, acceptor: Acceptor) {
        self.acceptor = Some(acceptor);
    }

    /// Waits for events until `until` at most and queues the peers they concern.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<Instant> {
        let timeout = self.timeout(until);
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(clock()),
            result => result?,
        }
        for event in &self.events {
            match event.token() {
                WAKE => {}
                LISTEN => self.acceptor.iter_mut().for_each(Acceptor::on_event),
                token => {
                    // An event may outlive its peer, whose place another one has by now.
                    let (key, generation) = place_of(token);
                    let peer = self.peers.get_mut(key).filter(|peer| peer.is_of(generation));
                    if peer.is_some_and(|peer| peer.on_event(event)) {
                        self.queue.push_back(key);
                    }
                }
            }
        }
        Ok(clock())
    }

    fn timeout(&self, until: Option<Instant>) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = clock();
        let accept = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline(now));
        let next = [until, accept, self.deadlines.next(), self.news.pull_by].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

    // ---- peers in ------------------------------------------------------------------------------

    fn accept(&mut self, now: Instant) {
        let ours = self.acceptor.as_mut().map_or_else(Vec::new, |acceptor| acceptor.accept(now));
        let dealt: Vec<Dealt> = self.inbox.try_iter().collect();
        for (socket, peer) in ours.into_iter().chain(dealt) {
            if let Err(error) = self.adopt(socket, peer, now) {
                tracing::debug!(%peer, %error, "connection failed at the start");
            }
        }
    }

    fn adopt(&mut self, mut socket: TcpStream, address: SocketAddr, now: Instant) -> io::Result<()> {
        socket::set_options(&socket)?;
        let key = self.peers.vacant_key();
        self.generation = self.generation.wrapping_add(1);
        let token = token_of(key, self.generation);
        self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let joined = self.port.join(address, now);
        self.pull(now);
        let mut cx = Context { port: &self.port, logs: &mut self.logs, now, room_left: self.heard_bytes_max };
        let connection = match joined {
            Ok(joined) => Connection::new(joined, &mut cx),
            Err(_) if self.refused >= LEAVING_MAX => return Ok(()),
            Err(error) => {
                self.refused += 1;
                Connection::refused(error, &mut cx)
            }
        };
        self.peers.insert(Peer::new(socket, connection, self.generation));
        self.queue.push_back(key);
        Ok(())
    }

    // ---- bytes in ------------------------------------------------------------------------------

    /// Reads from everyone in the queue, each his share, and serves all members in between if much
    /// has come. Returns who was there.
    fn read_queue(&mut self, now: Instant) -> Vec<usize> {
        let mut served = Vec::new();
        let mut room_left = self.heard_bytes_max;
        for _ in 0..self.queue.len() {
            let Some(key) = self.queue.pop_front() else { break };
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.dequeued();
            served.push(key);
            let mut cx = Context { port: &self.port, logs: &mut self.logs, now, room_left };
            peer.read(&mut self.buffer, &mut cx);
            room_left = cx.room_left;
            if peer.connection.awaits_greeting() {
                self.greet(key, now);
            }
            if room_left == 0 {
                room_left = self.heard_bytes_max;
                self.fan_out(now);
            }
        }
        served
    }

    fn greet(&mut self, key: usize, now: Instant) {
        self.pull(now);
        let mut cx = Context { port: &self.port, logs: &mut self.logs, now, room_left: self.heard_bytes_max };
        self.peers[key].connection.greet(&mut cx);
    }

    fn expire(&mut self, now: Instant) -> Vec<usize> {
        let due = self.deadlines.due(now);
        let mut cx = Context { port: &self.port, logs: &mut self.logs, now, room_left: self.heard_bytes_max };
        for &key in &due {
            self.peers[key].connection.on_deadline(&mut cx);
        }
        due
    }

    // ---- bytes out -----------------------------------------------------------------------------

    /// Takes what is new in the room into the logs, and tells those who must leave.
    fn pull(&mut self, now: Instant) {
        self.port.pull(&mut self.news);
        self.closing = self.news.closing;
        self.grown |= !self.news.entries.is_empty() || self.news.missed_up_to.is_some();
        self.logs.append(&self.news);
        for (member, reason) in self.news.dismissed.drain(..) {
            let peer = self.peers.iter_mut().find(|(_, peer)| peer.connection.member() == Some(member));
            if let Some((_, peer)) = peer {
                peer.connection.dismiss(&reason, now);
                self.grown = true; // has him flushed with the others
            }
        }
    }

    /// Pulls, and serves everyone if there is anything new.
    fn fan_out(&mut self, now: Instant) -> bool {
        self.pull(now);
        if !std::mem::take(&mut self.grown) {
            return false;
        }
        self.flush_all(now);
        true
    }

    fn flush_all(&mut self, now: Instant) {
        let mut cx = Context { port: &self.port, logs: &mut self.logs, now, room_left: self.heard_bytes_max };
        let mut done = Vec::new();
        for (key, peer) in &mut self.peers {
            peer.flush(&mut cx);
            if !peer.settle(key, &mut self.deadlines, &mut self.queue) {
                done.push(key);
            }
        }
        done.into_iter().for_each(|key| self.remove(key));
    }

    fn flush(&mut self, keys: impl IntoIterator<Item = usize>, now: Instant) {
        for key in keys {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            let mut cx =
                Context { port: &self.port, logs: &mut self.logs, now, room_left: self.heard_bytes_max };
            peer.flush(&mut cx);
            if !peer.settle(key, &mut self.deadlines, &mut self.queue) {
                self.remove(key);
            }
        }
    }

    fn remove(&mut self, key: usize) {
        let peer = self.peers.remove(key);
        self.refused -= usize::from(peer.connection.was_refused());
    }
}

impl Transport for TcpTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        let now = self.wait(until)?;
        self.accept(now);
        let read = self.read_queue(now);
        let due = self.expire(now);
        if !self.fan_out(now) {
            self.flush(read.into_iter().chain(due), now);
        }
        Ok(self.closing.map_or(Turn::Open, |deadline| Turn::Closing { deadline }))
    }

    fn drain(&mut self, deadline: Instant) -> io::Result<()> {
        self.acceptor = None;
        let now = clock();
        self.pull(now);
        let mut cx = Context { port: &self.port, logs: &mut self.logs, now, room_left: self.heard_bytes_max };
        self.peers.iter_mut().for_each(|(_, peer)| peer.connection.drain(&mut cx));
        self.flush_all(now);
        self.news.pull_by = None;
        while !self.peers.is_empty() {
            let now = self.wait(Some(deadline))?;
            if now >= deadline {
                tracing::warn!(
                    peers = self.peers.len(),
                    "cut off peers that did not take what they were owed in time"
                );
                break;
            }
            let read = self.read_queue(now);
            let due = self.expire(now);
            self.flush(read.into_iter().chain(due), now);
        }
        Ok(())
    }
}

/// A token holds the peer's place in its lower bits and, in the upper ones, a generation, which tells apart
/// the peers that had the same place one after the other.
const KEY_BITS: u32 = usize::BITS - u16::BITS;

fn token_of(key: usize, generation: u16) -> Token {
    Token(usize::from(generation) << KEY_BITS | key)
}

#[expect(clippy::cast_possible_truncation, reason = "16 bits are left after the shift")]
fn place_of(Token(token): Token) -> (usize, u16) {
    (token & ((1 << KEY_BITS) - 1), (token >> KEY_BITS) as u16)
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
