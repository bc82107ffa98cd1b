//! Tools to test code that uses a chat room.
//!
//! | you have | use |
//! |---|---|
//! | a transport of your own | the [`conformance`] kit: one test for each promise of a transport |
//! | a bot, a host, a moderator | [`MemoryTransport`]: peers without a network that speak, hear, stall and vanish |
//! | protocol code without sockets | [`Network`], [`Streams`]: seeded loss, delay, small buffers and resets |
//! | code that uses a journal | [`ScriptedJournal`]: it keeps, fails and crashes when it is told to |
//! | several servers on NATS | [`NatsServers`]: real processes that a test can kill, stop and restart |
//! | a transport that any program may reach | [`FOREIGN_PROTOCOLS_TCP`], [`FOREIGN_PROTOCOLS_UDP`]: first bytes of other protocols |
//! | anything with a clock | [`VirtualTime`] |
//! | a real socket with a timeout | [`uninterrupted`] |
//!
//! The library crates take time as an argument and leave the sending to the code that drives them. So the same code
//! that serves real sockets runs here, thousands of times faster, and always in the same way.

pub mod conformance;
mod foreign_protocols;
mod journal;
mod memory;
mod nats;
mod network;
mod streams;
mod time;
mod welcome;

pub use foreign_protocols::{FOREIGN_PROTOCOLS_TCP, FOREIGN_PROTOCOLS_UDP, ForeignProtocol};
pub use journal::{ScriptedJournal, ScriptedJournals};
pub use memory::{MemoryDoor, MemoryPeer, MemoryTransport};
pub use nats::NatsServers;
pub use network::{Conditions, Datagram, Network};
pub use streams::{StreamConditions, StreamEnd, StreamEvent, Streams};
pub use time::{VirtualTime, uninterrupted};
pub use welcome::welcome;
