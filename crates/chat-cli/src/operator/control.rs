//! The control socket: the console of a server, for every program that may open its file.
//!
//! A Unix socket that only its owner may use (mode 0600). Each connection is a console, and has a session.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use chat_tcp::UnixFile;
use crossbeam_channel::{Sender, bounded};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::member::Session;
use super::{Desk, QUEUE_MAX, Update};

/// Consoles at once.
const CONSOLES_MAX: usize = 8;

/// The longest request or update, as a line of JSON.
const LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How long a console that does not read holds its session.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the socket rests after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// A listening control socket.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    file: UnixFile,
}

impl ControlSocket {
    /// Listens at `path`, in the place of a server that has ended without removing it. Nobody else may connect.
    ///
    /// # Errors
    ///
    /// If a server listens there, or the system refuses.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        Self::over(UnixFile::bind(path, 0o600)?)
    }

    /// One that another process may have opened.
    ///
    /// # Errors
    ///
    /// If the system has no descriptor to give.
    pub(crate) fn over(file: UnixFile) -> io::Result<Self> {
        let listener = UnixListener::from(file.as_fd().try_clone_to_owned()?);
        // It has a thread that waits.
        listener.set_nonblocking(false)?;
        Ok(Self { listener, file })
    }

    pub(crate) fn file(&self) -> &UnixFile {
        &self.file
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
            Update::Sockets { .. } => hand_over.send(&update, &console).is_ok(),
            Update::Ending => hand_over.begin_end(&console).is_ok(),
            update => send(&mut &console, &update).is_ok(),
        };
        Session::new(desk, tell).run(&requested, join);
        // Ends the other thread, too. The next server still waits for a word.
        if !hand_over.is_ending() {
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
/// If the connection fails, or what comes is not such a value.
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
