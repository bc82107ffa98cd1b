//! What a document says of tests: each one that it names must be there.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::files;
use crate::failure::Failure;

/// The documents that name tests as evidence.
const DOCUMENTS: &[&str] = &["PROTOCOL.md", "RELIABILITY.md", "SECURITY.md"];

/// Tests are sentences: a name in a document with so many underscores is one.
const UNDERSCORES_MIN: usize = 4;

pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let mut functions = HashSet::new();
    for dir in ["crates", "examples", "xtask"] {
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
    Ok(())
}

fn functions_in(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix("fn ")?.split('(').next()?;
        Some(name.to_owned())
    })
}

/// What stands between backticks and reads like the name of a test.
fn tests_named_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|word| {
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
            "as `a_slow_member_is_told_what_he_missed` shows, `log_bytes_max` and `cargo test` do not\n`x`";
        assert_eq!(tests_named_in(text).collect::<Vec<_>>(), ["a_slow_member_is_told_what_he_missed"]);
        assert!(functions_in("    fn a_b() {").eq(["a_b"]));
    }
}
