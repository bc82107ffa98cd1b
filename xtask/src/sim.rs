//! `cargo xtask sim`: builds the simulator optimised and runs it.

use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What the simulator is told; --help lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    // A seed replays a run only of the same code.
    if let Some(commit) = commit(root) {
        eprintln!("commit {commit}");
    }
    let line = format!("run --quiet --release --locked -p chat-sim -- {}", options.options.join(" "));
    cargo::run(root, &[], line.trim_end())
}

/// The commit that is checked out, if git knows.
fn commit(root: &Path) -> Option<String> {
    let described =
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root).output().ok()?;
    described.status.success().then(|| String::from_utf8_lossy(&described.stdout).trim().to_owned())
}
