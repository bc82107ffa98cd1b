//! Colours and styles: how each kind of text is drawn.
//!
//! Everything that reaches a terminal goes through a [`Pen`], which lets nothing but clean text pass: whatever
//! a peer, a server or the system says can neither move the cursor nor change a colour.

use std::borrow::Cow;
use std::fmt::Write as _;

use chat_proto::{Author, Text};

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    /// Time stamps, notices, joins and leaves.
    Faint,
    /// The author of a message.
    Author(Hue),
    /// A message of the operator to everyone.
    Announcement,
    /// A message that mentions the user.
    Mention,
    /// Text that the user should not overlook.
    Warning,
    /// All is well.
    Good,
}

/// One of the colours that senders have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hue(u8);

/// Of the 256 colours of a terminal some that can be told apart and read on a dark and on a light background.
const HUES: [u8; 20] =
    [33, 166, 35, 134, 37, 168, 71, 99, 136, 67, 172, 73, 132, 69, 107, 173, 175, 142, 105, 79];

impl Hue {
    /// The same for the same author wherever and whenever it is asked (FNV-1a).
    pub(crate) fn of(author: &Author) -> Self {
        let hash = author.to_string().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mixed = hash ^ (hash >> 32) ^ (hash >> 17);
        Self(HUES[usize::try_from(mixed % HUES.len() as u64).unwrap_or(0)])
    }
}

/// Draws styled text. Without colour it still writes bold and faint, which no text can imitate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen {
    pub(crate) colour: bool,
}

impl Pen {
    /// Appends `text` to `row`.
    pub(crate) fn draw(self, row: &mut String, style: Style, text: &str) {
        let text = printable(text);
        let Some(attributes) = self.attributes(style) else {
            row.push_str(&text);
            return;
        };
        write!(row, "\x1b[{attributes}m{text}\x1b[0m").expect("writing to a String does not fail");
    }

    /// A row that is nothing but `text`.
    pub(crate) fn row(self, style: Style, text: &str) -> String {
        let mut row = String::new();
        self.draw(&mut row, style, text);
        row
    }

    fn attributes(self, style: Style) -> Option<Cow<'static, str>> {
        Some(match (style, self.colour) {
            (Style::Plain, _) | (Style::Good, false) => return None,
            (Style::Faint, _) => "2".into(),
            (Style::Author(Hue(hue)), true) => format!("1;38;5;{hue}").into(),
            (Style::Author(_) | Style::Warning, false) => "1".into(),
            (Style::Announcement, true) => "1;33".into(),
            (Style::Announcement, false) => "1".into(),
            (Style::Mention, true) => "1;30;43".into(),
            (Style::Mention, false) => "1;7".into(),
            (Style::Warning, true) => "33".into(),
            (Style::Good, true) => "32".into(),
        })
    }
}

/// `text` as one clean line.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len());
    for (index, piece) in text.lines().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        Text::split(piece.as_bytes()).for_each(|text| line.push_str(text.as_str()));
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_drawn_is_one_clean_line() {
        let row = Pen { colour: false }.row(Style::Plain, "a\x1b[2J\r\nb\u{202e}c\x07\u{9b}m");
        assert_eq!(row, "a\u{241b}[2J b\u{fffd}c\u{2407}\u{fffd}m");
    }

    #[test]
    fn emoji_with_joiners_stay_whole() {
        assert_eq!(printable("👩‍👩‍👧 سلام e\u{301}"), "👩‍👩‍👧 سلام e\u{301}");
    }

    #[test]
    fn a_sender_keeps_its_colour_and_neighbours_differ() {
        let hue = |text: &str| Hue::of(&text.parse().expect("an author"));
        assert_eq!(hue("127.0.0.1:57814"), hue("127.0.0.1:57814"));
        let hues: std::collections::HashSet<u8> =
            (50_000..50_064).map(|port| hue(&format!("127.0.0.1:{port}")).0).collect();
        assert!(hues.len() >= HUES.len() - 2, "{hues:?}");
    }

    #[test]
    fn without_colour_there_is_still_bold_and_faint() {
        let pen = Pen { colour: false };
        let author: Author = "127.0.0.1:1".parse().expect("an author");
        assert_eq!(pen.row(Style::Author(Hue::of(&author)), "x"), "\x1b[1mx\x1b[0m");
        assert_eq!(pen.row(Style::Faint, "x"), "\x1b[2mx\x1b[0m");
        assert_eq!(pen.row(Style::Good, "x"), "x");
    }
}
