//! The conversation as lines: on stdout where no console has it, and in the log file.
//!
//! Each observes all rooms, on a thread of its own. If the reader of stdout stalls, or a disk is full, only that printer lags, and no
//! room notices. On a server with several rooms each line begins with the name of its room.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use chat_core::TryRecvError;
use chat_proto::Spelling;
use crossbeam_channel::{Receiver, never, select};

use super::observers::{Observers, RoomUpdate};
use crate::operator::wording::{unix_ms_of, wording};
use crate::sink::{Outcome, Sink};
use crate::stdio;
use crate::terminal::{Clock, unix_ms};

/// Lines are collected up to here before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// Prints `first`, and then what `observers` hear, on stdout until the rooms are over or nobody reads any more.
///
/// # Errors
///
/// If the system has no thread or descriptor to give.
pub(super) fn spawn(observers: Observers, first: String, clock: Option<Clock>) -> io::Result<JoinHandle<()>> {
    let printer = Printer {
        name: "stdout".to_owned(),
        sink: Sink::new(stdio::stdout()?),
        clock,
        open: Box::new(|| Ok(None)),
        reopen: never(),
        gather,
    };
    Builder::new().name("chat-stdout".to_owned()).spawn(move || printer.run(&observers, &first))
}

/// As [`spawn`], with date and time, into the file at `path`; opens it again for each token of `reopen`.
///
/// # Errors
///
/// If the file cannot be opened, or the system has no thread to give.
pub(super) fn spawn_file(
    observers: Observers,
    first: String,
    path: PathBuf,
    reopen: Receiver<()>,
) -> io::Result<JoinHandle<()>> {
    let printer = Printer {
        name: path.display().to_string(),
        sink: Sink::new(open(&path)?),
        clock: Some(Clock::local()),
        open: Box::new(move || open(&path).map(Some)),
        reopen,
        gather,
    };
    Builder::new().name("chat-log-file".to_owned()).spawn(move || printer.run(&observers, &first))
}

/// Whether the file at `path` can be appended to, or there is a directory to make it in. Leaves no trace.
#[cfg(unix)]
pub(super) fn check_file(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(file) if file.is_file() || file.is_dir() => OpenOptions::new().append(true).open(path).map(drop),
        Ok(_) => Ok(()), // who reads a pipe would take this for its end
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            std::fs::metadata(directory.unwrap_or_else(|| Path::new("."))).map(drop)
        }
        Err(error) => Err(error),
    }
}

/// Appends, even if another program writes to the file or has cut it.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

struct Printer<W> {
    /// What messages call it.
    name: String,
    sink: Sink<W>,
    /// Lines begin with the time by it.
    clock: Option<Clock>,
    /// Opens the file again, if it is one.
    open: Box<dyn Fn() -> io::Result<Option<W>> + Send>,
    reopen: Receiver<()>,
    /// Waits for a moment before a batch, unless the one before it was full.
    gather: fn(),
}

impl<W: Write> Printer<W> {
    fn run(mut self, observers: &Observers, first: &str) {
        let (mut batch, mut spelling) = (String::new(), Spelling::default());
        for line in first.lines() {
            batch.push_str(&self.stamp(unix_ms()));
            batch.push_str(line);
            batch.push('\n');
        }
        while self.write(&batch) {
            let is_behind = batch.len() >= BATCH_BYTES;
            batch.clear();
            select! {
                recv(self.reopen) -> _ => self.reopen(),
                recv(observers.ready()) -> _ => if !is_behind { (self.gather)() },
            }
            while batch.len() < BATCH_BYTES {
                match observers.try_recv() {
                    Ok(RoomUpdate { room, began_unix_ms, heard }) => {
                        for heard in heard {
                            let Some(line) = wording(&heard, &mut spelling) else { continue };
                            batch.push_str(&self.stamp(unix_ms_of(&heard, began_unix_ms)));
                            for part in room.iter().flat_map(|room| [room.as_str(), " "]) {
                                batch.push_str(part);
                            }
                            line.write(&mut batch);
                            batch.push('\n');
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Closed) => {
                        self.write(&batch);
                        return;
                    }
                }
            }
        }
    }

    fn stamp(&self, unix_ms: u64) -> String {
        let time = self.clock.as_ref().and_then(|clock| clock.rfc_3339(unix_ms));
        time.map(|time| time + " ").unwrap_or_default()
    }

    /// False if nobody reads any more.
    fn write(&mut self, batch: &str) -> bool {
        let name = &self.name;
        match self.sink.write(batch, &self.stamp(unix_ms())) {
            Outcome::Written | Outcome::StillFailing => {}
            Outcome::Failed(error) => {
                tracing::warn!(%error, "cannot write to {name}; the room goes on, and lines are missing there");
            }
            Outcome::WrittenAgain { missing } => {
                tracing::warn!(missing, "can write to {name} again; lines are missing there");
            }
            Outcome::Closed => return false,
        }
        true
    }

    fn reopen(&mut self) {
        let name = &self.name;
        match (self.open)() {
            Ok(Some(out)) => {
                self.sink.replace(out);
                tracing::info!("opened {name} again");
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "cannot open {name} again; the file as it was goes on"),
        }
    }
}

/// Waits for a moment too short to notice, so that a busy room wakes its printers a hundred times a second and
/// not for each message. The thread that speaks pays for each wake.
#[expect(clippy::disallowed_methods, reason = "not a wait for something that happens")]
fn gather() {
    std::thread::sleep(Duration::from_millis(10));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use chat_core::{Room, RoomConfig, Rooms, World};

    use super::super::observers::observe;
    use super::*;

    /// What was written, even after its printer has ended.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer that stamps its lines.
    fn printer(page: &Page, gather: fn()) -> Printer<Page> {
        Printer {
            name: "page".to_owned(),
            sink: Sink::new(page.clone()),
            clock: Some(Clock::utc()),
            open: Box::new(|| Ok(None)),
            reopen: never(),
            gather,
        }
    }

    #[test]
    fn a_line_has_the_time_when_it_was_said_and_not_when_it_was_printed() {
        let world = World { unix_clock: Box::new(|| 1_795_402_243_123), ..World::real() };
        let room = Room::in_world(RoomConfig::default(), world);
        let observers = Observers::new();
        observe(&Rooms::from(room.clone()), [&observers]);
        room.notice("hello").expect("it is open");
        room.close("the end", Duration::ZERO);
        let page = Page::default();
        printer(&page, || ()).run(&observers, "");
        let printed = String::from_utf8(page.0.lock().expect("nobody panics").clone()).expect("text");
        let stamp = "2026-11-23T02:50:43+00:00";
        assert_eq!(printed, format!("{stamp} [*] hello\n{stamp} [*] the end\n"));
    }

    #[test]
    fn a_printer_that_is_behind_does_not_wait() {
        static WAITS: AtomicUsize = AtomicUsize::new(0);
        let room = Room::new(RoomConfig::default());
        let observers = Observers::new();
        observe(&Rooms::from(room.clone()), [&observers]);
        for _ in 0..5_000 {
            room.notice(&"x".repeat(100)).expect("it is open");
        }
        room.close("the end", Duration::ZERO);
        let page = Page::default();
        printer(&page, || _ = WAITS.fetch_add(1, Ordering::Relaxed)).run(&observers, "");
        let printed = page.0.lock().expect("nobody panics");
        assert!(printed.len() > 5 * BATCH_BYTES && printed.ends_with(b"[*] the end\n"));
        assert_eq!(WAITS.load(Ordering::Relaxed), 1, "only before the first batch");
    }
}
