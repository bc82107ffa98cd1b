//! Reads a terminal: its keys, pastes and sizes, one after another.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use super::input::Input;
use super::key_decoder::{KeyDecoder, PASTE_BYTES_MAX, Sent};
use super::keyboard::{Keyboard, Ready};
use super::{clock, guard};

/// How soon the rest of a paste without marks follows.
const BURST_PAUSE: Duration = Duration::from_millis(20);

/// How long the terminal may take to say where its cursor is. Some never do.
const POSITION_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks for the cursor's position.
const REQUEST_POSITION: &str = "\x1b[6n";

/// Reads a terminal.
#[derive(Debug)]
pub(super) struct Reader {
    keyboard: Keyboard,
    keys: KeyDecoder,
    /// Not yet returned.
    sent: VecDeque<Sent>,
}

impl Reader {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { keyboard: Keyboard::new()?, keys: KeyDecoder::default(), sent: VecDeque::new() })
    }

    /// Waits for the next input, which may be preceded by [`Input::Resizing`]; none if nobody wants it.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub(super) fn next(&mut self, inputs: &Sender<Input>) -> io::Result<Option<Input>> {
        loop {
            match self.sent.pop_front() {
                Some(Sent::Key(key)) => return Ok(Some(Input::Key(key))),
                Some(Sent::Paste(text)) => return Ok(Some(Input::Paste(text))),
                Some(Sent::PasteTooLong) => return Ok(Some(Input::PasteTooLong)),
                Some(Sent::Column(_)) => continue, // too late
                None => {}
            }
            match self.keyboard.wait(self.keys.timeout())? {
                Ready::Bytes => self.read()?,
                Ready::TimedOut => self.expire(),
                Ready::Continued => return Ok(Some(Input::Continued)),
                Ready::Resized => {
                    let size = crossterm::terminal::size()?;
                    let (wants_column, answer) = bounded(1);
                    if inputs.send(Input::Resizing { size, wants_column }).is_err() {
                        return Ok(None);
                    }
                    // The answer says too that nothing is being written: the terminal's own answer cannot be wrong.
                    let Ok(wanted) = answer.recv() else { return Ok(None) };
                    let column = if wanted { self.column()? } else { None };
                    return Ok(Some(Input::Resized { column }));
                }
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.read_into(&mut bytes)?;
        while self.keys.is_burst(&bytes)
            && bytes.len() <= PASTE_BYTES_MAX
            && self.keyboard.has_bytes_within(BURST_PAUSE)?
        {
            self.read_into(&mut bytes)?;
        }
        self.keys.feed(&bytes, |sent| self.sent.push_back(sent));
        Ok(())
    }

    fn read_into(&self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if self.keyboard.read(bytes)? == Some(0) { Err(super::gone()) } else { Ok(()) }
    }

    fn expire(&mut self) {
        self.keys.expire(|sent| self.sent.push_back(sent));
    }

    /// The cursor's column, from 0. Keys that come before it are kept.
    fn column(&mut self) -> io::Result<Option<u16>> {
        guard::write(REQUEST_POSITION)?;
        let deadline = clock() + POSITION_TIMEOUT;
        while self.keyboard.has_bytes_within(deadline.saturating_duration_since(clock()))? {
            self.read()?;
            let answer = self.sent.iter().position(|sent| matches!(sent, Sent::Column(_)));
            if let Some(Sent::Column(column)) = answer.and_then(|at| self.sent.remove(at)) {
                return Ok(Some(column));
            }
        }
        Ok(None)
    }
}
