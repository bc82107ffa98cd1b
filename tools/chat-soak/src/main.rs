//! A real server under load and faults for as long as it takes: `cargo xtask soak` and `cargo xtask faults`.
//!
//! The tests of the workspace show that each fault is survived; this shows what it costs, with numbers, at a size
//! and for a time that no test may take. All traffic stays on loopback.

mod clock;
mod crowd;
mod failure;
mod faults;
mod latency;
mod listener;
mod probe;
mod server;
mod soak;
mod stamp;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(about = "A real server under load and faults")]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// The server [default: `chat` beside this program]
    #[arg(long, global = true)]
    chat: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Joins, leaves, talk, drops and slow readers, and what they do to memory, descriptors and latency over time
    Soak(soak::Options),
    /// Each fault once, at full size
    Faults(faults::Options),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let result = server::program(args.chat).and_then(|chat| {
        // Each member takes a descriptor here as well.
        rlimit::increase_nofile_limit(u64::MAX)?;
        match args.command {
            Command::Soak(options) => soak::run(&chat, &options),
            Command::Faults(options) => faults::run(&chat, &options),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}
