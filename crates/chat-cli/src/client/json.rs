//! `--json`: one object per line, in and out.
//!
//! The fields are documented in `chat client --help`, and are added to, never changed.

use chat_core::{ClientEnd, ClientEvent};
use chat_proto::{Event, Text};
use serde::{Deserialize, Serialize};

use crate::terminal::rfc_3339;

/// An object on stdin.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// Says something, in several messages if it has several lines.
    Say { text: String },
    /// Asks who is present.
    Who {},
}

impl Request {
    /// Reads a line of stdin; what is wrong with it if it is none.
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }
}

/// An object on stdout.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Report<'a> {
    Connected {
        you: String,
        members: u32,
    },
    Message {
        seq: u64,
        time: Option<String>,
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
    /// The host has refused a message of this client.
    NotSaid {
        seq: u64,
        time: Option<String>,
        why: &'a str,
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
                Report::Connected { you: welcome.you.to_string(), members: welcome.members }
            }
            ClientEvent::Entry { entry, own } => {
                let (seq, time) = (entry.seq, rfc_3339(self.began_unix_ms.saturating_add(entry.at_ms)));
                match &entry.event {
                    Event::Said { author, text } => Report::Message {
                        seq,
                        time,
                        author: author.to_string(),
                        text: text.as_str(),
                        own: *own,
                    },
                    Event::Joined { peer, members } => {
                        Report::Joined { seq, time, peer: peer.to_string(), members: *members }
                    }
                    Event::Left { peer, reason, members } => {
                        let (peer, reason) = (peer.to_string(), reason.to_string());
                        Report::Left { seq, time, peer, reason, members: *members }
                    }
                    Event::PresenceSummary { joined, left, members } => {
                        Report::PresenceSummary { seq, time, joined: *joined, left: *left, members: *members }
                    }
                    Event::Refused { why, .. } if *own => Report::NotSaid { seq, time, why: why.as_str() },
                    _ => return,
                }
            }
            ClientEvent::Line(text) => Report::Line { text: text.as_str() },
            ClientEvent::Missed(messages) => Report::Missed { messages: *messages },
            ClientEvent::Present(present) => Report::Present {
                members: present.members,
                peers: present.peers.iter().map(ToString::to_string).collect(),
                more: present.more,
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

    use chat_proto::{Entry, LeaveReason, PeerAddr, Present, Session, Welcome};

    use super::*;

    fn lines(events: &[ClientEvent]) -> Vec<String> {
        let mut out = String::new();
        let mut reporter = Reporter::default();
        events.iter().for_each(|event| reporter.event(&mut out, event));
        out.lines().map(str::to_owned).collect()
    }

    fn peer() -> PeerAddr {
        "127.0.0.1:57814".parse().expect("an address")
    }

    fn entry(event: Event) -> ClientEvent {
        ClientEvent::Entry { entry: Arc::new(Entry { seq: 7, at_ms: 123, event }), own: false }
    }

    fn connected() -> ClientEvent {
        ClientEvent::Connected(Welcome {
            epoch: 1,
            session: Session { member: 1, since: 0, key: 2 },
            you: peer(),
            head: 6,
            began_unix_ms: 1_795_402_243_000,
            members: 3,
        })
    }

    fn not_said() -> ClientEvent {
        let why = Text::one_line("no spam").expect("short");
        let mut event = entry(Event::Refused { peer: peer(), member: 1, said: 1, why });
        if let ClientEvent::Entry { own, .. } = &mut event {
            *own = true;
        }
        event
    }

    #[test]
    fn the_objects_on_stdout_are_these() {
        let text = |text: &str| Text::one_line(text).expect("short");
        let events = [
            connected(),
            entry(Event::Said { author: peer().into(), text: text("say \"hi\"\x1b \\") }),
            entry(Event::Joined { peer: peer(), members: 4 }),
            entry(Event::Left { peer: peer(), reason: LeaveReason::Lost, members: 3 }),
            entry(Event::PresenceSummary { joined: 12, left: 3, members: 240 }),
            not_said(),
            ClientEvent::Line(text("[x] raw")),
            ClientEvent::Missed(5),
            ClientEvent::Present(Present { members: 2, peers: vec![peer()], more: false }),
            ClientEvent::Unsure(vec![text("lost?")]),
            ClientEvent::Lost { error: std::io::Error::other("gone"), retry_in: Duration::from_millis(500) },
            ClientEvent::Ended(ClientEnd::Dismissed(LeaveReason::kicked("spam").expect("short"))),
        ];
        let expected = [
            r#"{"type":"connected","you":"127.0.0.1:57814","members":3}"#,
            r#"{"type":"message","seq":7,"time":"2026-11-23T02:50:43.123Z","author":"127.0.0.1:57814","text":"say \"hi\"␛ \\","own":false}"#,
            r#"{"type":"joined","seq":7,"time":"2026-11-23T02:50:43.123Z","peer":"127.0.0.1:57814","members":4}"#,
            r#"{"type":"left","seq":7,"time":"2026-11-23T02:50:43.123Z","peer":"127.0.0.1:57814","reason":"connection lost","members":3}"#,
            r#"{"type":"presence_summary","seq":7,"time":"2026-11-23T02:50:43.123Z","joined":12,"left":3,"members":240}"#,
            r#"{"type":"not_said","seq":7,"time":"2026-11-23T02:50:43.123Z","why":"no spam"}"#,
            r#"{"type":"line","text":"[x] raw"}"#,
            r#"{"type":"missed","messages":5}"#,
            r#"{"type":"present","members":2,"peers":["127.0.0.1:57814"],"more":false}"#,
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
                event: Event::Joined { peer: peer(), members: 1 },
            }),
            own: false,
        };
        assert!(lines(&[far])[0].contains(r#""time":null"#));
    }

    #[test]
    fn the_objects_on_stdin_are_these() {
        let say = Request::Say { text: "a\nb".to_owned() };
        assert_eq!(Request::parse(br#"{"type":"say","text":"a\nb"}"#), Ok(say));
        assert_eq!(Request::parse(br#"{"type":"who"}"#), Ok(Request::Who {}));
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
