//! The common part of the clients of all transports: the thread between a user and one connection after the other.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::thread::Builder;
use std::time::{Duration, Instant};

use chat_proto::LeaveReason;
use crossbeam_channel::{Sender, TrySendError};
use thiserror::Error;

use super::conversation::Conversation;
use super::event::{ClientEnd, ClientEvent};
use super::queue::{Command, Commands};
use super::{Client, ClientConfig};
use crate::limits::{EVENTS_RETRY, LEAVE_TIMEOUT, MOVE_PAUSE, STOPPED_PAUSE};
use crate::waker::Waker;

/// Pauses between attempts to connect again: the first, and the longest it grows to.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// A transport's part of a client: it makes connections, and carries what a conversation says over them.
/// [`Client::carried_by`] runs one.
pub trait Carrier: Send + 'static {
    /// A connection.
    type Link: Send;

    /// Connects to the server; resolves its name anew, as it may have moved.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]; [`Interrupted`](ConnectError::Interrupted) once [`User::is_leaving`].
    fn connect(&mut self, user: &User) -> Result<Self::Link, ConnectError>;

    /// Carries the conversation over a connection, to its end. In a loop: [`User::take_commands`], send and receive,
    /// [`User::tell`] what happens; while [`User::is_full`], receive nothing. It wakes by [`User::wake_by`].
    ///
    /// # Errors
    ///
    /// The connection is lost; a client that reconnects makes another one.
    fn carry(&mut self, link: Self::Link, user: &mut User) -> io::Result<ClientEnd>;

    /// Waits until `until`, or for the waker.
    ///
    /// # Errors
    ///
    /// The error of the system; it ends the client.
    fn wait(&mut self, until: Instant) -> io::Result<()>;

    /// The conversation.
    fn talk(&mut self) -> &mut dyn Talk;
}

/// A client's side of a conversation, over whatever medium.
pub trait Talk {
    /// Takes a command of the user. Not called while [`is_full`](Self::is_full), except for [`Command::Leave`].
    fn command(&mut self, command: Command);

    /// Nothing more can be taken from the user for now.
    fn is_full(&self) -> bool;

    /// The room has sent the member to another one: the next connection must be made at once.
    fn moves(&self) -> bool;

    /// Messages said and not confirmed.
    fn unconfirmed(&self) -> usize;
}

impl Talk for Conversation {
    fn command(&mut self, command: Command) {
        match command {
            Command::Say(text) => self.say(text).expect("asked only while the conversation is not full"),
            Command::Line(line) => {
                Self::command(self, line).expect("asked only while the conversation is not full");
            }
            Command::Who => self.ask_who(),
            Command::LookBack(question) => self.look_back(question),
            Command::Finish => self.finish(),
            Command::Leave => self.leave(),
        }
    }

    fn is_full(&self) -> bool {
        self.is_full()
    }

    fn moves(&self) -> bool {
        self.moves()
    }

    fn unconfirmed(&self) -> usize {
        self.unconfirmed()
    }
}

/// The user's end of a client, as its thread sees it. Neither side ever waits for the other.
#[derive(Debug)]
pub struct User {
    commands: Commands,
    events: Sender<ClientEvent>,
    waker: Waker,
    /// Events for which the user had no room: at most those of one `receive`.
    waiting: VecDeque<ClientEvent>,
    /// How often a room has let the client in.
    connections: u64,
    /// The deadline for leaving, once the user wants to leave.
    leave_by: Option<Instant>,
}

impl User {
    pub(super) fn new(commands: Commands, events: Sender<ClientEvent>, waker: Waker) -> Self {
        Self { commands, events, waker, waiting: VecDeque::new(), connections: 0, leave_by: None }
    }

