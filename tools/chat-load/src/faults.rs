//! Runs each fault at full size and prints figures.

mod churn;
mod descriptors;
mod flood;
mod restart;
mod stalled;

use std::path::Path;

use clap::ValueEnum;

use crate::failure::Result;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Which [default: all]
    faults: Vec<Fault>,
    /// Connections of `churn`
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    connections: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// 200 connect to a server that has 64 descriptors
    Descriptors,
    /// Connections that are closed or reset at once
    Churn,
    /// 100 of 1,000 members stop reading
    Stalled,
    /// One floods a room of 100
    Flood,
    /// A new server takes over from the running one under 1,000 members
    Restart,
}

pub(crate) fn run(chat: &Path, options: &Options) -> Result<()> {
    let all = Fault::value_variants();
    let chosen = if options.faults.is_empty() { all } else { &options.faults };
    for fault in chosen {
        println!(
            "\n== {}",
            fault.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
        );
        match fault {
            Fault::Descriptors => descriptors::run(chat)?,
            Fault::Churn => churn::run(chat, options.connections)?,
            Fault::Stalled => stalled::run(chat)?,
            Fault::Flood => flood::run(chat)?,
            Fault::Restart => restart::run(chat)?,
        }
    }
    Ok(())
}
