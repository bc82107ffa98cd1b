//! What can happen to a server: it has no descriptors left, it is stopped, killed or flooded, or nobody reads its
//! output. `cargo xtask faults` does the same at full size and prints what it costs.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod churn;
mod descriptors;
mod endings;
mod flood;
#[cfg(target_os = "linux")]
mod orphans;
mod restart;
mod stdout;
mod stopped;
#[path = "../support/mod.rs"]
mod support;
mod thousand_members;
mod usage;
