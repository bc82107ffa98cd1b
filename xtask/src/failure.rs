//! How a command fails: with the reason, and with the command to run next.

use std::fmt;

/// Why a step failed, and what to run next.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong, in one line or a short list.
    pub(crate) reason: String,
    /// A command to paste. It shows the problem alone, or fixes it.
    pub(crate) command: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FAILED: {}\nrun: {}", self.reason, self.command)
    }
}
