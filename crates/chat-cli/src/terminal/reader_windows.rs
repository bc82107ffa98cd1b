//! Reads a console of Windows. crossterm waits by itself there, and there is no background to be careful about.

use std::io;

use crossbeam_channel::{Sender, bounded};
use crossterm::event::{self, Event};

use super::input::Input;

/// Reads a terminal.
#[derive(Debug)]
pub(super) struct Reader(());

impl Reader {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Waits for the next input, which may be preceded by [`Input::Resizing`]; none if nobody wants it.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub(super) fn next(&mut self, inputs: &Sender<Input>) -> io::Result<Option<Input>> {
        loop {
            match event::read()? {
                Event::Key(key) => return Ok(Some(Input::Key(key))),
                Event::Paste(text) => return Ok(Some(Input::Paste(text))),
                Event::Resize(columns, rows) => {
                    let (wants_column, answer) = bounded(1);
                    if inputs.send(Input::Resizing { size: (columns, rows), wants_column }).is_err() {
                        return Ok(None);
                    }
                    let Ok(wanted) = answer.recv() else { return Ok(None) };
                    let column = if wanted {
                        crossterm::cursor::position().ok().map(|(column, _)| column)
                    } else {
                        None
                    };
                    return Ok(Some(Input::Resized { column }));
                }
                Event::FocusGained | Event::FocusLost | Event::Mouse(_) => {}
            }
        }
    }
}
