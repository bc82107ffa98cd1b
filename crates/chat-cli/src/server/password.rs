//! The file with the operators' password.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use chat_core::access::{OperatorPassword, PasswordError};

use super::CannotOpen;
use crate::byte_order_mark;
#[cfg(unix)]
use crate::diagnostics;
use crate::failure::Failure;

/// Read at most: the line of the longest password is shorter.
const READ_BYTES_MAX: u64 = 1024;

/// The password in the first line of the file at `path`. Warns if others may read the file.
///
/// # Errors
///
/// If the file cannot be read, or its first line cannot be a password.
pub(super) fn read(path: &Path) -> Result<OperatorPassword, Failure> {
    let cannot_open = |source: io::Error| {
        let hint = match source.kind() {
            ErrorKind::NotFound => Some("make a file with the password in its first line, chmod 600"),
            ErrorKind::InvalidData => Some("it is not UTF-8"),
            _ => None,
        };
        let failed = CannotOpen { what: "operator password file", path: path.into(), source };
        Failure::new(failed, hint.map(str::to_owned))
    };
    let file = File::open(path).map_err(cannot_open)?;
    #[cfg(unix)]
    diagnostics::warn_of_readers("operator password", path);
    let mut line = String::new();
    BufReader::new(file.take(READ_BYTES_MAX)).read_line(&mut line).map_err(cannot_open)?;
    let password = byte_order_mark::strip(&line).trim_end_matches(['\n', '\r']);
    OperatorPassword::new(password).map_err(|source| {
        let hint = "the password is the first line of the file";
        Failure::new(NoPassword { path: path.display().to_string(), source }, Some(hint.to_owned()))
    })
}

#[derive(Debug, thiserror::Error)]
#[error("there is no operator password in {path}")]
struct NoPassword {
    path: String,
    source: PasswordError,
}
