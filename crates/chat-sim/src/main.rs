//! Runs seeds until one fails: `cargo xtask sim`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

/// Runs the room over UDP on networks drawn from seeds, and tells the first seed that fails
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Args {
    /// Replay one seed and tell what its run was like
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "count", "minutes"])]
    seed: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 1_000, conflicts_with = "minutes")]
    count: u64,
    /// Run seeds for so long instead
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        return match chat_sim::udp::run(seed) {
            Ok(report) => {
                println!("seed {seed}: {report:#?}");
                ExitCode::SUCCESS
            }
            Err(failure) => failed(&failure),
        };
    }
    let started = clock();
    let end = args.minutes.map(|minutes| started + Duration::from_secs(60 * minutes));
    let progress = std::io::stderr().is_terminal();
    let mut seed = args.from;
    let goes_on = |seed: u64| match end {
        Some(end) => clock() < end,
        None => seed < args.from.saturating_add(args.count),
    };
    let mut messages = 0;
    while goes_on(seed) {
        match chat_sim::udp::run(seed) {
            Ok(report) => messages += report.messages,
            Err(failure) => return failed(&failure),
        }
        seed += 1;
        if progress && seed.is_multiple_of(10) {
            eprint!("\rseed {seed}, {messages} messages, {:.0?}   ", started.elapsed());
            let _unseen = std::io::stderr().flush();
        }
    }
    if progress {
        eprintln!();
    }
    println!(
        "seeds {} to {} passed: {messages} messages, {:.1?}",
        args.from,
        seed.saturating_sub(1),
        started.elapsed()
    );
    ExitCode::SUCCESS
}

fn failed(failure: &chat_sim::udp::Failure) -> ExitCode {
    eprintln!("\n{failure}");
    ExitCode::FAILURE
}

#[expect(clippy::disallowed_methods, reason = "how long the simulation takes is real time")]
fn clock() -> Instant {
    Instant::now()
}
