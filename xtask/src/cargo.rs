//! Runs cargo from the workspace root: the same cargo that runs this program.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// Runs `cargo <line>` with `env` set. Its output goes where ours goes. `line` is split at spaces.
pub(crate) fn run(root: &Path, env: &[(&str, &str)], line: &str) -> Result<(), Failure> {
    let status = command(root, line)
        .envs(env.iter().copied())
        .status()
        .map_err(|error| failure(env, line, &format!("cargo did not start: {error}")))?;
    if status.success() { Ok(()) } else { Err(failure(env, line, &format!("cargo ended with {status}"))) }
}

/// Runs `cargo <line>` and returns what it printed on stdout. Its stderr goes where ours goes.
pub(crate) fn output(root: &Path, line: &str) -> Result<String, Failure> {
    let output = command(root, line)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failure(&[], line, &format!("cargo did not start: {error}")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let reason = format!("cargo ended with {}", output.status);
        Err(failure(&[], line, &reason))
    }
}

/// Whether `cargo <subcommand>` exists on this machine.
pub(crate) fn has(root: &Path, subcommand: &str) -> bool {
    command(root, subcommand)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn command(root: &Path, line: &str) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(line.split(' ')).current_dir(root);
    command
}

fn failure(env: &[(&str, &str)], line: &str, reason: &str) -> Failure {
    let env: String = env.iter().map(|(k, v)| format!("{k}=\"{v}\" ")).collect();
    Failure { reason: reason.to_owned(), command: format!("{env}cargo {line}") }
}
