//! Commands that look back: what was said, by whom, and when.

use chat_proto::{Author, DirectItem, MemberId, Text, rfc_3339};

use super::{Caller, Reply, RoomCommand};
use crate::journal::{Filter, Kept, Page, Query};
use crate::limits::{HISTORY_SHOWN, HISTORY_SHOWN_BYTES_MAX, HISTORY_SHOWN_MAX};
use crate::room::Room;

const USAGE: &str = "Type /history [N] [NAME] [before N]";

const BEFORE: &str =
    "Type a number after 'before', as in the last line of a long answer: /history before 123";

pub(super) fn rows() -> Vec<RoomCommand> {
    vec![
        RoomCommand::new("history", "[N] [NAME] [before N]", "What was said before", history),
        RoomCommand::new("search", "WORDS [before N]", "Find old messages", search),
    ]
}

fn history(caller: &Caller<'_>, arguments: &str) -> Reply {
    let (mut messages, mut filter) = (None, Filter::default());
    let (rest, seq) = before(arguments);
    for word in rest.split_whitespace() {
        let is_number = word.chars().all(|c| c.is_ascii_digit());
        match word.parse::<usize>() {
            _ if word.eq_ignore_ascii_case("before") => return Reply::refuse(BEFORE),
            Ok(number) if number > 0 && messages.is_none() => messages = Some(number.min(HISTORY_SHOWN_MAX)),
            Ok(_) => return Reply::refuse(USAGE),
            Err(_) if is_number => messages = Some(HISTORY_SHOWN_MAX), // it is very large
            Err(_) if filter.author.is_none() && Author::from_record(word).is_some() => {
                filter.author = Some(word.to_owned());
            }
            Err(_) => return Reply::refuse(USAGE),
        }
    }
    let messages = messages.unwrap_or(HISTORY_SHOWN);
    look_back(caller, "/history", rest, Query::Before { seq, messages, filter })
}

fn search(caller: &Caller<'_>, arguments: &str) -> Reply {
    let (words, seq) = before(arguments);
    if !words.contains(char::is_alphanumeric) {
        return Reply::refuse("Type /search WORDS. Words have letters or digits.");
    }
    let filter = Filter { words: Some(words.to_owned()), author: None };
    look_back(caller, "/search", words, Query::Before { seq, messages: HISTORY_SHOWN, filter })
}

/// The question without its `before NUMBER`, and that number.
fn before(arguments: &str) -> (&str, u64) {
    let split = arguments.rsplit_once("before ").filter(|(rest, _)| rest.is_empty() || rest.ends_with(' '));
    match split.and_then(|(rest, seq)| Some((rest.trim(), seq.trim().parse().ok()?))) {
        Some((rest, seq)) => (rest, seq),
        None => (arguments, u64::MAX),
    }
}

/// The answer comes over the member's direct lane, when the journal has read it.
fn look_back(caller: &Caller<'_>, command: &'static str, rest: &str, query: Query) -> Reply {
    let (room, member, again) = (caller.room.downgrade(), caller.member, format!("{command} {rest}"));
    caller.room.read(query, move |page| {
        let Some(room) = Room::upgrade(&room) else { return };
        let lines = match page {
            Ok(page) => lines(&page, again.trim()),
            Err(why) => vec![format!("The history cannot be read: {why}")],
        };
        tell(&room, member, &lines);
    });
    Reply::default()
}

/// One line for each message, and how to see older ones.
fn lines(page: &Page, again: &str) -> Vec<String> {
    let mut bytes = 0;
    let line = |kept: &Kept| format!("{} {}", date(kept.unix_ms), kept.event);
    let shown = page.messages.iter().rev().take_while(|kept| {
        bytes += line(kept).len();
        bytes <= HISTORY_SHOWN_BYTES_MAX
    });
    let shown = shown.count().max(usize::from(!page.messages.is_empty()));
    let shown = &page.messages[page.messages.len() - shown..];
    let is_more = page.more || shown.len() < page.messages.len();
    let older =
        shown.first().filter(|_| is_more).map(|oldest| format!("Older: {again} before {}", oldest.seq));
    let nothing = shown.is_empty().then(|| match again.split_once(' ') {
        Some((_, asked)) => format!("Nothing was found for: {asked}"),
        None => "There is nothing".to_owned(),
    });
    nothing.into_iter().chain(shown.iter().map(line)).chain(older).collect()
}

/// A member that has left, or does not read what it asked for, is not told.
fn tell(room: &Room, member: MemberId, lines: &[String]) {
    for text in lines.iter().flat_map(|line| Text::split(line.as_bytes())) {
        let result = room.lock().tell(member, DirectItem::Notice { text });
        let Ok(wakes) = result else { return };
        wakes.wake();
    }
}

/// `2026-11-26 10:03`, in UTC.
fn date(unix_ms: u64) -> String {
    let time = rfc_3339(unix_ms).unwrap_or_default();
    time.chars().take("2026-11-26T10:03".len()).collect::<String>().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00");
        assert_eq!(date(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(date(1_795_687_439_999), "2026-11-26 10:03");
        assert_eq!(date(1_798_761_599_000), "2026-12-31 23:59");
    }

    #[test]
    fn a_question_may_end_with_a_place() {
        assert_eq!(before("20 ann before 7"), ("20 ann", 7));
        assert_eq!(before("before 7"), ("", 7));
        assert_eq!(before("the day before"), ("the day before", u64::MAX));
        assert_eq!(before("the day before it"), ("the day before it", u64::MAX));
        assert_eq!(before("therebefore 7"), ("therebefore 7", u64::MAX));
    }
}
