//! On Windows there is no background to be careful about: crossterm waits by itself.

use std::io;

use crossterm::event;

/// Why a wait has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// There is a key, or the terminal has another size.
    Event,
    /// Never here.
    Continued,
}

/// The terminal's keyboard.
#[derive(Debug)]
pub(super) struct Keyboard(());

impl Keyboard {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Waits.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub(super) fn wait(&mut self) -> io::Result<Ready> {
        while !event::poll(std::time::Duration::MAX)? {}
        Ok(Ready::Event)
    }
}
