//! One process writes a history at a time. Readers need no lock of ours: SQLite lets them read meanwhile.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::error::OpenError;
use crate::file;

/// Held as long as it lives; the system releases it when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing it releases the lock")] File);

impl Lock {
    /// Locks the file beside the history, whose own locks are SQLite's. Each name of the history leads to the same
    /// lock.
    pub(crate) fn take(history: &Path) -> Result<Self, OpenError> {
        let mut path = file::real(history).into_os_string();
        path.push("-lock");
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path);
        // Another user may have made it, and root often has. To lock it takes no permission to write to it.
        let file =
            written.or_else(|error| File::open(&path).map_err(|_| error)).map_err(|error| {
                match error.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        OpenError::ReadOnly
                    }
                    _ => OpenError::System(error),
                }
            })?;
        match file.try_lock() {
            Ok(()) => {
                #[cfg(unix)]
                belong_with(&file, history);
                Ok(Self(file))
            }
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
            Err(TryLockError::Error(error)) => Err(OpenError::System(error)),
        }
    }
}

/// Gives the lock to the owner of the history, and to nobody else: whoever can open it can keep the server out. Root
/// may have made it. If this is not allowed, it stays as it is.
#[cfg(unix)]
fn belong_with(lock: &File, history: &Path) {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let Ok(now) = lock.metadata() else { return };
    if let Ok(history) = history.metadata()
        && history.uid() != now.uid()
    {
        let _stays = fchown(lock, Some(history.uid()), Some(history.gid()));
    }
    if now.mode() & 0o077 != 0 {
        let _stays = lock.set_permissions(Permissions::from_mode(0o600));
    }
}
