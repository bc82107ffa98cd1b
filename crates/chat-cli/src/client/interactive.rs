//! The client on a terminal: joins the view, the terminal and the conversation.

pub(crate) mod mention;
pub(crate) mod paging;
pub(crate) mod pending;
pub(crate) mod status;
pub(crate) mod view;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Client, ClientEnd, ClientEvent, CommandError, TryCommandError, TrySayError};
use chat_proto::Text;
use crossbeam_channel::{Receiver, select};

use super::command::{self, Command, HELP};
use crate::args::ClientArgs;
use crate::room_commands::takes_room;
use crate::terminal::{self, Act, Clock, Pen, Style, Terminal, beginning_with, unix_ms};
use mention::Mentions;
use status::Link;
use view::{Look, Now, View};

/// Events taken before the screen is painted: a burst is one update, and keys are not kept waiting.
const EVENTS_PER_PAINT: usize = 1024;

/// How long leaving in order may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How soon a message is offered again to a client that takes no more for the moment.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Talks until the user leaves or the server ends it.
pub(super) fn run(
    client: &Arc<Client>,
    args: &ClientArgs,
    signalled: &Receiver<()>,
) -> io::Result<ClientEnd> {
    let pen = Pen { colour: args.look.colour() };
    let look = Look {
        pen,
        clock: (!args.look.no_timestamps).then(Clock::local),
        bell: args.bell,
        plain: args.plain,
        server: format!("{} {}", args.transport, args.address),
    };
    let view = View::new(look, Mentions::new(&args.mention));
    let mut session = Session {
        client,
        terminal: Terminal::take(pen)?,
        view,
        plain: args.plain,
        outbox: VecDeque::new(),
        leaving: Leaving::No,
        started: clock(),
    };
    let end = session.run(signalled);
    // The last events are worth reading.
    let Session { terminal, mut view, .. } = session;
    let painted = terminal.finish(&mut view.take_lines());
    end.and_then(|end| painted.map(|()| end))
}

struct Session<'a> {
    client: &'a Arc<Client>,
    terminal: Terminal,
    view: View,
    plain: bool,
    /// Lines that the client did not take yet.
    outbox: VecDeque<Outgoing>,
    leaving: Leaving,
    started: Instant,
}

/// What the user wants to be sent.
enum Outgoing {
    Say(Text),
    Line(Text),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// Once the outbox is empty.
    Wanted {
        by: Duration,
    },
    Asked {
        by: Duration,
    },
    Now,
}

