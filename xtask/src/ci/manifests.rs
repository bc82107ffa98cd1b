//! Checks that every crate inherits the lints of the workspace, and that these forbid unsafe code.

use std::fs;
use std::path::{Path, PathBuf};

use super::files;
use crate::failure::Failure;

pub(super) fn check(root: &Path) -> Result<(), Failure> {
    require(&root.join("Cargo.toml"), "[workspace.lints.rust]", "unsafe_code = \"forbid\"")?;
    for manifest in members(root)? {
        require(&manifest, "[lints]", "workspace = true")?;
    }
    println!("ok");
    Ok(())
}

fn members(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut manifests = vec![root.join("examples/Cargo.toml"), root.join("xtask/Cargo.toml")];
    for entry in [files::list(&root.join("crates"))?, files::list(&root.join("tools"))?].concat() {
        let manifest = entry.join("Cargo.toml");
        if manifest.is_file() {
            manifests.push(manifest);
        }
    }
    Ok(manifests)
}

fn require(manifest: &Path, table: &str, line: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(manifest).map_err(|error| files::unreadable(manifest, &error))?;
    if table_has(&text, table, line) {
        return Ok(());
    }
    let manifest = manifest.display();
    Err(Failure {
        reason: format!("{manifest} has no `{line}` under {table}"),
        command: format!("${{EDITOR:-vi}} {manifest}"),
    })
}

/// Whether `line` is in the TOML table with this header. Handles only as much of TOML as our manifests use.
fn table_has(text: &str, table: &str, line: &str) -> bool {
    text.lines()
        .map(str::trim)
        .skip_while(|l| *l != table)
        .skip(1)
        .take_while(|l| !l.starts_with('['))
        .any(|l| l == line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_only_in_its_own_table() {
        let text = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n\n[other]\na = 1\n";
        assert!(table_has(text, "[lints]", "workspace = true"));
        assert!(!table_has(text, "[package]", "workspace = true"));
        assert!(!table_has(text, "[lints]", "a = 1"));
        assert!(!table_has("", "[lints]", "workspace = true"));
    }
}
