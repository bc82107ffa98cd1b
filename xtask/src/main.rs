//! The commands for developers of the chat room: `cargo xtask ci`.
//!
//! Each command has a file. This file only picks the command and turns its failure into an exit code.

mod cargo;
mod ci;
mod deb;
mod failure;
mod flaky;
mod fuzz;
mod load;
mod loom;
mod package;
mod screenshot;
mod semver;
mod sim;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "What developers of the chat room run")]
enum Command {
    /// Measures the server beside the limit of the machine and other servers
    Bench(load::Options),
    /// Checks everything that a change must pass
    Ci(ci::Options),
    /// Measures three servers that share a room over NATS, beside what JetStream does alone
    Cluster(load::Options),
    /// Makes a Debian package of the server (needs cargo-deb)
    Deb,
    /// Puts a running server through each fault at full size, and prints what it costs
    Faults(load::Options),
    /// Runs every test binary many times on a busy machine, to find tests that sometimes fail
    Flaky(flaky::Options),
    /// Searches for bytes that break a promise of a decoder, a session or the room
    Fuzz(fuzz::Options),
    /// Tries every order in which threads can meet at the room
    Loom,
    /// Checks that every crate can be published
    Package(package::Options),
    /// Draws the picture of the README from the running program
    Screenshot(screenshot::Options),
    /// Tells what has changed for users of the crates, in terms of semantic versions
    Semver(semver::Options),
    /// Runs the room on simulated networks drawn from seeds
    Sim(sim::Options),
    /// Keeps a server under load and faults for minutes or hours, and plots memory, descriptors and latency
    Soak(load::Options),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Bench(options) => load::run(root(), "bench", &options),
        Command::Ci(options) => ci::run(root(), &options),
        Command::Cluster(options) => load::run(root(), "cluster", &options),
        Command::Deb => deb::run(root()),
        Command::Faults(options) => load::faults(root(), &options),
        Command::Flaky(options) => flaky::run(root(), &options),
        Command::Fuzz(options) => fuzz::run(root(), &options),
        Command::Loom => loom::run(root()),
        Command::Package(options) => package::run(root(), &options),
        Command::Screenshot(options) => screenshot::run(root(), &options),
        Command::Semver(options) => semver::run(root(), &options),
        Command::Sim(options) => sim::run(root(), &options),
        Command::Soak(options) => load::run(root(), "soak", &options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace: the directory above this crate.
fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}
