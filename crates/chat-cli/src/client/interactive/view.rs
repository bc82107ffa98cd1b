//! What the user sees of a conversation: events in, lines and a status out.
//!
//! No terminal and no clock in here: the time is an argument, and the result is styled text.

mod completion;
mod events;
mod line;

use std::collections::HashSet;
use std::time::Duration;

use chat_core::ClientEvent;
use chat_proto::{Author, COMMANDS, MemberId, Text};
use completion::Seen;

use jiff::civil::Date;
pub(crate) use line::Mark;

use crate::args::Bell;
use crate::client::command;
use crate::client::interactive::mention::Mentions;
use crate::client::interactive::paging::Paging;
use crate::client::interactive::pending::Pending;
use crate::client::interactive::status::{Link, Status};
use crate::counted::counted;
use crate::failure::causes;
use crate::terminal::{Clock, Pen, Style, shortened};

/// A moment: since the program began, and on the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) elapsed: Duration,
    pub(crate) unix_ms: u64,
}

/// What does not change while the program runs.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) pen: Pen,
    /// For time stamps, if they are wanted.
    pub(crate) clock: Option<Clock>,
    pub(crate) bell: Bell,
    /// The server speaks plain text: it confirms nothing.
    pub(crate) plain: bool,
    /// Transport and address of the server.
    pub(crate) server: String,
}

/// What the user sees.
#[derive(Debug)]
pub(crate) struct View {
    look: Look,
    mentions: Mentions,
    lines: Vec<String>,
    pub(crate) rings: bool,
    link: Link,
    pub(crate) began_unix_ms: u64,
    you: Option<Author>,
    room: Option<Text>,
    /// Which member of the room this is.
    pub(crate) member: Option<MemberId>,
    members: Option<u32>,
    missed: u64,
    pending: Pending,
    /// The day of the last line.
    date: Option<Date>,
    seen: Seen,
    /// Whose messages are hidden. The room bounds how many there are.
    pub(crate) ignored: HashSet<MemberId>,
    pub(crate) paging: Paging,
    has_commands: bool,
}

impl View {
    pub(crate) fn new(look: Look, mentions: Mentions) -> Self {
        let link = if look.plain { Link::Connected } else { Link::Joining };
        Self {
            look,
            mentions,
            lines: Vec::new(),
            rings: false,
            link,
            began_unix_ms: 0,
            you: None,
            room: None,
            member: None,
            members: None,
            missed: 0,
            pending: Pending::default(),
            date: None,
            seen: Seen::default(),
            ignored: HashSet::new(),
            paging: Paging::default(),
            has_commands: true,
        }
    }

    /// Takes in what happened.
    pub(crate) fn on_event(&mut self, event: &ClientEvent, now: Now) {
        self.begin_day(now);
        match event {
            ClientEvent::Connected { welcome, resumed } => {
                let was = self.you.replace(welcome.you.clone());
                let room = std::mem::replace(&mut self.room, welcome.room.clone());
                self.paging.connected(welcome);
                self.link = Link::Connected;
                self.member = Some(welcome.session.member);
                self.members = Some(welcome.members);
                self.began_unix_ms = welcome.began_unix_ms;
                self.mentions.set_shown(&welcome.you.to_string());
                self.has_commands = welcome.capabilities & COMMANDS != 0;
                if !resumed {
                    self.ignored.clear();
                }
                if let Some(room) = &welcome.room {
                    self.seen.room(room.as_str());
                }
                match was {
                    Some(_) if room != welcome.room => self.entered(welcome),
                    None => {
                        let text = format!("You are {}. /help shows what you can type.", welcome.you);
                        self.note(Style::Faint, &text);
                        self.topic(welcome);
                    }
                    Some(you) if you == welcome.you => self.note(Style::Good, "Connected again."),
                    Some(_) => {
                        self.note(Style::Good, &format!("Connected again. You are {} now.", welcome.you));
                    }
                }
            }
            ClientEvent::Entry { entry, own } => self.entry(entry, *own),
            ClientEvent::Refused { why, .. } => {
                let what = self.pending.confirm_oldest().map_or(String::new(), |text| format!(" ({text})"));
                self.note(Style::Warning, &format!("Not said: {why}{what}"));
            }
            ClientEvent::Direct(item) => self.direct(item, now),
            ClientEvent::Line(text) => self.plain_line(text, now),
            ClientEvent::Missed(messages) => {
                self.missed += messages;
                // Some of ours may be among them, and confirmed by that.
                self.pending.clear();
                self.note(Style::Warning, &format!("You missed {}.", counted(*messages, "message")));
            }
            ClientEvent::Present(present) => self.present(present),
            ClientEvent::OldMessages(page) => self.old_messages(page),
            ClientEvent::Unsure(texts) => {
                for text in texts {
                    self.pending.confirm(text);
                    let text = command::shown(text.as_str());
                    self.note(
                        Style::Warning,
                        &format!("Not known whether the room has it (Up brings it back): {text}"),
                    );
                }
            }
            ClientEvent::Lost { error, retry_in } => {
                if !matches!(self.link, Link::Lost { .. }) {
                    let what = if self.you.is_some() { "Connection lost" } else { "Not connected yet" };
                    self.note(Style::Warning, &format!("{what}: {}. Trying again.", causes(error)));
                }
                self.link = Link::Lost { retry_at: now.elapsed + *retry_in };
            }
            _ => {}
        }
    }

