//! A client over UDP: a thread that carries a [`Client`].
//!
//! `session.rs` is the protocol, without socket and clock; `framed.rs` puts a conversation on top of it,
//! and `link.rs` a socket beneath it. This file begins, and begins again.

mod framed;
mod incoming;
mod link;
mod plain;
mod says;
mod session;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent, Waker};
use chat_proto::LeaveReason;
use crossbeam_channel::bounded;
use mio::Poll;
use thiserror::Error;

use self::framed::Framed;
use self::link::{Link, Protocol, User, WAKE};
use self::plain::Plain;
use crate::limits::{COMMANDS_MAX, EVENTS_MAX};
use crate::transport::clock;

pub use session::{ClientSession, SessionEnd};

/// Pauses between attempts to reach the server again: the first, and the longest it grows to.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// Joins the room at `address`; of several addresses the first that answers.
///
/// Returns once the server has answered, within 10 s. A plain server ([`ClientConfig::plain`]) is not asked.
///
/// # Errors
///
/// [`ConnectError`] if nobody answers.
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
pub fn connect(address: impl ToSocketAddrs, config: &ClientConfig) -> Result<Client, ConnectError> {
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(ConnectError::Resolve)?.collect();
    let poll = Poll::new().map_err(ConnectError::System)?;
    let waker = mio::Waker::new(poll.registry(), WAKE).map(Arc::new).map_err(ConnectError::System)?;
    let (commands, commands_in) = bounded(COMMANDS_MAX);
    let (events, events_out) = bounded(EVENTS_MAX);
    let user = User::new(commands_in, events);
    let carrier = Carrier { addresses, reconnect: config.reconnect, poll, user };
    if config.plain {
        carrier.spawn(Plain::default())?;
    } else {
        carrier.spawn(Framed::new(config.history))?;
    }
    let waker = Waker::new(move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "cannot wake the client's thread");
        }
    });
    Ok(Client::new(commands, events_out, waker))
}

/// Why no session came about.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name could not be resolved.
    #[error("cannot find the host")]
    Resolve(#[source] io::Error),
    /// The name resolved to no address at all.
    #[error("the host has no address")]
    NoAddress,
    /// Nobody there, no way there, or no answer.
    #[error("cannot reach a room at {address}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// What happened: `ConnectionRefused` if the system says that nobody listens there, `TimedOut` if
        /// there was no answer.
        source: io::Error,
    },
    /// The system has no more of what a client needs.
    #[error("cannot set up the client")]
    System(#[source] io::Error),
}

/// One session after the other.
struct Carrier {
    addresses: Vec<SocketAddr>,
    reconnect: bool,
    poll: Poll,
    user: User,
}

impl Carrier {
    fn spawn(mut self, mut protocol: impl Protocol + Send + 'static) -> Result<(), ConnectError> {
        let link = self.reach_any(&mut protocol)?;
        let carry = move || self.run(protocol, link);
        Builder::new().name("chat-udp-client".to_owned()).spawn(carry).map_err(ConnectError::System)?;
        Ok(())
    }

    /// A link to the first of the addresses that answers.
    fn reach_any(&mut self, protocol: &mut impl Protocol) -> Result<Link, ConnectError> {
        let mut result = Err(ConnectError::NoAddress);
        for &address in &self.addresses {
            match reach(address, &mut self.poll, protocol) {
                Ok(link) => return Ok(link),
                Err(source) => result = Err(ConnectError::Connect { address, source }),
            }
        }
        result
    }

    fn run(mut self, mut protocol: impl Protocol, link: Link) {
        let mut next = Ok(link);
        let mut pause = RETRY_PAUSE.0;
        let end = loop {
            let result = match next {
                Ok(mut link) => {
                    pause = RETRY_PAUSE.0;
                    link.carry(&mut self.poll, &mut protocol, &mut self.user)
                }
                Err(ConnectError::Connect { source, .. }) => Err(source),
                Err(error) => Err(io::Error::other(error)),
            };
            let error = match result {
                // Servers come back.
                Ok(ClientEnd::Dismissed(reason @ LeaveReason::Stopping)) if self.reconnect => {
                    io::Error::other(reason.to_string())
                }
                Ok(end) => break end,
                Err(error) => error,
            };
            if !self.reconnect {
                break ClientEnd::Lost { error, unconfirmed: protocol.unconfirmed() };
            }
            self.user.tell(ClientEvent::Lost { error, retry_in: pause }, &mut protocol);
            if self.user.rest(&mut protocol, pause) {
                break ClientEnd::Left;
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
            next = self.reach_any(&mut protocol);
        };
        self.user.tell(ClientEvent::Ended(end), &mut protocol);
    }
}

fn reach(address: SocketAddr, poll: &mut Poll, protocol: &mut impl Protocol) -> io::Result<Link> {
    let mut link = Link::new(address, poll)?;
    protocol.begin(clock());
    link.greet(poll, protocol)?;
    // Whatever the answer is, even that the room is full, it came from a room.
    match protocol.answered() {
        Some(false) => Err(protocol.end().and_then(Result::err).unwrap_or(ErrorKind::TimedOut.into())),
        Some(true) | None => Ok(link),
    }
}
