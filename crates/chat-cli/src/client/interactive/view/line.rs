//! How one line of the conversation is drawn.

use chat_proto::{Author, Text};

use super::View;
use crate::args::Bell;
use crate::terminal::{Hue, Style, day};

/// Why a line has a mark in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    None,
    Own,
    Mention,
}

impl View {
    /// Shows a message. One of the room itself is shown in `room_style`.
    pub(crate) fn said_line(
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
            self.seen.member(author);
        }
    }

    pub(super) fn notice(&mut self, at: Option<u64>, text: &str) {
        let mut line = self.start(at, Mark::None);
        self.look.pen.draw(&mut line, Style::Faint, &format!("[*] {text}"));
        self.lines.push(line);
    }

    /// The beginning of a line: the time, and a mark; before it a line for a new day.
    pub(super) fn start(&mut self, at: Option<u64>, mark: Mark) -> String {
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
}
