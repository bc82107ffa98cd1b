//! Puts a chat server under load and measures it: `cargo xtask bench`, `cargo xtask soak`, `cargo xtask faults`.
//!
//! ```text
//!  bench   work x system x round         medians beside the limit of the machine and other servers
//!  soak    everything at once, for long  memory, descriptors and latency over time
//!  faults  one fault at a time           what it costs, and that nothing is lost
//!  cluster three servers over NATS       beside what JetStream does alone
//!     |
//!     '--> Process (the server)  <---- loopback ---->  Crowd (all members in one thread), Listener (one client)
//!              |                                           |
//!          probe: CPU, memory                     latencies, plots
//! ```
//!
//! The server is always a process of its own, so that its usage can be told apart from that of the members. Only one
//! server runs at a time, except with `cluster`. All traffic stays on loopback.

mod bench;
mod clock;
mod cluster;
mod crowd;
mod failure;
mod faults;
mod latency;
mod listener;
mod plot;
mod probe;
mod process;
mod server;
mod soak;
mod stamp;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::failure::{Context, Result};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Puts a chat server under load and measures it"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// The `chat` to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH", global = true)]
    chat: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Measures the chat room beside the limit of the machine and what one would use instead
    ///
    /// Prints tables and writes the results and plots into target/bench.
    Bench(bench::Options),
    /// Joins, leaves, talk, drops and slow readers, and what they do to memory, descriptors and latency over time
    Soak(soak::Options),
    /// Three servers that share a room over NATS, beside what JetStream itself does
    Cluster(cluster::Options),
    /// Each fault once, at full size
    Faults(faults::Options),
    /// Serve as one of the servers to compare with
    #[command(hide = true)]
    Serve { system: String, address: SocketAddr },
}

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<()> {
    // Each member needs a descriptor here and one in the server, which inherits the limit.
    rlimit::increase_nofile_limit(u64::MAX)?;
    if let Command::Serve { system, address } = args.command {
        return bench::serve(&system, address);
    }
    ctrlc::set_handler(|| {
        process::end_what_runs();
        std::process::exit(130);
    })?;
    let chat = args.chat.map_or_else(beside_this_program, Ok)?;
    // Make the path absolute, because servers run in directories of their own.
    let chat = chat.canonicalize().when(format!("there is no server {}", chat.display()))?;
    match args.command {
        Command::Bench(options) => bench::run(chat, &options),
        Command::Soak(options) => soak::run(&chat, &options),
        Command::Cluster(options) => cluster::run(&chat, &options),
        Command::Faults(options) => faults::run(&chat, &options),
        Command::Serve { .. } => Ok(()),
    }
}

fn beside_this_program() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(format!("chat{}", std::env::consts::EXE_SUFFIX)))
}
