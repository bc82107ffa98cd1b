//! The server's stdout: a seat in the room that prints what it hears.
//!
//! A member like any other, on a thread of its own: if whoever reads stdout stalls, the console lags and the
//! room does not notice.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::thread::{Builder, JoinHandle};

use chat_core::{Heard, Seat};
use chat_proto::{Entry, Event, LeaveReason};

/// Lines are collected up to here before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// Prints `first`, and then what `seat` hears, until the room is over.
pub(crate) fn spawn(seat: Seat, first: String) -> io::Result<JoinHandle<()>> {
    Builder::new().name("chat-console".to_owned()).spawn(move || match print(&seat, first) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => tracing::warn!(%error, "cannot write to stdout; the room goes on without its console"),
        Ok(()) => {}
    })
}

fn print(seat: &Seat, first: String) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let mut batch = first;
    loop {
        stdout.write_all(batch.as_bytes())?;
        stdout.flush()?;
        batch.clear();
        let Ok(heard) = seat.recv() else { return Ok(()) };
        add(&mut batch, &heard);
        while batch.len() < BATCH_BYTES {
            let Ok(heard) = seat.try_recv() else { break };
            add(&mut batch, &heard);
        }
    }
}

fn add(batch: &mut String, heard: &Heard) {
    let written = match heard {
        Heard::Entry(entry) => add_entry(batch, entry),
        Heard::Missed(messages) => writeln!(batch, "[*] {messages} messages were not shown here"),
    };
    written.expect("writing to a String does not fail");
}

fn add_entry(batch: &mut String, entry: &Entry) -> std::fmt::Result {
    match &entry.event {
        Event::Said { author, text } => writeln!(batch, "[{author}] {text}"),
        Event::Joined { peer, .. } => writeln!(batch, "[*] Accepted connection from {peer}"),
        Event::Left { peer, reason: LeaveReason::Quit, .. } => writeln!(batch, "[*] Connection closed by {peer}"),
        Event::Left { peer, reason, .. } => writeln!(batch, "[*] Connection closed by {peer} ({reason})"),
        _ => Ok(()),
    }
}
