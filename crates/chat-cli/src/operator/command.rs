//! What a line typed at an operator's console means.

use chat_core::commands::{Action, CommandTable, Line};
use chat_core::{LocalMember, Room};

/// What only the console has.
const OWN: [&str; 4] = ["/quit", "/reload", "/say", "/stop"];

/// How they are used, each with the names that it explains.
const HELP: [(&[&str], &str); 3] = [
    (&["say"], "TEXT, /say TEXT: Say it to everyone, as [*] TEXT"),
    (&["reload"], "/reload: Read the configuration, the bans, the password and the certificate again"),
    (&["quit", "stop"], "/quit, /stop: Close the room and stop the server"),
];

/// What is to be done besides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing.
    Done,
    /// To be shown to the operator.
    Answer(String),
    /// To be shown as something that went wrong.
    Refused(String),
    /// The operator wants to be in this room.
    Move(Room),
    /// The operator wants the configuration to be read again.
    Reload,
    /// The operator wants to stop the server.
    Quit,
}

/// The commands, for completion.
pub(crate) fn names() -> Vec<String> {
    let table = CommandTable::default();
    let rooms = table.iter().map(|command| format!("/{}", command.name()));
    let mut names: Vec<String> = rooms.chain(OWN.map(str::to_owned)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Does what a line says: a command of the room is given by `local`.
pub(crate) fn run(local: &LocalMember, line: &str) -> Outcome {
    if line.trim().is_empty() {
        return Outcome::Done;
    }
    let rest = match Line::read(line) {
        Line::Text(said) => return say(local, &said),
        Line::Command(rest) => rest,
    };
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match (name.to_lowercase().as_str(), argument.trim()) {
        ("help", about) => help(local, about),
        ("quit" | "stop", "") => Outcome::Quit,
        ("reload", "") => Outcome::Reload,
        ("quit" | "stop" | "reload", _) => {
            Outcome::Refused(format!("/{name} takes no arguments; nothing was done"))
        }
        ("say", "") => Outcome::Refused("/say needs a text; nothing was said".to_owned()),
        ("say", text) => say(local, text),
        _ => command(local, rest.trim_end()),
    }
}

/// Whether a line that was done has changed who is banned.
pub(crate) fn changes_bans(line: &str) -> bool {
    let name = line.split_whitespace().next().unwrap_or_default();
    name.eq_ignore_ascii_case("/ban") || name.eq_ignore_ascii_case("/unban")
}

fn say(local: &LocalMember, text: &str) -> Outcome {
    match local.notice(text) {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Refused(format!("Nothing was said: {error}")),
    }
}

fn command(local: &LocalMember, line: &str) -> Outcome {
    let reply = match local.command(line) {
        Ok(reply) => reply,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    if let Some(Action::Move(opening)) = reply.action {
        return opening.wait().map_or_else(|error| Outcome::Refused(error.to_string()), Outcome::Move);
    }
    let lines: Vec<&str> = reply.lines.iter().map(chat_proto::Text::as_str).collect();
    match lines.join("\n") {
        text if reply.is_refused => Outcome::Refused(text),
        text if text.is_empty() => Outcome::Done,
        text => Outcome::Answer(text),
    }
}

/// The help of the room's commands with those of the console, or of one command.
fn help(local: &LocalMember, about: &str) -> Outcome {
    let about = about.trim_start_matches('/').to_lowercase();
    if let Some((_, usage)) = HELP.iter().find(|(names, _)| names.contains(&about.as_str())) {
        return Outcome::Answer((*usage).to_owned());
    }
    match command(local, format!("help {about}").trim_end()) {
        Outcome::Answer(text) if text.contains('\n') => {
            let rooms = text.lines().filter(|line| !line.starts_with("/quit:"));
            let lines: Vec<&str> = rooms.chain(HELP.iter().map(|(_, usage)| *usage)).collect();
            Outcome::Answer(lines.join("\n"))
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use chat_core::{Heard, RoomConfig};
    use chat_proto::Event;

    use super::*;

    fn said(line: &str) -> (Outcome, Vec<String>) {
        let room = Room::new(RoomConfig::default());
        let local = room.join("ann").expect("free");
        let console = room.join("console").expect("free");
        console.set_operator(true);
        let outcome = run(&console, line);
        let mut said = Vec::new();
        while let Ok(heard) = local.try_recv() {
            if let Heard::Entry(entry) = heard
                && let Event::Said { author, text, .. } = &entry.event
            {
                said.push(format!("[{author}] {text}"));
            }
        }
        (outcome, said)
    }

    #[test]
    fn what_the_operator_types_is_said_by_the_room() {
        assert_eq!(said("hello all"), (Outcome::Done, vec!["[*] hello all".to_owned()]));
        assert_eq!(said("/say hello all"), (Outcome::Done, vec!["[*] hello all".to_owned()]));
        assert_eq!(said("//kick is a command"), (Outcome::Done, vec!["[*] /kick is a command".to_owned()]));
        assert_eq!(said(" //kick is one"), (Outcome::Done, vec!["[*]  /kick is one".to_owned()]));
        assert_eq!(said("  "), (Outcome::Done, vec![]));
    }

    #[test]
    fn an_unknown_command_says_nothing() {
        for line in [
            "/",
            "/say",
            "/kik 127.0.0.1:1",
            "/quit now",
            "/reload now",
            "/kick bob",
            "/kick 127.0.0.1:1",
            "/mute bob",
            "/unban bob",
        ] {
            let (outcome, said) = said(line);
            assert!(matches!(outcome, Outcome::Refused(_)), "{line}");
            assert!(said.is_empty(), "{line}");
        }
    }

    #[test]
    fn commands_answer() {
        assert!(
            matches!(said("/who").0, Outcome::Answer(text) if text.starts_with("0 present, 2 local\nann (local, "))
        );
        assert!(matches!(said("/stats").0, Outcome::Answer(text) if text.contains("members: 0 now")));
        let Outcome::Answer(help) = said("/help").0 else { panic!("help answers") };
        assert!(names().iter().all(|name| help.contains(name)), "{help}");
        assert!(matches!(said("/help KICK").0, Outcome::Answer(text) if text.starts_with("/kick NAME")));
        for about in ["quit", "/stop", "STOP"] {
            let answer = said(&format!("/Help {about}")).0;
            assert_eq!(
                answer,
                Outcome::Answer("/quit, /stop: Close the room and stop the server".to_owned())
            );
        }
        assert_eq!(said("/STOP").0, Outcome::Quit);
        assert_eq!(said("/Reload").0, Outcome::Reload);
        assert_eq!(said("/stop").0, Outcome::Quit);
        assert_eq!(said("/quit").0, Outcome::Quit);
    }

    #[test]
    fn in_a_closing_room_the_operator_is_told_that_nothing_was_said() {
        let room = Room::new(RoomConfig::default());
        let console = room.join("console").expect("free");
        room.close("", std::time::Duration::ZERO);
        assert!(matches!(run(&console, "hello"), Outcome::Refused(_)));
    }
}
