//! `--json`: one object per line, in and out, in the schema of [`chat_proto::json`].

use chat_core::{ClientEnd, ClientEvent, OldMessages};
use chat_proto::Text;
use chat_proto::json::{OldReport, Report, Request};

/// Reads a line of stdin. The error says what is wrong with it.
pub(crate) fn parse(line: &[u8]) -> Result<Request, String> {
    let request = Request::parse(line).map_err(|error| error.to_string())?;
    match request {
        Request::Say { number: None, .. }
        | Request::Command { number: None, .. }
        | Request::History { question: None, .. }
        | Request::Who {} => Ok(request),
        Request::Say { .. } | Request::Command { .. } | Request::History { .. } => {
            Err("the client numbers its messages and questions itself".to_owned())
        }
        _ => Err("the client does that itself".to_owned()),
    }
}

/// Writes objects. Knows when the room began, and so the time of its entries.
#[derive(Debug, Default)]
pub(crate) struct Reporter {
    began_unix_ms: u64,
}

impl Reporter {
    /// Appends what happened to `out`, if it is of interest.
    pub(crate) fn event(&mut self, out: &mut String, event: &ClientEvent) {
        let report = match event {
            ClientEvent::Connected { welcome, .. } => {
                self.began_unix_ms = welcome.began_unix_ms;
                Report::connected(welcome)
            }
            ClientEvent::Entry { entry, own: is_own } => {
                let Some(mut report) = Report::entry(entry, None, self.began_unix_ms) else { return };
                if let Report::Message { own, .. } = &mut report {
                    *own = Some(*is_own);
                }
                report
            }
            ClientEvent::Refused { text, why } => Report::NotSaid {
                text: text.as_ref().map(Text::as_str),
                why: why.as_str(),
                number: None,
                direct: None,
            },
            ClientEvent::Direct(item) => match Report::item(item, None, self.began_unix_ms) {
                // The client has answered these itself.
                Report::Move { .. }
                | Report::NotSaid { .. }
                | Report::OldMessage { .. }
                | Report::OldEnd { .. }
                | Report::Unknown { .. } => return,
                report => report,
            },
            ClientEvent::Line(text) => Report::Line { text: text.as_str() },
            ClientEvent::Missed(messages) => Report::Missed { messages: *messages, taken: None },
            ClientEvent::Present(present) => Report::present(present),
            ClientEvent::OldMessages(OldMessages { messages, more, why, .. }) => Report::History {
                messages: messages
                    .iter()
                    .filter_map(|entry| OldReport::new(entry, self.began_unix_ms))
                    .collect(),
                more: *more,
                why: why.as_ref().map(Text::as_str),
            },
            ClientEvent::Unsure(texts) => Report::Unsure { texts: texts.iter().map(Text::as_str).collect() },
            ClientEvent::Lost { error, retry_in } => Report::Lost {
                error: error.to_string(),
                retry_in_ms: u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
            },
            ClientEvent::Ended(end) => Report::Ended { reason: reason(end), code: code(end) },
            _ => return,
        };
        write(out, &report);
    }
}

/// Appends that line `line` of stdin is not a request.
pub(crate) fn refused(out: &mut String, line: u64, error: &str) {
    write(out, &Report::Refused { line, error });
}

/// The number of the reason for which the room ended the membership.
fn code(end: &ClientEnd) -> Option<u8> {
    if let ClientEnd::Dismissed(reason) = end { Some(reason.code()) } else { None }
}

fn reason(end: &ClientEnd) -> String {
    match end {
        ClientEnd::Left => "left".to_owned(),
        ClientEnd::Dismissed(reason) => reason.to_string(),
        end => end.to_string(),
    }
}

fn write(out: &mut String, report: &Report<'_>) {
    let mut object = Vec::new();
    report.write(&mut object);
    out.push_str(&String::from_utf8_lossy(&object));
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use chat_proto::{
        Author, DirectItem, Entry, Event, LeaveReason, LookBack, MemberId, Origin, Present, Session, Welcome,
    };

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
        let welcome = Welcome {
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
        };
        welcome.into()
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
            r#"{"type":"connected","you":"127.0.0.1:57814","members":3,"member":"1","head":6,"resumed":false,"commands":false,"taken":0}"#,
            r#"{"type":"message","seq":7,"time":"2026-11-23T02:50:43.123Z","member":"8","author":"127.0.0.1:57814","text":"say \"hi\"␛ \\","own":false,"number":9}"#,
            r#"{"type":"joined","seq":7,"time":"2026-11-23T02:50:43.123Z","peer":"127.0.0.1:57814","members":4,"member":"8"}"#,
            r#"{"type":"left","seq":7,"time":"2026-11-23T02:50:43.123Z","peer":"127.0.0.1:57814","reason":"connection lost","members":3,"member":"8"}"#,
            r#"{"type":"presence_summary","seq":7,"time":"2026-11-23T02:50:43.123Z","joined":12,"left":3,"members":240}"#,
            r#"{"type":"not_said","text":"buy","why":"no spam"}"#,
            r#"{"type":"private","member":"8","author":"127.0.0.1:57814","text":"psst"}"#,
            r#"{"type":"notice","text":"hi"}"#,
            r#"{"type":"undelivered","to":"127.0.0.1:57814","why":"left"}"#,
            r#"{"type":"done","number":1}"#,
            r#"{"type":"sent","to":"127.0.0.1:57814","text":"psst","number":2}"#,
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
            r#"{"type":"ended","reason":"kicked: spam","code":10}"#,
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
    fn what_the_client_does_itself_is_refused_on_stdin() {
        assert_eq!(parse(br#"{"type":"who"}"#), Ok(Request::Who {}));
        let say = Request::Say { text: "a\nb".to_owned(), number: None };
        assert_eq!(parse(br#"{"type":"say","text":"a\nb"}"#), Ok(say));
        for object in [
            "hello",
            r#"{"type":"hello"}"#,
            r#"{"type":"bye"}"#,
            r#"{"type":"say","text":"a","number":1}"#,
            r#"{"type":"say","text":"a","to":"b"}"#,
        ] {
            assert!(parse(object.as_bytes()).is_err(), "{object}");
        }
    }
}
