//! Checks the length of source files. A long file is a question to its author, never a failure.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file with more lines than this should be split.
const LINES_MAX: usize = 400;

pub(super) fn warn_about_long_ones(root: &Path) -> Result<(), Failure> {
    let mut pending: Vec<PathBuf> = ["crates", "tools"]
        .iter()
        .map(|dir| list(&root.join(dir)))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .map(|dir| dir.join("src"))
        .filter(|src| src.is_dir())
        .collect();
    let mut long = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(list(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            let lines = text.lines().count();
            if lines > LINES_MAX {
                long += 1;
                let path = path.strip_prefix(root).unwrap_or(&path).display();
                println!("warning: {path} has {lines} lines, more than {LINES_MAX}: split it?");
            }
        }
    }
    if long == 0 {
        println!("ok");
    }
    Ok(())
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