    /// Whether the user wants to leave now, or has dropped the client.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leave_by.is_some() || self.commands.is_leaving()
    }

    /// Whether leaving has taken too long: then the connection is given up.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.leave_by.is_some_and(|by| by <= clock())
    }

    /// Counts a connection to a server that welcomes nobody. Others are counted by their welcome.
    pub fn count_connection(&mut self) {
        self.connections += 1;
    }

    /// How often a room has let the client in.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Hands the user's commands to the conversation. While it or the way out `is_full`, hands over only leaving.
    pub fn take_commands(&mut self, talk: &mut dyn Talk, is_full: bool) {
        while let Some(command) = self.commands.next(is_full || talk.is_full()) {
            self.command(command, talk);
        }
    }

    fn command(&mut self, command: Command, talk: &mut dyn Talk) {
        if command == Command::Leave {
            self.leave_by = Some(clock() + LEAVE_TIMEOUT);
        }
        talk.command(command);
    }

    /// Whether events wait until the user takes others: then nothing more must be received, and the server sees a slow
    /// member.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When to look for room again, or to give up leaving.
    #[must_use]
    pub fn wake_by(&self) -> Option<Instant> {
        self.is_full().then(|| clock() + EVENTS_RETRY).into_iter().chain(self.leave_by).min()
    }

    /// Tells the user something, as soon as there is room for it.
    pub fn tell(&mut self, event: ClientEvent, talk: &mut dyn Talk) {
        self.connections += u64::from(matches!(event, ClientEvent::Connected { .. }));
        self.waiting.push_back(event);
        self.deliver(talk);
    }

    /// Hands waiting events to the user, as far as there is room.
    pub fn deliver(&mut self, talk: &mut dyn Talk) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => self.waker.wake(),
                Err(TrySendError::Full(event)) => return self.waiting.push_front(event),
                Err(TrySendError::Disconnected(_)) => self.leave(talk),
            }
        }
    }

    /// Tells the user everything, waiting until there is room for it.
    fn tell_all(&mut self, event: ClientEvent, talk: &mut dyn Talk) {
        self.waiting.push_back(event);
        while let Some(event) = self.waiting.pop_front() {
            if self.events.send(event).is_err() {
                return self.leave(talk);
            }
            self.waker.wake();
        }
    }

    /// Nobody listens any more, which is as good as being told to leave.
    fn leave(&mut self, talk: &mut dyn Talk) {
        if self.leave_by.is_none() {
            self.command(Command::Leave, talk);
        }
    }
}

impl Client {
    /// Makes the first connection, unless [`ClientConfig::with_retry_first`] lets that wait, and gives `carrier` a
    /// thread with this name. `waker` ends its waiting.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] of the first connection, or if there is no thread.
    pub fn carried_by<C: Carrier>(
        name: &str,
        mut carrier: C,
        config: &ClientConfig,
        waker: Waker,
    ) -> Result<Self, ConnectError> {
        // The thread keeps the waker, too: dropping its last handle may discard a wake that has not arrived yet, such as
        // the one by which a dropped client leaves.
        let kept = waker.clone();
        let (client, user) = Self::new(waker);
        let reconnect = config.reconnect;
        let first = if reconnect && config.retry_first { None } else { Some(carrier.connect(&user)?) };
        let carry = move || {
            run(carrier, user, reconnect, first);
            drop(kept);
        };
        Builder::new().name(name.to_owned()).spawn(carry).map_err(ConnectError::System)?;
        Ok(client)
    }
}

