//! Messages and topics as they are in the stream: JSON, so that `nats stream view` shows them.

use std::borrow::Cow;

use bytes::Bytes;
use chat_core::journal::Kept;
use chat_core::{Author, Event, MemberId, Origin, Text};
use serde::{Deserialize, Serialize};

/// The text in place of a message that this server cannot read: it has a number, and nobody may miss one.
const UNREADABLE: &str = "(a message that this server cannot read)";

#[derive(Debug, Serialize, Deserialize)]
struct Stored<'a> {
    member: u64,
    /// Which of the member's messages it is; 0 for a topic.
    #[serde(default)]
    number: u64,
    #[serde(borrow)]
    author: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    unix_ms: u64,
}

/// A message or a topic for the stream; `None` for any other event.
pub(crate) fn encode(event: &Event, unix_ms: u64) -> Option<Bytes> {
    let (from, author, text) = match event {
        Event::Said { from, author, text } => (*from, author, text),
        Event::Topic { member, author, text } => (Origin { member: *member, number: 0 }, author, text),
        _ => return None,
    };
    let stored = Stored {
        member: from.member.as_u64(),
        number: from.number,
        author: author.to_string().into(),
        text: text.as_str().into(),
        unix_ms,
    };
    serde_json::to_vec(&stored).ok().map(Bytes::from)
}

/// A message from the stream. Anything may be there that somebody else has published.
pub(crate) fn message(seq: u64, payload: &[u8]) -> Kept {
    read(payload)
        .and_then(|(from, author, text, unix_ms)| {
            let text = Text::one_line(&text).ok()?;
            Some(Kept { seq, unix_ms, event: Event::Said { from, author, text } })
        })
        .unwrap_or_else(|| {
            let from = Origin { member: MemberId::ROOM, number: 0 };
            let event = Event::Said { from, author: Author::Room, text: Text::lossy(UNREADABLE) };
            Kept { seq, unix_ms: 0, event }
        })
}

/// A topic from the bucket. The room takes no sequence number from it.
pub(crate) fn topic(payload: &[u8]) -> Option<Kept> {
    let (from, author, text, unix_ms) = read(payload)?;
    let text = if text.is_empty() { Text::default() } else { Text::one_line(&text).ok()? };
    Some(Kept { seq: 0, unix_ms, event: Event::Topic { member: from.member, author, text } })
}

fn read(payload: &[u8]) -> Option<(Origin, Author, Cow<'_, str>, u64)> {
    let Stored { member, number, author, text, unix_ms } = serde_json::from_slice(payload).ok()?;
    Some((Origin { member: MemberId::new(member), number }, Author::from_record(&author)?, text, unix_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was() {
        let from = Origin { member: MemberId::new(5 << 32 | 7), number: 3 };
        for author in ["ann", "192.0.2.1:5", "192.0.2.1:5/udp", "[2001:db8::1]:5", "*", "uid:1000"] {
            let author = Author::from_shown(author);
            let event = Event::Said { from, author, text: Text::one_line("“hello”").unwrap() };
            let payload = encode(&event, 9).unwrap();
            assert_eq!(message(4, &payload), Kept { seq: 4, unix_ms: 9, event });
        }
    }

    #[test]
    fn a_topic_comes_back_and_so_does_its_removal() {
        for text in ["what it is about", ""] {
            let text = Text::one_line(text).unwrap_or_default();
            let event = Event::Topic { member: MemberId::new(1), author: "ann".parse().unwrap(), text };
            assert_eq!(topic(&encode(&event, 9).unwrap()).unwrap().event, event);
        }
    }

    #[test]
    fn a_message_that_cannot_be_read_still_has_its_number() {
        let long = format!(r#"{{"member":1,"number":1,"author":"ann","text":"{:2000}","unix_ms":1}}"#, "x");
        let nobody = br#"{"member":1,"number":1,"author":"no body","text":"a","unix_ms":1}"#;
        for payload in [&b"hello"[..], b"", long.as_bytes(), nobody] {
            let kept = message(7, payload);
            assert_eq!((kept.seq, kept.event.to_string()), (7, format!("[*] {UNREADABLE}")));
        }
    }
}
