//! `cargo xtask fuzz`: searches for bytes that break a promise, with libFuzzer.
//!
//! The targets are the functions of `tools/chat-fuzz`. A search begins with `fuzz/corpus`, which is committed and
//! which `cargo test` replays, and with the inputs in `fuzz/found` from earlier searches on this machine. No
//! sanitizer is built in, because there is no unsafe code here that it could watch. That makes the search about twice
//! as fast.
//!
//! This needs a nightly compiler, a C++ compiler, and `cargo install --locked cargo-fuzz`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;

/// The targets that can be searched: `fuzz/fuzz_targets/<name>.rs`.
const TARGETS: [&str; 7] = ["stream", "plain", "strings", "endpoint", "session", "room", "websocket"];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Which targets to search; all of them if none is named
    #[arg(value_parser = TARGETS)]
    targets: Vec<String>,
    /// How many seconds to search each target
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Replace the corpus afterwards by the fewest and smallest inputs that reach as much
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let named = options.targets.iter().map(String::as_str);
    let all = TARGETS.into_iter().filter(|_| options.targets.is_empty());
    for target in named.chain(all) {
        eprintln!("== {target}, for {} s", options.seconds);
        search(root, target, options.seconds)?;
        if options.keep {
            keep(root, target)?;
        }
    }
    Ok(())
}

fn search(root: &Path, target: &str, seconds: u64) -> Result<(), Failure> {
    let (found, corpus) = (format!("fuzz/found/{target}"), format!("fuzz/corpus/{target}"));
    make(&root.join(&found))?;
    make(&root.join(&corpus))?;
    let mut line = format!(
        "{target} {found} {corpus} -- -max_total_time={seconds} -timeout=10 -rss_limit_mb=1024 -print_final_stats=1"
    );
    let dictionary = format!("fuzz/dictionaries/{target}.txt");
    if root.join(&dictionary).is_file() {
        line += &format!(" -dict={dictionary}");
    }
    fuzz(root, &line)
}

/// An edge counts as reached, however often it is taken, so the kept corpus stays small.
fn keep(root: &Path, target: &str) -> Result<(), Failure> {
    let (found, corpus) = (format!("fuzz/found/{target}"), format!("fuzz/corpus/{target}"));
    let kept = format!("fuzz/found/{target}.kept");
    make(&root.join(&kept))?;
    fuzz(root, &format!("{target} {kept} {corpus} {found} -- -merge=1 -use_counters=0"))?;
    let (kept, corpus) = (root.join(kept), root.join(corpus));
    fs::remove_dir_all(&corpus).and_then(|()| fs::rename(&kept, &corpus)).map_err(|error| Failure {
        reason: format!("cannot replace {}: {error}", corpus.display()),
        command: format!("ls -l {}", corpus.display()),
    })
}

fn make(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure {
        reason: format!("cannot make {}: {error}", folder.display()),
        command: format!("mkdir -p {}", folder.display()),
    })
}

/// Runs cargo-fuzz through rustup, because the cargo that runs this program is not a nightly one.
fn fuzz(root: &Path, line: &str) -> Result<(), Failure> {
    let line = format!("run nightly cargo fuzz run --sanitizer none {line}");
    let failure = |reason: String| Failure {
        reason: format!(
            "{reason} (needs: rustup toolchain install nightly; cargo install --locked cargo-fuzz)"
        ),
        command: format!("rustup {line}"),
    };
    let status = Command::new("rustup")
        .args(line.split(' '))
        .current_dir(root)
        .status()
        .map_err(|error| failure(format!("rustup did not start: {error}")))?;
    if status.success() { Ok(()) } else { Err(failure(format!("cargo fuzz ended with {status}"))) }
}
