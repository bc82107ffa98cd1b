//! The status line: how we are connected, and to what.

use std::time::Duration;

use crate::terminal::{Pen, Style, shortened, width};

/// How the client and the room stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The connection stands, the room has not answered yet.
    Joining,
    Connected,
    /// The next attempt comes then.
    Lost {
        retry_at: Duration,
    },
    Leaving,
}

/// What the status line tells.
#[derive(Debug)]
pub(crate) struct Status<'a> {
    pub(crate) link: Link,
    /// Transport and address of the server.
    pub(crate) server: &'a str,
    pub(crate) you: Option<String>,
    pub(crate) room: Option<&'a str>,
    pub(crate) members: Option<u32>,
    pub(crate) missed: u64,
    pub(crate) pending: usize,
    pub(crate) now: Duration,
}

impl Status<'_> {
    /// One row of less than `columns` columns; what matters less is left out where they do not suffice.
    pub(crate) fn row(&self, pen: Pen, columns: usize) -> String {
        let mut parts = self.parts();
        let taken =
            |parts: &[Part]| parts.iter().map(|part| width(&part.text) + SEPARATOR_COLUMNS).sum::<usize>();
        while taken(&parts) > columns && parts.len() > 1 {
            let least = parts.iter().map(|part| part.rank).max();
            parts.retain(|part| Some(part.rank) != least);
        }
        let mut row = String::new();
        for (index, Part { style, text, .. }) in parts.iter().enumerate() {
            pen.draw(&mut row, Style::Faint, if index == 0 { " " } else { SEPARATOR });
            pen.draw(&mut row, *style, &shortened(text, columns.saturating_sub(2)));
        }
        row
    }

    /// In the order in which they are shown.
    fn parts(&self) -> Vec<Part> {
        let (style, state) = match self.link {
            Link::Joining => (Style::Warning, "◌ joining".to_owned()),
            Link::Connected => (Style::Good, "● connected".to_owned()),
            Link::Leaving => (Style::Warning, "◌ leaving".to_owned()),
            Link::Lost { retry_at } => match retry_at.saturating_sub(self.now).as_millis().div_ceil(1000) {
                0 => (Style::Warning, "○ lost, connecting".to_owned()),
                seconds => (Style::Warning, format!("○ lost, reconnecting in {seconds} s")),
            },
        };
        let part = |rank, style, text| Part { rank, style, text };
        let mut parts = vec![part(0, style, state), part(2, Style::Faint, self.server.to_owned())];
        if let Some(room) = self.room {
            parts.push(part(2, Style::Faint, room.to_owned()));
        }
        if let (Some(members), Link::Connected) = (self.members, self.link) {
            parts.push(part(3, Style::Faint, format!("{members} present")));
        }
        if self.missed > 0 {
            parts.push(part(4, Style::Warning, format!("{} missed", self.missed)));
        }
        if self.pending > 0 {
            parts.push(part(1, Style::Warning, format!("{} unconfirmed", self.pending)));
        }
        if let Some(you) = &self.you {
            parts.push(part(5, Style::Faint, format!("you are {you}")));
        }
        parts
    }
}

struct Part {
    /// 0 is the last to be left out.
    rank: u8,
    style: Style,
    text: String,
}

const SEPARATOR: &str = " · ";
const SEPARATOR_COLUMNS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::emulated;

    const PEN: Pen = Pen { colour: true };

    fn plain(status: &Status<'_>, columns: usize) -> String {
        emulated::shown(&status.row(PEN, columns))
    }

    fn status() -> Status<'static> {
        Status {
            link: Link::Connected,
            server: "tcp 127.0.0.1:5555",
            you: Some("127.0.0.1:57814".to_owned()),
            room: None,
            members: Some(3),
            missed: 12,
            pending: 2,
            now: Duration::ZERO,
        }
    }

    #[test]
    fn everything_is_told_where_there_is_room() {
        let row = plain(&status(), 120);
        assert_eq!(
            row,
            " ● connected · tcp 127.0.0.1:5555 · 3 present · 12 missed · 2 unconfirmed · you are 127.0.0.1:57814"
        );
    }

    #[test]
    fn where_there_is_none_the_least_important_is_left_out() {
        assert_eq!(
            plain(&status(), 80),
            " ● connected · tcp 127.0.0.1:5555 · 3 present · 12 missed · 2 unconfirmed"
        );
        assert_eq!(plain(&status(), 40), " ● connected · 2 unconfirmed");
        assert_eq!(plain(&status(), 8), " ● con…");
        for columns in 1..100 {
            assert!(width(&plain(&status(), columns)) <= columns.max(2), "{columns}");
        }
    }

    #[test]
    fn a_lost_connection_counts_down() {
        let lost = |now_ms| {
            let link = Link::Lost { retry_at: Duration::from_millis(2_500) };
            plain(&Status { link, now: Duration::from_millis(now_ms), ..status() }, 30)
        };
        assert_eq!(lost(0), " ○ lost, reconnecting in 3 s");
        assert_eq!(lost(1_500), " ○ lost, reconnecting in 1 s");
        assert_eq!(lost(2_500), " ○ lost, connecting");
    }
}
