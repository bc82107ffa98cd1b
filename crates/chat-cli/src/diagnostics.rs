//! Where diagnostics go: to stderr, or to whoever has taken the terminal that stderr is.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::Level;

/// Lines that may wait to be shown on a terminal. More are dropped: they would be noise.
const LINES_MAX: usize = 256;

static TAKER: Mutex<Option<Sender<String>>> = Mutex::new(None);

/// Begins to print diagnostics.
pub(crate) fn init(verbose: bool, ansi: bool) {
    tracing_subscriber::fmt()
        .with_writer(|| Diagnostics)
        .with_max_level(if verbose { Level::DEBUG } else { Level::WARN })
        .with_target(false)
        .with_ansi(ansi)
        .init();
}

/// From now on lines go to the receiver, if stderr is a terminal.
pub(crate) fn redirect() -> Receiver<String> {
    let (sender, receiver) = bounded(LINES_MAX);
    if io::stderr().is_terminal() {
        *taker() = Some(sender);
        receiver
    } else {
        crossbeam_channel::never()
    }
}

/// From now on lines go to stderr.
pub(crate) fn restore() {
    *taker() = None;
}

struct Diagnostics;

impl Write for Diagnostics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &*taker() {
            // Comes one event at a time, with the line break at its end.
            Some(taker) => drop(taker.try_send(String::from_utf8_lossy(bytes).trim_end().to_owned())),
            None => io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn taker() -> MutexGuard<'static, Option<Sender<String>>> {
    TAKER.lock().unwrap_or_else(PoisonError::into_inner)
}
