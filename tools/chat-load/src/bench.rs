//! `cargo xtask bench`: measures the chat room beside the limit of the machine and beside other programs that could do
//! the same.
//!
//! The plan is work x system x round. Each run starts a fresh server, puts it under the load of a crowd, and takes
//! figures. The medians over the rounds become tables, JSON and plots.

mod calls;
mod figures;
mod foreign;
mod machine;
mod plan;
mod report;
mod results;
mod servers;
mod session;
mod system;
mod work;

use std::fs;
use std::path::{Path, PathBuf};

use self::machine::Machine;
use self::plan::Case;
use self::results::Results;
pub(crate) use self::servers::serve;
use self::system::{Programs, System};
use crate::failure::{Context, Failure, Result};

/// Where results go if `--write` is not given.
const OUTPUT: &str = "target/bench";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// One short round, and no more than the tables need: three minutes instead of twenty
    #[arg(long)]
    quick: bool,
    /// Only systems (such as tcp-plain-1, udp-framed, redis) or work (such as fanout, paced, idle) with this in the name;
    /// may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds, in each of which every system has its turn [default: 5, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    rounds: Option<u8>,
    /// Write into BENCHMARKS.md and docs instead of target/bench
    #[arg(long)]
    write: bool,
    /// Report what was measured before and kept in this file instead of measuring
    #[arg(long, value_name = "BENCH.JSON")]
    from: Option<PathBuf>,
    /// Another build of `chat`, to be compared with it in the same rounds
    #[arg(long, value_name = "PATH")]
    other: Option<PathBuf>,
}

/// Measures, unless `--from` gives earlier results, and reports.
pub(crate) fn run(chat: PathBuf, options: &Options) -> Result<()> {
    let other = options.other.as_ref().map(|path| path.canonicalize().when(path.display())).transpose()?;
    let systems = System::all(other.is_some());
    let programs = Programs { chat, other, this: std::env::current_exe()? };
    let cases = Case::all(options.rounds(), options.quick);
    let names = || cases.iter().map(|case| &case.name).chain(systems.iter().map(|system| &system.key));
    if let Some(unknown) = options.only.iter().find(|only| !names().any(|name| name.contains(*only))) {
        let names: Vec<&str> = names().map(String::as_str).collect();
        return Err(Failure::new(format!("nothing is called {unknown}; there are: {}", names.join(", "))));
    }
    let cases = options.chosen(cases, |case| &case.name);
    let systems = options.chosen(systems, |system| &system.key);
    let results = match &options.from {
        Some(file) => serde_json::from_slice(&fs::read(file).when(file.display())?).when(file.display())?,
        // The order matters: look at the machine before the bench keeps it busy.
        None => Results {
            machine: Machine::this(),
            rows: session::run(&cases, &systems, &programs),
            commit: machine::commit(),
            command: options.as_typed(),
            versions: systems
                .iter()
                .filter_map(|system| Some((system.label.clone(), system.version()?)))
                .collect(),
        },
    };
    let text = report::markdown(&results, &cases);
    println!("{text}");
    keep(&results, &systems, &text, options.write)
}

/// Writes the results where a program finds them and the plots where a browser finds them. With `into_documents` they
/// go where readers of the repository find them.
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
    for (name, drawing) in report::plots(results, systems)? {
        write(name, &drawing)?;
    }
    if into_documents {
        report::put_into(Path::new("BENCHMARKS.md"), text)?;
        written.push("BENCHMARKS.md".to_owned());
    }
    eprintln!("written: {}", written.join(", "));
    Ok(())
}

impl Options {
    fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 1 } else { 5 }, usize::from)
    }

    /// The entries that `--only` names, or all of them if it names none. A complete name selects that entry alone.
    fn chosen<T>(&self, all: Vec<T>, name: impl Fn(&T) -> &String) -> Vec<T> {
        let is_chosen = |one: &T| {
            let is_meant = |only: &String| {
                let is_exact = all.iter().any(|one| name(one) == only);
                if is_exact { name(one) == only } else { name(one).contains(only) }
            };
            self.only.iter().any(is_meant)
        };
        let chosen: Vec<bool> = all.iter().map(is_chosen).collect();
        let is_any = chosen.contains(&true);
        let pairs = all.into_iter().zip(chosen);
        pairs.filter(|(_, is_chosen)| *is_chosen || !is_any).map(|(one, _)| one).collect()
    }

    /// The command that produces these results, without the paths of this machine.
    fn as_typed(&self) -> String {
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
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        options: Options,
    }

    fn chosen(line: &str) -> Vec<String> {
        let all = ["fanout_1000", "fanout_10000", "idle"].map(str::to_owned).to_vec();
        Bench::parse_from(line.split(' ')).options.chosen(all, |name| name)
    }

    #[test]
    fn a_whole_name_means_one_and_a_part_means_all_that_have_it() {
        assert_eq!(chosen("bench --only fanout_1000"), ["fanout_1000"]);
        assert_eq!(chosen("bench --only fanout,idle"), ["fanout_1000", "fanout_10000", "idle"]);
        assert_eq!(chosen("bench --only redis").len(), 3, "it names systems, not work");
    }
}
