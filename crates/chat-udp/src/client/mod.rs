//! A client over UDP: a thread that carries a [`Client`].
//!
//! `session.rs` is the protocol, without socket and clock; `framed.rs` puts a conversation on top of it,
//! and `link.rs` a socket beneath it. This file connects and reconnects.

mod framed;
mod incoming;
mod link;
mod plain;
mod reach;
mod says;
mod session;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent, Waker};
use mio::Poll;
use thiserror::Error;

use self::framed::Framed;
use self::link::{Link, Protocol, User, WAKE};
use self::plain::Plain;
use self::reach::reach;

pub use session::{ClientSession, SessionEnd};

/// Pauses between attempts to reach the server again: the first, and the longest it grows to.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Joins the room at `address`. It is resolved again for every attempt, and of several addresses the first that
/// answers is taken (RFC 8305).
///
/// Returns once the server has answered, within 10 s. A plain server ([`ClientConfig::plain`]) is not asked.
///
/// # Errors
///
/// [`ConnectError`] if nobody answers; with [`ClientConfig::retry_first`] only if the system has no more of what a
/// client needs.
///
/// ```no_run
/// use chat_core::{ClientConfig, ClientEvent};
///
/// let client = chat_udp::connect("127.0.0.1:5555", &ClientConfig::default())?;
/// client.say("hello".parse()?)?;
/// for event in client.events() {
///     if let ClientEvent::Entry { entry, .. } = event {
///         println!("{entry:?}");
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect(
    address: impl ToSocketAddrs + Send + 'static,
    config: &ClientConfig,
) -> Result<Client, ConnectError> {
    let poll = Poll::new().map_err(ConnectError::System)?;
    let waker = mio::Waker::new(poll.registry(), WAKE).map(Arc::new).map_err(ConnectError::System)?;
    let (client, commands, events) = Client::new(Waker::new(move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    }));
    let user = User::new(commands, events);
    let carrier = Carrier { address, reconnect: config.reconnect, poll, user };
    let retry_first = config.reconnect && config.retry_first;
    if config.plain {
        carrier.spawn(Plain::default(), retry_first)?;
    } else {
        carrier.spawn(Framed::new(config), retry_first)?;
    }
    Ok(client)
}

/// Why no session began.
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
    #[error("cannot reach a room at {address}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// What happened: `ConnectionRefused` if the system says that nobody listens there, `TimedOut` if
        /// there was no answer.
        source: io::Error,
    },
    /// The user left before any server had answered.
    #[error("interrupted")]
    Interrupted,
    /// The system has no more of what a client needs.
    #[error("cannot set up the client")]
    System(#[source] io::Error),
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Resolve(source)
            | ConnectError::Connect { source, .. }
            | ConnectError::System(source) => source.kind(),
            ConnectError::NoAddress => ErrorKind::NotFound,
            ConnectError::Interrupted => ErrorKind::Interrupted,
        };
        Self::new(kind, error)
    }
}

/// One session after the other.
struct Carrier<A> {
    address: A,
    reconnect: bool,
    poll: Poll,
    user: User,
}

impl<A: ToSocketAddrs + Send + 'static> Carrier<A> {
    fn spawn(
        mut self,
        mut protocol: impl Protocol + Send + 'static,
        retry_first: bool,
    ) -> Result<(), ConnectError> {
        let first = if retry_first { None } else { Some(self.reach(&mut protocol)?) };
        let carry = move || self.run(protocol, first);
        Builder::new().name("chat-udp-client".to_owned()).spawn(carry).map_err(ConnectError::System)?;
        Ok(())
    }

    /// A link to the first address that answers. Resolves the address anew: a server may have moved.
    fn reach(&mut self, protocol: &mut impl Protocol) -> Result<Link, ConnectError> {
        let addresses: Vec<SocketAddr> =
            self.address.to_socket_addrs().map_err(ConnectError::Resolve)?.collect();
        reach(&mut self.poll, addresses, &self.user.commands, protocol)
    }

    fn run(mut self, mut protocol: impl Protocol, first: Option<Link>) {
        let mut next = first.map_or_else(|| self.reach(&mut protocol), Ok);
        let mut pause = RETRY_PAUSE.0;
        let end = loop {
            let begun = self.user.connections;
            let result = match next {
                Ok(mut link) => link.carry(&mut self.poll, &mut protocol, &mut self.user),
                Err(error) => Err(error.into()),
            };
            if self.user.connections > begun {
                pause = RETRY_PAUSE.0;
            }
            if protocol.moves() && !self.user.is_leaving() {
                next = self.reach(&mut protocol);
                continue;
            }
            let error = match result {
                Ok(ClientEnd::Left) => break ClientEnd::left(protocol.unconfirmed()),
                Ok(end) if self.reconnect && end.may_pass(self.user.connections > 0) => io::Error::other(end),
                Ok(end) => break end,
                Err(error) => error,
            };
            if self.user.is_leaving() {
                break ClientEnd::left(protocol.unconfirmed());
            }
            if !self.reconnect {
                break ClientEnd::Lost { error, unconfirmed: protocol.unconfirmed() };
            }
            self.user.tell(ClientEvent::Lost { error, retry_in: pause }, &mut protocol);
            if self.user.rest(&mut self.poll, &mut protocol, pause) {
                break ClientEnd::left(protocol.unconfirmed());
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
            next = self.reach(&mut protocol);
        };
        self.user.tell(ClientEvent::Ended(end), &mut protocol);
    }
}
