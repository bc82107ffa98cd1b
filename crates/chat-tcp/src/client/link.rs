//! One connection of a client: its poll loop.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use chat_core::{ClientEnd, ClientEvent, Command, Commands};
use crossbeam_channel::Sender;
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::limits::{OUTBOX_BYTES_MAX, READ_BYTES};
use crate::socket;

/// Consecutive reads, after which the client's own messages get their turn: a server may send more than
/// the user can take.
const READS_PER_TURN: usize = 4;

/// How long leaving at once may take. After that, the client does not wait for confirmations.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The token of the handle's wakes.
pub(super) const WAKE: Token = Token(0);
const SOCKET: Token = Token(1);

/// Interprets the bytes of a connection: a state machine without a socket. Events for the user are
/// appended to `events`; an `Err` ends the client.
pub(super) trait Protocol {
    /// A new connection is made.
    fn connected(&mut self, now: Instant);

    /// Bytes arrived.
    fn receive(&mut self, bytes: &[u8], now: Instant, events: &mut Vec<ClientEvent>)
    -> Result<(), ClientEnd>;

    /// The server has shut down its side, or reset the connection. `Ok` if that means that it was lost.
    fn end_of_input(&mut self, events: &mut Vec<ClientEvent>) -> Result<(), ClientEnd>;

    /// When to call [`on_deadline`](Self::on_deadline).
    fn deadline(&self) -> Option<Instant>;

    /// Does the work that is due.
    fn on_deadline(&mut self, now: Instant, events: &mut Vec<ClientEvent>) -> Result<(), ClientEnd>;

    /// A command of the user. Not called while [`is_full`](Self::is_full).
    fn command(&mut self, command: Command);

    /// Nothing more can be taken from the user for now.
    fn is_full(&self) -> bool;

    /// Appends the next bytes to send, if any.
    fn send(&mut self, out: &mut Vec<u8>);

    /// Everything is sent. True if our side must be shut down now.
    fn all_sent(&mut self, now: Instant) -> bool;

    /// How many connections have got a welcome so far.
    fn connections(&self) -> u64;

    /// The room has sent the member to another one: the next connection is to be made at once.
    fn moves(&self) -> bool;

    /// Messages said and not confirmed.
    fn unconfirmed(&self) -> usize;
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum LinkEnd {
    /// With the client.
    Ended(ClientEnd),
    /// By itself.
    Lost(io::Error),
}

/// The state that outlives a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) poll: Poll,
    pub(super) commands: Commands,
    events: Sender<ClientEvent>,
    buffer: Box<[u8]>,
    /// There may be more bytes to read, which the poll has already reported.
    readable: bool,
    /// Once the user wants to leave: when that is over at the latest.
    leave_by: Option<Instant>,
    /// The reset that a write has reported; after it, a read only tells of an end.
    reset: Option<io::Error>,
}

impl Link {
    pub(super) fn new(poll: Poll, commands: Commands, events: Sender<ClientEvent>) -> Self {
        let buffer = vec![0; READ_BYTES].into();
        Self { poll, commands, events, buffer, readable: false, leave_by: None, reset: None }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leave_by.is_some() || self.commands.is_leaving()
    }

    /// Sends an event to the user. If nobody listens any more, this counts as a command to leave.
    pub(super) fn tell(&mut self, event: ClientEvent, protocol: &mut impl Protocol) {
        if self.events.send(event).is_err() && self.leave_by.is_none() {
            self.command(Command::Leave, protocol);
        }
    }

    /// Carries one connection to its end.
    pub(super) fn carry(&mut self, protocol: &mut impl Protocol, socket: TcpStream) -> LinkEnd {
        let mut socket = match self.adopt(socket) {
            Ok(socket) => socket,
            Err(error) => return LinkEnd::Lost(error),
        };
        protocol.connected(clock());
        self.reset = None;
        let mut events = Vec::new();
        let mut outbox = Vec::new();
        let mut ready = Events::with_capacity(8);
        loop {
            self.take_commands(protocol, &outbox);
            match send(&mut socket, &mut outbox, protocol) {
                Ok(reset) => self.reset = self.reset.take().or(reset),
                Err(error) => return LinkEnd::Lost(error),
            }
            if outbox.is_empty() && protocol.all_sent(clock()) {
                let _already_closed = socket.shutdown(Shutdown::Write);
            }
            if self.leave_by.is_some_and(|by| by <= clock()) {
                return LinkEnd::Ended(ClientEnd::Left);
            }
            let deadline = protocol.deadline().into_iter().chain(self.leave_by).min();
            let timeout = match self.readable {
                true => Some(Duration::ZERO),
                false => deadline.map(|deadline| deadline.saturating_duration_since(clock())),
            };
            match self.poll.poll(&mut ready, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return LinkEnd::Lost(error),
                _ => {}
            }
            let end = self.receive(&mut socket, protocol, &mut events);
            for event in events.drain(..) {
                self.tell(event, protocol);
            }
            if let Some(end) = end {
                return end;
            }
        }
    }

