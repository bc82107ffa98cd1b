//! Tests: whatever character somebody puts into a name, every output shows the name, or there is no such name.

use std::sync::Arc;

use chat_core::{ClientEvent, Heard};
use chat_proto::{Author, Entry, Event, MemberId, Name, Origin, Spelling, Text};
use serde_json::Value;

use super::interactive::mention::Mentions;
use super::interactive::view::{Look, Now, View};
use super::pipe::json::Reporter;
use crate::args::Bell;
use crate::operator::Update;
use crate::operator::wording::wording;
use crate::terminal::{Pen, emulated, printable};

const NOW: Now = Now { elapsed: std::time::Duration::ZERO, unix_ms: 0 };

/// Of this many names one is shown on an emulated terminal, which is slow.
const SHOWN_OF: usize = 101;

fn view() -> View {
    let look = Look {
        pen: Pen { colour: true },
        clock: None,
        bell: Bell::Never,
        plain: false,
        server: "tcp 127.0.0.1:5555".to_owned(),
    };
    View::new(look, Mentions::new(&[]))
}

fn said(name: &Name) -> Arc<Entry> {
    let (from, author) = (Origin { member: MemberId::new(1), number: 1 }, Author::Named(name.clone()));
    let text = Text::one_line("hello").expect("it is short");
    Arc::new(Entry { seq: 1, at_ms: 0, event: Event::Said { from, author, text } })
}

/// What a program reads, which is one line.
fn json(line: &str, name: &Name) -> Value {
    assert!(!line.trim_end_matches('\n').contains(char::is_control), "{name:?} is not clean in {line:?}");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{name:?} in {line:?}: {error}"))
}

#[test]
fn any_character_in_a_name_is_refused_or_clean_for_programs_terminals_and_files() {
    let (mut names, mut view) = (0, view());
    for character in '\0'..=char::MAX {
        let spellings = [format!("{character}"), format!("a{character}b")];
        for name in spellings.iter().filter_map(|spelling| spelling.parse::<Name>().ok()) {
            names += 1;
            let (entry, line) = (said(&name), format!("[{name}] hello"));
            // The server's stdout, its log file and its console.
            let heard = Heard::Entry(Arc::clone(&entry));
            let mut spelling = Spelling::default();
            let worded = wording(&heard, &mut spelling).expect("a message has a line");
            let mut written = String::new();
            worded.write(&mut written);
            assert_eq!(written, line);
            assert_eq!(printable(&line), line, "{name:?}");
            // `chat admin`.
            let update =
                Update::Heard { unix_ms: 0, author: worded.author.into_owned(), what: String::new() };
            let sent = serde_json::to_string(&update).expect("strings have a form in JSON");
            assert_eq!(json(&sent, &name)["heard"]["author"], name.as_str());
            // `--json`.
            let event = ClientEvent::Entry { entry, own: false };
            let mut out = String::new();
            Reporter::default().event(&mut out, &event);
            assert_eq!(json(&out, &name)["author"], name.as_str());
            // The client's terminal.
            if names % SHOWN_OF == 0 {
                view.on_event(&event, NOW);
                let [drawn] = &view.take_lines()[..] else { panic!("{name:?} is one line") };
                assert_eq!(emulated::shown(drawn).trim_start(), line, "{name:?}");
            }
            // The labels of metrics.
            assert!(!name.as_str().contains(['"', '\\', '\n', '{', '}', '=', ',']), "{name:?}");
        }
    }
    assert!(names > 70_000, "most letters are letters of names: {names}");
}
