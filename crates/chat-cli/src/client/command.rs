//! What a line typed into the client means.

use chat_core::commands::{CommandTable, Line};

use crate::room_commands::is_secret;

/// What a line typed into the client means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// To be said.
    Say(String),
    /// A command of the room, with its slash.
    Line(String),
    Help,
    Quit,
}

/// What `/help` shows before the commands of the room.
pub(super) const HELP: &str = "\
/quit             leave (also Ctrl-D, or Ctrl-C on an empty line)
//TEXT            say a line that begins with a slash
Up, Down          lines you typed before
Page Up           what was said before, page by page (also /history, /search)
Tab               complete a command, a member, or a room of /rooms
Ctrl-A, Ctrl-E    to the start, to the end
Ctrl-W, U, K, Y   cut a word, to the start, to the end; paste what was cut
Ctrl-C, L, Z      clear the line, clear the screen, to the background";

/// The commands, for completion: those of every room.
pub(super) fn names() -> Vec<String> {
    CommandTable::default().iter().map(|command| format!("/{}", command.name())).collect()
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Option<Command> {
    if line.trim().is_empty() {
        return None;
    }
    Some(match Line::read(line) {
        Line::Text(said) => Command::Say(said.into_owned()),
        Line::Command(rest) if rest.trim_end().eq_ignore_ascii_case("help") => Command::Help,
        // What follows is not said: nobody is told why a member leaves.
        Line::Command(rest)
            if rest.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("quit")) =>
        {
            Command::Quit
        }
        Line::Command(rest) => Command::Line(format!("/{rest}")),
    })
}

/// How a line is shown while it is on its way: without a password.
pub(super) fn shown(line: &str) -> &str {
    if is_secret(line) { "/oper" } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str) -> Option<Command> {
        Some(Command::Say(text.to_owned()))
    }

    #[test]
    fn a_line_without_a_slash_is_said_as_it_is() {
        assert_eq!(parse(" hello /quit "), say(" hello /quit "));
        assert_eq!(parse("  "), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn two_slashes_say_one() {
        assert_eq!(parse("//quit"), say("/quit"));
        assert_eq!(parse("///"), say("//"));
        assert_eq!(parse("  // a comment"), say("  / a comment"));
    }

    #[test]
    fn whatever_else_begins_with_a_slash_is_a_command() {
        for line in ["/help", "/Help "] {
            assert_eq!(parse(line), Some(Command::Help), "{line}");
        }
        for line in ["/quit ", "/Quit", "/quit now"] {
            assert_eq!(parse(line), Some(Command::Quit), "{line}");
        }
        for line in ["/", "/who", "/me waves  twice", "/quitt", "/help nick", "/home/ann", "/ hello"] {
            assert_eq!(parse(line), Some(Command::Line(line.to_owned())), "{line}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("/oper open sesame"), "/oper");
        assert_eq!(shown("/OPER open sesame"), "/oper");
        assert_eq!(shown("/oper\topen sesame"), "/oper");
        assert_eq!(shown("/operate"), "/operate");
        assert_eq!(shown("/o\u{e9}r"), "/o\u{e9}r");
    }

    #[test]
    fn a_command_is_not_said_because_of_a_space_before_it() {
        for line in ["  /oper open sesame", "\t/oper open sesame", "\u{a0}/oper open sesame"] {
            assert_eq!(parse(line), Some(Command::Line("/oper open sesame".to_owned())), "{line:?}");
        }
        assert_eq!(parse(" /home/ann"), Some(Command::Line("/home/ann".to_owned())));
        assert_eq!(parse(" /quit"), Some(Command::Quit));
    }

    #[test]
    fn each_line_of_the_help_fits_a_terminal() {
        assert!(HELP.lines().all(|line| "-- ".len() + line.len() <= 80));
        assert!(names().contains(&"/nick".to_owned()));
    }
}
