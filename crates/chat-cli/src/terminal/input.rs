//! A thread that reads the terminal.

use std::io;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use crossterm::event::KeyEvent;

use super::reader::Reader;

/// How much may be typed ahead.
const INPUTS_MAX: usize = 256;

/// What comes from a terminal.
#[derive(Debug)]
pub(crate) enum Input {
    Key(KeyEvent),
    Paste(String),
    /// More was pasted than is taken.
    PasteTooLong,
    /// The terminal has another size. The thread that writes to it must stop, and answer whether it wants to
    /// know the cursor's column; [`Input::Resized`] follows.
    Resizing {
        size: (u16, u16),
        wants_column: Sender<bool>,
    },
    /// It may go on.
    Resized {
        column: Option<u16>,
    },
    /// The process was stopped and goes on, or it has come to the foreground.
    Continued,
    /// There is no terminal any more.
    Gone(io::Error),
}

/// Reads the terminal until the receiver is dropped.
pub(crate) fn spawn() -> io::Result<Receiver<Input>> {
    let (inputs, receiver) = bounded(INPUTS_MAX);
    let mut reader = Reader::new()?;
    // Not joined: it waits for keys.
    Builder::new().name("chat-terminal".to_owned()).spawn(move || {
        while let Some(next) = reader.next(&inputs).unwrap_or_else(|error| Some(Input::Gone(error))) {
            let gone = matches!(next, Input::Gone(_));
            if inputs.send(next).is_err() || gone {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// How long the answer to a resize may take: what the reader waits for a terminal that does not answer, and more.
pub(crate) const RESIZE_TIMEOUT: Duration = Duration::from_secs(5);
