//! `cargo xtask flaky`: runs the test binaries again and again on a busy machine, to find tests that sometimes fail.
//!
//! All test binaries are built once. Each then runs many times while threads of this program keep all cores but one
//! busy, so that processes and threads meet in other orders than on an idle machine. The output of a failed run is
//! kept in `target/flaky/`. Doc tests are not binaries, so they are not run.

use std::fs::{self, File};
use std::hint;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cargo;
use crate::failure::Failure;

/// A run that takes longer than this hangs and counts as failed.
const RUN_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// How often to check whether a run has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often each test binary runs
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Build and run only these packages
    #[arg(long = "package", short, value_name = "PACKAGE")]
    packages: Vec<String>,
    /// Run only these binaries: a target (conformance), a package's directory (chat-cli) or both (chat-cli/conformance)
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Options for each binary, for example a part of a test's name
    #[arg(last = true, value_name = "TEST OPTIONS")]
    test_options: Vec<String>,
}

/// An executable with tests.
struct Binary {
    /// The package's directory and the target: `chat-cli/conformance`.
    name: String,
    executable: PathBuf,
    /// The directory in which cargo would run it.
    directory: PathBuf,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    let packages = match &options.packages[..] {
        [] => "--workspace".to_owned(),
        packages => format!("-p {}", packages.join(" -p ")),
    };
    let line = format!("test {packages} --locked --no-run --message-format=json");
    let messages = cargo::output(root, &line)?;
    let mut binaries = binaries(&messages);
    binaries.sort_by(|a, b| a.name.cmp(&b.name));
    if !options.only.is_empty() {
        binaries.retain(|binary| options.only.iter().any(|name| binary.is_called(name)));
    }
    if binaries.is_empty() {
        return Err(Failure {
            reason: format!("no test binary is called {}", options.only.join(" or ")),
            command: "cargo test --workspace --no-run".to_owned(),
        });
    }
    let kept = root.join("target/flaky");
    fs::create_dir_all(&kept).map_err(|error| Failure {
        reason: format!("cannot make {}: {error}", kept.display()),
        command: format!("mkdir -p {}", kept.display()),
    })?;

    let done = AtomicBool::new(false);
    let failed = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..(cores - 1).max(1) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    hint::spin_loop();
                }
            });
        }
        let failed: Vec<&str> = binaries
            .iter()
            .filter(|binary| repeat(binary, options, &kept) > 0)
            .map(|binary| binary.name.as_str())
            .collect();
        done.store(true, Ordering::Relaxed);
        failed
    });
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure {
        reason: format!("{} of {} test binaries failed: {}", failed.len(), binaries.len(), failed.join(", ")),
        command: format!("ls {}", kept.display()),
    })
}

/// Runs one binary as often as requested and prints a line about it. Returns how many runs failed.
fn repeat(binary: &Binary, options: &Options, kept: &Path) -> u32 {
    let mut failed = 0;
    let mut longest = Duration::ZERO;
    let mut all = Duration::ZERO;
    for run in 1..=options.runs {
        let output = kept.join(format!("{}-{run}.txt", binary.name.replace('/', "-")));
        let since = now();
        let result = run_once(binary, &options.test_options, &output);
        let took = since.elapsed();
        all += took;
        longest = longest.max(took);
        match result {
            Ok(()) => drop(fs::remove_file(&output)),
            Err(reason) => {
                failed += 1;
                println!("{}: run {run} {reason}: {}", binary.name, output.display());
            }
        }
    }
    let runs = options.runs;
    let mean = all / runs;
    println!("{}: {failed} of {runs} runs failed; {mean:.1?} each, {longest:.1?} at most", binary.name);
    failed
}

/// Runs one binary once. Its output goes into the file `output`.
fn run_once(binary: &Binary, test_options: &[String], output: &Path) -> Result<(), String> {
    let stdout = File::create(output).map_err(|error| format!("has no output file ({error})"))?;
    let stderr = stdout.try_clone().map_err(|error| format!("has no output file ({error})"))?;
    let mut child = Command::new(&binary.executable)
        .args(test_options)
        .current_dir(&binary.directory)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .map_err(|error| format!("did not start ({error})"))?;
    let since = now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("ended with {status}")),
            Ok(None) if since.elapsed() < RUN_TIME_MAX => thread::park_timeout(POLL_INTERVAL),
            Ok(None) => {
                let ended = child.kill().and_then(|()| child.wait());
                return Err(format!("took more than {RUN_TIME_MAX:?} and was killed ({})", told(&ended)));
            }
            Err(error) => return Err(format!("cannot be waited for ({error})")),
        }
    }
}

fn told(result: &io::Result<std::process::ExitStatus>) -> String {
    result.as_ref().map_or_else(ToString::to_string, ToString::to_string)
}

/// The test binaries among the artifacts in cargo's messages, in cargo's order.
fn binaries(messages: &str) -> Vec<Binary> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.filter_map(|message| Binary::of(&message)).collect()
}

impl Binary {
    fn of(message: &Value) -> Option<Self> {
        if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
            return None;
        }
        let directory = Path::new(message["manifest_path"].as_str()?).parent()?;
        let package = directory.file_name()?.to_str()?;
        Some(Self {
            name: format!("{package}/{}", message["target"]["name"].as_str()?),
            executable: message["executable"].as_str()?.into(),
            directory: directory.to_owned(),
        })
    }

    /// Whether `name` is the name of its directory, of its target, or both.
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.name.split('/').any(|part| part == name)
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures how long a test takes")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::binaries;

    #[test]
    fn of_what_cargo_has_built_only_executables_with_tests_are_taken() {
        let messages = r#"
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","manifest_path":"/chat/crates/chat-tcp/Cargo.toml","target":{"name":"chat_tcp"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","manifest_path":"/chat/crates/chat-cli/Cargo.toml","target":{"name":"chat"},"profile":{"test":false},"executable":"/chat/target/debug/chat"}
{"reason":"compiler-artifact","manifest_path":"/chat/crates/chat-cli/Cargo.toml","target":{"name":"faults"},"profile":{"test":true},"executable":"/chat/target/debug/deps/faults-1"}
{"reason":"build-finished","success":true}
"#;
        let binaries = binaries(messages);
        assert_eq!(binaries.len(), 1);
        let faults = &binaries[0];
        assert_eq!(faults.name, "chat-cli/faults");
        assert_eq!(faults.directory.to_str(), Some("/chat/crates/chat-cli"));
        for name in ["chat-cli", "faults", "chat-cli/faults"] {
            assert!(faults.is_called(name), "{name}");
        }
        assert!(!faults.is_called("chat"));
    }
}
