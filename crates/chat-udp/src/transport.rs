//! The shell around the endpoint: one socket, one poll loop, all system calls.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Room, Transport, Turn, Waker};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::batch::Batch;
use crate::config::UdpConfig;
use crate::endpoint::Endpoint;
use crate::limits::{
    BATCH_DATAGRAMS, RECEIVE_BUFFER_BYTES, RECEIVE_ERRORS_MAX, RECEIVED_PER_FANOUT, RECEIVED_PER_TURN,
    SENT_PER_FANOUT,
};

const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

/// A room's socket: a [`Transport`]. Made by [`UdpServer::bind`](crate::UdpServer::bind).
#[derive(Debug)]
pub struct UdpTransport {
    poll: Poll,
    events: Events,
    socket: UdpSocket,
    endpoint: Endpoint,
    /// Receiving may bring datagrams; false once it would block.
    readable: bool,
    /// Sending may take datagrams; false once it would block.
    writable: bool,
    /// Datagrams that the socket has not taken yet.
    batch: Batch,
    /// The endpoint may have more to send.
    behind: bool,
    /// Errors in a row.
    errors: usize,
    buffer: Box<[u8]>,
}

impl UdpTransport {
    pub(crate) fn new(
        room: &Room,
        config: &UdpConfig,
        mut socket: UdpSocket,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE).map(Arc::new)?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
        let wake = move || {
            if let Err(error) = waker.wake() {
                tracing::error!(%error, "cannot wake an I/O thread");
            }
        };
        let endpoint =
            Endpoint::new(room, Waker::new(wake), config.clone(), address, rand::random(), clock());
        Ok(Self {
            poll,
            events: Events::with_capacity(8),
            socket,
            endpoint,
            readable: true,
            writable: true,
            batch: Batch::default(),
            behind: true,
            errors: 0,
            buffer: vec![0; RECEIVE_BUFFER_BYTES].into(),
        })
    }

    /// Waits for something to do until `until` at most.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let is_busy = self.readable || (self.behind && self.writable);
        let next = until.into_iter().chain(self.endpoint.deadline()).min();
        let timeout = match next {
            _ if is_busy => Some(Duration::ZERO),
            Some(next) => Some(next.saturating_duration_since(clock())),
            None => None,
        };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            if event.token() == SOCKET {
                // Errors are told by the calls themselves.
                self.readable |= event.is_readable() || event.is_error();
                self.writable |= event.is_writable();
            }
        }
        Ok(())
    }

    /// Receives what there is, within a turn's share, and serves everyone in between.
    fn receive(&mut self) -> io::Result<()> {
        let mut now = clock();
        for count in 1..=RECEIVED_PER_TURN {
            if !self.readable {
                break;
            }
            match self.socket.recv_from(&mut self.buffer) {
                Ok((bytes, from)) => {
                    self.errors = 0;
                    self.endpoint.receive(from, &self.buffer[..bytes], now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // As a rule an ICMP message about something that was sent before, on Windows above all:
                    // one peer's end. His lease will run out.
                    tracing::debug!(%error, "receiving failed");
                    self.errors += 1;
                    if self.errors > RECEIVE_ERRORS_MAX {
                        return Err(error);
                    }
                }
            }
            if count % RECEIVED_PER_FANOUT == 0 {
                self.serve(now);
                now = clock();
            }
        }
        Ok(())
    }

    /// Does what is due, takes in what is new in the room, and sends what there is to send, as far as the
    /// socket takes it.
    fn serve(&mut self, now: Instant) {
        self.endpoint.on_deadline(now);
        self.endpoint.pull(now);
        self.behind = true;
        for _ in 0..SENT_PER_FANOUT / BATCH_DATAGRAMS {
            self.batch.fill(|out| self.endpoint.transmit(out, now));
            if self.batch.is_empty() {
                self.behind = false;
                return;
            }
            self.writable = self.batch.send(&self.socket);
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
        Ok(self.endpoint.closing().map_or(Turn::Open, |deadline| Turn::Closing { deadline }))
    }

    fn drain(&mut self, deadline: Instant) -> io::Result<()> {
        self.endpoint.drain(clock());
        loop {
            self.serve(clock());
            if self.endpoint.is_drained() && self.batch.is_empty() {
                return Ok(());
            }
            if clock() >= deadline {
                tracing::warn!("cut off peers that did not take what they were owed in time");
                return Ok(());
            }
            self.wait(Some(deadline))?;
            self.receive()?;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
pub(crate) fn clock() -> Instant {
    Instant::now()
}
