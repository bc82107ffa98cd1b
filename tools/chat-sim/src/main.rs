//! Runs seeds until one fails: `cargo xtask sim`.

use std::io::{IsTerminal, Write};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use chat_sim::journal::Journal;
use chat_sim::mixed::{Crowd, Drain, Mixed, Udp};
use chat_sim::{Failure, Report, Scenario, Shortest, shrink};
use clap::{Parser, ValueEnum};

/// Runs a room on simulated networks, with members and faults drawn from seeds. Shrinks the first run that fails to a
/// short script that still fails
#[derive(Debug, Parser)]
#[command(name = "cargo xtask sim")]
struct Args {
    /// Which scenario to run. Without this option: udp and mixed
    #[arg(long, value_enum)]
    scenario: Option<Which>,
    /// Replay one seed and print a report of its run
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "count", "minutes"])]
    seed: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// How many seeds to run of each scenario
    #[arg(long, value_name = "N", default_value_t = 1_000, conflicts_with = "minutes")]
    count: u64,
    /// Run seeds for this many minutes instead
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// A few members over UDP on bad networks
    Udp,
    /// Members of every kind, served by threads that interrupt each other
    Mixed,
    /// Members whose room has a journal that fails and a process that dies and is started again
    Journal,
    /// Fifty members that join, leave and lose connections during 100,000 messages; takes minutes
    Crowd,
    /// A thousand members that still have much to read when the room closes
    Drain,
}

impl Which {
    fn run(self, seed: u64) -> Result<Report, Failure> {
        match self {
            Self::Udp => chat_sim::run::<Udp>(seed),
            Self::Mixed => chat_sim::run::<Mixed>(seed),
            Self::Journal => chat_sim::run::<Journal>(seed),
            Self::Crowd => chat_sim::run::<Crowd>(seed),
            Self::Drain => chat_sim::run::<Drain>(seed),
        }
    }

    /// The shortest script that fails. The number of tries is limited so that the search takes about a minute.
    fn shortest(self, failure: &Failure) -> String {
        match self {
            Self::Udp => shortest::<Udp>(failure, 500),
            Self::Mixed => shortest::<Mixed>(failure, 3_000),
            Self::Journal => shortest::<Journal>(failure, 3_000),
            Self::Crowd => shortest::<Crowd>(failure, 50),
            Self::Drain => shortest::<Drain>(failure, 200),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let scenarios = args
        .scenario
        .map_or_else(|| vec![Which::Udp, Which::Mixed, Which::Journal], |scenario| vec![scenario]);
    match args.seed {
        Some(seed) => replay(&scenarios, seed),
        None => search(&args, &scenarios),
    }
}

fn replay(scenarios: &[Which], seed: u64) -> ExitCode {
    for scenario in scenarios {
        match scenario.run(seed) {
            Ok(report) => println!("seed {seed} of {scenario:?}: {report:#?}"),
            Err(failure) => return failed(*scenario, &failure),
        }
    }
    ExitCode::SUCCESS
}

fn search(args: &Args, scenarios: &[Which]) -> ExitCode {
    let started = clock();
    let end = args.minutes.map(|minutes| started + Duration::from_secs(60 * minutes));
    let goes_on = |seed: u64| match end {
        Some(end) => clock() < end,
        None => seed < args.from.saturating_add(args.count),
    };
    let is_seen = std::io::stderr().is_terminal();
    let (mut seed, mut messages, mut told) = (args.from, 0, started);
    while goes_on(seed) {
        for scenario in scenarios {
            match scenario.run(seed) {
                Ok(report) => messages += report.messages,
                Err(failure) => return failed(*scenario, &failure),
            }
        }
        seed += 1;
        // A terminal shows one line that is rewritten. A log gets a line now and then.
        let pause = Duration::from_millis(if is_seen { 100 } else { 30_000 });
        if clock() - told > pause {
            told = clock();
            let (front, back) = if is_seen { ("\r", "   ") } else { ("", "\n") };
            eprint!("{front}seed {seed}, {messages} messages, {:.0?}{back}", started.elapsed());
            let _unseen = std::io::stderr().flush();
        }
    }
    let last = seed.saturating_sub(1);
    println!(
        "\nseeds {} to {last} of {scenarios:?} passed: {messages} messages, {:.1?}",
        args.from,
        started.elapsed()
    );
    ExitCode::SUCCESS
}

fn failed(scenario: Which, failure: &Failure) -> ExitCode {
    eprintln!("\n{failure}\ncommit {}", commit());
    eprintln!("looking for a shorter script that fails ...");
    std::panic::set_hook(Box::new(|_| {})); // the first panic was shown
    eprintln!("{}", scenario.shortest(failure));
    ExitCode::FAILURE
}

fn shortest<S: Scenario>(failure: &Failure, tries_max: usize) -> String {
    let Shortest { script, fault, tries } = shrink(S::draw(failure.seed), failure.fault.clone(), tries_max);
    format!("the shortest of {tries}:\n{script}\n{fault}")
}

/// The commit that is checked out. A seed replays the same run only with the same code.
fn commit() -> String {
    let described = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let described = described.ok().filter(|described| described.status.success());
    described.map_or("unknown".to_owned(), |described| {
        String::from_utf8_lossy(&described.stdout).trim().to_owned()
    })
}

#[expect(clippy::disallowed_methods, reason = "how long the simulation takes is real time")]
fn clock() -> Instant {
    Instant::now()
}