impl Session<'_> {
    fn run(&mut self, signalled: &Receiver<()>) -> io::Result<ClientEnd> {
        loop {
            self.flush();
            let repaint = self.paint()?;
            select! {
                recv(self.client.events()) -> event => {
                    let Ok(first) = event else { return Ok(super::failed()) };
                    if let Some(end) = self.on_events(first) {
                        return Ok(end);
                    }
                }
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
                recv(signalled) -> _ => self.leave(),
                default(self.pause().min(repaint.unwrap_or(Duration::MAX))) => {}
            }
            if self.has_left() {
                return Ok(ClientEnd::left(self.view.pending()));
            }
        }
    }

    /// Takes in an event and those that are there already; returns how the client ended, if it did.
    fn on_events(&mut self, first: ClientEvent) -> Option<ClientEnd> {
        let client = self.client;
        let more = client.events().try_iter().take(EVENTS_PER_PAINT);
        for event in std::iter::once(first).chain(more) {
            if let ClientEvent::Ended(end) = event {
                return Some(end);
            }
            self.view.on_event(&event, self.now());
        }
        None
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Enter(_) | Act::Say(_) if self.leaving != Leaving::No => {
                self.view.note(Style::Warning, "You are leaving; that was not said.");
            }
            Act::Enter(line) => self.enter(&line),
            Act::Say(lines) => {
                lines.iter().filter(|line| !line.trim().is_empty()).for_each(|line| self.say(line));
            }
            Act::Interrupt | Act::EndOfInput => self.leave(),
            Act::PageUp => self.look_back(),
            Act::Complete => {
                let (view, names) = (&self.view, command::names());
                self.terminal.complete(|before| match before.rsplit_once(' ') {
                    None if before.starts_with('/') => {
                        beginning_with(before, names.iter().map(String::as_str))
                    }
                    None => view.completions(before),
                    Some((command, word)) if takes_room(command) => view.rooms(word),
                    Some((_, word)) => view.completions(word),
                });
            }
            Act::Suspend | Act::Clear => {} // the terminal's own
        }
    }

    fn enter(&mut self, line: &str) {
        match command::parse(line) {
            None => {}
            Some(Command::Say(line)) => self.say(&line),
            Some(Command::Help) => {
                self.view.note(Style::Faint, HELP);
                if self.view.has_commands() && !self.plain {
                    self.give("/help");
                }
            }
            Some(Command::Quit) => self.leave(),
            Some(Command::Line(line)) if self.view.has_commands() => self.give(&line),
            Some(Command::Line(_)) => {
                let why = "This room has no commands; nothing was sent. To say such a line, begin it with //";
                self.view.note(Style::Warning, why);
            }
        }
    }

    /// Shows what was said before the oldest message that is shown.
    fn look_back(&mut self) {
        let rows = self.terminal.rows();
        let question = if self.plain { None } else { self.view.look_back(rows) };
        if let Some(question) = question {
            super::ask(self.client, move |client| client.history(question));
        }
    }

    fn say(&mut self, line: &str) {
        let now = self.now();
        for text in Text::split(line.as_bytes()) {
            self.view.said(text.clone(), now);
            self.outbox.push_back(Outgoing::Say(text));
        }
    }

    /// Gives the room a command.
    fn give(&mut self, line: &str) {
        let now = self.now();
        match (Text::one_line(line.trim_end()), Text::one_line(command::shown(line))) {
            (Ok(line), Ok(shown)) => {
                self.view.said(shown, now);
                self.outbox.push_back(Outgoing::Line(line));
            }
            _ => self.view.note(Style::Warning, &format!("Nothing was sent: {}.", CommandError::TooLong)),
        }
    }

    /// Hands the waiting lines to the client, as many as it takes.
    fn flush(&mut self) {
        while let Some(next) = self.outbox.pop_front() {
            // Each is one text, so either all of it is taken or nothing.
            let is_full = match &next {
                Outgoing::Say(text) => {
                    matches!(self.client.try_say(text.as_str()), Err(TrySayError::Full(_)))
                }
                Outgoing::Line(line) => {
                    matches!(self.client.try_command(line.as_str()), Err(TryCommandError::NotSent(_)))
                }
            };
            // If the client has ended, the event that says why is on its way.
            if is_full {
                self.outbox.push_front(next);
                return;
            }
        }
        if let Leaving::Wanted { by } = self.leaving {
            self.leaving = Leaving::Asked { by };
            super::ask(self.client, |client| client.finish());
        }
    }

    /// Leaves in order: with everything said. The second time, or without a connection, at once.
    fn leave(&mut self) {
        let is_first = self.leaving == Leaving::No;
        self.leaving = if is_first && self.view.is_connected() {
            Leaving::Wanted { by: self.now().elapsed + LEAVE_TIMEOUT }
        } else {
            Leaving::Now
        };
    }

    /// Whether there is nothing more to wait for.
    fn has_left(&mut self) -> bool {
        let is_over = match self.leaving {
            Leaving::No => return false,
            Leaving::Now => true,
            Leaving::Wanted { by } | Leaving::Asked { by } => self.now().elapsed >= by,
        };
        if !is_over && self.view.link() == Link::Connected {
            self.view.leaving();
        }
        is_over
    }

    /// Paints; or returns how long until that must be tried again.
    fn paint(&mut self) -> io::Result<Option<Duration>> {
        let now = self.now().elapsed;
        let mut lines = self.view.take_lines();
        let view = &self.view;
        self.terminal.paint(&mut lines, |columns, rows_max| view.below(now, columns, rows_max))
    }

    /// How long nothing changes by itself.
    fn pause(&self) -> Duration {
        let now = self.now().elapsed;
        let leaving = match self.leaving {
            Leaving::Wanted { by } | Leaving::Asked { by } => Some(by),
            Leaving::No | Leaving::Now => None,
        };
        let retry = (!self.outbox.is_empty()).then(|| now + RETRY_PAUSE);
        let deadlines = self.view.deadline(now).into_iter().chain(leaving).chain(retry);
        deadlines.min().map_or(Duration::from_secs(3600), |deadline| deadline.saturating_sub(now))
    }

    fn now(&self) -> Now {
        Now { elapsed: clock().saturating_duration_since(self.started), unix_ms: unix_ms() }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
