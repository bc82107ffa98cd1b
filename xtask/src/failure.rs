//! How a command fails: with the reason and with what the reader should run next.

use std::fmt;

/// Why a step failed and how to go on.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong, in one line or a short list.
    pub(crate) reason: String,
    /// A command to paste: it shows the problem alone, or mends it.
    pub(crate) command: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FAILED: {}\nrun: {}", self.reason, self.command)
    }
}
