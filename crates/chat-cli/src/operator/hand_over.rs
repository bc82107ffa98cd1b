//! `--take-over`, the side of the server that runs: it hands its listening sockets over to the next one, and ends.
//!
//! The next server's side, with the order of what happens, is in `server/sockets/take_over.rs`.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use chat_tcp::UnixFile;
use rustix::io::retry_on_intr;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, Serialize};

use super::{Update, control};

/// The largest number of sockets that are handed over. The system takes at most 253 in one message.
pub(crate) const SOCKETS_MAX: usize = 128;

/// What a socket is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Members come over it.
    Tcp,
    /// Members come over it.
    Udp,
    /// Members come over the socket with this file.
    Unix(OnDisk),
    /// `chat admin`.
    Control(OnDisk),
    /// `--admin`.
    Admin,
}

/// The file of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OnDisk {
    pub(crate) path: PathBuf,
    /// A service manager looks after it.
    pub(crate) stays: bool,
}

impl From<&UnixFile> for OnDisk {
    fn from(file: &UnixFile) -> Self {
        Self { path: file.path().to_owned(), stays: file.stays() }
    }
}

/// What a server hands over, if it is asked to.
pub(crate) struct HandOver {
    sockets: Vec<(Kind, OwnedFd)>,
    /// The file that only one server at a time can have.
    history: Option<PathBuf>,
    /// The server that takes over.
    successor: Mutex<Option<UnixStream>>,
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver").finish_non_exhaustive()
    }
}

impl HandOver {
    /// Keeps the sockets for the next server.
    pub(crate) fn new(sockets: Vec<(Kind, OwnedFd)>, history: Option<PathBuf>) -> Self {
        Self { sockets, history, successor: Mutex::default() }
    }

    /// What there is.
    ///
    /// # Errors
    ///
    /// Why it cannot be handed over, in words.
    pub(crate) fn offer(&self) -> Result<Update, String> {
        self.may_end()?;
        if self.sockets.len() > SOCKETS_MAX {
            return Err(format!(
                "it listens on more than {SOCKETS_MAX} sockets, which cannot be handed over"
            ));
        }
        let kinds = self.sockets.iter().map(|(kind, _)| kind.clone()).collect();
        Ok(Update::Sockets { kinds, history: self.history.clone() })
    }

    /// Whether this server may end for another one.
    ///
    /// # Errors
    ///
    /// Why not, in words.
    pub(crate) fn may_end(&self) -> Result<(), String> {
        if self.is_ending() { Err("another server takes over already".to_owned()) } else { Ok(()) }
    }

    /// Whether another server takes over.
    pub(crate) fn is_ending(&self) -> bool {
        self.successor().is_some()
    }

    /// Sends the sockets with the line that says what they are.
    pub(crate) fn send(&self, offer: &Update, to: &UnixStream) -> io::Result<()> {
        let mut line = serde_json::to_vec(offer)?;
        line.push(b'\n');
        let sockets: Vec<BorrowedFd<'_>> = self.sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut with = SendAncillaryBuffer::new(&mut space);
        with.push(SendAncillaryMessage::ScmRights(&sockets));
        let sent = retry_on_intr(|| sendmsg(to, &[IoSlice::new(&line)], &mut with, SendFlags::empty()))?;
        if sent < line.len() { Err(ErrorKind::WriteZero.into()) } else { Ok(()) }
    }

    /// Tells the next server that this one ends. Fails if another one is the next.
    pub(crate) fn begin_end(&self, mut next: &UnixStream) -> io::Result<()> {
        let mut successor = self.successor();
        if successor.is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let kept = next.try_clone()?;
        control::send(&mut next, &Update::Ending)?;
        *successor = Some(kept);
        Ok(())
    }

    /// Tells the next server that everything is written and closed.
    pub(crate) fn finish(&self) {
        if let Some(successor) = &mut *self.successor() {
            let _gone = control::send(successor, &Update::Done);
        }
    }

    fn successor(&self) -> std::sync::MutexGuard<'_, Option<UnixStream>> {
        self.successor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
