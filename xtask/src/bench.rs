//! `cargo xtask bench`: builds the server and its bench as they are released, and runs the bench.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What the bench is told; --help lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    cargo::run(root, &[], "build --release --locked -p chat-cli -p chat-bench")?;
    let line = format!("run --quiet --release --locked -p chat-bench -- {}", options.options.join(" "));
    cargo::run(root, &[], line.trim_end())
}
