//! The server's console on a terminal: it shows the room, and what the operator types is said to everyone.
//!
//! A local member like the console that only prints, on a thread of its own: if the terminal stalls, the console lags and
//! the room does not notice. The end of input does not stop the server; `/quit` and signals do.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use chat_core::{Heard, LocalMember, Room, TryRecvError};
use chat_proto::Author;
use crossbeam_channel::select;

use super::command::{self, COMMANDS, Outcome};
use super::wording::{Wording, wording};
use crate::args::LookArgs;
use crate::terminal::{self, Act, Clock, Hue, Pen, Style, Terminal, beginning_with, shortened, unix_ms};

/// Entries taken before the screen is painted.
const ENTRIES_PER_PAINT: usize = 1024;

/// How old the numbers in the status line may be while nothing happens.
const STATUS_PERIOD: Duration = Duration::from_secs(1);

/// Shows `first`, and then what `local member` hears, until the room is over.
pub(super) fn spawn(local: LocalMember, first: String, look: LookArgs) -> io::Result<JoinHandle<()>> {
    // Here, so that the caller learns of a failure.
    let pen = Pen { colour: look.colour() };
    let terminal = Terminal::take(pen)?;
    Builder::new().name("chat-console".to_owned()).spawn(move || {
        let room = local.room().clone();
        let clock = (!look.no_timestamps).then(Clock::local);
        let status = status(&room, &first);
        let mut console = Console { local, terminal, pen, clock, lines: Vec::new(), status, stops: false };
        let result = console.run(&first);
        let Console { terminal, mut lines, .. } = console;
        let result = result.and(terminal.finish(&mut lines));
        if let Err(error) = result {
            tracing::warn!(%error, "the terminal is gone; the room goes on without its console");
        }
    })
}

struct Console {
    local: LocalMember,
    terminal: Terminal,
    pen: Pen,
    clock: Option<Clock>,
    lines: Vec<String>,
    status: Status,
    stops: bool,
}

impl Console {
    fn run(&mut self, first: &str) -> io::Result<()> {
        for line in first.lines() {
            self.line(&Author::Room, line.trim_start_matches("[*] "));
        }
        loop {
            let mut is_over = false;
            for _ in 0..ENTRIES_PER_PAINT {
                match self.local.try_recv() {
                    Ok(heard) => self.show(&heard),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Closed) => {
                        is_over = true;
                        break;
                    }
                }
            }
            self.status.update(self.local.room());
            let (status, pen) = (&self.status, self.pen);
            let repaint = self
                .terminal
                .paint(&mut self.lines, |columns, rows_max| status.rows(pen, columns, rows_max))?;
            if is_over {
                return Ok(());
            }
            select! {
                recv(self.local.ready()) -> _ => {}
                recv(self.terminal.input()) -> input => {
                    let mut next = Some(input.map_err(|_| terminal::gone())?);
                    while let Some(input) = next {
                        if let Some(act) = self.terminal.on_input(input)? {
                            self.act(act);
                        }
                        next = self.terminal.input().try_recv().ok();
                    }
                }
                recv(self.terminal.diagnostics()) -> line => {
                    if let Ok(line) = line {
                        self.terminal.note(Style::Faint, &line);
                    }
                }
                default(repaint.unwrap_or(STATUS_PERIOD)) => {}
            }
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Enter(line) => self.enter(&line),
            Act::Say(lines) => {
                for line in lines.iter().filter(|line| !line.trim().is_empty()) {
                    // As it is: what was pasted is no command.
                    let line = if line.starts_with('/') { format!("/{line}") } else { line.clone() };
                    self.enter(&line);
                }
            }
            Act::Interrupt => self.stop(),
            Act::EndOfInput => self.terminal.note(Style::Faint, "The room stays open; /quit closes it."),
            Act::Complete => {
                let room = self.local.room();
                self.terminal.complete(|before| match before.rsplit_once(' ') {
                    None if before.starts_with('/') => beginning_with(before, COMMANDS),
                    None => addresses(room, before),
                    Some((_, word)) => addresses(room, word),
                });
            }
            Act::Suspend | Act::Clear => {} // the terminal's own
        }
    }

    fn enter(&mut self, line: &str) {
        match command::run(self.local.room(), line) {
            Outcome::Done => {}
            Outcome::Answer(text) => self.terminal.note(Style::Faint, &text),
            Outcome::Refused(why) => self.terminal.note(Style::Warning, &why),
            Outcome::Quit => self.stop(),
        }
    }

    /// Closes the room; the second time, ends at once.
    fn stop(&mut self) {
        if std::mem::replace(&mut self.stops, true) {
            terminal::give_back();
            std::process::exit(1);
        }
        self.terminal.note(Style::Faint, "Closing the room. Once more stops at once.");
        super::close(self.local.room());
    }

    fn show(&mut self, heard: &Heard) {
        if let Some(Wording { author, what }) = wording(heard) {
            self.line(&author, &what);
        }
    }

    fn line(&mut self, author: &Author, what: &str) {
        let pen = self.pen;
        let mut line = String::new();
        if let Some((time, _)) = self.clock.as_ref().and_then(|clock| clock.at(unix_ms())) {
            pen.draw(&mut line, Style::Faint, &time);
            line.push(' ');
        }
        let is_notice = *author == Author::Room;
        pen.draw(
            &mut line,
            if is_notice { Style::Faint } else { Style::Author(Hue::of(author)) },
            &format!("[{author}]"),
        );
        line.push(' ');
        pen.draw(&mut line, if is_notice { Style::Faint } else { Style::Plain }, what);
        self.lines.push(line);
    }
}

/// What stands below the input.
struct Status {
    listening: String,
    members: usize,
    messages: u64,
    is_closing: bool,
}

fn status(room: &Room, first: &str) -> Status {
    let addresses = first.lines().filter_map(|line| line.strip_prefix("[*] Listening on "));
    let listening = addresses.collect::<Vec<_>>().join(", ");
    let mut status = Status { listening, members: 0, messages: 0, is_closing: false };
    status.update(room);
    status
}

impl Status {
    fn update(&mut self, room: &Room) {
        let stats = room.stats();
        (self.members, self.messages) = (stats.members, stats.messages);
        self.is_closing = room.is_closing();
    }

    fn rows(&self, pen: Pen, columns: usize, rows_max: usize) -> Vec<String> {
        if rows_max == 0 {
            return Vec::new();
        }
        let Self { listening, members, messages, is_closing } = self;
        let (style, state) =
            if *is_closing { (Style::Warning, " ◌ closing") } else { (Style::Good, " ● open") };
        let rest = format!(" · {members} present · {messages} said · {listening}");
        let mut row = pen.row(style, &shortened(state, columns - 1));
        let left = columns.saturating_sub(terminal::width(state) + 1);
        pen.draw(&mut row, Style::Faint, &shortened(&rest, left));
        vec![row]
    }
}

/// Members whose address, or its port, begins with `word`.
fn addresses(room: &Room, word: &str) -> Vec<String> {
    let mut members = room.members();
    members.sort_unstable();
    let fits = |member: &chat_proto::PeerAddr| {
        member.to_string().starts_with(word)
            || member.port().to_string().starts_with(word.trim_start_matches(':'))
    };
    members.into_iter().filter(fits).map(|member| format!("{member} ")).collect()
}
