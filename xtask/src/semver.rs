//! `cargo xtask semver`: compares the public API of each library with that of a release, and tells which version the
//! next release must have.

use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The commit, tag or branch to compare with [default: the newest tag that begins with `v`]
    #[arg(long, value_name = "REV")]
    baseline: Option<String>,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    if !cargo::has(root, "semver-checks") {
        return Err(Failure {
            reason: "there is no cargo-semver-checks here".to_owned(),
            command: "cargo install --locked cargo-semver-checks".to_owned(),
        });
    }
    let baseline = options.baseline.clone().or_else(|| newest_release(root)).ok_or_else(|| Failure {
        reason: "nothing has been released yet: say what to compare with".to_owned(),
        command: "cargo xtask semver --baseline REV".to_owned(),
    })?;
    let line = format!("semver-checks --workspace --exclude chat-cli --baseline-rev {baseline}");
    cargo::run(root, &[], &line)
}

fn newest_release(root: &Path) -> Option<String> {
    let described = Command::new("git")
        .args(["describe", "--tags", "--abbrev=0", "--match", "v*"])
        .current_dir(root)
        .output()
        .ok()?;
    described.status.success().then(|| String::from_utf8_lossy(&described.stdout).trim().to_owned())
}
