//! The control socket: the console of a server, for every program that may open its file.
//!
//! A Unix socket that only its owner may use (mode 0600). Each connection is a console, and has a session.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use rustix::fs::Mode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::session::Session;
use super::{Desk, QUEUE_MAX, Update};

/// Consoles at once.
const CONSOLES_MAX: usize = 8;

/// The longest request or update, as a line of JSON.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long a console that does not read holds its session.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the socket rests after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// A listening control socket, removed when it is dropped.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The file stays: another process has made it, or uses it now.
    stays: AtomicBool,
}

impl ControlSocket {
    /// Listens at `path`, in the place of a server that has ended without removing it.
    ///
    /// # Errors
    ///
    /// If a server listens there, or the system refuses.
    pub(crate) fn bind(path: PathBuf) -> io::Result<Self> {
        let listener = match bind_private(&path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_abandoned(&path) => {
                std::fs::remove_file(&path)?;
                bind_private(&path)?
            }
            result => result?,
        };
        Ok(Self { listener, path, stays: AtomicBool::default() })
    }

    /// One that another process has opened.
    pub(crate) fn handed(listener: UnixListener, path: PathBuf, is_ours: bool) -> Self {
        Self { listener, path, stays: AtomicBool::new(!is_ours) }
    }

    /// Another handle on it, for another process.
    ///
    /// # Errors
    ///
    /// If the system has no descriptor to give.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.listener.try_clone().map(OwnedFd::from)
    }

    /// Its file, if this process looks after it.
    pub(crate) fn own_path(&self) -> Option<&Path> {
        (!self.stays.load(Ordering::Acquire)).then_some(&self.path)
    }

    /// The file stays when this is dropped: the next server has it.
    pub(crate) fn leave_file(&self) {
        self.stays.store(true, Ordering::Release);
    }

    /// Serves consoles of what `desk` looks after until the program ends.
    ///
    /// # Errors
    ///
    /// If the system has no thread or descriptor to give.
    pub(crate) fn serve(&self, desk: Desk) -> io::Result<()> {
        let listener = self.listener.try_clone()?;
        Builder::new().name("chat-control".to_owned()).spawn(move || {
            // Each session holds one.
            let places = Arc::new(());
            for number in 1_u64.. {
                let result = listener.accept().and_then(|(console, _)| {
                    let place = Arc::clone(&places);
                    if Arc::strong_count(&places) > CONSOLES_MAX + 1 {
                        let why = format!("{CONSOLES_MAX} consoles are there, which is all there may be");
                        return send(&mut &console, &Update::Refused(why));
                    }
                    serve_console(console, desk.clone(), number, place)
                });
                if let Err(error) = result {
                    tracing::warn!(%error, "cannot serve a console");
                    pause();
                }
            }
        })?;
        Ok(())
    }
}

/// The system may be out of descriptors, and nothing tells when it has one again.
#[expect(clippy::disallowed_methods, reason = "a pause between errors")]
fn pause() {
    std::thread::sleep(ERROR_PAUSE);
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if !self.stays.load(Ordering::Acquire) {
            let _gone = std::fs::remove_file(&self.path);
        }
    }
}

/// From the first moment nobody else may connect.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let mask = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    rustix::process::umask(mask);
    listener
}

/// Whether a socket is there, and nobody listens.
fn is_abandoned(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Reads the requests of a console on one thread, and does what they ask for on another.
fn serve_console(console: UnixStream, desk: Desk, number: u64, place: Arc<()>) -> io::Result<()> {
    console.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let (requests, requested) = bounded(QUEUE_MAX);
    let reader = BufReader::new(console.try_clone()?);
    Builder::new().name("chat-control-in".to_owned()).spawn(move || {
        if let Err(error) = forward(reader, &requests) {
            tracing::debug!(%error, "a console is gone");
        }
    })?;
    Builder::new().name("chat-control-out".to_owned()).spawn(move || {
        let local_room = desk.room.clone();
        let join = move || local_room.join(&format!("admin-{number}")).ok();
        let hand_over = Arc::clone(&desk.hand_over);
        let tell = |update| match update {
            Update::Sockets(_) => hand_over.send(&update, &console).is_ok(),
            update => send(&mut &console, &update).is_ok(),
        };
        Session::new(desk, tell).run(&requested, join);
        // Ends the other thread, too. The next server still waits for a word.
        if !hand_over.is_done() {
            let _gone = console.shutdown(Shutdown::Both);
        }
        drop(place);
    })?;
    Ok(())
}

/// Reads values and hands them on, until there are no more or nobody takes them.
///
/// # Errors
///
/// If the connection fails, or what comes is no such value.
pub(crate) fn forward<T: DeserializeOwned>(mut from: impl BufRead, to: &Sender<T>) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() || to.send(serde_json::from_slice(&line)?).is_err() {
            return Ok(());
        }
    }
}

/// Writes a value.
///
/// # Errors
///
/// If the connection fails.
pub(crate) fn send(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)
}
