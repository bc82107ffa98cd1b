//! `--json`: one object per line, in and out.
//!
//! The fields are documented in `chat client --help`, and are added to, never changed.

use chat_core::{ClientEnd, ClientEvent, OldMessages};
use chat_proto::limits::LOOK_BACK_MESSAGES_MAX;
use chat_proto::{DirectItem, Entry, Event, LookBack, Text};
use serde::{Deserialize, Serialize};

use crate::terminal::rfc_3339;

/// An object on stdin.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// Says something, in several messages if it has several lines.
    Say { text: String },
    /// Gives the room a command, with its slash.
    Command { text: String },
    /// Asks for the members that are present.
    Who {},
    /// Asks for old messages.
    History {
        /// Those before this sequence number; default the newest.
        before: Option<u64>,
        /// At most so many; default, and at most, as many as one answer has.
        messages: Option<u8>,
        /// What this author said.
        author: Option<String>,
        /// What has all of these words.
        words: Option<String>,
    },
}

impl Request {
    /// Reads a line of stdin. The error says what is wrong with it.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }
}

/// The question of a [`Request::History`]; what is wrong with it if it is none.
pub(super) fn look_back(
    before: Option<u64>,
    messages: Option<u8>,
    author: Option<String>,
    words: Option<String>,
) -> Result<LookBack, String> {
    let author = author.map(|author| author.parse().map_err(|_| format!("{author} is no author")));
    let words = words.map(|words| Text::one_line(&words).map_err(|error| error.to_string()));
    Ok(LookBack {
        before: before.unwrap_or(u64::MAX),
        messages: messages.unwrap_or(LOOK_BACK_MESSAGES_MAX).min(LOOK_BACK_MESSAGES_MAX),
        author: author.transpose()?,
        words: words.transpose()?,
    })
}

/// An object on stdout.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Report<'a> {
    Connected {
        you: String,
        members: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<&'a str>,
    },
    Message {
        seq: u64,
        time: Option<String>,
        member: String,
        author: String,
        text: &'a str,
        own: bool,
    },
    Joined {
        seq: u64,
        time: Option<String>,
        peer: String,
        members: u32,
    },
    Left {
        seq: u64,
        time: Option<String>,
        peer: String,
        reason: String,
        members: u32,
    },
    PresenceSummary {
        seq: u64,
        time: Option<String>,
        joined: u32,
        left: u32,
        members: u32,
    },
    Renamed {
        seq: u64,
        time: Option<String>,
        member: String,
        from: String,
        to: String,
    },
    Topic {
        seq: u64,
        time: Option<String>,
        author: String,
        text: &'a str,
    },
    /// The host has refused a message of this client.
    NotSaid {
        text: Option<&'a str>,
        why: &'a str,
    },
    Private {
        member: String,
        author: String,
        text: &'a str,
    },
    Notice {
        text: &'a str,
    },
    Undelivered {
        to: String,
        why: &'a str,
    },
    /// A command is dealt with.
    Done {},
    /// A private message of this client is on its way to the other one.
    Sent {
        to: String,
        text: &'a str,
    },
    Ignoring {
        member: String,
        is_ignored: bool,
    },
    /// Of a plain server.
    Line {
        text: &'a str,
    },
    Missed {
        messages: u64,
    },
    Present {
        members: u32,
        peers: Vec<String>,
        more: bool,
    },
    /// Old messages.
    History {
        messages: Vec<Old<'a>>,
        more: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
    },
    Unsure {
        texts: Vec<&'a str>,
    },
    Lost {
        error: String,
        retry_in_ms: u64,
    },
    Ended {
        reason: String,
    },
    /// A line of stdin was no request.
    Refused {
        line: u64,
        error: &'a str,
    },
}

/// A message of [`Report::History`], with the fields of [`Report::Message`].
#[derive(Debug, Serialize)]
struct Old<'a> {
    seq: u64,
    time: Option<String>,
    member: String,
    author: String,
    text: &'a str,
}

/// Writes objects. Knows when the room began, and so the time of its entries.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    began_unix_ms: u64,
}

