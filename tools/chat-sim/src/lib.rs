//! Runs the chat on networks that lose, duplicate, delay and break. Every fault is drawn from a seed.
//!
//! The protocol crates take time as an argument and leave the sending to the code that drives them. So the same
//! code that serves real sockets runs here, thousands of times faster, and always in the same way:
//! **a failure prints its seed, and the seed replays it**.
//!
//! ```
//! let report = chat_sim::run::<chat_sim::mixed::Mixed>(42)?;
//! assert!(report.messages > 0);
//! # Ok::<(), chat_sim::Failure>(())
//! ```

pub mod journal;
pub mod mixed;
mod scenario;
mod shrink;

pub use scenario::{Failure, Fault, Report, Scenario, run};
pub use shrink::{Shortest, shrink, without_parts};
