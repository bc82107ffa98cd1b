//! Diagnostics: what happens to the program, as lines on stderr, or in the console if it has taken the terminal that stderr is.
//!
//! A thread of its own writes them, so that nobody waits for a stderr that is stuck: an I/O thread that did would
//! stop the room. Each is one line without control characters, whatever a peer has put into it.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::LogFormat;
use crate::sink::Sink;
use crate::terminal::printable;

/// Lines that may wait to be written. More are dropped, and counted.
const LINES_MAX: usize = 1024;

/// How long the end of the program waits for a stderr that is stuck.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static QUEUE: OnceLock<Sender<Item>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);
static TAKER: Mutex<Option<Sender<String>>> = Mutex::new(None);

enum Item {
    Line(String),
    /// Everything before it is written when it is dropped.
    Flush(#[expect(dead_code, reason = "held for its drop")] Sender<()>),
}

/// Begins to write diagnostics: what happens to the server, or with `verbose` to its connections, too.
///
/// # Errors
///
/// If the system has no thread to give.
pub(crate) fn init(verbose: bool, format: LogFormat) -> io::Result<()> {
    let (queue, items) = bounded(LINES_MAX);
    Builder::new().name("chat-stderr".to_owned()).spawn(move || write(&items))?;
    if QUEUE.set(queue).is_err() {
        return Ok(()); // they are written already
    }
    let subscriber = tracing_subscriber::fmt()
        .with_writer(|| Diagnostics)
        .with_max_level(Level::TRACE) // the filter chooses
        .with_target(false)
        .with_ansi(false);
    match format {
        LogFormat::Text => subscriber.finish().with(filter(verbose)).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).finish().with(filter(verbose)).init(),
    }
    Ok(())
}

/// What is told. The libraries of others tell what happens inside of them, which is worth a line only if it is wrong.
fn filter(verbose: bool) -> Targets {
    let level = if verbose { Level::DEBUG } else { Level::INFO };
    Targets::new().with_default(Level::WARN).with_target("chat", level)
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

/// Waits until the reports so far are written, unless stderr is stuck.
pub(crate) fn flush() {
    let (flushed, wait) = bounded(0);
    if let Some(queue) = QUEUE.get()
        && queue.send_timeout(Item::Flush(flushed), FLUSH_TIMEOUT).is_ok()
    {
        let _flushed_or_stuck = wait.recv_timeout(FLUSH_TIMEOUT);
    }
}

/// Warns if others may read a file with a secret in it.
#[cfg(unix)]
pub(crate) fn warn_of_readers(what: &str, path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;

    if path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0) {
        let path = path.display();
        tracing::warn!("others on this machine can read the {what}: chmod 600 {path}");
    }
}

/// Takes one event at a time, with the line break at its end.
struct Diagnostics;

impl Write for Diagnostics {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = one_line(bytes);
        if QUEUE.get().is_none_or(|queue| queue.try_send(Item::Line(line)).is_err()) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event as one line that moves no cursor, whatever is in it.
fn one_line(bytes: &[u8]) -> String {
    printable(String::from_utf8_lossy(bytes).trim_end()).into_owned()
}

/// Writes the lines. If stderr fails there is nobody to tell; lines go on when it works again.
fn write(items: &Receiver<Item>) {
    let mut stderr = Sink::new(io::stderr());
    for item in items {
        let Item::Line(mut line) = item else { continue };
        let taken = taker().as_ref().is_some_and(|taker| taker.try_send(line.clone()).is_ok());
        if !taken {
            stderr.miss(DROPPED.swap(0, Ordering::Relaxed));
            line.push('\n');
            stderr.write(&line, "");
        }
    }
}

fn taker() -> MutexGuard<'static, Option<Sender<String>>> {
    TAKER.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_other_libraries_only_what_is_wrong_is_told() {
        for (verbose, own) in [(false, Level::INFO), (true, Level::DEBUG)] {
            let filter = filter(verbose);
            for target in ["chat", "chat::server::reload", "chat_nats::hub", "chat_tcp"] {
                assert!(filter.would_enable(target, &own) && !filter.would_enable(target, &Level::TRACE));
            }
            for target in ["async_nats", "rustls::server", "mio"] {
                assert!(
                    filter.would_enable(target, &Level::WARN) && !filter.would_enable(target, &Level::INFO)
                );
            }
        }
    }

    #[test]
    fn an_event_is_one_line_without_control_characters_whatever_a_peer_has_put_into_it() {
        let line = one_line(b"INFO said text=\x1b[2J\x07\nERROR forged\r\n \xff\n");
        assert_eq!(line, "INFO said text=\u{241b}[2J\u{2407} ERROR forged  \u{fffd}");
    }
}
