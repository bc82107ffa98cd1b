//! Checks the length of source files: a file is one thing, and its name says which.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// A file with more lines than this is to be split.
const LINES_MAX: usize = 400;

/// Source files in any language.
const SOURCES: &[&str] = &["*.rs", "*.py", "*.html", "*.css", "*.js", "*.sh"];

pub(super) fn check_lengths(root: &Path) -> Result<(), Failure> {
    let mut long = Vec::new();
    for name in tracked(root, SOURCES)? {
        let path = root.join(&name);
        let lines = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?.lines().count();
        if lines > LINES_MAX {
            println!("{name}: {lines} lines");
            long.push(name);
        }
    }
    if long.is_empty() {
        println!("ok");
        return Ok(());
    }
    Err(Failure {
        reason: format!(
            "the files above have more than {LINES_MAX} lines; split each into things that a name describes"
        ),
        command: format!("wc -l {}", long.join(" ")),
    })
}

/// The files in git that have such a name, and new ones.
pub(super) fn tracked(root: &Path, patterns: &[&str]) -> Result<Vec<String>, Failure> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--"];
    let failure = |reason: String| Failure { reason, command: format!("git {}", arguments.join(" ")) };
    let output = Command::new("git").args(arguments).args(patterns).current_dir(root).output();
    let output = output.map_err(|error| failure(format!("git did not start: {error}")))?;
    if !output.status.success() {
        return Err(failure(format!("git ended with {}", output.status)));
    }
    // A file that was removed and not yet committed is still listed.
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names.lines().filter(|name| root.join(name).is_file()).map(str::to_owned).collect())
}

/// Calls `each` with the text of every Rust file below `dir`.
pub(super) fn sources(dir: &Path, each: &mut impl FnMut(&str)) -> Result<(), Failure> {
    for path in list(dir)? {
        if path.is_dir() {
            sources(&path, each)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?);
        }
    }
    Ok(())
}

/// The entries of a directory, sorted, so that two runs print the same.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries: io::Result<Vec<PathBuf>> =
        fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths = entries.map_err(|error| unreadable(dir, &error))?;
    paths.sort();
    Ok(paths)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure { reason: format!("cannot read {path}: {error}"), command: format!("ls -l {path}") }
}
