//! Networks in virtual time, with faults drawn from a seed, and the chat's own scenarios on them.
//!
//! The protocol crates take time as an argument and leave the sending to whoever drives them, so the
//! very code that serves real sockets runs here, thousands of times faster, and the same way each time:
//! **a failure prints its seed, and the seed replays it**.
//!
//! ```
//! let report = chat_sim::udp::run(42)?;
//! assert!(report.messages > 0);
//! # Ok::<(), chat_sim::udp::Failure>(())
//! ```
//!
//! [`Network`] and [`VirtualTime`] know nothing of the chat's scenarios; use them to put a protocol of
//! your own, or a client built on this workspace, on a bad network.

mod network;
mod time;
pub mod udp;

pub use network::{Conditions, Datagram, Network};
pub use time::VirtualTime;
