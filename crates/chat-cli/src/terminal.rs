//! A terminal that shows lines while somebody types.
//!
//! `editor`, `history`, `window` and `prompt` turn keys into lines, `screen` turns lines into bytes; none of
//! them touches a terminal, so all of it is tested without one; nor does `key_decoder`, which turns bytes into keys.
//! `input`, `reader`, `keyboard` and `guard` are the shell: a thread that reads, and the modes that are put back on
//! every way out. [`Terminal`] joins the two.

mod clock;
mod editor;
#[cfg(test)]
pub(crate) mod emulated;
mod fold;
mod guard;
mod history;
mod input;
#[cfg(unix)]
mod key_decoder;
#[cfg(unix)]
mod keyboard;
mod pen;
mod prompt;
mod question;
#[cfg_attr(not(unix), path = "reader_windows.rs")]
mod reader;
mod screen;
mod symbols;
mod window;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

pub(crate) use chat_proto::rfc_3339;

pub(crate) use self::clock::{Clock, day, unix_ms};
use self::guard::Guard;
pub(crate) use self::guard::{give_back, is_in_background};
pub(crate) use self::input::Input;
#[cfg(unix)]
pub(crate) use self::keyboard::{Keyboard, Ready};
pub(crate) use self::pen::{Hue, Pen, Style, printable};
use self::prompt::Prompt;
pub(crate) use self::prompt::{Act, beginning_with};
use self::screen::{Footer, Screen};
pub(crate) use self::window::{shortened, width};
use crate::{diagnostics, signals};

/// The error when nobody reads the terminal any more.
pub(crate) fn gone() -> io::Error {
    io::Error::other("it cannot be read any more")
}

/// Whether people sit on both ends of this process: it reads keys and draws, instead of filtering lines.
pub(crate) fn is_interactive() -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb && guard::knows_ansi()
}

/// The terminal, taken until it is dropped. In the background it is left to the program in the foreground, and lines are only printed.
#[derive(Debug)]
pub(crate) struct Terminal {
    hold: Hold,
    screen: Screen,
    prompt: Prompt,
    pen: Pen,
    /// Shows nothing but ASCII.
    is_ascii: bool,
    input: Receiver<Input>,
    diagnostics: Receiver<String>,
    /// To be shown with the next paint.
    lines: Vec<String>,
    /// Since when the terminal has had another size than we were told.
    differs_since: Option<Instant>,
}

/// Whose the terminal is.
#[derive(Debug)]
enum Hold {
    Ours(Guard),
    /// Nobody's: this process is about to be stopped, since then.
    Stopping(Instant),
    /// Somebody else's: this process is in the background.
    Background,
}

impl Hold {
    fn take() -> io::Result<Self> {
        if is_in_background() { Ok(Self::Background) } else { Guard::take().map(Self::Ours) }
    }
}

/// How long this process may go on after it has asked to be stopped. Then nobody will stop it.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// How long a paint waits to learn of a resize. It is there at once, or it will not come.
const RESIZE_PATIENCE: Duration = Duration::from_millis(200);

impl Terminal {
    /// Takes the terminal.
    pub(crate) fn take(pen: Pen) -> io::Result<Self> {
        let hold = Hold::take()?;
        let screen = Screen::new(crossterm::terminal::size()?);
        Ok(Self {
            hold,
            screen,
            prompt: Prompt::default(),
            pen,
            is_ascii: symbols::is_ascii(),
            input: input::spawn()?,
            diagnostics: diagnostics::redirect(),
            lines: Vec::new(),
            differs_since: None,
        })
    }

    /// How many rows of lines are seen at a time.
    pub(crate) fn rows(&self) -> usize {
        self.screen.rows()
    }

    /// Input from the terminal. Give each to [`on_input`](Self::on_input).
    pub(crate) fn input(&self) -> &Receiver<Input> {
        &self.input
    }

    /// Diagnostics, which must not be written into the screen; each is to be given to [`note`](Self::note).
    pub(crate) fn diagnostics(&self) -> &Receiver<String> {
        &self.diagnostics
    }

    /// Shows a line of the program's own with the next [`paint`](Self::paint).
    pub(crate) fn note(&mut self, style: Style, text: &str) {
        let rows = text.lines().map(|line| self.pen.row(style, &format!("-- {line}")));
        self.lines.extend(rows);
    }

