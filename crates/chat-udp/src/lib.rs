//! A chat room over UDP.
//!
//! [`UdpServer`] lets two kinds of peers talk in one [`Room`](chat_core::Room), distinguished by the first
//! byte of a datagram:
//!
//! | peer | what it gets |
//! |---|---|
//! | framed: [`connect`], or [`ClientSession`] in a loop of your own | every message once and in order, whatever the network loses, doubles or reorders; or the exact number it missed; or an end with a reason |
//! | plain: `nc -u`, a program with a bare socket | `[ip:port] text` for what it says and what it hears, as far as the network delivers it, until a minute after its last datagram |
//!
//! There is no retransmission buffer per member: the room's log is the buffer, an acknowledgement moves a
//! cursor in it, and a member costs a few hundred bytes. No peer is let in, and nothing is kept of it, until
//! it has shown that datagrams reach it at its address: a framed peer returns a cookie, and a plain one repeats a
//! number, unless it is on this machine or in a network that is trusted ([`PlainPolicy`]). PROTOCOL.md has the
//! rules.
//!
//! ```
//! use chat_core::{ClientConfig, ClientEvent, Room, RoomConfig};
//! use chat_udp::{UdpConfig, UdpServer};
//!
//! let room = Room::new(RoomConfig::default());
//! let server = UdpServer::bind("127.0.0.1:0", &room, &UdpConfig::default())?;
//! let address = server.local_addr();
//! let running = server.spawn()?;
//!
//! let client = chat_udp::connect(address, &ClientConfig::default())?;
//! client.say("hello")?;
//! let own = client.events().iter().find_map(|event| match event {
//!     ClientEvent::Entry { entry, own: true } => Some(entry.event.to_string()),
//!     _ => None,
//! });
//! assert!(own.is_some_and(|line| line.ends_with("] hello")));
//!
//! room.close("That was all", std::time::Duration::from_secs(5));
//! running.join()?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! The protocol itself, [`Endpoint`] and [`ClientSession`], has no sockets and no clocks.

mod arrivals;
mod batch;
mod client;
mod config;
mod endpoint;
mod limits;
mod plain;
mod route;
mod rtt;
mod server;
mod session;
mod socket;
mod transport;
mod window;

/// The room crate, in the version that this transport carries.
#[doc(no_inline)]
pub use chat_core;

pub use chat_core::{BindError, ConnectError};
pub use client::{ClientSession, SessionEnd, connect};
pub use config::{PlainPolicy, UdpConfig};
pub use endpoint::Endpoint;
pub use route::Route;
pub use server::UdpServer;
pub use socket::bind;
pub use transport::UdpTransport;
