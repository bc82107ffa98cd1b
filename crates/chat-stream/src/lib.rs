//! A chat room over any two-way stream of bytes, without sockets, poll or clock.
//!
//! An [`Endpoint`] serves the peers of one I/O thread. A peer is a [`Stream`]: a TCP or Unix socket, a pipe in memory,
//! a simulated connection. What a peer speaks (frames or plain lines) is told from its first byte, and how it
//! wants to be written to from its first words; PROTOCOL.md has the rules.
//!
//! `chat-tcp` drives an endpoint with sockets and a poll loop. See [`Endpoint`] for an example without any.

mod connection;
mod context;
mod endpoint;
mod held;
mod incoming;
mod limits;
mod newcomers;
mod opening;
mod outgoing;
mod own;
mod peer;
mod plain;
mod speaker;
mod stream;
mod token;

/// The room that this carries, in the version that it carries.
#[doc(no_inline)]
pub use chat_core;

pub use endpoint::Endpoint;
pub use held::Held;
pub use stream::{Readiness, Speaks, Stream};
