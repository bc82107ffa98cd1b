//! A client over TCP: a thread that carries a [`Client`].
//!
//! The thread owns the socket and a poll loop. `framed.rs` and `plain.rs` say what the bytes mean, without
//! a socket; this file connects, moves the bytes, and connects again.

mod framed;
mod link;
mod plain;

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent, Waker};
use chat_proto::LeaveReason;
use crossbeam_channel::bounded;
use mio::Poll;
use thiserror::Error;

use self::framed::Framed;
use self::link::{Link, LinkEnd, Protocol, WAKE};
use self::plain::Plain;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Pauses between attempts to connect again: the first, and the longest it grows to.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Events that may wait for the user, and commands for the thread.
const EVENTS_MAX: usize = 1024;
const COMMANDS_MAX: usize = 64;

/// Connects to the room at `address`; of several addresses the first that answers.
///
/// Returns once the connection stands. Whether the server is one of ours shows later:
/// [`ClientEvent::Connected`], or [`ClientEnd::NotFramed`].
///
/// # Errors
///
/// [`ConnectError`] if no connection came about.
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
pub fn connect(address: impl ToSocketAddrs, config: &ClientConfig) -> Result<Client, ConnectError> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(ConnectError::Resolve)?.collect();
    let socket = connect_any(&addresses)?;
    let poll = Poll::new().map_err(ConnectError::System)?;
    let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE).map_err(ConnectError::System)?);
    let (commands, commands_in) = bounded(COMMANDS_MAX);
    let (events, events_out) = bounded(EVENTS_MAX);
    let carrier =
        Carrier { addresses, reconnect: config.reconnect, link: Link::new(poll, commands_in, events) };
    let (plain, history) = (config.plain, config.history);
    let carry = move || {
        if plain {
            carrier.run(Plain::default(), socket);
        } else {
            carrier.run(Framed::new(history), socket);
        }
    };
    Builder::new().name("chat-tcp-client".to_owned()).spawn(carry).map_err(ConnectError::System)?;
    let waker = Waker::new(move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    });
    Ok(Client::new(commands, events_out, waker))
}

fn connect_any(addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut result = Err(ConnectError::NoAddress);
    for &address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(socket) => return Ok(socket),
            Err(source) => result = Err(ConnectError::Connect { address, source }),
        }
    }
    result
}

/// Why no connection came about.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name could not be resolved.
    #[error("cannot find the host")]
    Resolve(#[source] io::Error),
    /// The name resolved to no address at all.
    #[error("the host has no address")]
    NoAddress,
    /// Nobody there, or no way there.
    #[error("cannot connect to {address}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no more of what a client needs.
    #[error("cannot set up the client")]
    System(#[source] io::Error),
}

/// One connection after the other.
struct Carrier {
    addresses: Vec<SocketAddr>,
    reconnect: bool,
    link: Link,
}

impl Carrier {
    fn run(mut self, mut protocol: impl Protocol, socket: TcpStream) {
        let mut next = Ok(socket);
        let mut pause = RETRY_PAUSE.0;
        let end = loop {
            let error = match next {
                Ok(socket) => {
                    let begun = protocol.connections();
                    let end = self.link.carry(&mut protocol, socket);
                    if protocol.connections() > begun {
                        pause = RETRY_PAUSE.0;
                    }
                    match end {
                        LinkEnd::Lost(error) => error,
                        // Servers come back.
                        LinkEnd::Ended(ClientEnd::Dismissed(reason @ LeaveReason::Stopping))
                            if self.reconnect =>
                        {
                            io::Error::other(reason.to_string())
                        }
                        LinkEnd::Ended(end) => break end,
                    }
                }
                Err(ConnectError::Connect { source, .. }) => source,
                Err(error) => io::Error::other(error),
            };
            if !self.reconnect {
                break ClientEnd::Lost { error, unconfirmed: protocol.unconfirmed() };
            }
            self.link.tell(ClientEvent::Lost { error, retry_in: pause }, &mut protocol);
            if self.link.rest(&mut protocol, pause) {
                break ClientEnd::Left;
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
            next = connect_any(&self.addresses);
        };
        self.link.tell(ClientEvent::Ended(end), &mut protocol);
    }
}
