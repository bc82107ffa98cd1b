//! What the view makes of each event of the room.

use chat_proto::{Author, DirectItem, Entry, Event, LeaveReason, Line, Name, Present, Text, Welcome};

use super::{Mark, Now, View};
use crate::args::Bell;
use crate::client::interactive::status::Link;
use crate::terminal::Style;

impl View {
    pub(super) fn entry(&mut self, entry: &Entry, own: bool) {
        let at = Some(self.began_unix_ms.saturating_add(entry.at_ms));
        match &entry.event {
            Event::Said { from, .. } if self.ignored.contains(&from.member) => {}
            Event::Said { author, text, .. } => {
                self.paging.shows(entry.seq);
                if own {
                    self.pending.confirm(text);
                }
                let mark = if own { Mark::Own } else { Mark::None };
                self.said_line(at, mark, author, Style::Announcement, text);
            }
            Event::Joined { member, author, members } => {
                self.members = Some(*members);
                if Some(*member) != self.member {
                    self.seen.member(author);
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
                    self.seen.forget(from);
                    self.seen.member(to);
                }
                self.notice(at, &format!("{from} is now {to}"));
            }
            event @ Event::Topic { .. } => self.notice(at, event.to_string().trim_start_matches("[*] ")),
            _ => {}
        }
    }

    /// The member has come to another room.
    pub(super) fn entered(&mut self, welcome: &Welcome) {
        let room = welcome.room.as_ref().map_or("another room", Text::as_str);
        self.note(Style::Good, &format!("You are in {room} now: {} present.", welcome.members));
        self.topic(welcome);
    }

    pub(super) fn topic(&mut self, welcome: &Welcome) {
        if let Some(topic) = &welcome.topic {
            self.note(Style::Faint, &format!("The topic is: {topic}"));
        }
    }

    /// Something for this member alone.
    pub(super) fn direct(&mut self, item: &DirectItem, now: Now) {
        let pen = self.look.pen;
        match item {
            DirectItem::Private { author, text, .. } => {
                let mut line = self.start(Some(now.unix_ms), Mark::Mention);
                pen.draw(&mut line, Style::Mention, &format!("[{author} -> you]"));
                pen.draw(&mut line, Style::Plain, &format!(" {text}"));
                self.lines.push(line);
                self.rings |= self.look.bell != Bell::Never;
                self.seen.member(author);
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
                    self.seen.room(room);
                }
                let line = item.to_string();
                if !line.is_empty() {
                    self.notice(Some(now.unix_ms), line.trim_start_matches("[*] "));
                }
            }
        }
    }

    pub(super) fn plain_line(&mut self, text: &Text, now: Now) {
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

    pub(super) fn present(&mut self, present: &Present) {
        let Present { members, authors, more } = present;
        self.members = Some(*members);
        let name = |author: &Author| {
            if Some(author) == self.you.as_ref() { format!("{author} (you)") } else { author.to_string() }
        };
        let list: Vec<String> = authors.iter().map(name).collect();
        let others = if *more { ", and others" } else { "" };
        self.note(Style::Faint, &format!("{members} present: {}{others}", list.join(", ")));
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