    /// The user said this.
    pub(crate) fn said(&mut self, text: Text, now: Now) {
        self.begin_day(now);
        if self.look.plain {
            // Nothing will ever confirm it, and most such servers do not send it back.
            let author = match &self.you {
                Some(you) => you.clone(),
                None => Author::Named("you".parse().expect("invariant: a valid name")),
            };
            self.said_line(Some(now.unix_ms), Mark::Own, &author, Style::Faint, &text);
        } else {
            self.pending.say(text, now.elapsed);
        }
    }

    /// Tells the user something.
    pub(crate) fn note(&mut self, style: Style, text: &str) {
        for line in text.lines() {
            self.lines.push(self.look.pen.row(style, &format!("-- {line}")));
        }
    }

    pub(crate) fn leaving(&mut self) {
        self.link = Link::Leaving;
    }

    pub(crate) fn link(&self) -> Link {
        self.link
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.link == Link::Connected
    }

    /// Messages that the room has not confirmed.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What is to be written, once.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        if std::mem::take(&mut self.rings) {
            // The bell moves nothing. It goes with the last line, so that there is one for many.
            if let Some(last) = self.lines.last_mut() {
                last.push('\x07');
            }
        }
        std::mem::take(&mut self.lines)
    }

    /// What stands below the input: messages on their way, and the status.
    pub(crate) fn below(&self, now: Duration, columns: usize, rows_max: usize) -> Vec<String> {
        let pen = self.look.pen;
        let Some(messages_max) = rows_max.checked_sub(1) else { return Vec::new() };
        let is_broken = self.link != Link::Connected;
        let messages = self.pending.shown(now, is_broken).take(messages_max.min(4));
        let row = |text: &Text| {
            pen.row(Style::Faint, &shortened(&format!("  … {text}"), columns.saturating_sub(1)))
        };
        let mut rows: Vec<String> = messages.map(row).collect();
        let status = Status {
            link: self.link,
            server: &self.look.server,
            you: self.you.as_ref().map(ToString::to_string),
            room: self.room.as_ref().map(Text::as_str),
            members: self.members,
            missed: self.missed,
            pending: self.pending.shown(now, is_broken).count(),
            now,
        };
        rows.push(status.row(pen, columns));
        rows
    }

    /// When [`below`](Self::below) will be another one although nothing has happened.
    pub(crate) fn deadline(&self, now: Duration) -> Option<Duration> {
        let countdown = match self.link {
            Link::Lost { retry_at } if retry_at > now => {
                let left = retry_at - now;
                let part = left.subsec_nanos();
                Some(now + if part == 0 { Duration::from_secs(1) } else { Duration::from_nanos(part.into()) })
            }
            _ => None,
        };
        countdown.into_iter().chain(self.pending.deadline(now)).min()
    }

    /// Whether the room takes what begins with `/` for a command; a plain server may.
    pub(crate) fn has_commands(&self) -> bool {
        self.has_commands
    }

    /// Names and addresses that complete `word`, which is how one of them, or its port, begins.
    pub(crate) fn completions(&self, word: &str) -> Vec<String> {
        self.seen.completions(word)
    }

    /// Rooms whose names begin with `word`.
    pub(crate) fn rooms(&self, word: &str) -> Vec<String> {
        self.seen.rooms(word)
    }

    /// The first line is taken to be of today, if no line says otherwise.
    fn begin_day(&mut self, now: Now) {
        if let (None, Some(clock)) = (self.date, &self.look.clock) {
            self.date = clock.at(now.unix_ms).map(|(_, date)| date);
        }
    }
}

#[cfg(test)]
mod tests;
