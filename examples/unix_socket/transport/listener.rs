//! The listening socket and its file.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};

/// How many connections are accepted in one turn.
const ACCEPTS_PER_TURN: usize = 64;

/// How long to wait before accepting again when the system has no descriptor left. No event tells when it has one
/// again.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// The inode of the file. Another server may have put its own file in this place.
    inode: u64,
    /// Whether connections may be waiting. False once there are none.
    ready: bool,
    resting_until: Option<Instant>,
}

impl Listener {
    pub(super) fn bind(path: &Path, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = match UnixListener::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            result => result?,
        };
        registry.register(&mut socket, token, Interest::READABLE)?;
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(Self { socket, path: path.to_owned(), inode, ready: true, resting_until: None })
    }

    pub(super) fn on_event(&mut self) {
        self.ready = true;
    }

    /// The latest time at which [`accept`](Self::accept) must be called.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.resting_until.or(self.ready.then_some(now))
    }

    /// Accepts waiting connections, up to the limit of a turn.
    pub(super) fn accept(&mut self, now: Instant) -> Vec<UnixStream> {
        let mut accepted = Vec::new();
        if !self.ready || self.resting_until.is_some_and(|until| until > now) {
            return accepted;
        }
        self.resting_until = None;
        while accepted.len() < ACCEPTS_PER_TURN {
            match self.socket.accept() {
                Ok((socket, _unnamed)) => accepted.push(socket),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.ready = false;
                        break;
                    }
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    _ => {
                        eprintln!("cannot accept for now, they wait in the system's queue: {error}");
                        self.resting_until = Some(now + ACCEPT_BACKOFF);
                        break;
                    }
                },
            }
        }
        accepted
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode) {
            // If the file cannot be removed, the next server finds it stale.
            let _left = fs::remove_file(&self.path);
        }
    }
}

/// Whether the file is a socket of a server that has ended without removing it.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket && StdUnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}
