//! The server's stdout: a local member in the room that prints what it hears.
//!
//! A member like any other, on a thread of its own: if whoever reads stdout stalls, the console lags and the
//! room does not notice.

use std::io::{self, ErrorKind, Write};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use chat_core::{Heard, LocalMember};

use super::wording::wording;

/// Lines are collected up to here before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// Prints `first`, and then what `local member` hears, until the room is over.
pub(super) fn spawn(local: LocalMember, first: String) -> io::Result<JoinHandle<()>> {
    Builder::new().name("chat-console".to_owned()).spawn(move || match print(&local, first) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => tracing::warn!(%error, "cannot write to stdout; the room goes on without its console"),
        Ok(()) => {}
    })
}

fn print(local: &LocalMember, first: String) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let mut batch = first;
    loop {
        stdout.write_all(batch.as_bytes())?;
        stdout.flush()?;
        batch.clear();
        let Ok(heard) = local.recv() else { return Ok(()) };
        add(&mut batch, &heard);
        gather();
        while batch.len() < BATCH_BYTES {
            let Ok(heard) = local.try_recv() else { break };
            add(&mut batch, &heard);
        }
    }
}

/// Lets a moment pass that nobody notices, so that a busy room wakes its console a hundred times a second and
/// not for each message: the wake is paid for by whoever speaks.
#[expect(clippy::disallowed_methods, reason = "not a wait for something that happens")]
fn gather() {
    std::thread::sleep(Duration::from_millis(10));
}

fn add(batch: &mut String, heard: &Heard) {
    if let Some(line) = wording(heard) {
        batch.push_str(&line.to_string());
        batch.push('\n');
    }
}
