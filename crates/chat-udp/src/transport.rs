//! The shell around the endpoint: one socket, one poll loop, all system calls.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use chat_core::transport::{Transport, Turn};
use chat_core::{Rooms, Waker};
use mio::{Events, Poll, Token};

use crate::arrivals::Arrivals;
use crate::batch::Batch;
use crate::config::UdpConfig;
use crate::endpoint::Endpoint;
use crate::limits::{
    BATCH_DATAGRAMS, RECEIVE_ERRORS_MAX, RECEIVED_PER_FANOUT, RECEIVED_PER_TURN, SENT_PER_FANOUT,
    SOCKET_DATAGRAMS_MAX,
};
use crate::socket::Socket;

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

/// A room's socket: a [`Transport`]. Made by [`UdpServer::bind`](crate::UdpServer::bind).
#[derive(Debug)]
pub struct UdpTransport {
    poll: Poll,
    events: Events,
    socket: Socket,
    endpoint: Endpoint,
    /// Receiving may bring datagrams; false once it would block.
    readable: bool,
    /// Sending may take datagrams; false once it would block.
    writable: bool,
    /// Datagrams that the socket has not taken yet.
    batch: Batch,
    /// The endpoint may have more to send.
    behind: bool,
    /// Every datagram that arrived before this moment was received. No member is closed for silence after it.
    read_until: Instant,
    /// How much was received since that moment without finding the socket empty.
    read_since: (Instant, usize),
    /// Peers that are not there, as ICMP messages say.
    unreachable: Vec<SocketAddr>,
    /// Errors in a row.
    errors: usize,
    arrivals: Arrivals,
    draining: bool,
}

impl UdpTransport {
    pub(crate) fn new(
        rooms: &Rooms,
        config: &UdpConfig,
        mut socket: Socket,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE).map(Arc::new)?;
        socket.register(poll.registry(), SOCKET)?;
        let wake = move || {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "cannot wake an I/O thread");
            }
        };
        let now = clock();
        let endpoint = Endpoint::new(rooms, Waker::new(wake), config.clone(), address, rand::random(), now);
        Ok(Self {
            poll,
            events: Events::with_capacity(8),
            socket,
            endpoint,
            readable: true,
            writable: true,
            batch: Batch::default(),
            behind: true,
            read_until: now,
            read_since: (now, 0),
            unreachable: Vec::new(),
            errors: 0,
            arrivals: Arrivals::default(),
            draining: false,
        })
    }

    /// Waits for something to do until `until` at most.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let next = until.into_iter().chain(self.due()).min();
        let timeout = next.map(|next| next.saturating_duration_since(clock()));
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            if event.token() == SOCKET {
                if event.is_error() {
                    self.socket.take_errors(&mut self.unreachable);
                }
                self.readable |= event.is_readable() || event.is_error();
                self.writable |= event.is_writable();
            }
        }
        Ok(())
    }

    /// Receives what there is, within a turn's share, and serves everyone in between.
    fn receive(&mut self) -> io::Result<()> {
        // A process that was stopped finds every lease run out, and the datagrams that renew them in the socket.
        // So before anything is done that is due the socket must be empty.
        self.readable |= self.endpoint.deadline().is_some_and(|due| due <= clock());
        let (mut received, mut fanned_out) = (0, 0);
        while self.readable && received < RECEIVED_PER_TURN {
            let now = clock();
            match self.socket.receive(&mut self.arrivals) {
                Ok(is_more) => {
                    self.errors = 0;
                    self.readable = is_more;
                    received += self.arrivals.len();
                    self.note_read(self.arrivals.len(), now);
                    for (route, bytes) in self.arrivals.iter() {
                        self.endpoint.receive(route, bytes, now);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    self.note_read(0, now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) if self.socket.take_errors(&mut self.unreachable) => received += 1,
                Err(error) => {
                    // As a rule an ICMP message about something that was sent before, on Windows above all:
                    // one peer's end. Its lease will run out.
                    tracing::debug!(%error, "receiving failed");
                    self.errors += 1;
                    if self.errors > RECEIVE_ERRORS_MAX {
                        return Err(error);
                    }
                }
            }
            if received - fanned_out >= RECEIVED_PER_FANOUT {
                fanned_out = received;
                self.serve(now);
            }
        }
        Ok(())
    }

    /// `count` more datagrams were received by a call that began at `now`.
    fn note_read(&mut self, count: usize, now: Instant) {
        let (since, before) = self.read_since;
        if !self.readable {
            self.read_until = now;
        } else if before + count >= SOCKET_DATAGRAMS_MAX {
            // More than the socket holds: what was there when this count began is among it.
            self.read_until = since;
        } else {
            self.read_since.1 = before + count;
            return;
        }
        self.read_since = (now, 0);
    }

    /// Does the work that is due, takes the room's updates, and sends the waiting datagrams, as far as the socket takes
    /// them.
    fn serve(&mut self, now: Instant) {
        for peer in self.unreachable.drain(..) {
            self.endpoint.unreachable(peer, now);
        }
        self.endpoint.on_deadline(self.read_until);
        self.endpoint.pull(now);
        self.behind = true;
        for _ in 0..SENT_PER_FANOUT / BATCH_DATAGRAMS {
            self.batch.fill(|out| self.endpoint.transmit(out, now));
            if self.batch.is_empty() {
                self.behind = false;
                return;
            }
            self.writable = self.batch.send(&self.socket, &mut self.unreachable);
            if !self.writable {
                return;
            }
        }
    }
}

impl Transport for UdpTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        self.wait(until)?;
        self.receive()?;
        self.serve(clock());
        let Some(deadline) = self.endpoint.closing() else { return Ok(Turn::Open) };
        if !std::mem::replace(&mut self.draining, true) {
            self.endpoint.drain(clock());
            self.serve(clock());
        }
        if self.endpoint.is_drained() && self.batch.is_empty() {
            return Ok(Turn::Done);
        }
        if clock() < deadline {
            return Ok(Turn::Closing);
        }
        tracing::warn!("cut off peers that did not take what they were owed in time");
        Ok(Turn::Done)
    }

    fn due(&self) -> Option<Instant> {
        if self.readable || (self.behind && self.writable) {
            return Some(clock());
        }
        let closing = self.endpoint.closing().filter(|_| self.draining);
        [self.endpoint.deadline(), closing].into_iter().flatten().min()
    }
}

/// Readable when a [`turn`](Transport::turn) has something to do, before [`due`](Transport::due): for a loop that waits
/// for many things at once. Take no events from it yourself.
#[cfg(unix)]
impl AsFd for UdpTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}
