//! What the user sees of a conversation: events in, lines and a status out.
//!
//! No terminal and no clock in here: the time is an argument, and the result is styled text.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use chat_core::ClientEvent;
use chat_proto::{
    Author, COMMANDS, DirectItem, Entry, Event, LeaveReason, Line, MemberId, Name, Present, Text, Welcome,
};
use jiff::civil::Date;

use super::command;
use super::mention::Mentions;
use super::past::Past;
use super::pending::Pending;
use super::status::{Link, Status};
use crate::args::Bell;
use crate::failure::causes;
use crate::terminal::{Clock, Hue, Pen, Style, day, shortened};

/// How many members are remembered, to complete how they are shown.
const SEEN_MAX: usize = 64;

/// How many names of rooms are remembered, to complete them.
const ROOMS_MAX: usize = 64;

/// A moment: since the program began, and on the wall.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) elapsed: Duration,
    pub(super) unix_ms: u64,
}

/// What does not change while the program runs.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) pen: Pen,
    /// For time stamps, if they are wanted.
    pub(super) clock: Option<Clock>,
    pub(super) bell: Bell,
    /// The server speaks plain text: it confirms nothing.
    pub(super) plain: bool,
    /// Transport and address of the server.
    pub(super) server: String,
}

/// What the user sees.
#[derive(Debug)]
pub(super) struct View {
    look: Look,
    mentions: Mentions,
    lines: Vec<String>,
    pub(super) rings: bool,
    link: Link,
    pub(super) began_unix_ms: u64,
    you: Option<Author>,
    room: Option<Text>,
    /// Which member of the room this is.
    pub(super) member: Option<MemberId>,
    members: Option<u32>,
    missed: u64,
    pending: Pending,
    /// The day of the last line.
    date: Option<Date>,
    /// Who was seen, the last one first.
    seen: VecDeque<String>,
    /// Rooms that the user was in, or that the server has listed, the last one first.
    rooms: VecDeque<String>,
    /// Whose messages are hidden. The room bounds how many there are.
    pub(super) ignored: HashSet<MemberId>,
    pub(super) past: Past,
    has_commands: bool,
}

/// Why a line has a mark in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    Own,
    Mention,
}