impl Reporter {
    /// Appends what happened to `out`, if it is of interest.
    pub(super) fn event(&mut self, out: &mut String, event: &ClientEvent) {
        let report = match event {
            ClientEvent::Connected(welcome) => {
                self.began_unix_ms = welcome.began_unix_ms;
                Report::Connected {
                    you: welcome.you.to_string(),
                    members: welcome.members,
                    room: welcome.room.as_ref().map(Text::as_str),
                    topic: welcome.topic.as_ref().map(Text::as_str),
                }
            }
            ClientEvent::Entry { entry, own } => {
                let (seq, time) = (entry.seq, rfc_3339(self.began_unix_ms.saturating_add(entry.at_ms)));
                match &entry.event {
                    Event::Said { from, author, text } => Report::Message {
                        seq,
                        time,
                        member: from.member.to_string(),
                        author: author.to_string(),
                        text: text.as_str(),
                        own: *own,
                    },
                    Event::Renamed { member, from, to } => Report::Renamed {
                        seq,
                        time,
                        member: member.to_string(),
                        from: from.to_string(),
                        to: to.to_string(),
                    },
                    Event::Topic { author, text, .. } => {
                        Report::Topic { seq, time, author: author.to_string(), text: text.as_str() }
                    }
                    Event::Joined { author, members, .. } => {
                        Report::Joined { seq, time, peer: author.to_string(), members: *members }
                    }
                    Event::Left { author, reason, members, .. } => {
                        let (peer, reason) = (author.to_string(), reason.to_string());
                        Report::Left { seq, time, peer, reason, members: *members }
                    }
                    Event::PresenceSummary { joined, left, members } => {
                        Report::PresenceSummary { seq, time, joined: *joined, left: *left, members: *members }
                    }
                    _ => return,
                }
            }
            ClientEvent::Refused { text, why } => {
                Report::NotSaid { text: text.as_ref().map(Text::as_str), why: why.as_str() }
            }
            ClientEvent::Direct(item) => match item {
                DirectItem::Private { from, author, text } => Report::Private {
                    member: from.to_string(),
                    author: author.to_string(),
                    text: text.as_str(),
                },
                DirectItem::Notice { text } => Report::Notice { text: text.as_str() },
                DirectItem::Done { .. } => Report::Done {},
                DirectItem::Sent { to, text, .. } => Report::Sent { to: to.to_string(), text: text.as_str() },
                DirectItem::Ignoring { member, is_ignored } => {
                    Report::Ignoring { member: member.to_string(), is_ignored: *is_ignored }
                }
                DirectItem::Undelivered { to, why } => {
                    Report::Undelivered { to: to.to_string(), why: why.as_str() }
                }
                _ => return,
            },
            ClientEvent::Line(text) => Report::Line { text: text.as_str() },
            ClientEvent::Missed(messages) => Report::Missed { messages: *messages },
            ClientEvent::Present(present) => Report::Present {
                members: present.members,
                peers: present.authors.iter().map(ToString::to_string).collect(),
                more: present.more,
            },
            ClientEvent::OldMessages(OldMessages { messages, more, why, .. }) => Report::History {
                messages: messages.iter().filter_map(|entry| self.old(entry)).collect(),
                more: *more,
                why: why.as_ref().map(Text::as_str),
            },
            ClientEvent::Unsure(texts) => Report::Unsure { texts: texts.iter().map(Text::as_str).collect() },
            ClientEvent::Lost { error, retry_in } => Report::Lost {
                error: error.to_string(),
                retry_in_ms: u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
            },
            ClientEvent::Ended(end) => Report::Ended { reason: reason(end) },
            _ => return,
        };
        write(out, &report);
    }

    fn old<'a>(&self, entry: &'a Entry) -> Option<Old<'a>> {
        let Event::Said { from, author, text } = &entry.event else { return None };
        Some(Old {
            seq: entry.seq,
            time: rfc_3339(self.began_unix_ms.saturating_add(entry.at_ms)),
            member: from.member.to_string(),
            author: author.to_string(),
            text: text.as_str(),
        })
    }
}

/// Appends that line `line` of stdin is no request.
pub(super) fn refused(out: &mut String, line: u64, error: &str) {
    write(out, &Report::Refused { line, error });
}

