//! How threads synchronise: the system's lock and crossbeam's channel, or those of the model checker, which tries every
//! order in which threads can use them (`cargo xtask loom`).
//!
//! All shared state of this crate is behind that lock, or is a token in such a channel. A flag that spares taking the
//! lock only repeats what is behind it.

#[cfg(loom)]
mod modelled;

#[cfg(not(loom))]
pub(crate) use crossbeam_channel::{Receiver, Sender, bounded};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(loom)]
pub(crate) use modelled::{Receiver, Sender, bounded};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
