//! A server whose stdout goes elsewhere (`chat server tcp | tee log`) still takes input from its terminal.
//!
//! The terminal is as it was: the system edits the lines and shows them. Answers go to stderr.

use std::io::{self, Write};
use std::thread::Builder;

use crossbeam_channel::{Sender, bounded};

use super::member::Session;
use super::{Desk, QUEUE_MAX, Request, Update};
use crate::terminal::{Keyboard, Ready, printable};

/// The longest line that is taken; more of it would be another.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Carries out typed lines, until the terminal is gone.
///
/// # Errors
///
/// If the system has no thread or descriptor to give.
pub(crate) fn spawn(desk: Desk) -> io::Result<()> {
    let (requests, requested) = bounded(QUEUE_MAX);
    let mut keyboard = Keyboard::new()?;
    // Not joined: they wait for keys.
    Builder::new().name("chat-stdin".to_owned()).spawn(move || {
        let _gone = read(&mut keyboard, &requests);
    })?;
    Builder::new().name("chat-session".to_owned()).spawn(move || {
        let tell = |update| match update {
            Update::Answer(text) | Update::Refused(text) => {
                let lines = text.lines().map(|line| format!("-- {}\n", printable(line)));
                io::stderr().write_all(lines.collect::<String>().as_bytes()).is_ok()
            }
            _ => true,
        };
        let room = desk.room.clone();
        Session::new(desk, tell).run(&requested, || room.join("operator").ok());
    })?;
    Ok(())
}

fn read(keyboard: &mut Keyboard, requests: &Sender<Request>) -> io::Result<()> {
    let mut typed = Vec::new();
    loop {
        if keyboard.wait(None)? != Ready::Bytes {
            continue;
        }
        // No bytes are Ctrl-D, after which the terminal goes on.
        keyboard.read(&mut typed)?;
        while let Some(end) = typed.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = typed.drain(..=end).collect();
            let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            if requests.send(Request::Line(line)).is_err() {
                return Ok(());
            }
        }
        if typed.len() > LINE_BYTES_MAX {
            typed.clear();
        }
    }
}
