//! Measures the chat room beside the limit of the machine and what one would use instead: `cargo xtask bench`.
//!
//! ```text
//!  plan: work x system x run ---> Server (a fresh process) <--- Crowd (all members, in this process)
//!                                      |                             |
//!                                 probe: CPU, memory            bytes, latencies
//!                                      '--------> Figures <----------'
//!                                          medians | table, JSON, plots
//! ```
//!
//! The server is always another process, also where it is one of our own making, so that what it uses can be told
//! apart from what the members use.

mod args;
mod clock;
mod failure;
mod figures;
mod load;
mod machine;
mod plan;
mod probe;
mod report;
mod results;
mod servers;
mod session;
mod stamp;
mod system;
mod wire;
mod work;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, OwnServer};
use crate::failure::{Context, Failure, Result};
use crate::machine::Machine;
use crate::plan::Case;
use crate::results::Results;
use crate::servers::limit::{self, Sends};
use crate::servers::{limit_udp, tokio_broadcast};
use crate::stamp::TEXT_BYTES;
use crate::system::{Programs, System};

/// Where results go that nobody asked to be kept.
const OUTPUT: &str = "target/bench";

fn main() -> ExitCode {
    let args = Args::parse();
    // A member needs a descriptor, here and in the server, which inherits the limit.
    let _as_many_as_there_are = rlimit::increase_nofile_limit(u64::MAX);
    let result = match args.command {
        Some(Command::Serve { server, address }) => serve(server, address),
        None => measure(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn serve(server: OwnServer, address: SocketAddr) -> Result<()> {
    match server {
        OwnServer::LimitBatch => limit::serve(address, Sends::ReadBatch, TEXT_BYTES + 1),
        OwnServer::LimitMessage => limit::serve(address, Sends::Message, TEXT_BYTES + 1),
        OwnServer::LimitUdpBatch => limit_udp::serve(address, Sends::ReadBatch, TEXT_BYTES + 1),
        OwnServer::LimitUdpMessage => limit_udp::serve(address, Sends::Message, TEXT_BYTES + 1),
        OwnServer::Tokio => tokio_broadcast::serve(address),
    }
}

/// Measures, unless it has been done before, and reports.
fn measure(args: &Args) -> Result<()> {
    ctrlc::set_handler(|| {
        system::end_what_runs();
        std::process::exit(130);
    })?;
    let programs = programs(args)?;
    let cases = Case::all(args.rounds(), args.quick);
    let systems = System::all(&programs);
    let names: Vec<String> =
        cases.iter().map(|case| case.name.clone()).chain(systems.iter().map(|system| system.key())).collect();
    if let Some(unknown) = args.unknown(&names) {
        return Err(Failure::new(format!("nothing is called {unknown}; there are: {}", names.join(", "))));
    }
    let cases = args.chosen(cases, |case| case.name.clone());
    let systems = args.chosen(systems, |system| system.key());
    let results = match &args.from {
        Some(file) => serde_json::from_slice(&fs::read(file).when(file.display())?).when(file.display())?,
        // In this order: the machine is looked at before the bench keeps it busy.
        None => Results {
            machine: Machine::this(),
            rows: session::run(&cases, &systems, &programs),
            commit: machine::commit(),
            command: args.as_typed(),
            versions: systems.iter().filter_map(|system| Some((system.label(), system.version()?))).collect(),
        },
    };
    let text = report::markdown(&results, &cases);
    println!("{text}");
    keep(&results, &systems, &text, args.write)
}

/// Writes the results where a program finds them and the plots where a browser does; with `into_documents` where
/// readers of the repository do.
fn keep(results: &Results, systems: &[System], text: &str, into_documents: bool) -> Result<()> {
    let dir = Path::new(if into_documents { "docs" } else { OUTPUT });
    fs::create_dir_all(dir).when(format!("create {}", dir.display()))?;
    let mut written = Vec::new();
    let mut write = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, text).when(format!("write {}", path.display()))?;
        written.push(path.display().to_string());
        Ok::<(), Failure>(())
    };
    write("bench.json", &format!("{}\n", serde_json::to_string_pretty(results)?))?;
    for (name, drawing) in report::plots(results, systems) {
        write(name, &drawing)?;
    }
    if into_documents {
        report::put_into(Path::new("BENCHMARKS.md"), text)?;
        written.push("BENCHMARKS.md".to_owned());
    }
    eprintln!("written: {}", written.join(", "));
    Ok(())
}

fn programs(args: &Args) -> Result<Programs> {
    let bench = std::env::current_exe()?;
    // Servers run in directories of their own.
    let absolute = |path: PathBuf| fs::canonicalize(&path).when(path.display());
    let chat = args
        .chat
        .clone()
        .unwrap_or_else(|| bench.with_file_name(format!("chat{}", std::env::consts::EXE_SUFFIX)));
    let chat = absolute(chat).when("no server to measure; `cargo xtask bench` builds it")?;
    let other = args.other.clone().map(absolute).transpose()?;
    Ok(Programs { chat, other, bench })
}
