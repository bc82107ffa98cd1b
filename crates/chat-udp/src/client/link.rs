//! The thread of a client: its socket, its poll loop, its user.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use chat_core::{ClientEnd, ClientEvent, Command};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::limits::{EVENTS_RETRY, RECEIVE_BUFFER_BYTES, RECEIVED_PER_FANOUT};
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

    /// When [`transmit`](Self::transmit) is to be called at the latest.
    fn deadline(&self) -> Option<Instant>;

    /// The next event for the user.
    fn next_event(&mut self) -> Option<ClientEvent>;

    /// The user wants something. Not called while [`is_full`](Self::is_full).
    fn command(&mut self, command: Command);

    /// Nothing more can be taken from the user for now.
    fn is_full(&self) -> bool;

    /// Whether the server has answered; `None` while that is not known.
    fn answered(&self) -> Option<bool>;

    /// How it ended, if it has, and all events are taken. An `Err` may be tried again.
    fn end(&mut self) -> Option<Result<ClientEnd, io::Error>>;

    /// Messages said and not confirmed.
    fn unconfirmed(&self) -> usize;
}

/// The user's end of a client.
#[derive(Debug)]
pub(super) struct User {
    pub(super) commands: Receiver<Command>,
    pub(super) events: Sender<ClientEvent>,
    /// Events that the user has had no room for.
    waiting: VecDeque<ClientEvent>,
    leaving: bool,
}

impl User {
    pub(super) fn new(commands: Receiver<Command>, events: Sender<ClientEvent>) -> Self {
        Self { commands, events, waiting: VecDeque::new(), leaving: false }
    }

    fn command(&mut self, command: Command, protocol: &mut impl Protocol) {
        self.leaving |= command == Command::Leave;
        protocol.command(command);
    }

    fn leave(&mut self, protocol: &mut impl Protocol) {
        if !self.leaving {
            self.command(Command::Leave, protocol);
        }
    }

    fn take_commands(&mut self, protocol: &mut impl Protocol) {
        while !protocol.is_full() {
            match self.commands.try_recv() {
                Ok(command) => self.command(command, protocol),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return self.leave(protocol),
            }
        }
    }

    /// Tells the user what he has room for. While he has none nothing more is taken from the protocol, and
    /// the server sees a slow member; that member goes on saying that he is there.
    fn tell_all(&mut self, protocol: &mut impl Protocol) {
        while let Some(event) = self.waiting.pop_front().or_else(|| protocol.next_event()) {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                // Nobody listens any more, which is as good as being told to leave.
                Err(TrySendError::Disconnected(_)) => self.leave(protocol),
            }
        }
    }

    /// Tells the user something, waiting until he has room for it.
    pub(super) fn tell(&mut self, event: ClientEvent, protocol: &mut impl Protocol) {
        self.waiting.push_back(event);
        while let Some(event) = self.waiting.pop_front() {
            if self.events.send(event).is_err() {
                return self.leave(protocol);
            }
        }
    }

    /// Waits before the next attempt. True if the user wants to leave instead.
    pub(super) fn rest(&mut self, protocol: &mut impl Protocol, pause: Duration) -> bool {
        let until = clock() + pause;
        while !self.leaving {
            let left = until.saturating_duration_since(clock());
            if left.is_zero() {
                break;
            }
            if protocol.is_full() {
                let _elapsed = crossbeam_channel::after(left).recv();
                continue;
            }
            match self.commands.recv_timeout(left) {
                Ok(command) => self.command(command, protocol),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => self.leave(protocol),
            }
        }
        self.leaving
    }
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
    pub(super) fn new(server: SocketAddr, poll: &Poll) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let mut socket = UdpSocket::bind(any)?;
        // Only the server's datagrams come in, and the system tells if nobody listens there.
        socket.connect(server)?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
        let buffer = vec![0; RECEIVE_BUFFER_BYTES].into();
        Ok(Self { socket, writable: true, unsent: false, out: Vec::new(), buffer })
    }

    /// Until it is known whether the server answers.
    pub(super) fn greet(&mut self, poll: &mut Poll, protocol: &mut impl Protocol) -> io::Result<()> {
        let mut ready = Events::with_capacity(8);
        self.send(protocol);
        while protocol.answered().is_none() {
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
            let retry = (!user.waiting.is_empty()).then(|| clock() + EVENTS_RETRY);
            self.wait(poll, &mut ready, protocol.deadline().into_iter().chain(retry).min())?;
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
