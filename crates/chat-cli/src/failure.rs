//! Errors of the program, and what to do about them. Printed in one place.

use std::error::Error;
use std::process::ExitCode;

use std::io::Write;

/// Ends the program with exit code 1, or 2 for wrong usage.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Box<dyn Error + Send + Sync>,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// `error`, and perhaps what to do.
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>, hint: Option<String>) -> Self {
        Self { error: error.into(), hint, code: 1 }
    }

    /// As [`new`](Self::new), for flags that do not go together: what clap cannot tell.
    pub(crate) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>, hint: Option<String>) -> Self {
        Self { code: 2, ..Self::new(error, hint) }
    }

    /// The chain of causes, in one line.
    pub(crate) fn causes(&self) -> String {
        causes(&*self.error)
    }

    /// Prints the chain of causes on stderr.
    pub(crate) fn report(&self) -> ExitCode {
        let mut text = format!("error: {}", self.causes());
        if let Some(hint) = &self.hint {
            text.push_str(&format!("\n\nhint: {hint}"));
        }
        // If stderr is gone there is nobody to tell.
        let _nobody = writeln!(std::io::stderr(), "{text}");
        ExitCode::from(self.code)
    }
}

/// An error with all its causes.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error, None)
    }
}
