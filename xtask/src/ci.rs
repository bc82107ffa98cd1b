//! `cargo xtask ci`: the checks of continuous integration, in the order in which it is cheapest to refuse a change.
//!
//! The first step that fails ends the run. It prints the command that shows the failure alone.

mod documents;
mod english;
mod files;
mod layers;
mod locks;
mod manifests;

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;
use crate::package;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave out `cargo test`, for a job that has run it before
    #[arg(long)]
    skip_tests: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    heading("format");
    component(root, "fmt", "rustfmt")?;
    cargo::run(root, &[], "fmt --all --check")?;

    heading("clippy");
    component(root, "clippy", "clippy")?;
    let line = "clippy --workspace --all-targets --locked -- -D warnings";
    cargo::run(root, &[], line)?;

    heading("docs");
    let env = [("RUSTDOCFLAGS", "-D warnings")];
    cargo::run(root, &env, "doc --workspace --no-deps --locked")?;

    heading("tests");
    if options.skip_tests {
        println!("skipped (--skip-tests)");
    } else {
        cargo::run(root, &[], "test --workspace --locked")?;
    }

    heading("layers: what a crate must not know");
    layers::check(root)?;

    heading("locks: the fuzz targets are built from what the workspace is built from");
    locks::check(root)?;

    heading("manifests: unsafe code is forbidden everywhere");
    manifests::check(root)?;

    heading("files: one thing each");
    files::check_lengths(root)?;

    heading("english: a peer is \"it\"");
    english::check(root)?;

    heading("documents: the tests they name");
    documents::check(root)?;

    heading("packages: every crate can be published");
    package::run(root, &package::Options { no_verify: true })?;

    heading("dependencies: bans, licences, sources");
    if cargo::has(root, "deny") {
        cargo::run(root, &[], "deny --locked check bans licenses sources")?;
    } else {
        println!("skipped: no cargo-deny here (cargo install --locked cargo-deny)");
    }

    println!("\neverything passed");
    Ok(())
}

fn heading(title: &str) {
    println!("\n== {title}");
}

/// If a part of the toolchain is missing, fails with the command that installs it.
fn component(root: &Path, subcommand: &str, name: &str) -> Result<(), Failure> {
    if cargo::has(root, subcommand) {
        return Ok(());
    }
    Err(Failure {
        reason: format!("the toolchain has no {name}"),
        command: format!("rustup component add {name}"),
    })
}
