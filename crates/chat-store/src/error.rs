//! What goes wrong with a file.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why a history was not opened. The file is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It was written by a later version of this crate.
    #[error("it is of version {version}, and this program knows versions up to {known}: use a newer program")]
    Newer {
        /// The version of the file.
        version: i32,
        /// The greatest version that is known.
        known: i32,
    },
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// There is no such directory.
    #[error("there is no directory {}", .0.display())]
    NoDirectory(PathBuf),
    /// It is a directory.
    #[error("it is a directory: name a file in it")]
    Directory,
    /// It is a file of something else.
    #[error("it is not a history of a chat: choose another file")]
    NotHistory,
    /// No history has begun in it. That of a server which has not run for long is in the file beside it.
    #[error("it is empty: if it was copied, the file beside it that ends in -wal was left out")]
    Empty,
    /// It cannot be read any more.
    #[error("it is damaged: restore it from a backup, or choose another file")]
    Damaged(#[source] rusqlite::Error),
    /// The file, or its directory, cannot be written.
    #[error("it cannot be written: check the permissions of the file and its directory")]
    ReadOnly,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull(#[source] rusqlite::Error),
    /// It cannot be read by this user.
    #[error("it cannot be read: check the permissions of the file and its directory")]
    Unreadable,
    /// It cannot be read where it is: its newest messages are in the log beside it, and SQLite needs to write there to
    /// read them.
    #[error(
        "its newest messages are in the file beside it that ends in -wal: copy both to a directory that can be written"
    )]
    LogBeside,
    /// Another process has it: one server writes a history at a time.
    #[error("another program has it open: stop that one, or choose another file")]
    InUse,
    /// The lock beside it cannot be made, or the writing thread cannot be started.
    #[error("the system does not allow it")]
    System(#[from] std::io::Error),
    /// Anything else that SQLite reports.
    #[error("it cannot be opened")]
    Sqlite(#[source] rusqlite::Error),
}

/// Why a history was not read or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no such room in it.
    #[error("there is no room {room:?} in it")]
    NoRoom {
        /// The name asked for.
        room: String,
    },
    /// The messages were replaced, and another program that reads the file keeps the old texts from being removed.
    #[error(
        "{replaced} messages are replaced, but another program reads the file, so that old texts may be left beside it: \
         stop that one, and redact again"
    )]
    Unclean {
        /// How many messages were replaced.
        replaced: usize,
    },
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Damaged(error),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DiskFull) => Self::DiskFull(error),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Open(error.into())
    }
}

/// Why messages are refused, for the people that said them.
pub(crate) fn why(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "The history's disk is full",
        Some(ErrorCode::ReadOnly) => "The history cannot be written",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => "The history is damaged",
        _ => "The history does not work",
    }
}
