//! One connection of a client: its poll loop.

use std::io::{self, ErrorKind};
use std::time::Instant;

use chat_core::client::{Talk, User};
use chat_core::{ClientEnd, ClientEvent};
use chat_stream::Stream;
use mio::{Events, Poll, Token};

use crate::limits::{HANDSHAKE_TIMEOUT, OUTBOX_BYTES_MAX, READ_BYTES, READS_PER_TURN};

/// The token of the handle's wakes.
pub(super) const WAKE: Token = Token(0);
pub(crate) const SOCKET: Token = Token(1);

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

    /// Takes a command of the user.
    fn talk(&mut self) -> &mut dyn Talk;

    /// Appends the next bytes to send, if any.
    fn send(&mut self, out: &mut Vec<u8>);

    /// Everything is sent. True if our side must be shut down now.
    fn all_sent(&mut self, now: Instant) -> bool;

    /// Whether the server says when it has let the client in. Default: yes.
    fn welcomes(&self) -> bool {
        true
    }
}

/// The state that outlives a connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) poll: Poll,
    ready: Events,
    buffer: Box<[u8]>,
    /// There may be more bytes to read, which the poll has already reported.
    readable: bool,
    /// The reset that a write has reported; after it, a read only tells of an end.
    reset: Option<io::Error>,
}

impl Link {
    pub(super) fn new(poll: Poll) -> Self {
        let buffer = vec![0; READ_BYTES].into();
        Self { poll, ready: Events::with_capacity(8), buffer, readable: false, reset: None }
    }

    /// Waits for the socket or the waker, until `until` at most.
    pub(super) fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        match self.poll.poll(&mut self.ready, until.map(|until| until.saturating_duration_since(clock()))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Carries one connection to its end.
    pub(super) fn carry(
        &mut self,
        protocol: &mut impl Protocol,
        mut stream: impl Stream,
        user: &mut User,
    ) -> io::Result<ClientEnd> {
        match self.open(&mut stream, protocol, user) {
            Ok(true) => {}
            Ok(false) => return Ok(ClientEnd::Left),
            // A server that is not what the layer expects, or cannot be trusted, will not be so the next time.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::PermissionDenied) => {
                return Ok(ClientEnd::NotOpened { error });
            }
            Err(error) => return Err(error),
        }
        self.readable = true; // the layer may have read more than its handshake, of which no event tells
        protocol.connected(clock());
        if !protocol.welcomes() {
            user.count_connection();
        }
        self.reset = None;
        let mut outbox = Vec::new();
        loop {
            user.take_commands(protocol.talk(), outbox.len() >= OUTBOX_BYTES_MAX);
            if send(&mut stream, &mut outbox, protocol, &mut self.reset)? && protocol.all_sent(clock()) {
                let _already_closed = stream.shutdown_write();
            }
            if user.is_overdue() {
                return Ok(ClientEnd::Left);
            }
            user.deliver(protocol.talk());
            let due = match user.is_full() {
                true => None,
                false if self.readable => Some(clock()),
                false => protocol.deadline(),
            };
            self.wait(due.into_iter().chain(user.wake_by()).min())?;
            if let Some(end) = self.receive(&mut stream, protocol, user) {
                return end;
            }
        }
    }

    /// Waits until the stream of a layer is open. False if the user wants to leave instead.
    fn open(
        &mut self,
        stream: &mut impl Stream,
        protocol: &mut impl Protocol,
        user: &mut User,
    ) -> io::Result<bool> {
        let open_by = clock() + HANDSHAKE_TIMEOUT;
        while !stream.open()? {
            user.take_commands(protocol.talk(), false);
            if user.is_leaving() {
                return Ok(false);
            }
            if open_by <= clock() {
                let seconds = HANDSHAKE_TIMEOUT.as_secs();
                let why = format!("the server has not opened the connection within {seconds} s");
                return Err(io::Error::new(ErrorKind::TimedOut, why));
            }
            self.wait(Some(open_by))?;
        }
        Ok(true)
    }

    /// Reads the available bytes, unless the user has no room for what they tell, and does the work that is due.
    fn receive(
        &mut self,
        stream: &mut impl Stream,
        protocol: &mut impl Protocol,
        user: &mut User,
    ) -> Option<io::Result<ClientEnd>> {
        let mut events = Vec::new();
        for _ in 0..READS_PER_TURN {
            if user.is_full() {
                break;
            }
            let now = clock();
            self.readable = true;
            let result = match read(stream, &mut self.buffer) {
                Ok(Some(count)) => protocol.receive(&self.buffer[..count], now, &mut events),
                Ok(None) => {
                    self.readable = false;
                    if protocol.deadline().is_none_or(|deadline| deadline > now) {
                        return None;
                    }
                    protocol.on_deadline(now, &mut events)
                }
                // Earlier bytes may have said why.
                Err(error) => {
                    self.readable = false;
                    let error = self.reset.take().unwrap_or(error);
                    let end = match protocol.end_of_input(&mut events) {
                        Ok(()) => Err(error),
                        // A reset is not an answer in another protocol.
                        Err(ClientEnd::NotFramed { said })
                            if said.is_empty() && error.kind() != ErrorKind::UnexpectedEof =>
                        {
                            Err(error)
                        }
                        Err(end) => Ok(end),
                    };
                    events.drain(..).for_each(|event| user.tell(event, protocol.talk()));
                    return Some(end);
                }
            };
            events.drain(..).for_each(|event| user.tell(event, protocol.talk()));
            if let Err(end) = result {
                return Some(Ok(end));
            }
        }
        None
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
