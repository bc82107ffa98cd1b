//! A chat room over TCP.
//!
//! [`TcpServer`] lets framed clients, netcat, telnet and programs with a bare socket talk in
//! one [`Room`](chat_core::Room). It recognises a peer's protocol from its first byte, and the peer's line ending
//! from its first words; PROTOCOL.md has the rules. [`connect`] is the other end, a client as a library.
//!
//! ```
//! use chat_core::{ClientConfig, ClientEvent, Room, RoomConfig};
//! use chat_tcp::{TcpConfig, TcpServer};
//!
//! let room = Room::new(RoomConfig::default());
//! let server = TcpServer::bind("127.0.0.1:0", &room, &TcpConfig::default())?;
//! let address = server.local_addr();
//! let running = server.spawn()?;
//!
//! let client = chat_tcp::connect(address, &ClientConfig::default())?;
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
//! To run it in a loop of your own instead of threads, take [`TcpServer::into_transports`]. For streams that are not
//! sockets, take an endpoint of [`chat_stream`]. The workspace's `examples` show the first, and a server that
//! moderates, a bot, an orderly shutdown, and metrics.

mod acceptor;
#[cfg(feature = "web")]
mod adopter;
mod client;
mod config;
mod layer;
mod limits;
mod proxy;
mod server;
mod socket_options;
mod stream;
mod transport;
#[cfg(all(unix, feature = "unix"))]
mod unix;

/// The room crate, in the version that this transport carries.
#[doc(no_inline)]
pub use chat_core;
/// The state machine of each connection, for streams that are not TCP sockets.
#[doc(no_inline)]
pub use chat_stream;

#[cfg(feature = "web")]
pub use adopter::{AdoptError, Adopter};
pub use chat_core::{BindError, ConnectError};
pub use client::{connect, connect_over};
pub use config::TcpConfig;
pub use layer::{Bare, Layer};
pub use proxy::{Proxied, ProxiedStream};
pub use server::TcpServer;
pub use socket_options::listen;
pub use stream::TcpSocket;
pub use transport::TcpTransport;
#[cfg(all(unix, feature = "unix"))]
pub use unix::{UnixFile, UnixServer, UnixSocket, UnixTransport, connect_unix};
