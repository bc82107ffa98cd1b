//! A console's place at the room: does what it asks for, and tells it what happens.

use std::time::Duration;

use chat_core::{LocalMember, Room, TryRecvError};
use chat_proto::{Author, Spelling, Text};
use crossbeam_channel::{Receiver, never, select};

use super::command::{self, Outcome};
use super::wording::{Wording, unix_ms_of, wording};
use super::{Desk, Request, Status, Update};
use crate::room_commands::takes_room;

/// How old the numbers of a status may be.
const STATUS_PERIOD: Duration = Duration::from_secs(1);

/// A console's place at a room.
pub(crate) struct Session<F> {
    desk: Desk,
    /// Joined when the console watches, or says its first line.
    local: Option<LocalMember>,
    /// Tells what happens.
    watches: bool,
    /// What becomes of the last line, if that is not known yet. The next one waits for it. A console that watches hears it.
    answer: Option<Receiver<Result<(), Text>>>,
    /// As told last.
    status: Option<Status>,
    /// Tells the console; false if it is gone.
    tell: F,
}

/// The console is gone, or the room is over.
struct Over;

impl<F: FnMut(Update) -> bool> Session<F> {
    /// For what `desk` looks after.
    pub(crate) fn new(desk: Desk, tell: F) -> Self {
        Self { desk, local: None, watches: false, answer: None, status: None, tell }
    }

    /// Tells from now on what `local` hears.
    pub(crate) fn watch(mut self, local: LocalMember) -> Self {
        local.set_operator(true);
        self.local = Some(local);
        self.watches = true;
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
            let watched = self.local.as_ref().filter(|_| self.watches);
            let ready = watched.map_or_else(never, |local| local.ready().clone());
            let answer = self.answer.clone();
            let requests = if answer.is_some() { &never() } else { requests };
            let answer = answer.unwrap_or_else(never);
            select! {
                recv(answer) -> answer => {
                    self.answer = None;
                    if let Ok(Err(why)) = answer {
                        self.tell(Update::Refused(why.as_str().to_owned()))?;
                    }
                    self.tell(Update::Done)?;
                }
                recv(requests) -> request => match request.map_err(|_| Over)? {
                    Request::Watch => self.watches = self.is_member(&join),
                    Request::Line(line) => {
                        self.is_member(&join);
                        self.line(&line)?;
                    }
                    #[cfg(unix)]
                    Request::TakeOver => {
                        let offer = self.desk.hand_over.offer();
                        self.tell(offer.unwrap_or_else(Update::Refused))?;
                    }
                    #[cfg(unix)]
                    Request::End => self.end()?,
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

    /// Becomes a member of the room, an operator, unless it is one. False if the room does not let it.
    fn is_member(&mut self, join: impl Fn() -> Option<LocalMember>) -> bool {
        if self.local.is_none() {
            self.local = join();
            self.local.iter().for_each(|local| local.set_operator(true));
        }
        self.local.is_some()
    }

    fn line(&mut self, line: &str) -> Result<(), Over> {
        let outcome = match &self.local {
            Some(local) => command::run(local, line),
            None => Outcome::Refused("The room takes no more members; nothing was done".to_owned()),
        };
        let quits = outcome == Outcome::Quit;
        match outcome {
            Outcome::Done => {}
            Outcome::Answer(text) => {
                self.tell(Update::Answer(text))?;
                if command::changes_bans(line)
                    && let Err(why) = self.desk.server.store_bans()
                {
                    self.tell(Update::Refused(why))?;
                }
            }
            Outcome::Refused(why) => self.tell(Update::Refused(why))?,
            Outcome::Move(room) => {
                let moved = self.enter(room);
                self.tell(moved)?;
            }
            Outcome::Reload => {
                let reloaded = self.desk.server.reload();
                self.tell(reloaded.map_or_else(Update::Refused, Update::Answer))?;
            }
            Outcome::Quit => self.tell(Update::Answer("Closing the room.".to_owned()))?,
        }
        if quits {
            self.tell(Update::Done)?;
            self.desk.server.close();
        } else if let (Some(local), false) = (&self.local, self.watches) {
            self.answer = Some(local.answer());
        } else {
            self.tell(Update::Done)?;
        }
        Ok(())
    }

    /// Ends for the next server.
    #[cfg(unix)]
    fn end(&mut self) -> Result<(), Over> {
        match self.desk.hand_over.may_end() {
            Ok(()) => {
                self.tell(Update::Ending)?;
                self.desk.server.close_for_next();
                Ok(())
            }
            Err(why) => self.tell(Update::Refused(why)),
        }
    }

    /// Goes to another room, which the console watches and speaks in from now on.
    fn enter(&mut self, room: Room) -> Update {
        let Some(local) = &self.local else { return Update::Answer(String::new()) };
        match room.join(&local.author().to_string()) {
            Ok(joined) => {
                joined.set_operator(true);
                let here = room.info();
                self.local = Some(joined);
                self.desk.room = room;
                let name = here.name.map_or_else(|| "this room".to_owned(), |name| name.to_string());
                Update::Answer(format!("You are in {name} now: {} present", here.members))
            }
            Err(error) => Update::Refused(error.to_string()),
        }
    }

    /// Tells what was heard, and what has changed.
    fn hear(&mut self) -> Result<(), Over> {
        if !self.watches {
            return Ok(());
        }
        let is_over = loop {
            let Some(local) = &self.local else { break false };
            match local.try_recv() {
                Ok(heard) => {
                    if let Some(Wording { author, what }) = wording(&heard, &mut Spelling::default()) {
                        let unix_ms = unix_ms_of(&heard, self.desk.room.began_unix_ms());
                        let (author, what) = (author.into_owned(), what.into_owned());
                        self.tell(Update::Heard { unix_ms, author, what })?;
                    }
                }
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Closed) => break true,
            }
        };
        let stats = self.desk.room.stats();
        let status = Status {
            listening: self.desk.listening.clone(),
            members: stats.members,
            messages: stats.messages,
            is_closing: self.desk.room.is_closing(),
        };
        if self.status.as_ref() != Some(&status) {
            self.status = Some(status.clone());
            self.tell(Update::Status(status))?;
        }
        if is_over { Err(Over) } else { Ok(()) }
    }

    fn choices(&self, line: &str) -> Vec<String> {
        match line.rsplit_once(' ') {
            None if line.starts_with('/') => {
                crate::terminal::beginning_with(line, command::names().iter().map(String::as_str))
            }
            None => addresses(&self.desk.room, line),
            Some((command, word)) if takes_room(command) => rooms(&self.desk.room, word),
            Some((_, word)) => addresses(&self.desk.room, word),
        }
    }
}

/// Rooms whose names begin with `word`.
fn rooms(room: &Room, word: &str) -> Vec<String> {
    let rooms = room.rooms().map_or_else(Vec::new, |rooms| rooms.list());
    let names = rooms.into_iter().filter_map(|room| room.name).map(|name| name.to_string());
    names
        .filter(|name| name.to_lowercase().starts_with(&word.to_lowercase()))
        .map(|name| name + " ")
        .collect()
}

/// Members whose name or address, or its port, begins with `word`.
fn addresses(room: &Room, word: &str) -> Vec<String> {
    let mut members = room.members();
    members.sort_unstable();
    let fits = |member: &Author| {
        let port = member.address().map(|address| address.port().to_string());
        member.to_string().to_lowercase().starts_with(&word.to_lowercase())
            || port.is_some_and(|port| port.starts_with(word.trim_start_matches(':')))
    };
    members.into_iter().filter(fits).map(|member| format!("{member} ")).collect()
}
