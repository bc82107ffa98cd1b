//! Tools to test what is built on a chat room.
//!
//! | you have | use |
//! |---|---|
//! | a transport of your own | the [`conformance`] kit: what every transport promises, one test each |
//! | a bot, a host, a moderator | [`MemoryTransport`]: a room with peers that say and hear lines, stall and vanish, without a network |
//! | protocol code without sockets | [`Network`] and [`Streams`]: loss, delay, small buffers and resets, drawn from a seed |
//! | a journal, or what must hold with one | [`ScriptedJournal`]: it keeps, fails and crashes when it is told to |
//! | several servers on NATS | [`NatsServers`]: real `nats-server` processes that are killed, stopped and started again |
//! | a transport that strangers reach | [`STRANGERS_TCP`], [`STRANGERS_UDP`]: what other protocols begin with |
//! | anything with a clock | [`VirtualTime`] |
//!
//! The library crates take time as an argument and leave the sending to whoever drives them. So the very code that
//! serves real sockets runs here, thousands of times faster, and the same way each time.

pub mod conformance;
mod journal;
mod memory;
mod nats;
mod network;
mod strangers;
mod streams;
mod time;
mod welcome;

pub use journal::ScriptedJournal;
pub use memory::{MemoryDoor, MemoryPeer, MemoryTransport};
pub use nats::NatsServers;
pub use network::{Conditions, Datagram, Network};
pub use strangers::{STRANGERS_TCP, STRANGERS_UDP, Stranger};
pub use streams::{StreamConditions, StreamEnd, StreamEvent, Streams};
pub use time::VirtualTime;
pub use welcome::welcome;
