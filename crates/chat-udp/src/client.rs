//! A client over UDP: a thread that carries a [`Client`].
//!
//! `session.rs` is the protocol, without socket and clock; `framed.rs` puts a conversation on top of it,
//! and `link.rs` a socket beneath it. `dial.rs` finds a server that answers.

mod dial;
mod framed;
mod incoming;
mod link;
mod outgoing;
mod plain;
mod session;

use std::io;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Instant;

use chat_core::client::{Carrier, Talk, User};
use chat_core::{Client, ClientConfig, ClientEnd, ConnectError, Waker};
use mio::{Events, Poll};

use self::dial::reach;
use self::framed::Framed;
use self::link::{Link, Protocol, WAKE, wait};
use self::plain::Plain;

pub use session::{ClientSession, SessionEnd};

/// Joins the room at `address`. It is resolved again for every attempt, and of several addresses the first that
/// answers is taken (RFC 8305).
///
/// Returns once the server has answered, within 10 s. A plain server ([`ClientConfig::with_plain`]) is not asked.
///
/// # Errors
///
/// [`ConnectError`] if nobody answers; with [`ClientConfig::with_retry_first`] only if the system lacks a resource that
/// a client needs.
///
/// ```no_run
/// use chat_core::{ClientConfig, ClientEvent};
///
/// let client = chat_udp::connect("127.0.0.1:5555", &ClientConfig::default())?;
/// client.say("hello")?;
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
    let waker = Waker::new(move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    });
    if config.is_plain() {
        let carrier = UdpCarrier { address, poll, protocol: Plain::default(), unwelcome: 0 };
        Client::carried_by(THREAD, carrier, config, waker)
    } else {
        let carrier = UdpCarrier { address, poll, protocol: Framed::new(config), unwelcome: 0 };
        Client::carried_by(THREAD, carrier, config, waker)
    }
}

const THREAD: &str = "chat-udp-client";

struct UdpCarrier<A, P> {
    address: A,
    poll: Poll,
    protocol: P,
    /// How often a server was reached that did not welcome us: of several, another one is tried first.
    unwelcome: usize,
}

impl<A: ToSocketAddrs + Send + 'static, P: Protocol + Send + 'static> Carrier for UdpCarrier<A, P> {
    type Link = Link;

    fn connect(&mut self, user: &User) -> Result<Link, ConnectError> {
        let mut addresses = ConnectError::resolve(&self.address)?;
        let first = self.unwelcome % addresses.len().max(1);
        addresses.rotate_left(first);
        reach(&mut self.poll, addresses, user, &mut self.protocol)
    }

    fn carry(&mut self, mut link: Link, user: &mut User) -> io::Result<ClientEnd> {
        let begun = user.connections();
        let result = link.carry(&mut self.poll, &mut self.protocol, user);
        if user.connections() == begun {
            self.unwelcome += 1;
        }
        result
    }

    fn wait(&mut self, until: Instant) -> io::Result<()> {
        wait(&mut self.poll, &mut Events::with_capacity(8), Some(until))
    }

    fn talk(&mut self) -> &mut dyn Talk {
        self.protocol.talk()
    }
}
