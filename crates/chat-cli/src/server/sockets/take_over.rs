//! `--take-over`: the next server gets the listening sockets of the one that runs, which then ends.
//!
//! ```text
//! new                                   old
//!  | -------- take_over ----------------> |
//!  | <------- sockets, as descriptors --- |
//!  | gets everything ready that it can    |  serves
//!  | -------- end ----------------------> |
//!  | <------- ending -------------------- |  closes its rooms: members are told, and connect again
//!  |                                      |  writes what was said, closes the history
//!  | <------- done ---------------------- |
//!  | opens the history, serves            |  ends
//! ```
//!
//! If the new server fails before it says `end`, the old one goes on. The sockets listen all the time, so the system refuses
//! nobody: whoever connects meanwhile waits. The history has one writer at a time; the new server tries to open it before `end`.
//!
//! The old server's side is in `operator/hand_over.rs`.

use std::io::{self, BufRead, BufReader, ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_tcp::UnixFile;
use rustix::io::retry_on_intr;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::handed::Handed;
use crate::failure::Failure;
use crate::operator::hand_over::{Kind, SOCKETS_MAX};
use crate::operator::{Request, Update, control};

/// How long the server before this one may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest line that tells what the sockets are.
const LINE_BYTES_MAX: usize = SOCKETS_MAX * 256;

/// The server that runs, and goes on until it is told to [`end`](Self::end).
pub(crate) struct Predecessor {
    server: UnixStream,
    path: PathBuf,
    history: Option<PathBuf>,
    /// Those that are this server's once the other one has ended.
    files: Vec<UnixFile>,
}

impl Predecessor {
    /// Whether it has this history open.
    pub(crate) fn has(&self, history: &Path) -> bool {
        self.history.is_some() && self.history == history.canonicalize().ok()
    }

    /// This file is the next server's, too, once this one has ended.
    pub(crate) fn leaves(&mut self, file: UnixFile) {
        self.files.push(file);
    }

    /// Has it end, and waits until it has closed its files.
    ///
    /// # Errors
    ///
    /// If it refuses, and goes on.
    pub(crate) fn end(mut self) -> Result<(), Failure> {
        let told = control::send(&mut self.server, &Request::End);
        told.and_then(|()| wait(&self.server)).map_err(|error| cannot_take_over(&self.path, error))?;
        self.files.iter().for_each(|file| file.set_stays(false));
        Ok(())
    }
}

/// Asks the server with the control socket at `path` for its sockets. `None` if there is no server.
pub(crate) fn take_over(path: &Path) -> Result<Option<(Predecessor, Handed)>, Failure> {
    let cannot = |error| cannot_take_over(path, error);
    let mut server = match UnixStream::connect(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            tracing::info!("there is no server to take over");
            return Ok(None);
        }
        server => server.map_err(cannot)?,
    };
    server.set_read_timeout(Some(PATIENCE)).map_err(cannot)?;
    let asked = control::send(&mut server, &Request::TakeOver);
    let offered = asked.and_then(|()| receive(&server)).map_err(cannot)?;
    let history = offered.history;
    let mut predecessor = Predecessor { server, path: path.to_owned(), history, files: Vec::new() };
    let handed = Handed::from_server(offered.sockets, &mut predecessor)?;
    Ok(Some((predecessor, handed)))
}

fn cannot_take_over(path: &Path, source: io::Error) -> Failure {
    let hint = match source.kind() {
        ErrorKind::WouldBlock => {
            Some("it has not answered for 30 s; if it is stuck, kill it, and start this one again")
        }
        ErrorKind::PermissionDenied => Some("start this one as the user that the server runs as"),
        ErrorKind::UnexpectedEof
        | ErrorKind::InvalidData
        | ErrorKind::ConnectionReset
        | ErrorKind::BrokenPipe => Some("it is not a chat server, or it has another version"),
        _ => None,
    };
    let failed = CannotTakeOver { path: path.display().to_string(), source };
    Failure::new(failed, hint.map(str::to_owned))
}

/// What the other server offers.
struct Offered {
    sockets: Vec<(Kind, OwnedFd)>,
    history: Option<PathBuf>,
}

/// Reads the line and the sockets that come with it.
fn receive(server: &UnixStream) -> io::Result<Offered> {
    let mut line = Vec::new();
    let mut sockets = Vec::new();
    while line.last() != Some(&b'\n') {
        // One byte more would be of the next line.
        let mut bytes = [0; 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
        let mut with = RecvAncillaryBuffer::new(&mut space);
        let got = retry_on_intr(|| {
            recvmsg(server, &mut [IoSliceMut::new(&mut bytes)], &mut with, RecvFlags::CMSG_CLOEXEC)
        })?;
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
        Update::Sockets { kinds, history } if kinds.len() == sockets.len() => {
            Ok(Offered { sockets: kinds.into_iter().zip(sockets).collect(), history })
        }
        Update::Refused(why) => Err(io::Error::other(why)),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// Waits for the word that all is closed, or, once it ends, for the end of the other process.
fn wait(server: &UnixStream) -> io::Result<()> {
    let mut is_ending = false;
    for line in BufReader::new(server).lines() {
        match serde_json::from_str(&line?)? {
            Update::Ending => is_ending = true,
            Update::Done => return Ok(()),
            Update::Refused(why) => return Err(io::Error::other(why)),
            _ => {}
        }
    }
    if is_ending { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot take over from the server at {path}")]
struct CannotTakeOver {
    path: String,
    source: io::Error,
}
