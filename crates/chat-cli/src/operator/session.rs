//! A console's place at the room: does what it asks for, and tells it what happens.

use std::time::Duration;

use chat_core::{LocalMember, Room, TryRecvError};
use chat_proto::Author;
use crossbeam_channel::{Receiver, never, select};

use super::command::{self, COMMANDS, Outcome};
use super::wording::wording;
use super::{Request, Status, Update};
use crate::server;

/// How old the numbers of a status may be.
const STATUS_PERIOD: Duration = Duration::from_secs(1);

/// A console's place at a room.
pub(crate) struct Session<F> {
    room: Room,
    /// Joined when the console watches.
    local: Option<LocalMember>,
    listening: String,
    /// As told last.
    status: Option<Status>,
    /// Tells the console; false if it is gone.
    tell: F,
}

/// The console is gone, or the room is over.
struct Over;

impl<F: FnMut(Update) -> bool> Session<F> {
    /// For a room that is listened for at `listening`.
    pub(crate) fn new(room: Room, listening: String, tell: F) -> Self {
        Self { room, local: None, listening, status: None, tell }
    }

    /// Tells from now on what `local` hears.
    pub(crate) fn watch(mut self, local: LocalMember) -> Self {
        self.local = Some(local);
        self
    }

    /// Works until the console is gone or the room is over. `join` makes a local member for a console that watches.
    pub(crate) fn run(mut self, requests: &Receiver<Request>, join: impl Fn() -> Option<LocalMember>) {
        let _over = self.work(requests, join);
    }

    fn work(
        &mut self,
        requests: &Receiver<Request>,
        join: impl Fn() -> Option<LocalMember>,
    ) -> Result<(), Over> {
        loop {
            let ready = self.local.as_ref().map_or_else(never, |local| local.ready().clone());
            select! {
                recv(requests) -> request => match request.map_err(|_| Over)? {
                    Request::Watch if self.local.is_none() => self.local = join(),
                    Request::Watch => {}
                    Request::Line(line) => self.line(&line)?,
                    Request::Complete(line) => self.tell(Update::Choices(self.choices(&line)))?,
                },
                recv(ready) -> _ => {}
                default(STATUS_PERIOD) => {}
            }
            self.hear()?;
        }
    }

    fn tell(&mut self, update: Update) -> Result<(), Over> {
        if (self.tell)(update) { Ok(()) } else { Err(Over) }
    }

    fn line(&mut self, line: &str) -> Result<(), Over> {
        let outcome = command::run(&self.room, line);
        let quits = outcome == Outcome::Quit;
        match outcome {
            Outcome::Done => {}
            Outcome::Answer(text) => self.tell(Update::Answer(text))?,
            Outcome::Refused(why) => self.tell(Update::Refused(why))?,
            Outcome::Quit => self.tell(Update::Answer("Closing the room.".to_owned()))?,
        }
        self.tell(Update::Done)?;
        if quits {
            server::close(&self.room);
        }
        Ok(())
    }

    /// Tells what was heard, and what has changed.
    fn hear(&mut self) -> Result<(), Over> {
        if self.local.is_none() {
            return Ok(());
        }
        let is_over = loop {
            let Some(local) = &self.local else { break false };
            match local.try_recv() {
                Ok(heard) => {
                    if let Some(line) = wording(&heard) {
                        let update =
                            Update::Heard { author: line.author.to_string(), what: line.what.into_owned() };
                        self.tell(update)?;
                    }
                }
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Closed) => break true,
            }
        };
        let stats = self.room.stats();
        let status = Status {
            listening: self.listening.clone(),
            members: stats.members,
            messages: stats.messages,
            is_closing: self.room.is_closing(),
        };
        if self.status.as_ref() != Some(&status) {
            self.status = Some(status.clone());
            self.tell(Update::Status(status))?;
        }
        if is_over { Err(Over) } else { Ok(()) }
    }

    fn choices(&self, line: &str) -> Vec<String> {
        match line.rsplit_once(' ') {
            None if line.starts_with('/') => crate::terminal::beginning_with(line, COMMANDS),
            None => addresses(&self.room, line),
            Some((_, word)) => addresses(&self.room, word),
        }
    }
}

/// Members whose address, or its port, begins with `word`.
fn addresses(room: &Room, word: &str) -> Vec<String> {
    let mut members = room.members();
    members.sort_unstable();
    let fits = |member: &Author| {
        let port = member.address().map(|address| address.port().to_string());
        member.to_string().starts_with(word)
            || port.is_some_and(|port| port.starts_with(word.trim_start_matches(':')))
    };
    members.into_iter().filter(fits).map(|member| format!("{member} ")).collect()
}
