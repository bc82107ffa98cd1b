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

use chat_core::client::{Carrier, Talk, User};
use chat_core::{Client, ClientConfig, ClientEnd, ConnectError, Waker};
use chat_stream::Stream;
use mio::{Interest, Poll};

use self::dial::dial;
use self::framed::Framed;
pub(crate) use self::link::SOCKET;
use self::link::{Link, Protocol, WAKE};
use self::plain::Plain;
use crate::layer::{Bare, Layer};
use crate::socket_options;
use crate::stream::TcpSocket;

/// Connects to the room at `address`. It is resolved again for every attempt, and of several addresses the first that
/// answers is taken (RFC 8305).
///
/// Returns once the connection is made. Whether the server speaks our protocol shows later:
/// [`ClientEvent::Connected`](chat_core::ClientEvent::Connected), or [`ClientEnd::NotFramed`].
///
/// # Errors
///
/// [`ConnectError`] if no connection could be made; with [`ClientConfig::with_retry_first`] only if the system lacks a
/// resource that a client needs.
///
/// ```
/// use chat_core::{ClientConfig, ClientEvent};
/// # use chat_core::{Room, RoomConfig};
/// # let room = Room::new(RoomConfig::default());
/// # let server = chat_tcp::TcpServer::bind("127.0.0.1:0", &room, &chat_tcp::TcpConfig::default())?;
/// # let address = server.local_addr();
/// # let running = server.spawn()?;
/// # room.notice("good morning")?;
/// # let mut seen = Vec::new();
///
/// let client = chat_tcp::connect(address, &ClientConfig::default().with_history(20))?;
/// client.say("hello")?;
/// client.finish()?; // it leaves once the room has everything
/// let mut head = 0;
/// for event in client.events() {
///     match event {
///         ClientEvent::Connected { welcome, .. } => head = welcome.head,
///         ClientEvent::Entry { entry, .. } if entry.seq <= head && entry.event.is_message() => {
///             println!("before we came: {}", entry.event);
/// #           seen.push(entry.event.to_string());
///         }
///         ClientEvent::Entry { entry, .. } => println!("{}", entry.event),
///         ClientEvent::Ended(end) => println!("{end}"), // and the loop ends
///         _ => {}
///     }
/// }
/// # assert_eq!(seen, ["[*] good morning"]);
/// # room.close("That was all", std::time::Duration::from_secs(1));
/// # running.join()?;
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
    connect_by(TcpDial { address, layer: layer.clone(), unwelcome: 0 }, config)
}

/// A client whose connections `dial` makes.
pub(crate) fn connect_by(dial: impl Dial, config: &ClientConfig) -> Result<Client, ConnectError> {
    let poll = Poll::new().map_err(ConnectError::System)?;
    let waker = mio::Waker::new(poll.registry(), WAKE).map(Arc::new).map_err(ConnectError::System)?;
    let waker = Waker::new(move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    });
    let link = Link::new(poll);
    if config.is_plain() {
        Client::carried_by(THREAD, SocketCarrier { dial, link, protocol: Plain::default() }, config, waker)
    } else {
        Client::carried_by(THREAD, SocketCarrier { dial, link, protocol: Framed::new(config) }, config, waker)
    }
}

const THREAD: &str = "chat-tcp-client";

/// Makes a client's connections.
pub(crate) trait Dial: Send + 'static {
    type Stream: Stream + Send;

    /// Makes one, and registers its socket with `poll` as [`SOCKET`].
    fn dial(&mut self, poll: &mut Poll, user: &User) -> Result<Self::Stream, ConnectError>;

    /// The server that was reached has not welcomed us. Default: there is no other one.
    fn was_unwelcome(&mut self) {}
}

struct TcpDial<A, L> {
    address: A,
    layer: L,
    /// How often a server was reached that did not welcome us: of several, another one is tried first.
    unwelcome: usize,
}

impl<A: ToSocketAddrs + Send + 'static, L: Layer> Dial for TcpDial<A, L> {
    type Stream = L::Stream;

    fn dial(&mut self, poll: &mut Poll, user: &User) -> Result<L::Stream, ConnectError> {
        let mut addresses = ConnectError::resolve(&self.address)?;
        let first = self.unwelcome % addresses.len().max(1);
        addresses.rotate_left(first);
        let mut socket = dial(poll, addresses, user)?;
        socket_options::set_options(&socket)
            .and_then(|()| {
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().reregister(&mut socket, SOCKET, interest)
            })
            .and_then(|()| self.layer.wrap(TcpSocket(socket)))
            .map_err(ConnectError::System)
    }

    fn was_unwelcome(&mut self) {
        self.unwelcome += 1;
    }
}

struct SocketCarrier<D, P> {
    dial: D,
    link: Link,
    protocol: P,
}

impl<D: Dial, P: Protocol + Send + 'static> Carrier for SocketCarrier<D, P> {
    type Link = D::Stream;

    fn connect(&mut self, user: &User) -> Result<D::Stream, ConnectError> {
        self.dial.dial(&mut self.link.poll, user)
    }

    fn carry(&mut self, stream: D::Stream, user: &mut User) -> io::Result<ClientEnd> {
        let begun = user.connections();
        let end = self.link.carry(&mut self.protocol, stream, user);
        if user.connections() == begun {
            self.dial.was_unwelcome();
        }
        end
    }

    fn wait(&mut self, until: Instant) -> io::Result<()> {
        self.link.wait(Some(until))
    }

    fn talk(&mut self) -> &mut dyn Talk {
        self.protocol.talk()
    }
}
