//! A transport without a network: peers are values in the same process.
//!
//! It is an honest [`Transport`](chat_core::Transport): a port at the room, one encoded log, a cursor per member,
//! bytes that a peer takes in part or not at all. And it is about the smallest one that keeps every promise of the
//! contract, so read `transport.rs` to see how one is made; `pipe.rs` is what elsewhere the system's sockets are.

mod peer;
mod pipe;
mod transport;

pub use peer::{MemoryDoor, MemoryPeer};
pub use transport::MemoryTransport;
