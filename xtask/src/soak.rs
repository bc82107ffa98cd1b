//! `cargo xtask soak` and `cargo xtask faults`: build the server as it is released, and put it under load.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What the run is told; --help lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

pub(crate) fn soak(root: &Path, options: &Options) -> Result<(), Failure> {
    run(root, "soak", options)
}

pub(crate) fn faults(root: &Path, options: &Options) -> Result<(), Failure> {
    run(root, "faults", options)
}

fn run(root: &Path, command: &str, options: &Options) -> Result<(), Failure> {
    cargo::run(root, &[], "build --release --locked -p chat-cli -p chat-soak")?;
    let line =
        format!("run --quiet --release --locked -p chat-soak -- {command} {}", options.options.join(" "));
    cargo::run(root, &[], line.trim_end())
}
