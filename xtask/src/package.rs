//! `cargo xtask package`: rehearses the publication of every crate, in the order in which they depend on each other.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Skip building each crate from its own package, which takes minutes
    #[arg(long)]
    pub(crate) no_verify: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let mut line = "publish --workspace --dry-run --locked --allow-dirty".to_owned();
    if options.no_verify {
        line.push_str(" --no-verify");
    }
    cargo::run(root, &[], &line)
}
