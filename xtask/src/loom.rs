//! `cargo xtask loom`: tries the orders in which threads can meet.
//!
//! The model checker loom runs `crates/chat-core/tests/loom_hand_over.rs` in every order in which its threads can
//! reach the room's lock and sleep, with up to three switches between threads that could have gone on. Once built, it
//! takes a second.
//!
//! There is no unsafe code in the workspace (`cargo xtask ci` checks that), so the compiler already excludes data
//! races. It cannot exclude a lost wake-up or an order that differs, and the model looks for these. Valgrind's drd
//! and helgrind do not see futexes, so they do not see the locks of the standard library. They would report each
//! access under such a lock.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    // A target directory of its own, because the flag forces every crate to be built again.
    let line = "test -p chat-core --locked --profile bench --target-dir target/loom --test loom_hand_over";
    cargo::run(root, &[("RUSTFLAGS", "--cfg loom")], line)
}
