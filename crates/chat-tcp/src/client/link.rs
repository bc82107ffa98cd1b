//! One connection of a client: its poll loop.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use chat_core::{ClientEnd, ClientEvent, Command, Commands};
use chat_stream::Stream;
use crossbeam_channel::Sender;
use mio::{Events, Interest, Poll, Token, net::TcpStream};

use crate::layer::Layer;
use crate::limits::{OPENING_TIMEOUT, OUTBOX_BYTES_MAX, READ_BYTES};
use crate::socket;
use crate::stream::TcpSocket;

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
    pub(super) fn carry(
        &mut self,
        protocol: &mut impl Protocol,
        socket: TcpStream,
        layer: &impl Layer,
    ) -> LinkEnd {
        let adopted = self.adopt(socket).and_then(|socket| layer.wrap(TcpSocket(socket)));
        let mut stream = match adopted {
            Ok(stream) => stream,
            Err(error) => return LinkEnd::Lost(error),
        };
        if let Err(end) = self.open(&mut stream, protocol) {
            return end;
        }
        protocol.connected(clock());
        self.reset = None;
        let mut events = Vec::new();
        let mut outbox = Vec::new();
        let mut ready = Events::with_capacity(8);
        loop {
            self.take_commands(protocol, &outbox);
            match send(&mut stream, &mut outbox, protocol, &mut self.reset) {
                Ok(true) if protocol.all_sent(clock()) => {
                    let _already_closed = stream.shutdown_write();
                }
                Ok(_) => {}
                Err(error) => return LinkEnd::Lost(error),
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
            let end = self.receive(&mut stream, protocol, &mut events);
            for event in events.drain(..) {
                self.tell(event, protocol);
            }
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Waits until the stream of a layer is open.
    fn open(&mut self, stream: &mut impl Stream, protocol: &mut impl Protocol) -> Result<(), LinkEnd> {
        let open_by = clock() + OPENING_TIMEOUT;
        let mut ready = Events::with_capacity(8);
        while !stream.open().map_err(LinkEnd::Lost)? {
            self.take_commands(protocol, &[]);
            if self.is_leaving() {
                return Err(LinkEnd::Ended(ClientEnd::Left));
            }
            let left = open_by.saturating_duration_since(clock());
            if left.is_zero() {
                return Err(LinkEnd::Lost(ErrorKind::TimedOut.into()));
            }
            match self.poll.poll(&mut ready, Some(left)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(LinkEnd::Lost(error)),
                _ => {}
            }
        }
        Ok(())
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
        stream: &mut impl Stream,
        protocol: &mut impl Protocol,
        events: &mut Vec<ClientEvent>,
    ) -> Option<LinkEnd> {
        for _ in 0..READS_PER_TURN {
            let now = clock();
            self.readable = true;
            let result = match read(stream, &mut self.buffer) {
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
fn read(stream: &mut impl Stream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match stream.read(buffer) {
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

/// Writes the protocol's output, until the stream takes no more. True if that is all. The error goes to `reset` if the
/// connection was reset: the server's earlier bytes must still be read.
fn send(
    stream: &mut impl Stream,
    outbox: &mut Vec<u8>,
    protocol: &mut impl Protocol,
    reset: &mut Option<io::Error>,
) -> io::Result<bool> {
    loop {
        if outbox.len() < OUTBOX_BYTES_MAX {
            protocol.send(outbox);
        }
        let is_all = outbox.is_empty();
        let result = if is_all { stream.flush().map(|()| 0) } else { stream.write(outbox) };
        match result {
            Ok(_) if is_all => return Ok(true),
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => drop(outbox.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The server may have said why before it closed; that is read first.
            Err(error)
                if error.kind() == ErrorKind::BrokenPipe || error.kind() == ErrorKind::ConnectionReset =>
            {
                outbox.clear();
                if error.kind() == ErrorKind::ConnectionReset {
                    reset.get_or_insert(error);
                }
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
pub(super) fn clock() -> Instant {
    Instant::now()
}
