//! The machine and the commit behind the figures. Without them the figures mean nothing.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

/// The parts of the machine that figures depend on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) memory_gib: u64,
    pub(super) system: String,
    /// How many programs ran on average in the minute before. The bench had to share the cores with them.
    pub(super) busy_before: f64,
}

/// If more programs than this are running, figures of time are those of a busy machine.
const BUSY: f64 = 0.5;

impl Machine {
    /// This machine, as it is now.
    pub(super) fn this() -> Self {
        let memory_kib =
            field("/proc/meminfo", "MemTotal").and_then(|total| total.split(' ').next()?.parse::<u64>().ok());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        // Only the version means something to others. What the builder of the kernel added to it does not.
        let kernel = kernel.trim().split('-').next().unwrap_or_default();
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned()),
            cores: available_parallelism().map_or(1, std::num::NonZero::get),
            memory_gib: (memory_kib.unwrap_or(0) + 512 * 1024) / (1024 * 1024),
            system: format!("{} {kernel}", std::env::consts::OS),
            busy_before: load().unwrap_or(0.0),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { processor, cores, memory_gib, system, busy_before } = self;
        write!(f, "{cores} cores of {processor}, {memory_gib} GiB, {system}")?;
        if *busy_before > BUSY {
            write!(
                f,
                ", busy with {busy_before:.1} other programs before it began, so that latencies are longer than \
                 the servers' own"
            )?;
        }
        Ok(())
    }
}

/// The commit that is checked out, and whether anything has changed since.
pub(super) fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else { return "unknown".to_owned() };
    // Changes of the tools do not matter, because the server is what they measure.
    let changed = git(&["status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"]);
    if changed.is_none_or(|changed| changed.is_empty()) { commit } else { format!("{commit} with changes") }
}

fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// The value of the first line `name : value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
