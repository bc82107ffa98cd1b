//! `--take-over`: a server hands its listening sockets over to the next one, and ends.
//!
//! ```text
//! new                                   old
//!  | -------- take_over ----------------> |
//!  | <------- sockets, as descriptors --- |  closes its rooms: members are told, and come again
//!  |                                      |  writes what was said, closes the history
//!  | <------- done ---------------------- |
//!  | opens the history, serves            |  ends
//! ```
//!
//! The sockets listen all the time, so the system keeps who comes meanwhile waiting, and refuses nobody. The history has one writer
//! at a time.

use std::fmt;
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

use super::handed::{Handed, Kind, SOCKETS_MAX};
use crate::failure::Failure;
use crate::operator::{Request, Update, control};

/// How long members may take to read what they are owed. A client that was told comes again after half a second, and finds the
/// next server there.
pub(super) const GRACE: Duration = Duration::from_millis(300);

/// How long the server before this one may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest line that tells what the sockets are.
const LINE_BYTES_MAX: usize = SOCKETS_MAX * 256;

/// What a server hands over, if it is asked to.
pub(crate) struct HandOver {
    sockets: Vec<(Kind, OwnedFd)>,
    /// The server that has them now.
    heir: Mutex<Option<UnixStream>>,
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandOver").finish_non_exhaustive()
    }
}

impl HandOver {
    /// Keeps the sockets for the next server.
    pub(super) fn new(sockets: Vec<(Kind, OwnedFd)>) -> Self {
        Self { sockets, heir: Mutex::default() }
    }

    /// What there is.
    ///
    /// # Errors
    ///
    /// Why it cannot be handed over, in words.
    pub(crate) fn kinds(&self) -> Result<Vec<Kind>, String> {
        if self.is_done() {
            return Err("another server takes over already".to_owned());
        }
        if self.sockets.len() > SOCKETS_MAX {
            return Err(format!(
                "it listens on more than {SOCKETS_MAX} sockets, which cannot be handed over"
            ));
        }
        Ok(self.sockets.iter().map(|(kind, _)| kind.clone()).collect())
    }

    /// Whether the next server has the sockets.
    pub(crate) fn is_done(&self) -> bool {
        self.heir().is_some()
    }

    /// Sends the sockets with the line that says what they are.
    pub(crate) fn send(&self, kinds: &Update, to: &UnixStream) -> io::Result<()> {
        // First, because nothing may fail once the other side has the sockets.
        let heir = to.try_clone()?;
        let mut line = serde_json::to_vec(kinds)?;
        line.push(b'\n');
        let sockets: Vec<BorrowedFd<'_>> = self.sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut with = SendAncillaryBuffer::new(&mut space);
        with.push(SendAncillaryMessage::ScmRights(&sockets));
        if sendmsg(to, &[IoSlice::new(&line)], &mut with, SendFlags::empty())? < line.len() {
            return Err(ErrorKind::WriteZero.into());
        }
        *self.heir() = Some(heir);
        Ok(())
    }

    /// Tells the next server that everything is written and closed.
    pub(super) fn finish(&self) {
        if let Some(heir) = &mut *self.heir() {
            let _gone = control::send(heir, &Update::Done);
        }
    }

    fn heir(&self) -> std::sync::MutexGuard<'_, Option<UnixStream>> {
        self.heir.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the sockets of the server with the control socket at `path`, and waits until it has closed its files. `None` if there is no server.
pub(super) fn take_over(path: &Path) -> Result<Option<Handed>, Failure> {
    let cannot = |source: io::Error| {
        let hint = match source.kind() {
            ErrorKind::WouldBlock => {
                Some("it has not answered for 30 s; if it is stuck, kill it, and start this one again")
            }
            ErrorKind::PermissionDenied => Some("start this one as the user that the server runs as"),
            ErrorKind::UnexpectedEof
            | ErrorKind::InvalidData
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe => Some("it is no chat server, or of another version"),
            _ => None,
        };
        let failed = CannotTakeOver { path: path.display().to_string(), source };
        Failure::new(failed, hint.map(str::to_owned))
    };
    let mut server = match UnixStream::connect(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            tracing::info!("there is no server to take over");
            return Ok(None);
        }
        server => server.map_err(cannot)?,
    };
    server.set_read_timeout(Some(PATIENCE)).map_err(cannot)?;
    let asked = control::send(&mut server, &Request::TakeOver);
    let handed = asked.and_then(|()| receive(&server)).map_err(cannot)?;
    wait(&server).map_err(cannot)?;
    Ok(Some(handed))
}

/// The sockets, and what they are.
fn receive(server: &UnixStream) -> io::Result<Handed> {
    let mut line = Vec::new();
    let mut sockets = Vec::new();
    while line.last() != Some(&b'\n') {
        // One byte more would be of the next line.
        let mut bytes = [0; 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut with = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(server, &mut [IoSliceMut::new(&mut bytes)], &mut with, RecvFlags::CMSG_CLOEXEC)?;
        for message in with.drain() {
            if let RecvAncillaryMessage::ScmRights(handed) = message {
                sockets.extend(handed);
            }
        }
        if got.bytes == 0 || line.len() >= LINE_BYTES_MAX {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.extend(bytes);
    }
    match serde_json::from_slice(&line)? {
        Update::Sockets(kinds) if kinds.len() == sockets.len() => {
            Ok(Handed::from_server(kinds.into_iter().zip(sockets)))
        }
        Update::Refused(why) => Err(io::Error::other(why)),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// Waits for the word that all is closed, or for the end of the other process.
fn wait(server: &UnixStream) -> io::Result<()> {
    let mut lines = BufReader::new(server).lines();
    loop {
        match lines.next().transpose()? {
            Some(line)
                if serde_json::from_str::<Update>(&line).is_ok_and(|update| update != Update::Done) => {}
            _ => return Ok(()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot take over from the server at {path}")]
struct CannotTakeOver {
    path: String,
    source: io::Error,
}
