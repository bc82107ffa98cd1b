//! A transport without a network: peers are values in the same process.
//!
//! It is a complete [`Transport`](chat_core::transport::Transport): an endpoint of `chat-stream` over streams that may
//! take only a few bytes, or none. `pipe.rs` takes the place of the system's sockets. Read `transport.rs` to see how
//! little code carries a room over a stream of bytes.

mod peer;
mod pipe;
mod transport;

pub use peer::{MemoryDoor, MemoryPeer};
pub use transport::MemoryTransport;