    fn adopt(&self, mut socket: TcpStream) -> io::Result<TcpStream> {
        socket::set_options(&socket)?;
        self.poll.registry().reregister(&mut socket, SOCKET, Interest::READABLE | Interest::WRITABLE)?;
        Ok(socket)
    }

    fn take_commands(&mut self, protocol: &mut impl Protocol, outbox: &[u8]) {
        while let Some(command) = self.commands.next(protocol.is_full() || outbox.len() >= OUTBOX_BYTES_MAX) {
            self.command(command, protocol);
        }
    }

    fn command(&mut self, command: Command, protocol: &mut impl Protocol) {
        if command == Command::Leave {
            self.leave_by = Some(clock() + LEAVE_TIMEOUT);
        }
        protocol.command(command);
    }

    /// Reads the available bytes, and does the work that is due.
    fn receive(
        &mut self,
        socket: &mut TcpStream,
        protocol: &mut impl Protocol,
        events: &mut Vec<ClientEvent>,
    ) -> Option<LinkEnd> {
        for _ in 0..READS_PER_TURN {
            let now = clock();
            self.readable = true;
            let result = match read(socket, &mut self.buffer) {
                Ok(Some(count)) => protocol.receive(&self.buffer[..count], now, events),
                Ok(None) => {
                    self.readable = false;
                    if protocol.deadline().is_none_or(|deadline| deadline > now) {
                        return None;
                    }
                    protocol.on_deadline(now, events)
                }
                // Earlier bytes may have said why.
                Err(error) => {
                    self.readable = false;
                    let error = self.reset.take().unwrap_or(error);
                    return Some(match protocol.end_of_input(events) {
                        Ok(()) => LinkEnd::Lost(error),
                        // A reset is not an answer in another protocol.
                        Err(ClientEnd::NotFramed { said })
                            if said.is_empty() && error.kind() != ErrorKind::UnexpectedEof =>
                        {
                            LinkEnd::Lost(error)
                        }
                        Err(end) => LinkEnd::Ended(end),
                    });
                }
            };
            if let Err(end) = result {
                return Some(LinkEnd::Ended(end));
            }
            for event in events.drain(..) {
                self.tell(event, protocol);
            }
        }
        None
    }

    /// Waits before the next attempt. True if the user wants to leave instead.
    pub(super) fn rest(&mut self, protocol: &mut impl Protocol, pause: Duration) -> bool {
        let until = clock() + pause;
        let mut ready = Events::with_capacity(8);
        loop {
            self.take_commands(protocol, &[]);
            let left = until.saturating_duration_since(clock());
            if self.is_leaving() || left.is_zero() {
                return self.is_leaving();
            }
            if let Err(error) = self.poll.poll(&mut ready, Some(left))
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "cannot wait for the next attempt");
                return true;
            }
        }
    }
}

/// One read; `None` if there is nothing. The end is an error like any other.
fn read(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match socket.read(buffer) {
            Ok(0) => {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes the protocol's output, until the socket takes no more. Returns the error if the connection was
/// reset: the server's earlier bytes must still be read.
fn send(
    socket: &mut TcpStream,
    outbox: &mut Vec<u8>,
    protocol: &mut impl Protocol,
) -> io::Result<Option<io::Error>> {
    loop {
        if outbox.len() < OUTBOX_BYTES_MAX {
            protocol.send(outbox);
        }
        if outbox.is_empty() {
            return Ok(None);
        }
        match socket.write(outbox) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => drop(outbox.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The server may have said why before it closed; that is read first.
            Err(error)
                if error.kind() == ErrorKind::BrokenPipe || error.kind() == ErrorKind::ConnectionReset =>
            {
                outbox.clear();
                return Ok((error.kind() == ErrorKind::ConnectionReset).then_some(error));
            }
            Err(error) => return Err(error),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
pub(super) fn clock() -> Instant {
    Instant::now()
}