fn reason(end: &ClientEnd) -> String {
    match end {
        ClientEnd::Left => "left".to_owned(),
        ClientEnd::Dismissed(reason) => reason.to_string(),
        end => end.to_string(),
    }
}

fn write(out: &mut String, report: &Report<'_>) {
    let object = serde_json::to_string(report).expect("invariant: strings and numbers have a JSON form");
    out.push_str(&object);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use chat_proto::{Author, LeaveReason, MemberId, Origin, Present, Session, Welcome};

    use super::*;

    fn lines(events: &[ClientEvent]) -> Vec<String> {
        let mut out = String::new();
        let mut reporter = Reporter::default();
        events.iter().for_each(|event| reporter.event(&mut out, event));
        out.lines().map(str::to_owned).collect()
    }

    fn peer() -> Author {
        "127.0.0.1:57814".parse().expect("an address")
    }

    fn old(event: Event) -> Arc<Entry> {
        Arc::new(Entry { seq: 7, at_ms: 123, event })
    }

    fn entry(event: Event) -> ClientEvent {
        ClientEvent::Entry { entry: old(event), own: false }
    }

    fn connected() -> ClientEvent {
        ClientEvent::Connected(Welcome {
            version: 2,
            capabilities: 0,
            epoch: 1,
            session: Session { member: MemberId::new(1), since: 0, key: 2 },
            resumed: false,
            taken: Some(0),
            you: peer(),
            address: "127.0.0.1:57814".parse().expect("clean"),
            room: None,
            name: None,
            topic: None,
            head: 6,
            began_unix_ms: 1_795_402_243_000,
            members: 3,
        })
    }

    #[test]
    fn the_objects_on_stdout_are_these() {
        let text = |text: &str| Text::one_line(text).expect("short");
        let member = MemberId::new(8);
        let from = Origin { member, number: 9 };
        let events = [
            connected(),
            entry(Event::Said { from, author: peer(), text: text("say \"hi\"\x1b \\") }),
            entry(Event::Joined { member, author: peer(), members: 4 }),
            entry(Event::Left { member, author: peer(), reason: LeaveReason::Lost, members: 3 }),
            entry(Event::PresenceSummary { joined: 12, left: 3, members: 240 }),
            ClientEvent::Refused { text: Some(text("buy")), why: text("no spam") },
            ClientEvent::Direct(DirectItem::Private { from: member, author: peer(), text: text("psst") }),
            ClientEvent::Direct(DirectItem::Notice { text: text("hi") }),
            ClientEvent::Direct(DirectItem::Undelivered { to: peer(), why: text("left") }),
            ClientEvent::Direct(DirectItem::Done { number: 1 }),
            ClientEvent::Direct(DirectItem::Sent { number: 2, to: peer(), text: text("psst") }),
            ClientEvent::Direct(DirectItem::Ignoring { member, is_ignored: true }),
            entry(Event::Renamed { member, from: peer(), to: Author::Room }),
            entry(Event::Topic { member, author: peer(), text: text("tea") }),
            ClientEvent::Direct(DirectItem::Unknown { kind: 77 }),
            ClientEvent::Line(text("[x] raw")),
            ClientEvent::Missed(5),
            ClientEvent::Present(Present { members: 2, authors: vec![peer()], more: false }),
            ClientEvent::OldMessages(OldMessages {
                question: LookBack::newest(1),
                messages: vec![old(Event::Said { from, author: peer(), text: text("hi") })],
                more: true,
                why: None,
            }),
            ClientEvent::OldMessages(OldMessages {
                question: LookBack::newest(1),
                messages: Vec::new(),
                more: false,
                why: Some(text("the disk is full")),
            }),
            ClientEvent::Unsure(vec![text("lost?")]),
            ClientEvent::Lost { error: std::io::Error::other("gone"), retry_in: Duration::from_millis(500) },
            ClientEvent::Ended(ClientEnd::Dismissed(LeaveReason::kicked("spam").expect("short"))),
        ];
        let expected = [
            r#"{"type":"connected","you":"127.0.0.1:57814","members":3}"#,
            r#"{"type":"message","seq":7,"time":"2026-11-23T02:50:43.123Z","member":"8","author":"127.0.0.1:57814","text":"say \"hi\"␛ \\","own":false}"#,
            r#"{"type":"joined","seq":7,"time":"2026-11-23T02:50:43.123Z","peer":"127.0.0.1:57814","members":4}"#,
            r#"{"type":"left","seq":7,"time":"2026-11-23T02:50:43.123Z","peer":"127.0.0.1:57814","reason":"connection lost","members":3}"#,
            r#"{"type":"presence_summary","seq":7,"time":"2026-11-23T02:50:43.123Z","joined":12,"left":3,"members":240}"#,
            r#"{"type":"not_said","text":"buy","why":"no spam"}"#,
            r#"{"type":"private","member":"8","author":"127.0.0.1:57814","text":"psst"}"#,
            r#"{"type":"notice","text":"hi"}"#,
            r#"{"type":"undelivered","to":"127.0.0.1:57814","why":"left"}"#,
            r#"{"type":"done"}"#,
            r#"{"type":"sent","to":"127.0.0.1:57814","text":"psst"}"#,
            r#"{"type":"ignoring","member":"8","is_ignored":true}"#,
            r#"{"type":"renamed","seq":7,"time":"2026-11-23T02:50:43.123Z","member":"8","from":"127.0.0.1:57814","to":"*"}"#,
            r#"{"type":"topic","seq":7,"time":"2026-11-23T02:50:43.123Z","author":"127.0.0.1:57814","text":"tea"}"#,
            r#"{"type":"line","text":"[x] raw"}"#,
            r#"{"type":"missed","messages":5}"#,
            r#"{"type":"present","members":2,"peers":["127.0.0.1:57814"],"more":false}"#,
            r#"{"type":"history","messages":[{"seq":7,"time":"2026-11-23T02:50:43.123Z","member":"8","author":"127.0.0.1:57814","text":"hi"}],"more":true}"#,
            r#"{"type":"history","messages":[],"more":false,"why":"the disk is full"}"#,
            r#"{"type":"unsure","texts":["lost?"]}"#,
            r#"{"type":"lost","error":"gone","retry_in_ms":500}"#,
            r#"{"type":"ended","reason":"kicked: spam"}"#,
        ];
        assert_eq!(lines(&events), expected);
    }

    #[test]
    fn a_time_that_no_calendar_has_is_null() {
        let far = ClientEvent::Entry {
            entry: Arc::new(Entry {
                seq: 1,
                at_ms: u64::MAX,
                event: Event::Joined { member: MemberId::new(1), author: peer(), members: 1 },
            }),
            own: false,
        };
        assert!(lines(&[far])[0].contains(r#""time":null"#));
    }

    #[test]
    fn the_objects_on_stdin_are_these() {
        let say = Request::Say { text: "a\nb".to_owned() };
        assert_eq!(Request::parse(br#"{"type":"say","text":"a\nb"}"#), Ok(say));
        let command = Request::Command { text: "/nick ann".to_owned() };
        assert_eq!(Request::parse(br#"{"type":"command","text":"/nick ann"}"#), Ok(command));
        assert_eq!(Request::parse(br#"{"type":"who"}"#), Ok(Request::Who {}));
        let newest = Request::History { before: None, messages: None, author: None, words: None };
        assert_eq!(Request::parse(br#"{"type":"history"}"#), Ok(newest));
        let (author, words) = (Some("ann".to_owned()), Some("deploy failed".to_owned()));
        let found = Request::History { before: Some(9), messages: Some(20), author, words };
        let line = br#"{"type":"history","before":9,"messages":20,"author":"ann","words":"deploy failed"}"#;
        assert_eq!(Request::parse(line), Ok(found));
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for line in [
            "",
            "hello",
            "{}",
            r#"{"type":"say"}"#,
            r#"{"type":"say","text":1}"#,
            r#"{"type":"shout","text":"a"}"#,
        ] {
            assert!(Request::parse(line.as_bytes()).is_err(), "{line}");
        }
        assert!(
            Request::parse(br#"{"type":"say","text":"a","to":"b"}"#).is_err(),
            "no field is ignored in silence"
        );
    }
}
