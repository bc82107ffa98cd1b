//! The thread of a client: its socket, its poll loop, its user.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use chat_core::{ClientEnd, ClientEvent, Command, Commands};
use crossbeam_channel::{Sender, TrySendError};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::limits::{EVENTS_RETRY, LEAVE_TIMEOUT, RECEIVE_BUFFER_BYTES, RECEIVED_PER_FANOUT};
use crate::transport::clock;

/// The token of the handle's wakes.
pub(super) const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

/// What the datagrams of a client mean: a state machine without a socket.
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

    /// The user wants something. Not called while [`is_full`](Self::is_full).
    fn command(&mut self, command: Command);

    /// Nothing more can be taken from the user for now.
    fn is_full(&self) -> bool;

    /// Whether the server is asked to let the client in, and answers.
    fn is_asked(&self) -> bool;

    /// Whether anything valid has come from the server since [`begin`](Self::begin).
    fn is_heard(&self) -> bool;

    /// Whether the server has answered; `None` while that is not known.
    fn answered(&self) -> Option<bool>;

    /// How it ended, if it has, and all events are taken. An `Err` may be tried again.
    fn end(&mut self) -> Option<Result<ClientEnd, io::Error>>;

    /// The room has sent the member to another one: the next connection is to be made at once.
    fn moves(&self) -> bool;

    /// Messages said and not confirmed.
    fn unconfirmed(&self) -> usize;
}

/// The user's end of a client.
#[derive(Debug)]
pub(super) struct User {
    pub(super) commands: Commands,
    events: Sender<ClientEvent>,
    /// Events that the user has had no room for.
    waiting: VecDeque<ClientEvent>,
    /// How often a room has let the client in.
    pub(super) connections: u64,
    /// Once the user wants to leave: when that is over at the latest.
    leave_by: Option<Instant>,
}

impl User {
    pub(super) fn new(commands: Commands, events: Sender<ClientEvent>) -> Self {
        Self { commands, events, waiting: VecDeque::new(), connections: 0, leave_by: None }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leave_by.is_some() || self.commands.is_leaving()
    }

    fn command(&mut self, command: Command, protocol: &mut impl Protocol) {
        if command == Command::Leave {
            self.leave_by = Some(clock() + LEAVE_TIMEOUT);
        }
        protocol.command(command);
    }

    fn leave(&mut self, protocol: &mut impl Protocol) {
        if self.leave_by.is_none() {
            self.command(Command::Leave, protocol);
        }
    }

    fn take_commands(&mut self, protocol: &mut impl Protocol) {
        while let Some(command) = self.commands.next(protocol.is_full()) {
            self.command(command, protocol);
        }
    }

    /// Tells the user as much as there is room for. While there is none, nothing more is taken from the protocol, and
    /// the server sees a slow member that still says that it is there.
    fn tell_all(&mut self, protocol: &mut impl Protocol) {
        while let Some(event) = self.waiting.pop_front().or_else(|| self.next_event(protocol)) {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                // Nobody listens any more, which is as good as being told to leave.
                Err(TrySendError::Disconnected(_)) => self.leave(protocol),
            }
        }
    }

    fn next_event(&mut self, protocol: &mut impl Protocol) -> Option<ClientEvent> {
        let event = protocol.next_event()?;
        self.connections += u64::from(matches!(event, ClientEvent::Connected(_)));
        Some(event)
    }

    /// Tells the user something, waiting until there is room for it.
    pub(super) fn tell(&mut self, event: ClientEvent, protocol: &mut impl Protocol) {
        self.waiting.push_back(event);
        while let Some(event) = self.waiting.pop_front() {
            if self.events.send(event).is_err() {
                return self.leave(protocol);
            }
        }
    }

    /// Waits before the next attempt. True if the user wants to leave instead.
    pub(super) fn rest(&mut self, poll: &mut Poll, protocol: &mut impl Protocol, pause: Duration) -> bool {
        let until = clock() + pause;
        let mut ready = Events::with_capacity(8);
        loop {
            self.take_commands(protocol);
            let left = until.saturating_duration_since(clock());
            if self.is_leaving() || left.is_zero() {
                return self.is_leaving();
            }
            if let Err(error) = poll.poll(&mut ready, Some(left))
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "cannot wait for the next attempt");
                return true;
            }
        }
    }
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
        commands: &Commands,
        protocol: &mut impl Protocol,
    ) -> io::Result<()> {
        let mut ready = Events::with_capacity(8);
        self.receive(protocol);
        self.send(protocol);
        while protocol.answered().is_none() {
            if commands.is_leaving() {
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
            user.take_commands(protocol);
            self.send(protocol);
            user.tell_all(protocol);
            if user.waiting.is_empty()
                && let Some(end) = protocol.end()
            {
                return end;
            }
            if user.leave_by.is_some_and(|by| by <= clock()) {
                return Ok(ClientEnd::Left);
            }
            let retry = (!user.waiting.is_empty()).then(|| clock() + EVENTS_RETRY);
            let until = protocol.deadline().into_iter().chain(retry).chain(user.leave_by).min();
            self.wait(poll, &mut ready, until)?;
            self.receive(protocol);
        }
    }

    fn wait(&mut self, poll: &mut Poll, ready: &mut Events, until: Option<Instant>) -> io::Result<()> {
        let timeout = until.map(|until| until.saturating_duration_since(clock()));
        // While the socket takes nothing, what is due stays due.
        let timeout = timeout.map(|timeout| if self.unsent { timeout.max(EVENTS_RETRY) } else { timeout });
        match poll.poll(ready, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
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

    /// Sends what there is to send, as far as the socket takes it.
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

    /// Only what is known to be the end is one; the rest is as if the network had lost something.
    fn fail(&self, error: &io::Error, protocol: &mut impl Protocol) {
        tracing::debug!(%error, "the socket failed");
        if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset) {
            protocol.refused();
        }
    }
}
