//! Which lines are commands, and how a text that looks like one is said.

use std::borrow::Cow;

/// The meaning of a line in a room that has commands.
///
/// ```
/// use chat_core::commands::Line;
///
/// assert_eq!(Line::read("/nick ann"), Line::Command("nick ann"));
/// assert_eq!(Line::read("//nick"), Line::Text("/nick".into()));
/// assert_eq!(Line::read("either / or"), Line::Text("either / or".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A text to say: the line itself, or without one slash if it began with two.
    Text(Cow<'a, str>),
    /// A command, without its slash.
    Command(&'a str),
}

impl<'a> Line<'a> {
    /// Reads the beginning of a line. White space in front of a slash changes nothing: a password must not be said
    /// because of it.
    #[must_use]
    pub fn read(line: &'a str) -> Self {
        let (blank, words) = line.split_at(blank_in_front(line));
        match words.strip_prefix('/') {
            None => Self::Text(line.into()),
            Some(rest) if rest.starts_with('/') => Self::Text(format!("{blank}{rest}").into()),
            Some(command) => Self::Command(command),
        }
    }

    /// The line that says `text`, if it is not the text itself: a text that reads as a command gets another slash.
    #[must_use]
    pub fn saying(text: &str) -> Option<String> {
        let (blank, words) = text.split_at(blank_in_front(text));
        words.starts_with('/').then(|| format!("{blank}/{words}"))
    }
}

/// The bytes of the white space that a line begins with.
fn blank_in_front(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The first word of a command's arguments, and the rest.
pub(super) fn first_word(arguments: &str) -> (&str, &str) {
    let (word, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_one_slash_is_a_command_and_one_with_two_is_text() {
        let text = |s: &'static str| Line::Text(s.into());
        assert_eq!(Line::read("hello / there"), text("hello / there"));
        assert_eq!(Line::read("//usr/bin"), text("/usr/bin"));
        assert_eq!(Line::read("/nick ann"), Line::Command("nick ann"));
        assert_eq!(Line::read("/"), Line::Command(""));
        for blank in [" ", "   ", "\u{a0}", "\u{3000}"] {
            assert_eq!(
                Line::read(&format!("{blank}/oper secret")),
                Line::Command("oper secret"),
                "{blank:?}"
            );
            let said = format!("{blank}/home");
            let line = Line::saying(&said).unwrap();
            assert_eq!(Line::read(&line), Line::Text(said.into()));
        }
        assert_eq!(Line::saying("either / or"), None);
    }
}
