//! `cargo xtask loom`: what threads do to each other.
//!
//! The model checker loom runs `crates/chat-core/tests/loom_hand_over.rs` in every order in which its threads can come
//! to the room's lock and sleep, with up to three switches between threads that could have gone on. It takes a second,
//! once it is built.
//!
//! There is no unsafe code in the workspace (`cargo xtask ci` checks that), so the compiler has excluded data races in
//! it already; what it cannot exclude is a wake-up that is lost, or an order that differs, and that is what the model
//! looks for. Valgrind's drd and helgrind see no futex, and so no lock of the standard library's: they report each
//! access under it.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    // A folder of its own: the flag makes every crate another one.
    let line = "test -p chat-core --locked --profile bench --target-dir target/loom --test loom_hand_over";
    cargo::run(root, &[("RUSTFLAGS", "--cfg loom")], line)
}
