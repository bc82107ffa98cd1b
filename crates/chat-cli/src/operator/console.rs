//! The operator's console on a terminal: it shows the room. A typed line is said to everyone or is a command.
//!
//! On the server's own terminal the end of input does not stop the server; `/quit`, Ctrl-C and signals do. A console
//! at the other end of a control socket goes without the server, and only `/quit` stops it.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use chat_core::commands::Line;
use chat_proto::Author;
use crossbeam_channel::{Receiver, Sender, select};
use jiff::civil::Date;

use super::{QUEUE_MAX, Request, Status, Update};
use crate::args::LookArgs;
use crate::terminal::{self, Act, Clock, Hue, Pen, Style, Terminal, day, shortened, unix_ms};

/// Updates taken before the screen is painted.
const UPDATES_PER_PAINT: usize = 1024;

/// How soon the screen is painted anew while nothing happens.
const PAINT_PERIOD: Duration = Duration::from_secs(1);

/// How long the choices for a word may take.
const CHOICES_TIMEOUT: Duration = Duration::from_secs(1);

/// Whose terminal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The server's own.
    Server,
    /// That of somebody who looks after the server.
    Elsewhere,
}

/// A console and the terminal that it has taken.
pub(crate) struct Console {
    terminal: Terminal,
    place: Place,
    pen: Pen,
    clock: Option<Clock>,
    /// The day of the last line.
    date: Option<Date>,
    requests: Sender<Request>,
    updates: Receiver<Update>,
    /// Updates that came while choices were waited for.
    early: VecDeque<Update>,
    lines: Vec<String>,
    status: Status,
    stops: bool,
}

/// What the console goes on with.
enum Next {
    GoOn,
    Leave,
}

impl Console {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub(crate) fn take(
        place: Place,
        look: LookArgs,
        requests: Sender<Request>,
        updates: Receiver<Update>,
    ) -> io::Result<Self> {
        let pen = Pen { colour: look.colour() };
        Ok(Self {
            terminal: Terminal::take(pen)?,
            place,
            pen,
            clock: (!look.no_timestamps).then(Clock::local),
            date: None,
            requests,
            updates,
            early: VecDeque::new(),
            lines: Vec::new(),
            status: Status::default(),
            stops: false,
        })
    }

