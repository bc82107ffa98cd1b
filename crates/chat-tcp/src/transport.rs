//! The shell around an endpoint: one poll loop, all system calls.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Room, Transport, Turn, Waker};
use chat_stream::Endpoint;
use crossbeam_channel::Receiver;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::acceptor::{Acceptor, Dealt};
use crate::socket;
use crate::stream::{self, Socket};

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
    acceptor: Option<Acceptor>,
    inbox: Receiver<Dealt>,
    endpoint: Endpoint<Socket>,
}

impl TcpTransport {
    pub(crate) fn new(room: &Room, announce: bool, inbox: Receiver<Dealt>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE)?);
        let wake = Arc::clone(&waker);
        let wake = Waker::new(move || {
            if let Err(error) = wake.wake() {
                tracing::error!(%error, "cannot wake an I/O thread");
            }
        });
        Ok(Self {
            poll,
            events: Events::with_capacity(1024),
            waker,
            acceptor: None,
            inbox,
            endpoint: Endpoint::new(room, wake, announce),
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

    /// Waits for events until `until` at most and tells the endpoint of them.
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
                Token(token) => self.endpoint.ready(token, stream::readiness(event)),
            }
        }
        Ok(clock())
    }

    fn timeout(&self, until: Option<Instant>) -> Option<Duration> {
        let now = clock();
        let accept = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline(now));
        let next = [until, accept, self.endpoint.deadline(now)].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

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
        let token = Token(self.endpoint.next_token());
        self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        self.endpoint.adopt(Socket(socket), address, now);
        Ok(())
    }
}

impl Transport for TcpTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        let now = self.wait(until)?;
        self.accept(now);
        Ok(self.endpoint.turn(now))
    }

    fn drain(&mut self, deadline: Instant) -> io::Result<()> {
        self.acceptor = None;
        self.endpoint.drain(clock());
        while !self.endpoint.is_drained() {
            let now = self.wait(Some(deadline))?;
            if now >= deadline {
                tracing::warn!(
                    peers = self.endpoint.peers(),
                    "cut off peers that did not take what they were owed in time"
                );
                break;
            }
            let _closing = self.endpoint.turn(now);
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
