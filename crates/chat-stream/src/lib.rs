//! A chat room over any two-way stream of bytes, without sockets, poll or clock.
//!
//! An [`Endpoint`] serves the peers of one I/O thread. A peer is a [`Stream`]: a TCP or Unix socket, a pipe in memory,
//! a simulated connection. The endpoint recognises a peer's protocol (frames or plain lines) from its first byte, and
//! its line ending from its first words; PROTOCOL.md has the rules.
//!
//! With the feature `web`, browsers are served on the same port: a page, and the room over WebSocket.
//!
//! `chat-tcp` drives an endpoint with sockets and a poll loop. See [`Endpoint`] for an example without any.

mod connection;
mod context;
mod endpoint;
mod incoming;
mod limits;
mod outgoing;
mod peer;
mod sniffing;
mod speaker;
mod stream;
#[cfg(feature = "web")]
mod web;

/// The room crate, in the version that this crate carries.
#[doc(no_inline)]
pub use chat_core;

pub use chat_core::access::Identity;
pub use endpoint::Endpoint;
pub use endpoint::memory::Held;
pub use stream::{Readiness, Speaks, Stream};
#[cfg(feature = "web")]
pub use web::Web;
