//! The conformance kit: the promises of every [`Transport`](chat_core::transport::Transport), as properties that can be
//! checked for any implementation.
//!
//! Implement [`Medium`] and [`Peer`] to tell the kit how to open your transport and what its peers do. Then check all
//! properties at once, or make each property a test of its own:
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Instant;
//! use chat_core::Room;
//! use chat_testkit::conformance::{Heard, Medium, Peer, Promises, Property};
//! use chat_testkit::{MemoryDoor, MemoryPeer, MemoryTransport};
//!
//! struct Memory;
//! struct MemoryMember(MemoryPeer);
//!
//! impl Medium for Memory {
//!     type Transport = MemoryTransport;
//!     type Address = MemoryDoor;
//!     type Peer = MemoryMember;
//!
//!     fn promises(&self) -> Promises {
//!         Promises::default().with_echo(false)
//!     }
//!
//!     fn open(&self, room: &Room) -> (MemoryTransport, MemoryDoor) {
//!         MemoryTransport::new(room)
//!     }
//!
//!     fn connect(&self, door: &MemoryDoor) -> MemoryMember {
//!         MemoryMember(door.connect())
//!     }
//! }
//!
//! impl Peer for MemoryMember {
//!     fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
//!         self.0.say_by(line, deadline)
//!     }
//!
//!     fn hear(&mut self, deadline: Instant) -> Option<Heard> {
//!         match self.0.hear_by(deadline) {
//!             Some(line) => Some(Heard::from_line(&line)),
//!             None => self.0.is_closed().then_some(Heard::End),
//!         }
//!     }
//!
//!     fn end(self) {}
//!
//!     fn vanish(self) {
//!         self.0.vanish();
//!     }
//! }
//!
//! // In a test file: chat_testkit::conformance_tests!(Memory);
//! Property::AKickedMemberIsToldWhy.check(&Memory)?;
//! # Ok::<(), chat_testkit::conformance::Violation>(())
//! ```
//!
//! Like [`chat_core::transport::run`], the kit runs the transport on a thread with the real clock. It waits for each
//! expected event with a deadline and never sleeps. A violation names the property, says what was expected and what was
//! found, and points to the contract.

mod fault;
mod guest;
mod medium;
mod properties;
mod property;
mod running;
mod stage;

pub use medium::{Heard, Medium, Peer, Promises};
pub use property::{Property, Violation, check};
