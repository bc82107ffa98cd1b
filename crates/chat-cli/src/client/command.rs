//! What a line typed into the client means.

/// What a line typed into the client means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// To be said.
    Say(String),
    Help,
    Quit,
    Who,
    /// Nothing, and nothing is sent; what to tell the user.
    Refused(String),
}

/// The commands, for completion.
pub(super) const COMMANDS: [&str; 4] = ["/help", "/me", "/quit", "/who"];

/// What `/help` shows.
pub(super) const HELP: &str = "\
/who              who is here
/me TEXT          say what you do: /me waves
/help             this
/quit             leave (also Ctrl-D, or Ctrl-C on an empty line)
//TEXT            say a line that begins with a slash
Up, Down          lines you typed before
Tab               complete a command, or the address of somebody who spoke
Ctrl-A, Ctrl-E    to the start, to the end
Ctrl-W, U, K, Y   cut a word, to the start, to the end; paste what was cut
Ctrl-C, L, Z      clear the line, clear the screen, to the background";

/// Reads a line.
pub(super) fn parse(line: &str) -> Option<Command> {
    if line.trim().is_empty() {
        return None;
    }
    let Some(rest) = line.strip_prefix('/') else { return Some(Command::Say(line.to_owned())) };
    if rest.starts_with('/') {
        return Some(Command::Say(rest.to_owned()));
    }
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Some(match (name, argument.trim()) {
        ("help", "") => Command::Help,
        ("quit", "") => Command::Quit,
        ("who", "") => Command::Who,
        ("me", "") => Command::Refused("/me needs to know what you do: /me waves".to_owned()),
        ("me", what) => Command::Say(format!("* {what}")),
        ("help" | "quit" | "who", _) => Command::Refused(format!("/{name} stands alone; nothing was sent")),
        _ => Command::Refused(format!(
            "There is no command /{name}; nothing was sent. /help lists them; to say such a line, begin it with //"
        )),
    })
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
    }

    #[test]
    fn commands_are_known_by_name() {
        assert_eq!(parse("/help"), Some(Command::Help));
        assert_eq!(parse("/quit "), Some(Command::Quit));
        assert_eq!(parse("/who"), Some(Command::Who));
        assert_eq!(parse("/me waves  twice"), say("* waves  twice"));
    }

    #[test]
    fn whatever_else_begins_with_a_slash_is_refused_and_not_sent() {
        for line in ["/", "/quitt", "/quit now", "/me", "/home/ann", "/ hello", "/QUIT"] {
            assert!(matches!(parse(line), Some(Command::Refused(_))), "{line}");
        }
    }

    #[test]
    fn every_command_is_in_the_help_and_each_of_its_lines_fits_a_terminal() {
        assert!(COMMANDS.iter().all(|command| HELP.contains(command)));
        assert!(HELP.lines().all(|line| "-- ".len() + line.len() <= 80));
    }
}
