//! The flags.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures the chat room beside the limit of the machine and what one would use instead.
///
/// Prints tables and writes the results and plots into target/bench.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub(crate) struct Args {
    /// One short round, and no more than the tables need: three minutes instead of twenty
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only systems (such as tcp-plain-1, udp-framed, redis) or work (such as fanout, paced, idle) with this in the name;
    /// may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds, in each of which every system has its turn [default: 5, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    rounds: Option<u8>,
    /// Write into BENCHMARKS.md and docs instead of target/bench
    #[arg(long)]
    pub(crate) write: bool,
    /// Report what was measured before and kept in this file instead of measuring
    #[arg(long, value_name = "BENCH.JSON")]
    pub(crate) from: Option<PathBuf>,
    /// The `chat` to measure [default: the one beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) chat: Option<PathBuf>,
    /// Another build of `chat`, to be compared with it in the same rounds
    #[arg(long, value_name = "PATH")]
    pub(crate) other: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve as one of the servers to compare with
    #[command(hide = true)]
    Serve { server: OwnServer, address: SocketAddr },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OwnServer {
    LimitBatch,
    LimitMessage,
    LimitUdpBatch,
    LimitUdpMessage,
    Tokio,
}

impl Args {
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 1 } else { 5 }, usize::from)
    }

    /// Those that `--only` names; all, if it names none of them. What is exactly one's name means no other one.
    pub(crate) fn chosen<T>(&self, all: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
        let is_chosen = |one: &T| {
            let is_meant = |only: &String| {
                let is_exact = all.iter().any(|one| name(one) == *only);
                if is_exact { name(one) == *only } else { name(one).contains(only) }
            };
            self.only.iter().any(is_meant)
        };
        let chosen: Vec<bool> = all.iter().map(is_chosen).collect();
        let is_any = chosen.contains(&true);
        all.into_iter()
            .zip(chosen)
            .filter(|(_, is_chosen)| *is_chosen || !is_any)
            .map(|(one, _)| one)
            .collect()
    }

    /// Something of `--only` that is in none of the names.
    pub(crate) fn unknown(&self, names: &[String]) -> Option<&str> {
        let is_known = |only: &str| names.iter().any(|name| name.contains(only));
        self.only.iter().map(String::as_str).find(|only| !is_known(only))
    }

    /// The command that gives these results, without the paths of this machine.
    pub(crate) fn as_typed(&self) -> String {
        let mut line = "cargo xtask bench".to_owned();
        let mut add = |flag: &str, value: &str| line.push_str(&format!(" {flag}{value}"));
        if self.quick {
            add("--quick", "");
        }
        self.only.iter().for_each(|name| add("--only ", name));
        if let Some(rounds) = self.rounds {
            add("--rounds ", &rounds.to_string());
        }
        if self.write {
            add("--write", "");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(line: &str) -> Vec<String> {
        let all = ["fanout_1000", "fanout_10000", "idle"].map(str::to_owned).to_vec();
        Args::parse_from(line.split(' ')).chosen(all, Clone::clone)
    }

    #[test]
    fn a_whole_name_means_one_and_a_part_means_all_that_have_it() {
        assert_eq!(chosen("bench --only fanout_1000"), ["fanout_1000"]);
        assert_eq!(chosen("bench --only fanout,idle"), ["fanout_1000", "fanout_10000", "idle"]);
        assert_eq!(chosen("bench --only redis").len(), 3, "it names systems, not work");
    }
}
