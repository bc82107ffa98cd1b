//! How the server's console words what happens in the room.

use std::borrow::Cow;

use chat_core::Heard;
use chat_proto::{DirectItem, Event, LeaveReason, Line, Spelling};

use crate::counted::counted;
use crate::terminal::unix_ms;

/// A line of the console: `[author] what`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wording<'a> {
    /// As it is shown, `*` for the room. `ann -> you` has said something to this local member alone: no name contains
    /// a space.
    pub(crate) author: Cow<'a, str>,
    pub(crate) what: Cow<'a, str>,
}

impl Wording<'_> {
    /// Appends the line, without a break.
    pub(crate) fn write(&self, out: &mut String) {
        Line::parts(&self.author, &self.what).into_iter().for_each(|part| out.push_str(part));
    }
}

/// The line for what a local member heard, if there is one. `spelling` remembers how the last author is spelled.
pub(crate) fn wording<'a>(heard: &'a Heard, spelling: &'a mut Spelling) -> Option<Wording<'a>> {
    let notice = |what: String| Some(Wording { author: "*".into(), what: what.into() });
    let entry = match heard {
        Heard::Entry(entry) => entry,
        Heard::Missed(messages) => {
            return notice(format!("not shown here: {}", counted(messages, "message")));
        }
        Heard::Direct(DirectItem::Private { author, text, .. }) => {
            return Some(Wording { author: format!("{author} -> you").into(), what: text.as_str().into() });
        }
        Heard::Direct(item) => {
            let line = item.to_string();
            return if line.is_empty() { None } else { notice(line.trim_start_matches("[*] ").to_owned()) };
        }
        _ => return None,
    };
    match &entry.event {
        Event::Said { author, text, .. } => {
            Some(Wording { author: spelling.of(author).into(), what: text.as_str().into() })
        }
        Event::Joined { author, .. } => notice(format!("Accepted connection from {author}")),
        Event::Left { author, reason: LeaveReason::Quit, .. } => {
            notice(format!("Connection closed by {author}"))
        }
        Event::Left { author, reason: reason @ LeaveReason::Lost, .. } => {
            notice(format!("Connection closed by {author} ({reason})"))
        }
        // By us.
        Event::Left { author, reason, .. } => notice(format!("Connection of {author} closed ({reason})")),
        event @ (Event::Renamed { .. } | Event::Topic { .. }) => {
            notice(event.to_string().trim_start_matches("[*] ").to_owned())
        }
        _ => None,
    }
}

/// When it happened, in Unix time: that of an entry counts from `began_unix_ms`. Anything else happens now.
pub(crate) fn unix_ms_of(heard: &Heard, began_unix_ms: u64) -> u64 {
    match heard {
        Heard::Entry(entry) => began_unix_ms.saturating_add(entry.at_ms),
        _ => unix_ms(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_proto::{Author, Entry, MemberId, Origin};

    use super::*;

    fn line_of(heard: &Heard) -> Option<String> {
        let mut line = String::new();
        wording(heard, &mut Spelling::default())?.write(&mut line);
        Some(line)
    }

    fn line(event: Event) -> Option<String> {
        line_of(&Heard::Entry(Arc::new(Entry { seq: 1, at_ms: 0, event })))
    }

    #[test]
    fn the_console_says_it_in_these_words() {
        let (member, author): (_, Author) = (MemberId::new(1), "127.0.0.1:57814".parse().expect("an author"));
        let from = Origin { member, number: 1 };
        let said = Event::Said { from, author: author.clone(), text: "hello".parse().expect("clean") };
        assert_eq!(line(said).as_deref(), Some("[127.0.0.1:57814] hello"));
        let joined = Event::Joined { member, author: author.clone(), members: 1 };
        assert_eq!(line(joined).as_deref(), Some("[*] Accepted connection from 127.0.0.1:57814"));
        let left = |reason| Event::Left { member, author: author.clone(), reason, members: 0 };
        assert_eq!(
            line(left(LeaveReason::Quit)).as_deref(),
            Some("[*] Connection closed by 127.0.0.1:57814")
        );
        let kicked = LeaveReason::kicked("spam").expect("short");
        assert_eq!(
            line(left(kicked)).as_deref(),
            Some("[*] Connection of 127.0.0.1:57814 closed (kicked: spam)")
        );
        assert_eq!(
            line(left(LeaveReason::Lost)).as_deref(),
            Some("[*] Connection closed by 127.0.0.1:57814 (connection lost)")
        );
        let text = "psst".parse().expect("clean");
        let private = Heard::Direct(DirectItem::Private { from: member, author: author.clone(), text });
        assert_eq!(line_of(&private).as_deref(), Some("[127.0.0.1:57814 -> you] psst"));
        assert_eq!(line_of(&Heard::Missed(3)).as_deref(), Some("[*] not shown here: 3 messages"));
    }
}
