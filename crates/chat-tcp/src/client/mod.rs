//! A client over TCP: a thread that carries a [`Client`].
//!
//! The thread owns the socket and a poll loop. `framed.rs` and `plain.rs` interpret the bytes, without
//! a socket; this file connects, moves the bytes, and reconnects.

mod dial;
mod framed;
mod link;
mod plain;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent, LeaveReason, Waker};
use mio::Poll;
use mio::net::TcpStream;
use thiserror::Error;

use self::dial::dial;
use self::framed::Framed;
use self::link::{Link, LinkEnd, Protocol, WAKE};
use self::plain::Plain;
use crate::layer::{Bare, Layer};

/// Pauses between attempts to connect again: the first, and the longest it grows to.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// The first pause after a server has said that it stops. If another one has taken over, that one's sockets listen already.
const STOPPED_PAUSE: Duration = Duration::from_millis(100);

/// Connects to the room at `address`. It is resolved again for every attempt, and of several addresses the first that
/// answers is taken (RFC 8305).
///
/// Returns once the connection is made. Whether the server speaks our protocol shows later:
/// [`ClientEvent::Connected`], or [`ClientEnd::NotFramed`].
///
/// # Errors
///
/// [`ConnectError`] if no connection could be made; with [`ClientConfig::retry_first`] only if the system has no more of
/// what a client needs.
///
/// ```no_run
/// use chat_core::{ClientConfig, ClientEvent};
///
/// let client = chat_tcp::connect("127.0.0.1:5555", &ClientConfig::default())?;
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
    connect_over(address, config, &Bare)
}

/// As [`connect`], with `layer` between the socket of each connection and the chat. The conversation begins once the
/// layer's stream is [open](chat_stream::Stream::open), for which it has 10 s.
///
/// # Errors
///
/// As [`connect`].
pub fn connect_over(
    address: impl ToSocketAddrs + Send + 'static,
    config: &ClientConfig,
    layer: &impl Layer,
) -> Result<Client, ConnectError> {
    let poll = Poll::new().map_err(ConnectError::System)?;
    let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE).map_err(ConnectError::System)?);
    let (client, commands, events) = Client::new(Waker::new(move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    }));
    let link = Link::new(poll, commands, events);
    let mut carrier =
        Carrier { address, layer: layer.clone(), reconnect: config.reconnect, link, unwelcome: 0 };
    let first = if config.reconnect && config.retry_first { None } else { Some(carrier.dial()?) };
    let config = config.clone();
    let carry = move || {
        if config.plain {
            carrier.run(Plain::default(), first);
        } else {
            carrier.run(Framed::new(&config), first);
        }
    };
    Builder::new().name("chat-tcp-client".to_owned()).spawn(carry).map_err(ConnectError::System)?;
    Ok(client)
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
    /// No server there, or no route to it.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The user left before a connection was made.
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

/// One connection after the other.
struct Carrier<A, L> {
    address: A,
    layer: L,
    reconnect: bool,
    link: Link,
    /// How often a server was reached that did not welcome us: of several, another one is tried first.
    unwelcome: usize,
}

impl<A: ToSocketAddrs, L: Layer> Carrier<A, L> {
    /// Resolves the address anew: a server may have moved.
    fn dial(&mut self) -> Result<TcpStream, ConnectError> {
        let mut addresses: Vec<SocketAddr> =
            self.address.to_socket_addrs().map_err(ConnectError::Resolve)?.collect();
        let first = self.unwelcome % addresses.len().max(1);
        addresses.rotate_left(first);
        dial(&mut self.link.poll, addresses, &self.link.commands)
    }

    fn run(mut self, mut protocol: impl Protocol, first: Option<TcpStream>) {
        let mut next = first.map_or_else(|| self.dial(), Ok);
        let mut pause = RETRY_PAUSE.0;
        let end = loop {
            let error = match next {
                Ok(socket) => {
                    let begun = protocol.connections();
                    let end = self.link.carry(&mut protocol, socket, &self.layer);
                    if protocol.connections() > begun {
                        pause = RETRY_PAUSE.0;
                    } else {
                        self.unwelcome += 1;
                    }
                    if protocol.moves() && !self.link.is_leaving() {
                        next = self.dial();
                        continue;
                    }
                    match end {
                        LinkEnd::Lost(error) => error,
                        LinkEnd::Ended(ClientEnd::Left) => break ClientEnd::left(protocol.unconfirmed()),
                        LinkEnd::Ended(end) if self.reconnect && end.may_pass(protocol.connections() > 0) => {
                            let is_stopping = matches!(end, ClientEnd::Dismissed(LeaveReason::Stopping));
                            if is_stopping && protocol.connections() > begun {
                                pause = STOPPED_PAUSE;
                            }
                            io::Error::other(end)
                        }
                        LinkEnd::Ended(end) => break end,
                    }
                }
                Err(error) => error.into(),
            };
            if self.link.is_leaving() {
                break ClientEnd::left(protocol.unconfirmed());
            }
            if !self.reconnect {
                break ClientEnd::Lost { error, unconfirmed: protocol.unconfirmed() };
            }
            self.link.tell(ClientEvent::Lost { error, retry_in: pause }, &mut protocol);
            if self.link.rest(&mut protocol, pause) {
                break ClientEnd::left(protocol.unconfirmed());
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
            next = self.dial();
        };
        self.link.tell(ClientEvent::Ended(end), &mut protocol);
    }
}
