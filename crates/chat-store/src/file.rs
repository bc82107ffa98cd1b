//! Checks of a path before SQLite opens the file, and reading a history where nothing can be written.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::error::OpenError;

/// How each file of SQLite begins.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

/// Links in a row that are followed, as many as Linux follows.
const LINKS_MAX: u8 = 40;

/// Whether a history may be at `path`, or can begin there. Changes nothing.
pub(crate) fn check(path: &Path) -> Result<(), OpenError> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return directory(path),
        Ok(metadata) if metadata.is_dir() => return Err(OpenError::Directory),
        Ok(metadata) if metadata.is_file() => {}
        _ => return Ok(()), // SQLite says what is wrong
    }
    let Ok(file) = File::open(path) else { return Ok(()) };
    let mut begins = Vec::with_capacity(HEADER.len());
    file.take(HEADER.len() as u64).read_to_end(&mut begins)?;
    if begins.is_empty() || begins == HEADER { Ok(()) } else { Err(OpenError::NotHistory) }
}

/// The file that is meant by `path`, which may be a link, or lead through some. The file need not be there yet.
pub(crate) fn real(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = path.read_link() else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    match (directory.unwrap_or(Path::new(".")).canonicalize(), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path,
    }
}

/// Where an open file is to be found, and which file that is.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Place {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path) }
    }

    /// Whether somebody has removed or moved the file, or put another one there.
    pub(crate) fn is_left(&self) -> bool {
        identity(&self.path) != self.identity
    }
}

/// Tells a file from any other.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}

/// Elsewhere the system keeps an open file where it is.
#[cfg(not(unix))]
fn identity(_path: &Path) -> Option<(u64, u64)> {
    None
}

fn directory(path: &Path) -> Result<(), OpenError> {
    match path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        Some(directory) if !directory.is_dir() => Err(OpenError::NoDirectory(directory.to_owned())),
        _ => Ok(()),
    }
}

/// A connection to a file that nobody changes, such as one on a disk that can only be read: SQLite makes no files
/// beside it.
///
/// # Errors
///
/// [`OpenError::LogBeside`] if messages would be missing; [`OpenError::Unreadable`].
pub(crate) fn connect_unchanging(path: &Path) -> Result<Connection, OpenError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if Path::new(&log).metadata().is_ok_and(|log| log.len() > 0) {
        return Err(OpenError::LogBeside);
    }
    // Characters with a meaning of their own in a URI (RFC 3986, section 2.1).
    let uri = path.to_str().ok_or(OpenError::Unreadable)?;
    let uri = uri.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{uri}?immutable=1"), flags);
    connection.map_err(|_| OpenError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_in_the_log_beside_it_are_not_left_out() {
        let directory = std::env::temp_dir().join(format!("chat-place-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for the test");
        let path = directory.join("chat.db");
        std::fs::write(&path, HEADER).expect("it can be written");
        assert!(connect_unchanging(&path).is_ok());
        std::fs::write(directory.join("chat.db-wal"), "newer").expect("it can be written");
        assert!(matches!(connect_unchanging(&path), Err(OpenError::LogBeside)));
        std::fs::remove_dir_all(&directory).expect("it is there");
    }
}
