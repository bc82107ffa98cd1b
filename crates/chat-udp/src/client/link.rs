//! The thread of a client: its socket, its poll loop, its user.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use chat_core::client::{Talk, User};
use chat_core::{ClientEnd, ClientEvent};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::limits::{RECEIVE_BUFFER_BYTES, RECEIVED_PER_FANOUT, SEND_RETRY};
use crate::transport::clock;

/// The token of the handle's wakes.
pub(super) const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

/// The protocol of a client's datagrams: a state machine without a socket.
pub(super) trait Protocol {
    /// Begins anew, with a server that may be another one.
    fn begin(&mut self, now: Instant);

    /// A datagram came from the server.
    fn receive(&mut self, bytes: &[u8], now: Instant);

    /// The system says that nobody listens there.
    fn refused(&mut self);

    /// Writes the next datagram into `out`, whose content is replaced; false if there is none for now.
    fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> bool;

    /// The latest time to call [`transmit`](Self::transmit).
    fn deadline(&self) -> Option<Instant>;

    /// The next event for the user.
    fn next_event(&mut self) -> Option<ClientEvent>;

    /// Takes a command of the user.
    fn talk(&mut self) -> &mut dyn Talk;

    /// Whether the server is asked to let the client in, and answers.
    fn is_asked(&self) -> bool;

    /// Whether anything valid has come from the server since [`begin`](Self::begin).
    fn is_heard(&self) -> bool;

    /// Whether the server has answered; `None` while that is not known.
    fn answered(&self) -> Option<bool>;

    /// How it ended, if it has, and all events are taken. An `Err` may be tried again.
    fn end(&mut self) -> Option<Result<ClientEnd, io::Error>>;
}

/// A socket that only `server`'s datagrams reach, and whose errors tell if nobody listens there.
pub(super) fn bind(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bind_blocking(server)?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket))
}

/// The same, which waits.
pub(super) fn bind_blocking(server: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(server)?;
    Ok(socket)
}

/// A socket to one server.
#[derive(Debug)]
pub(super) struct Link {
    socket: UdpSocket,
    writable: bool,
    /// `out` holds a datagram that the socket has not taken yet.
    unsent: bool,
    out: Vec<u8>,
    buffer: Box<[u8]>,
}

impl Link {
    /// A link over a socket that [`bind`] has made.
    pub(super) fn new(socket: UdpSocket) -> Self {
        let buffer = vec![0; RECEIVE_BUFFER_BYTES].into();
        Self { socket, writable: true, unsent: false, out: Vec::new(), buffer }
    }

    /// Has the poll tell of the socket under the link's own token.
    pub(super) fn register(&mut self, poll: &Poll) -> io::Result<()> {
        poll.registry().reregister(&mut self.socket, SOCKET, Interest::READABLE | Interest::WRITABLE)
    }

    /// Until it is known whether the server answers.
    pub(super) fn greet(
        &mut self,
        poll: &mut Poll,
        user: &User,
        protocol: &mut impl Protocol,
    ) -> io::Result<()> {
        let mut ready = Events::with_capacity(8);
        self.receive(protocol);
        self.send(protocol);
        while protocol.answered().is_none() {
            if user.is_leaving() {
                return Err(ErrorKind::Interrupted.into());
            }
            self.wait(poll, &mut ready, protocol.deadline())?;
            self.receive(protocol);
            self.send(protocol);
        }
        Ok(())
    }

    /// Carries the conversation to the end of the session.
    pub(super) fn carry(
        &mut self,
        poll: &mut Poll,
        protocol: &mut impl Protocol,
        user: &mut User,
    ) -> Result<ClientEnd, io::Error> {
        let mut ready = Events::with_capacity(8);
        loop {
            user.take_commands(protocol.talk(), false);
            self.send(protocol);
            // While the user has no room, nothing more is taken from the protocol, and the server sees a slow member
            // that still says that it is there.
            user.deliver(protocol.talk());
            while !user.is_full()
                && let Some(event) = protocol.next_event()
            {
                user.tell(event, protocol.talk());
            }
            if !user.is_full()
                && let Some(end) = protocol.end()
            {
                return end;
            }
            if user.is_overdue() {
                return Ok(ClientEnd::Left);
            }
            let until = protocol.deadline().into_iter().chain(user.wake_by()).min();
            self.wait(poll, &mut ready, until)?;
            self.receive(protocol);
        }
    }

    fn wait(&mut self, poll: &mut Poll, ready: &mut Events, until: Option<Instant>) -> io::Result<()> {
        // While the socket takes nothing, what is due stays due.
        let until = until.map(|until| if self.unsent { until.max(clock() + SEND_RETRY) } else { until });
        wait(poll, ready, until)?;
        self.writable |= ready.iter().any(|event| event.token() == SOCKET && event.is_writable());
        Ok(())
    }

    /// Receives all there is, and answers in between.
    fn receive(&mut self, protocol: &mut impl Protocol) {
        for count in 1_usize.. {
            match self.socket.recv(&mut self.buffer) {
                Ok(bytes) => protocol.receive(&self.buffer[..bytes], clock()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.fail(&error, protocol),
            }
            if count % RECEIVED_PER_FANOUT == 0 {
                self.send(protocol);
            }
        }
    }

    /// Sends the waiting datagrams, as far as the socket takes them.
    fn send(&mut self, protocol: &mut impl Protocol) {
        while self.writable && (self.unsent || protocol.transmit(&mut self.out, clock())) {
            self.unsent = false;
            match self.socket.send(&self.out) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => self.unsent = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent = true;
                    self.writable = false;
                }
                Err(error) => self.fail(&error, protocol),
            }
        }
    }

    /// Only an error that says that the server is gone ends the session. Any other is treated like a loss in the
    /// network.
    fn fail(&self, error: &io::Error, protocol: &mut impl Protocol) {
        tracing::debug!(%error, "the socket failed");
        if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset) {
            protocol.refused();
        }
    }
}

/// Waits for a socket or the waker, until `until` at most.
pub(super) fn wait(poll: &mut Poll, ready: &mut Events, until: Option<Instant>) -> io::Result<()> {
    match poll.poll(ready, until.map(|until| until.saturating_duration_since(clock()))) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}
