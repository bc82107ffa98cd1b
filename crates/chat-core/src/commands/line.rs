//! Which lines are commands, and how a text that looks like one is said.

use chat_proto::Text;

/// The kind of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Something to say. The text is present if it differs from the line, which then began with `//`.
    Text(Option<Text>),
    /// A command, without its slash.
    Command(&'a str),
}

/// Reads the beginning of a line. White space in front of a slash changes nothing: a password must not be said because of it.
pub(crate) fn read(text: &Text) -> Line<'_> {
    let line = text.as_str();
    let (blank, words) = line.split_at(blank_in_front(line));
    match words.strip_prefix('/') {
        None => Line::Text(None),
        Some(rest) if rest.starts_with('/') => Line::Text(Some(Text::lossy(&format!("{blank}{rest}")))),
        Some(command) => Line::Command(command),
    }
}

/// A text as it must be sent to a room with commands, to be said as it is. `None` if that is no other text.
pub(crate) fn doubled(text: &Text) -> Option<String> {
    let (blank, words) = text.as_str().split_at(blank_in_front(text.as_str()));
    words.starts_with('/').then(|| format!("{blank}/{words}"))
}

/// The bytes of the white space that a line begins with.
fn blank_in_front(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The first word of what follows a command, and the rest.
pub(super) fn first_word(arguments: &str) -> (&str, &str) {
    let (word, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_one_slash_is_a_command_and_one_with_two_is_text() {
        let text = |s: &str| Text::one_line(s).unwrap();
        assert_eq!(read(&text("hello / there")), Line::Text(None));
        assert_eq!(read(&text("//usr/bin")), Line::Text(Some(text("/usr/bin"))));
        assert_eq!(read(&text("/nick ann")), Line::Command("nick ann"));
        assert_eq!(read(&text("/")), Line::Command(""));
        for blank in [" ", "   ", "\u{a0}", "\u{3000}"] {
            assert_eq!(
                read(&text(&format!("{blank}/oper secret"))),
                Line::Command("oper secret"),
                "{blank:?}"
            );
            let said = text(&format!("{blank}/home"));
            let doubled = text(&doubled(&said).unwrap());
            assert_eq!(read(&doubled), Line::Text(Some(said)));
        }
        assert_eq!(doubled(&text("either / or")), None);
    }
}