impl View {
    pub(super) fn new(look: Look, mentions: Mentions) -> Self {
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
            seen: VecDeque::new(),
            rooms: VecDeque::new(),
            ignored: HashSet::new(),
            past: Past::default(),
            has_commands: true,
        }
    }

    /// Takes in what happened.
    pub(super) fn on_event(&mut self, event: &ClientEvent, now: Now) {
        self.begin_day(now);
        match event {
            ClientEvent::Connected(welcome) => {
                let was = self.you.replace(welcome.you.clone());
                let room = std::mem::replace(&mut self.room, welcome.room.clone());
                self.past.connected(welcome);
                self.link = Link::Connected;
                self.member = Some(welcome.session.member);
                self.members = Some(welcome.members);
                self.began_unix_ms = welcome.began_unix_ms;
                self.mentions.set_shown(&welcome.you.to_string());
                self.has_commands = welcome.capabilities & COMMANDS != 0;
                if !welcome.resumed {
                    self.ignored.clear();
                }
                if let Some(room) = &welcome.room {
                    self.see_room(room.as_str());
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
                let what =
                    if *messages == 1 { "1 message".to_owned() } else { format!("{messages} messages") };
                self.note(Style::Warning, &format!("You missed {what}."));
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
    pub(super) fn said(&mut self, text: Text, now: Now) {
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
    pub(super) fn note(&mut self, style: Style, text: &str) {
        for line in text.lines() {
            self.lines.push(self.look.pen.row(style, &format!("-- {line}")));
        }
    }

    pub(super) fn leaving(&mut self) {
        self.link = Link::Leaving;
    }

    pub(super) fn link(&self) -> Link {
        self.link
    }

    pub(super) fn is_connected(&self) -> bool {
        self.link == Link::Connected
    }

    /// Messages that the room has not confirmed.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// What is to be written, once.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        if std::mem::take(&mut self.rings) {
            // The bell moves nothing. It goes with the last line, so that there is one for many.
            if let Some(last) = self.lines.last_mut() {
                last.push('\x07');
            }
        }
        std::mem::take(&mut self.lines)
    }

    /// What stands below the input: messages on their way, and the status.
    pub(super) fn below(&self, now: Duration, columns: usize, rows_max: usize) -> Vec<String> {
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
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
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
    pub(super) fn has_commands(&self) -> bool {
        self.has_commands
    }

    /// Names and addresses that complete `word`, which is how one of them, or its port, begins.
    pub(super) fn completions(&self, word: &str) -> Vec<String> {
        let word = word.strip_prefix('@').unwrap_or(word);
        let fits = |address: &&String| {
            let port = address.rsplit(':').next().unwrap_or_default();
            address.to_lowercase().starts_with(&word.to_lowercase())
                || port.starts_with(word.trim_start_matches(':'))
        };
        self.seen.iter().filter(fits).map(|address| format!("{address} ")).collect()
    }

    /// Rooms whose names begin with `word`.
    pub(super) fn rooms(&self, word: &str) -> Vec<String> {
        let word = word.to_lowercase();
        let fitting = self.rooms.iter().filter(|room| room.to_lowercase().starts_with(&word));
        fitting.map(|room| format!("{room} ")).collect()
    }

    /// The first line is taken to be of today, if no line says otherwise.
    fn begin_day(&mut self, now: Now) {
        if let (None, Some(clock)) = (self.date, &self.look.clock) {
            self.date = clock.at(now.unix_ms).map(|(_, date)| date);
        }
    }

    fn entry(&mut self, entry: &Entry, own: bool) {
        let at = Some(self.began_unix_ms.saturating_add(entry.at_ms));
        match &entry.event {
            Event::Said { from, .. } if self.ignored.contains(&from.member) => {}
            Event::Said { author, text, .. } => {
                self.past.shows(entry.seq);
                if own {
                    self.pending.confirm(text);
                }
                let mark = if own { Mark::Own } else { Mark::None };
                self.said_line(at, mark, author, Style::Announcement, text);
            }
            Event::Joined { member, author, members } => {
                self.members = Some(*members);
                if Some(*member) != self.member {
                    self.see(author);
                    self.notice(at, &format!("{author} joined, {members} present"));
                }
            }
            Event::Left { author, reason, members, .. } => {
                self.members = Some(*members);
                self.notice(
                    at,
                    &match reason {
                        LeaveReason::Quit => format!("{author} left, {members} present"),
                        reason => format!("{author} left ({reason}), {members} present"),
                    },
                );
            }
            Event::PresenceSummary { joined, left, members } => {
                self.members = Some(*members);
                let counts = [(*joined, "joined"), (*left, "left")];
                let counts = counts
                    .iter()
                    .filter(|(count, _)| *count > 0)
                    .map(|(count, verb)| format!("{count} {verb}"));
                let counts = counts.collect::<Vec<_>>().join(", ");
                if !counts.is_empty() {
                    self.notice(at, &format!("{counts}, {members} present"));
                }
            }
            Event::Renamed { member, from, to } => {
                if Some(*member) == self.member {
                    self.mentions.set_shown(&to.to_string());
                    self.you = Some(to.clone());
                } else {
                    self.forget(from);
                    self.see(to);
                }
                self.notice(at, &format!("{from} is now {to}"));
            }
            event @ Event::Topic { .. } => self.notice(at, event.to_string().trim_start_matches("[*] ")),
            _ => {}
        }
    }

    /// The member has come to another room.
    fn entered(&mut self, welcome: &Welcome) {
        let room = welcome.room.as_ref().map_or("another room", Text::as_str);
        self.note(Style::Good, &format!("You are in {room} now: {} present.", welcome.members));
        self.topic(welcome);
    }

    fn topic(&mut self, welcome: &Welcome) {
        if let Some(topic) = &welcome.topic {
            self.note(Style::Faint, &format!("The topic is: {topic}"));
        }
    }

    /// Something for this member alone.
    fn direct(&mut self, item: &DirectItem, now: Now) {
        let pen = self.look.pen;
        match item {
            DirectItem::Private { author, text, .. } => {
                let mut line = self.start(Some(now.unix_ms), Mark::Mention);
                pen.draw(&mut line, Style::Mention, &format!("[{author} -> you]"));
                pen.draw(&mut line, Style::Plain, &format!(" {text}"));
                self.lines.push(line);
                self.rings |= self.look.bell != Bell::Never;
                self.see(author);
            }
            DirectItem::Sent { to, text, .. } => {
                self.pending.confirm_oldest();
                let mut line = self.start(Some(now.unix_ms), Mark::Own);
                pen.draw(&mut line, Style::Mention, &format!("[you -> {to}]"));
                pen.draw(&mut line, Style::Plain, &format!(" {text}"));
                self.lines.push(line);
            }
            DirectItem::Done { .. } => drop(self.pending.confirm_oldest()),
            DirectItem::Ignoring { member, is_ignored: true } => drop(self.ignored.insert(*member)),
            DirectItem::Ignoring { member, .. } => drop(self.ignored.remove(member)),
            DirectItem::Undelivered { .. } => {
                self.note(Style::Warning, item.to_string().trim_start_matches("[*] "));
            }
            item => {
                if let DirectItem::Notice { text } = item
                    && let Some(room) = listed_room(text.as_str())
                {
                    self.see_room(room);
                }
                let line = item.to_string();
                if !line.is_empty() {
                    self.notice(Some(now.unix_ms), line.trim_start_matches("[*] "));
                }
            }
        }
    }

    fn plain_line(&mut self, text: &Text, now: Now) {
        // Nothing else tells that the connection stands again.
        self.link = Link::Connected;
        match text.as_str().parse::<Line>() {
            // A plain server's notices and announcements look alike.
            Ok(Line { author, text }) => {
                self.said_line(Some(now.unix_ms), Mark::None, &author, Style::Faint, &text);
            }
            Err(_) => {
                let mut line = self.start(Some(now.unix_ms), Mark::None);
                self.look.pen.draw(&mut line, Style::Plain, text.as_str());
                self.lines.push(line);
            }
        }
    }

    /// Shows a message. One of the room itself is shown in `room_style`.
    pub(super) fn said_line(
        &mut self,
        at: Option<u64>,
        mark: Mark,
        author: &Author,
        room_style: Style,
        text: &Text,
    ) {
        let pen = self.look.pen;
        let is_notice = *author == Author::Room && room_style == Style::Faint;
        let found =
            if mark == Mark::Own || is_notice { Vec::new() } else { self.mentions.find(text.as_str()) };
        let mark = if found.is_empty() { mark } else { Mark::Mention };
        let mut line = self.start(at, mark);
        let (author_style, style) = match author {
            Author::Room => (room_style, room_style),
            _ => (Style::Author(Hue::of(author)), Style::Plain),
        };
        pen.draw(&mut line, author_style, &format!("[{author}]"));
        line.push(' ');
        let mut rest = 0;
        for range in found {
            pen.draw(&mut line, style, &text.as_str()[rest..range.start]);
            pen.draw(&mut line, Style::Mention, &text.as_str()[range.clone()]);
            rest = range.end;
        }
        pen.draw(&mut line, style, &text.as_str()[rest..]);
        self.lines.push(line);
        self.rings |= match self.look.bell {
            Bell::Never => false,
            Bell::Mentions => mark == Mark::Mention,
            Bell::All => mark != Mark::Own,
        };
        if mark != Mark::Own && *author != Author::Room {
            self.see(author);
        }
    }

    fn notice(&mut self, at: Option<u64>, text: &str) {
        let mut line = self.start(at, Mark::None);
        self.look.pen.draw(&mut line, Style::Faint, &format!("[*] {text}"));
        self.lines.push(line);
    }

    /// The beginning of a line: the time, and a mark; before it a line for a new day.
    fn start(&mut self, at: Option<u64>, mark: Mark) -> String {
        let pen = self.look.pen;
        let mut line = String::new();
        if let Some(clock) = &self.look.clock {
            match at.and_then(|at| clock.at(at)) {
                Some((time, date)) => {
                    pen.draw(&mut line, Style::Faint, &time);
                    if self.date.replace(date).is_some_and(|before| before != date) {
                        self.lines.push(pen.row(Style::Faint, &format!("-- {}", day(date))));
                    }
                }
                None => pen.draw(&mut line, Style::Faint, "--:--"),
            }
        }
        let (style, mark) = match mark {
            Mark::None => (Style::Plain, " "),
            Mark::Own => (Style::Good, "›"),
            Mark::Mention => (Style::Warning, "!"),
        };
        pen.draw(&mut line, style, mark);
        line
    }

    fn present(&mut self, present: &Present) {
        let Present { members, authors, more } = present;
        self.members = Some(*members);
        let name = |author: &Author| {
            if Some(author) == self.you.as_ref() { format!("{author} (you)") } else { author.to_string() }
        };
        let list: Vec<String> = authors.iter().map(name).collect();
        let others = if *more { ", and others" } else { "" };
        self.note(Style::Faint, &format!("{members} present: {}{others}", list.join(", ")));
    }

    /// Remembers how a member is shown.
    fn see(&mut self, author: &Author) {
        self.forget(author);
        self.seen.push_front(author.to_string());
        self.seen.truncate(SEEN_MAX);
    }

    fn see_room(&mut self, room: &str) {
        self.rooms.retain(|seen| seen != room);
        self.rooms.push_front(room.to_owned());
        self.rooms.truncate(ROOMS_MAX);
    }

    fn forget(&mut self, author: &Author) {
        let author = author.to_string();
        self.seen.retain(|seen| *seen != author);
    }
}

/// The name in a line of the answer to `/rooms`.
fn listed_room(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(", ")?;
    let (members, rest) = rest.split_once(" member")?;
    let is_listed =
        members.parse::<usize>().is_ok() && ["", "s"].iter().any(|end| rest.split(':').next() == Some(end));
    (is_listed && name.parse::<Name>().is_ok()).then_some(name)
}

#[cfg(test)]
mod tests;
