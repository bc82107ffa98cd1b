//! `cargo xtask sim`: builds the simulator with optimisations and runs it.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Options for the simulator; --help lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let line = format!("run --quiet --release --locked -p chat-sim -- {}", options.options.join(" "));
    cargo::run(root, &[], line.trim_end())
}