/// One connection after the other.
fn run<C: Carrier>(mut carrier: C, mut user: User, reconnect: bool, first: Option<C::Link>) {
    let mut next = first.map_or_else(|| carrier.connect(&user), Ok);
    let mut pause = RETRY_PAUSE.0;
    let mut moved: Option<Instant> = None;
    let end = loop {
        let begun = user.connections;
        let result = match next {
            Ok(link) => carrier.carry(link, &mut user),
            Err(error) => Err(error.into()),
        };
        if user.connections > begun {
            pause = RETRY_PAUSE.0;
        }
        // This holds only for the connection that was moved. If the next one fails, it is treated like any other.
        if user.connections > begun && carrier.talk().moves() && !user.is_leaving() {
            // Two servers may send it back and forth for ever.
            let is_often = moved.is_some_and(|before| clock().saturating_duration_since(before) < MOVE_PAUSE);
            let rested = if is_often { rest(&mut carrier, &mut user, MOVE_PAUSE) } else { Ok(false) };
            match rested {
                Ok(false) => {}
                Ok(true) => break ClientEnd::left(carrier.talk().unconfirmed()),
                Err(error) => {
                    break ClientEnd::Lost { error, unconfirmed: carrier.talk().unconfirmed() };
                }
            }
            moved = Some(clock());
            next = carrier.connect(&user);
            continue;
        }
        let unconfirmed = carrier.talk().unconfirmed();
        let error = match result {
            Ok(ClientEnd::Left) => break ClientEnd::left(unconfirmed),
            Ok(end) if reconnect && end.may_pass(user.connections > 0) => {
                if matches!(end, ClientEnd::Dismissed(LeaveReason::Stopping)) && user.connections > begun {
                    pause = STOPPED_PAUSE;
                }
                io::Error::other(end)
            }
            Ok(end) => break end,
            Err(error) => error,
        };
        if user.is_leaving() {
            break ClientEnd::left(unconfirmed);
        }
        if !reconnect {
            break ClientEnd::Lost { error, unconfirmed };
        }
        user.tell_all(ClientEvent::Lost { error, retry_in: pause }, carrier.talk());
        match rest(&mut carrier, &mut user, pause) {
            Ok(false) => {}
            Ok(true) => break ClientEnd::left(carrier.talk().unconfirmed()),
            Err(error) => break ClientEnd::Lost { error, unconfirmed },
        }
        pause = (pause * 2).min(RETRY_PAUSE.1);
        next = carrier.connect(&user);
    };
    user.tell_all(ClientEvent::Ended(end), carrier.talk());
}

/// Waits before the next attempt. True if the user wants to leave instead.
fn rest(carrier: &mut impl Carrier, user: &mut User, pause: Duration) -> io::Result<bool> {
    let until = clock() + pause;
    loop {
        user.take_commands(carrier.talk(), false);
        if user.is_leaving() || until <= clock() {
            return Ok(user.is_leaving());
        }
        carrier.wait(until)?;
    }
}

/// Why no connection could be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name could not be resolved.
    #[error("cannot find the host")]
    Resolve(#[source] io::Error),
    /// The name resolved to no address at all.
    #[error("the host has no address")]
    NoAddress,
    /// No server there, no route to it, or no answer.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// What happened: `ConnectionRefused` if the system says that nobody listens there, `TimedOut` if
        /// there was no answer.
        source: io::Error,
    },
    /// There is no server at the file of a Unix socket.
    #[error("cannot connect to {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The user left before a connection was made.
    #[error("interrupted")]
    Interrupted,
    /// The system lacks a resource that a client needs.
    #[error("cannot set up the client")]
    System(#[source] io::Error),
}

impl ConnectError {
    /// All addresses of a server's name.
    ///
    /// # Errors
    ///
    /// [`Resolve`](Self::Resolve).
    pub fn resolve(address: &impl ToSocketAddrs) -> Result<Vec<SocketAddr>, Self> {
        address.to_socket_addrs().map(Iterator::collect).map_err(Self::Resolve)
    }
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Resolve(source)
            | ConnectError::Connect { source, .. }
            | ConnectError::File { source, .. }
            | ConnectError::System(source) => source.kind(),
            ConnectError::NoAddress => ErrorKind::NotFound,
            ConnectError::Interrupted => ErrorKind::Interrupted,
        };
        Self::new(kind, error)
    }
}

#[expect(clippy::disallowed_methods, reason = "a client's thread is a shell, where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
