//! Checks what the documents say about the code. The tests and source files that they name must exist, and the program
//! in the README must be the one that runs.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::files;
use crate::failure::Failure;

/// The documents that name tests as evidence.
const DOCUMENTS: &[&str] = &["PROTOCOL.md", "RELIABILITY.md", "SECURITY.md"];

/// The documents that say what is in which source file.
const GUIDES: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "docs/*.md"];

/// The program that the README shows.
const EMBED: &str = "crates/chat-tcp/examples/embed.rs";

/// Tests are sentences, so a name in a document with at least this many underscores is a test.
const UNDERSCORES_MIN: usize = 4;

pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let mut functions = HashSet::new();
    for dir in ["crates", "tools", "examples", "xtask"] {
        files::sources(&root.join(dir), &mut |text| functions.extend(functions_in(text)))?;
    }
    for document in DOCUMENTS {
        let path = root.join(document);
        let text = fs::read_to_string(&path).map_err(|error| files::unreadable(&path, &error))?;
        let named: Vec<&str> = tests_named_in(&text).collect();
        if let Some(name) = named.iter().find(|name| !functions.contains(**name)) {
            return Err(Failure {
                reason: format!("{document} names a test {name} that is not there"),
                command: format!("grep -n {name} {document}"),
            });
        }
        println!("{document}: {} tests named, all there", named.len());
    }
    guides_name_files_that_are_there(root)?;
    readme_shows_the_example(root)
}

fn guides_name_files_that_are_there(root: &Path) -> Result<(), Failure> {
    let tracked = files::tracked(root, &["*.rs"])?;
    for guide in files::tracked(root, GUIDES)? {
        let path = root.join(&guide);
        let text = fs::read_to_string(&path).map_err(|error| files::unreadable(&path, &error))?;
        let is_there = |file: &str| tracked.iter().any(|path| Path::new(path).ends_with(file));
        if let Some(file) = files_named_in(&text).find(|file| !is_there(file)) {
            return Err(Failure {
                reason: format!("{guide} names a file {file} that is not there"),
                command: format!("grep -n {file} {guide}"),
            });
        }
        println!("{guide}: all source files that it names are there");
    }
    Ok(())
}

fn readme_shows_the_example(root: &Path) -> Result<(), Failure> {
    let read = |name: &str| {
        let path = root.join(name);
        fs::read_to_string(&path).map_err(|error| files::unreadable(&path, &error))
    };
    let (readme, example) = (read("README.md")?, read(EMBED)?);
    // The program follows the example's own heading.
    let program = example.split_once("\n\n").map_or(example.as_str(), |(_, program)| program);
    if readme.contains(program) {
        println!("README.md: shows {EMBED}");
        return Ok(());
    }
    Err(Failure {
        reason: format!("README.md shows another program than {EMBED}"),
        command: format!("diff README.md {EMBED}"),
    })
}

fn functions_in(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix("fn ")?.split('(').next()?;
        Some(name.to_owned())
    })
}

/// What stands between backticks.
fn quoted_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The source files that a text names.
fn files_named_in(text: &str) -> impl Iterator<Item = &str> {
    quoted_in(text).filter(|word| word.ends_with(".rs"))
}

/// The words between backticks that look like the name of a test.
fn tests_named_in(text: &str) -> impl Iterator<Item = &str> {
    quoted_in(text).filter(|word| {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && word.bytes().filter(|&byte| byte == b'_').count() >= UNDERSCORES_MIN
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_told_from_other_words_in_backticks() {
        let text =
            "as `a_slow_member_is_told_what_it_missed` shows, `log_bytes_max` and `cargo test` do not\n`x`";
        assert_eq!(tests_named_in(text).collect::<Vec<_>>(), ["a_slow_member_is_told_what_it_missed"]);
        assert!(functions_in("    fn a_b() {").eq(["a_b"]));
        assert!(files_named_in("`state/log.rs`, log.rs and `log`").eq(["state/log.rs"]));
    }
}
