//! A directory of a test's own.

use std::path::Path;

use tempfile::TempDir;

/// It is removed, with everything in it, when this is dropped.
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory for the test"))
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    /// The path of something in it.
    pub(crate) fn path(&self, name: &str) -> String {
        self.root().join(name).to_str().expect("a plain name").to_owned()
    }

    /// Writes a file. Returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("it is ours");
        self.path(name)
    }
}
