//! `cargo xtask bench`, `cargo xtask soak` and `cargo xtask faults`: builds the server as it is released and puts it
//! under load with `tools/chat-load`.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Options for the run; --help lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Runs a command of `chat-load`.
pub(crate) fn run(root: &Path, command: &str, options: &Options) -> Result<(), Failure> {
    cargo::run(root, &[], "build --release --locked -p chat-cli -p chat-load")?;
    let line =
        format!("run --quiet --release --locked -p chat-load -- {command} {}", options.options.join(" "));
    cargo::run(root, &[], line.trim_end())
}

/// Without options it also runs the tests that take a minute because they wait for a timeout of that length.
pub(crate) fn faults(root: &Path, options: &Options) -> Result<(), Failure> {
    run(root, "faults", options)?;
    if options.options.is_empty() {
        let line = "test --locked -p chat-cli --test conformance -- --ignored --nocapture --test-threads 8";
        cargo::run(root, &[], line)?;
    }
    Ok(())
}