    /// Takes what came from the terminal; an error if it is gone.
    pub(crate) fn on_input(&mut self, input: Input) -> io::Result<Option<Act>> {
        match input {
            Input::Key(key) => match self.prompt.key(key) {
                Some(Act::Suspend) => self.suspend(),
                Some(Act::Clear) => self.screen.clear(),
                act => {
                    self.note_of_prompt();
                    return Ok(act);
                }
            },
            Input::Paste(text) => {
                self.prompt.paste(&text);
                self.note_of_prompt();
            }
            Input::PasteTooLong => self.note(Style::Warning, prompt::PASTE_TOO_LONG),
            Input::Resizing { size, wants_column } => {
                let _gone = wants_column.send(self.screen.wants_column(size));
                let column = match self.input.recv_timeout(input::RESIZE_TIMEOUT) {
                    Ok(Input::Resized { column }) => column,
                    Ok(Input::Gone(error)) => return Err(error),
                    _ => None,
                };
                self.screen.resized(size, column);
            }
            Input::Resized { .. } => {}
            Input::Continued => self.go_on()?,
            Input::Gone(error) => return Err(error),
        }
        Ok(None)
    }

    fn note_of_prompt(&mut self) {
        if let Some(notice) = self.prompt.take_notice() {
            self.note(Style::Warning, &notice);
        }
    }

    /// Completes the word before the cursor; `choices` gets the line up to there.
    pub(crate) fn complete(&mut self, choices: impl FnOnce(&str) -> Vec<String>) {
        self.prompt.complete(choices);
        self.note_of_prompt();
    }

    /// Writes `lines` for good, and the footer: the input, and the rows that `below` makes of columns and rows.
    ///
    /// Returns how long until it must be called again, if it could not paint: a terminal that has just been resized
    /// is not written to before it is known where its cursor went.
    pub(crate) fn paint(
        &mut self,
        lines: &mut Vec<String>,
        below: impl FnOnce(usize, usize) -> Vec<String>,
    ) -> io::Result<Option<Duration>> {
        self.lines.append(lines);
        if let Hold::Stopping(since) = self.hold {
            let left = STOP_PATIENCE.saturating_sub(clock().saturating_duration_since(since));
            if !left.is_zero() {
                return Ok(Some(left));
            }
            self.go_on()?;
        }
        if self.is_resizing()? {
            return Ok(Some(RESIZE_PATIENCE));
        }
        self.paint_now(below)?;
        Ok(None)
    }

    /// Writes `lines` for good and takes the footer away, before the terminal is given back.
    pub(crate) fn finish(mut self, lines: &mut Vec<String>) -> io::Result<()> {
        self.lines.append(lines);
        self.paint_now(|_, _| Vec::new())
    }

    fn paint_now(&mut self, below: impl FnOnce(usize, usize) -> Vec<String>) -> io::Result<()> {
        if !matches!(self.hold, Hold::Ours(_)) {
            let lines: String = self.lines.drain(..).flat_map(|line| [line, "\r\n".to_owned()]).collect();
            let lines = if self.is_ascii { symbols::in_ascii(&lines) } else { lines.as_str().into() };
            return guard::write(&lines);
        }
        let columns = self.screen.columns();
        let (prompt, input) = self.prompt.row(self.pen, columns);
        let mut rows = Vec::new();
        let mut rows_max = self.screen.footer_rows_max() - 1;
        for row in self.prompt.preview(columns, rows_max.saturating_sub(1)) {
            rows.push(self.pen.row(Style::Faint, &row));
        }
        rows_max -= rows.len();
        rows.append(&mut below(columns, rows_max));
        let lines: Vec<String> = self.lines.iter().flat_map(|line| fold::fold(line, columns)).collect();
        let bytes = self.screen.paint(&lines, &Footer { prompt, input, below: rows });
        let bytes = if self.is_ascii { symbols::in_ascii(bytes) } else { bytes.into() };
        guard::write(&bytes)?;
        self.screen.painted();
        self.lines.clear();
        Ok(())
    }

    /// Whether the terminal has another size than we were told, and we will soon be told.
    fn is_resizing(&mut self) -> io::Result<bool> {
        let size = crossterm::terminal::size()?;
        if self.screen.has_size(size) {
            self.differs_since = None;
            return Ok(false);
        }
        let now = clock();
        if now - *self.differs_since.get_or_insert(now) < RESIZE_PATIENCE {
            return Ok(true);
        }
        self.differs_since = None;
        self.screen.resized(size, None);
        Ok(false)
    }

    fn suspend(&mut self) {
        // Given back first: the shell goes on with the modes that it finds.
        self.hold = Hold::Stopping(clock());
        signals::stop();
    }

    /// After a stop, and when this process comes to the foreground: the terminal has been somebody else's.
    fn go_on(&mut self) -> io::Result<()> {
        if let Hold::Ours(guard) = std::mem::replace(&mut self.hold, Hold::Background) {
            guard.abandon();
        }
        self.hold = Hold::take()?;
        self.screen.resized(crossterm::terminal::size()?, None);
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.hold = Hold::Background;
        diagnostics::restore();
        // Lines that were not shown yet go where they would have gone.
        for line in self.diagnostics.try_iter() {
            eprintln!("{line}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
