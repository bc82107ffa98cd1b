//! Tools to test what is built on a chat room: **virtual time, and networks whose faults come from a seed**.
//!
//! The library crates take time as an argument and leave the sending to whoever drives them. So the very code that
//! serves real sockets runs here, thousands of times faster, and the same way each time.

pub mod conformance;
mod memory;
mod network;
mod streams;
mod time;

pub use memory::{MemoryDoor, MemoryPeer, MemoryTransport};
pub use network::{Conditions, Datagram, Network};
pub use streams::{StreamConditions, StreamEnd, StreamEvent, Streams};
pub use time::VirtualTime;
