//! A thread that reads the terminal.

use std::io;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use crossterm::event::{self, Event, KeyEvent};

use super::keyboard::{Keyboard, Ready};

/// How much may be typed ahead.
const INPUTS_MAX: usize = 256;

/// How long crossterm looks for an event when there is one. It may see none: a size that is the same, or keys left
/// in a buffer that it reads with the next one.
const READ_TIMEOUT: Duration = Duration::from_millis(20);

/// What comes from a terminal.
#[derive(Debug)]
pub(crate) enum Input {
    Key(KeyEvent),
    Paste(String),
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
    let mut keyboard = Keyboard::new()?;
    // Not joined: it waits for keys.
    Builder::new().name("chat-terminal".to_owned()).spawn(move || {
        while let Some(next) = read(&mut keyboard, &inputs).unwrap_or_else(|error| Some(Input::Gone(error))) {
            let gone = matches!(next, Input::Gone(_));
            if inputs.send(next).is_err() || gone {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// The next input; none if nobody wants it.
fn read(keyboard: &mut Keyboard, inputs: &Sender<Input>) -> io::Result<Option<Input>> {
    let mut size = None;
    loop {
        // Before the first wait, too: from then on crossterm hears of resizes.
        let mut timeout = Duration::ZERO;
        while !event::poll(timeout)? {
            if keyboard.wait()? == Ready::Continued {
                return Ok(Some(Input::Continued));
            }
            timeout = READ_TIMEOUT;
        }
        match event::read()? {
            Event::Key(key) => return Ok(Some(Input::Key(key))),
            Event::Paste(text) => return Ok(Some(Input::Paste(text))),
            Event::Resize(columns, rows) => size = Some((columns, rows)),
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) => {}
        }
        if let Some(size) = size.take() {
            let (wants_column, answer) = bounded(1);
            if inputs.send(Input::Resizing { size, wants_column }).is_err() {
                return Ok(None);
            }
            // The answer says too that nothing is being written: the terminal's own answer cannot be wrong.
            let Ok(wanted) = answer.recv() else { return Ok(None) };
            let column =
                if wanted { crossterm::cursor::position().ok().map(|(column, _)| column) } else { None };
            return Ok(Some(Input::Resized { column }));
        }
    }
}

/// How long the answer to a resize may take: what crossterm waits for a terminal that does not answer, and more.
pub(crate) const RESIZE_TIMEOUT: Duration = Duration::from_secs(5);
