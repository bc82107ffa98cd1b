//! One process writes a history at a time. Readers need no lock of ours: SQLite lets them read meanwhile.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::error::OpenError;

/// Held as long as it lives; the system releases it when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing it releases the lock")] File);

impl Lock {
    /// Locks the file beside the history, whose own locks are SQLite's.
    pub(crate) fn take(history: &Path) -> Result<Self, OpenError> {
        let mut path = history.as_os_str().to_owned();
        path.push("-lock");
        let written = File::options().create(true).truncate(false).write(true).open(&path);
        // Another user may have made it, and root often has. To lock it takes no permission to write to it.
        let file =
            written.or_else(|error| File::open(&path).map_err(|_| error)).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        OpenError::ReadOnly(rusqlite::Error::InvalidPath(history.to_owned()))
                    }
                    _ => OpenError::System(error),
                }
            })?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
            Err(TryLockError::Error(error)) => Err(OpenError::System(error)),
        }
    }
}