    /// Shows the lines of `first`, and then what it is told, until there is nothing more or the user leaves.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub(crate) fn run(mut self, first: &str, left: &Receiver<()>) -> io::Result<()> {
        for line in first.lines() {
            self.line(unix_ms(), &Author::Room.to_string(), line.trim_start_matches("[*] "));
        }
        self.work(left)?;
        self.terminal.finish(&mut self.lines)
    }

    fn work(&mut self, left: &Receiver<()>) -> io::Result<()> {
        loop {
            for _ in 0..UPDATES_PER_PAINT {
                let Some(update) = self.early.pop_front().or_else(|| self.updates.try_recv().ok()) else {
                    break;
                };
                self.update(update);
            }
            let (status, pen) = (&self.status, self.pen);
            let repaint = self
                .terminal
                .paint(&mut self.lines, |columns, rows_max| rows(status, pen, columns, rows_max))?;
            select! {
                recv(self.updates) -> update => match update {
                    Ok(update) => self.update(update),
                    Err(_) => return Ok(()),
                },
                recv(self.terminal.input()) -> input => {
                    let mut next = Some(input.map_err(|_| terminal::gone())?);
                    while let Some(input) = next {
                        if let Some(act) = self.terminal.on_input(input)?
                            && let Next::Leave = self.act(act)
                        {
                            return Ok(());
                        }
                        next = self.terminal.input().try_recv().ok();
                    }
                }
                recv(self.terminal.diagnostics()) -> line => {
                    if let Ok(line) = line {
                        self.terminal.note(Style::Faint, &line);
                    }
                }
                recv(left) -> _ => return Ok(()),
                default(repaint.unwrap_or(PAINT_PERIOD)) => {}
            }
        }
    }

    fn update(&mut self, update: Update) {
        match update {
            Update::Heard { unix_ms, author, what } => self.line(unix_ms, &author, &what),
            Update::Answer(text) => self.terminal.note(Style::Faint, &text),
            Update::Refused(why) => self.terminal.note(Style::Warning, &why),
            Update::Status(status) => self.status = status,
            Update::Done | Update::Choices(_) => {}
            // Not asked for by a console.
            #[cfg(unix)]
            Update::Sockets { .. } | Update::Ending => {}
        }
    }

    fn act(&mut self, act: Act) -> Next {
        match act {
            Act::Enter(line) => self.enter(line),
            Act::Say(lines) => {
                for line in lines.into_iter().filter(|line| !line.trim().is_empty()) {
                    // As it is: a paste is not a command.
                    self.enter(Line::saying(&line).unwrap_or(line));
                }
            }
            Act::Interrupt | Act::EndOfInput if self.place == Place::Elsewhere => return Next::Leave,
            Act::Interrupt => self.stop(),
            Act::EndOfInput => self.terminal.note(Style::Faint, "The room stays open; /quit closes it."),
            Act::Complete => {
                let (requests, updates, early) = (&self.requests, &self.updates, &mut self.early);
                self.terminal.complete(|before| choices(before, requests, updates, early));
            }
            Act::PageUp => self.enter("/history".to_owned()),
            Act::Suspend | Act::Clear => {} // the terminal's own
        }
        Next::GoOn
    }

    fn enter(&mut self, line: String) {
        if matches!(line.trim(), "/quit" | "/stop") && self.place == Place::Server {
            return self.stop();
        }
        if self.requests.try_send(Request::Line(line)).is_err() {
            self.terminal.note(Style::Warning, "The server does not answer; nothing was said.");
        }
    }

    /// Closes the room; the second time, ends at once.
    fn stop(&mut self) {
        let is_first = !std::mem::replace(&mut self.stops, true);
        if !is_first || self.requests.try_send(Request::Line("/quit".to_owned())).is_err() {
            terminal::give_back();
            std::process::exit(1);
        }
        self.terminal.note(Style::Faint, "Ctrl-C once more stops at once.");
    }

    /// Shows a line, and before it the day if that is another one than that of the line before.
    fn line(&mut self, unix_ms: u64, author: &str, what: &str) {
        let pen = self.pen;
        let mut line = String::new();
        if let Some((time, date)) = self.clock.as_ref().and_then(|clock| clock.at(unix_ms)) {
            if self.date.replace(date).is_some_and(|before| before != date) {
                self.lines.push(pen.row(Style::Faint, &format!("-- {}", day(date))));
            }
            pen.draw(&mut line, Style::Faint, &time);
            line.push(' ');
        }
        let author = Author::from_shown(author);
        let is_notice = author == Author::Room;
        pen.draw(
            &mut line,
            if is_notice { Style::Faint } else { Style::Author(Hue::of(&author)) },
            &format!("[{author}]"),
        );
        line.push(' ');
        pen.draw(&mut line, if is_notice { Style::Faint } else { Style::Plain }, what);
        self.lines.push(line);
    }
}

/// How the last word of `before` may go on; nothing if the answer takes too long.
fn choices(
    before: &str,
    requests: &Sender<Request>,
    updates: &Receiver<Update>,
    early: &mut VecDeque<Update>,
) -> Vec<String> {
    if requests.try_send(Request::Complete(before.to_owned())).is_err() {
        return Vec::new();
    }
    let deadline = clock() + CHOICES_TIMEOUT;
    while early.len() < QUEUE_MAX
        && let Ok(update) = updates.recv_deadline(deadline)
    {
        match update {
            Update::Choices(choices) => return choices,
            update => early.push_back(update),
        }
    }
    Vec::new()
}

/// The status below the input.
fn rows(status: &Status, pen: Pen, columns: usize, rows_max: usize) -> Vec<String> {
    if rows_max == 0 {
        return Vec::new();
    }
    let Status { listening, members, messages, is_closing } = status;
    let (style, state) =
        if *is_closing { (Style::Warning, " ◌ closing") } else { (Style::Good, " ● open") };
    let rest = format!(" · {members} present · {messages} said · {listening}");
    let mut row = pen.row(style, &shortened(state, columns - 1));
    let left = columns.saturating_sub(terminal::width(state) + 1);
    pen.draw(&mut row, Style::Faint, &shortened(&rest, left));
    vec![row]
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
