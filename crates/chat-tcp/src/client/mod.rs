//! A client over TCP: a thread that carries a [`Client`].
//!
//! The thread owns the socket and a poll loop. `framed.rs` and `plain.rs` interpret the bytes, without
//! a socket, and `link.rs` moves them.

mod dial;
mod framed;
mod link;
mod plain;

use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Instant;

use chat_core::{Carrier, Client, ClientConfig, ClientEnd, ConnectError, Talk, User, Waker};
use mio::Poll;
use mio::net::TcpStream;

use self::dial::dial;
use self::framed::Framed;
use self::link::{Link, Protocol, WAKE};
use self::plain::Plain;
use crate::layer::{Bare, Layer};

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
    let waker = mio::Waker::new(poll.registry(), WAKE).map(Arc::new).map_err(ConnectError::System)?;
    let waker = Waker::new(move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    });
    let (layer, link) = (layer.clone(), Link::new(poll));
    if config.plain {
        let carrier = TcpCarrier { address, layer, link, protocol: Plain::default(), unwelcome: 0 };
        Client::carried_by(THREAD, carrier, config, waker)
    } else {
        let carrier = TcpCarrier { address, layer, link, protocol: Framed::new(config), unwelcome: 0 };
        Client::carried_by(THREAD, carrier, config, waker)
    }
}

const THREAD: &str = "chat-tcp-client";

struct TcpCarrier<A, L, P> {
    address: A,
    layer: L,
    link: Link,
    protocol: P,
    /// How often a server was reached that did not welcome us: of several, another one is tried first.
    unwelcome: usize,
}

impl<A, L, P> Carrier for TcpCarrier<A, L, P>
where
    A: ToSocketAddrs + Send + 'static,
    L: Layer,
    P: Protocol + Send + 'static,
{
    type Link = TcpStream;

    fn connect(&mut self, user: &User) -> Result<TcpStream, ConnectError> {
        let mut addresses = ConnectError::resolve(&self.address)?;
        let first = self.unwelcome % addresses.len().max(1);
        addresses.rotate_left(first);
        dial(&mut self.link.poll, addresses, user)
    }

    fn carry(&mut self, socket: TcpStream, user: &mut User) -> io::Result<ClientEnd> {
        let begun = user.connections();
        let end = self.link.carry(&mut self.protocol, socket, &self.layer, user);
        self.unwelcome += usize::from(user.connections() == begun);
        end
    }

    fn wait(&mut self, until: Instant) -> io::Result<()> {
        self.link.wait(Some(until))
    }

    fn talk(&mut self) -> &mut dyn Talk {
        self.protocol.talk()
    }
}
