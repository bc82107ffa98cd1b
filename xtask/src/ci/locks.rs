//! Checks that the lock file of `fuzz/`, which is a workspace of its own, has what the workspace's has.

use std::fs;
use std::path::Path;

use super::files;
use crate::cargo;
use crate::failure::Failure;

const FUZZ_LOCK: &str = "fuzz/Cargo.lock";

pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let tree = cargo::output(root, "tree --locked -p chat-fuzz -e normal,build --target all --prefix none")?;
    let lock = root.join(FUZZ_LOCK);
    let text = fs::read_to_string(&lock).map_err(|error| files::unreadable(&lock, &error))?;
    if let Some((name, version)) = packages(&tree).find(|(name, version)| !has(&text, name, version)) {
        return Err(Failure {
            reason: format!("{FUZZ_LOCK} has no {name} {version}, which Cargo.lock has for the same code"),
            command: format!("cargo update --manifest-path fuzz/Cargo.toml {name} --precise {version}"),
        });
    }
    println!("ok");
    Ok(())
}

/// The packages in the output of `cargo tree --prefix none`, which has lines of the form `name v1.2.3 ...`.
fn packages(tree: &str) -> impl Iterator<Item = (&str, &str)> {
    tree.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        Some((name, rest.split(' ').next()?))
    })
}

/// Whether a lock file has this version of a package.
fn has(lock: &str, name: &str, version: &str) -> bool {
    lock.contains(&format!("\nname = \"{name}\"\nversion = \"{version}\"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_its_name_and_its_version() {
        let lock = "[[package]]\nname = \"chat-core\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"rand\"\nversion = \"0.10.4\"\nsource = \"x\"\n";
        let tree = "chat-core v0.1.0 (/somewhere)\nrand v0.10.4\n\nrand v0.9.2 (*)\ncore v0.1.0\n";
        let missing: Vec<_> = packages(tree).filter(|(name, version)| !has(lock, name, version)).collect();
        assert_eq!(missing, [("rand", "0.9.2"), ("core", "0.1.0")]);
    }
}
