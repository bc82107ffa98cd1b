//! A transport without a network: peers are values in the same process.
//!
//! It is an honest [`Transport`](chat_core::Transport), an endpoint of `chat-stream` over streams that take a few bytes or none:
//! `pipe.rs` is what elsewhere the system's sockets are. Read `transport.rs` to see how little it takes to carry a room over
//! a stream of bytes.

mod peer;
mod pipe;
mod transport;

pub use peer::{MemoryDoor, MemoryPeer};
pub use transport::MemoryTransport;
