//! What a line typed at an operator's console means.

use chat_core::{KickError, Room, Stats};
use chat_proto::Author;

/// The commands, for completion.
pub(crate) const COMMANDS: [&str; 6] = ["/help", "/kick", "/quit", "/say", "/stats", "/who"];

const HELP: &str = "\
TEXT                 say it to everyone, as [*] TEXT; or /say TEXT
/who                 who is here
/kick ADDR [REASON]  make somebody leave; Tab completes the address
/stats               what the room has counted
/quit                close the room and stop the server
/help                this
//TEXT               say a line that begins with a slash";

/// What else is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing.
    Done,
    /// To be shown to the operator.
    Answer(String),
    /// To be shown as something that went wrong.
    Refused(String),
    /// The operator wants to stop the server.
    Quit,
}

/// Carries out a line.
pub(crate) fn run(room: &Room, line: &str) -> Outcome {
    if line.trim().is_empty() {
        return Outcome::Done;
    }
    let Some(rest) = line.strip_prefix('/') else { return say(room, line) };
    if rest.starts_with('/') {
        return say(room, rest);
    }
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    match (name, argument.trim()) {
        ("help", "") => Outcome::Answer(HELP.to_owned()),
        ("who", "") => Outcome::Answer(who(room)),
        ("stats", "") => Outcome::Answer(stats(&room.stats())),
        ("quit", "") => Outcome::Quit,
        ("say", "") => Outcome::Refused("/say needs a text; nothing was said".to_owned()),
        ("say", text) => say(room, text),
        ("kick", argument) => kick(room, argument),
        ("help" | "who" | "stats" | "quit", _) => {
            Outcome::Refused(format!("/{name} stands alone; nothing was said"))
        }
        _ => Outcome::Refused(format!(
            "There is no command /{name}; nothing was said. /help lists them; to say such a line, begin it with //"
        )),
    }
}

fn say(room: &Room, text: &str) -> Outcome {
    match room.notice(text) {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Refused(format!("Nothing was said: {error}")),
    }
}

fn kick(room: &Room, argument: &str) -> Outcome {
    let (address, why) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let Some(who) = address.parse::<Author>().ok().filter(|who| who.address().is_some()) else {
        return Outcome::Refused(
            "/kick needs an address, such as /kick 127.0.0.1:57814 no spam please".to_owned(),
        );
    };
    match room.kick(who, why.trim()) {
        Ok(()) => Outcome::Done, // the room tells
        Err(error @ KickError::NotPresent) => Outcome::Refused(format!("{error}; /who lists them")),
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

fn who(room: &Room) -> String {
    let mut members = room.members();
    members.sort_unstable();
    match members.len() {
        0 => "Nobody is here.".to_owned(),
        count => {
            let members: Vec<String> = members.iter().map(ToString::to_string).collect();
            format!("{count} present: {}", members.join(", "))
        }
    }
}

fn stats(stats: &Stats) -> String {
    stats.lines().join("\n")
}

#[cfg(test)]
mod tests {
    use chat_core::{Heard, RoomConfig};
    use chat_proto::Event;

    use super::*;

    fn said(line: &str) -> (Outcome, Vec<String>) {
        let room = Room::new(RoomConfig::default());
        let local = room.join("ann").expect("free");
        let outcome = run(&room, line);
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
        assert_eq!(said("  "), (Outcome::Done, vec![]));
    }

    #[test]
    fn an_unknown_command_says_nothing() {
        for line in ["/", "/say", "/kik 127.0.0.1:1", "/quit now", "/kick", "/kick bob", "/kick 127.0.0.1:1"]
        {
            let (outcome, said) = said(line);
            assert!(matches!(outcome, Outcome::Refused(_)), "{line}");
            assert!(said.is_empty(), "{line}");
        }
    }

    #[test]
    fn commands_answer() {
        assert_eq!(said("/who").0, Outcome::Answer("Nobody is here.".to_owned()));
        assert!(matches!(said("/stats").0, Outcome::Answer(text) if text.contains("members: 0 now")));
        assert!(
            matches!(said("/help").0, Outcome::Answer(text) if COMMANDS.iter().all(|command| text.contains(command)))
        );
        assert_eq!(said("/quit").0, Outcome::Quit);
    }

    #[test]
    fn in_a_closing_room_the_operator_is_told_that_nothing_was_said() {
        let room = Room::new(RoomConfig::default());
        room.close("", std::time::Duration::ZERO);
        assert!(matches!(run(&room, "hello"), Outcome::Refused(_)));
    }
}
