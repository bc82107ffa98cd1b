//! Lines that are wider than the terminal.
//!
//! The terminal wraps them itself, so that people can copy them whole and a resize wraps them anew. But a row that
//! begins in the middle of a line must not look like a line of its own: somebody could pad a text so that a row of it
//! reads like a notice of the room. Such a row is marked.

use unicode_segmentation::UnicodeSegmentation;

use super::window::width;

/// Stands before a row that is the rest of the line above it.
const MARK: &str = "↪ ";
const MARK_COLUMNS: usize = 2;

/// What our own notes begin with. No line of somebody else does: it begins with the time, or a mark.
const NOTE: &str = "-- ";

/// `line`, styled, for a terminal of this many columns.
pub(super) fn fold(line: &str, columns: usize) -> Vec<String> {
    let (style, text, reset) = note_parts(line);
    if text.starts_with(NOTE) && width(text) > columns && columns > 2 * NOTE.len() {
        return words(text, columns).into_iter().map(|row| format!("{style}{row}{reset}")).collect();
    }
    vec![marked(line, columns)]
}

/// The style, the text and its end of a line that has one style.
fn note_parts(line: &str) -> (&str, &str, &str) {
    let text_at = line.strip_prefix('\x1b').and_then(|rest| rest.find('m')).map_or(0, |at| at + 2);
    let (style, rest) = line.split_at(text_at);
    let text = rest.strip_suffix(RESET).unwrap_or(rest);
    (style, text, &rest[text.len()..])
}

const RESET: &str = "\x1b[0m";

/// Breaks a note between words, with the later rows below its first word.
fn words(text: &str, columns: usize) -> Vec<String> {
    let indent = " ".repeat(NOTE.len());
    let mut rows = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let row = rows.last_mut().expect("invariant: there is a first row");
        let is_begun = !row.trim_start_matches(['-', ' ']).is_empty();
        if is_begun && width(row) + width(word.trim_end()) > columns {
            row.truncate(row.trim_end().len());
            rows.push(format!("{indent}{word}"));
        } else {
            row.push_str(word);
        }
    }
    rows
}

/// Marks the rows that could be taken for lines of their own.
fn marked(line: &str, columns: usize) -> String {
    let mut out = String::with_capacity(line.len());
    let (mut rest, mut column) = (line, 0);
    while !rest.is_empty() {
        if rest.starts_with('\x1b') {
            let (sequence, after) = rest.split_at(rest.find('m').map_or(rest.len(), |at| at + 1));
            out.push_str(sequence);
            rest = after;
            continue;
        }
        let text = &rest[..rest.find('\x1b').unwrap_or(rest.len())];
        for (at, one) in text.grapheme_indices(true) {
            let columns_of_one = width(one);
            if column + columns_of_one > columns {
                let left = columns.saturating_sub(column);
                column = 0;
                if columns > 2 * MARK_COLUMNS && imitates(&rest[at..]) {
                    (0..left).for_each(|_| out.push(' '));
                    out.push_str(MARK);
                    column = MARK_COLUMNS;
                }
            }
            out.push_str(one);
            column += columns_of_one;
        }
        rest = &rest[text.len()..];
    }
    out
}

/// Whether a row that begins so looks like the beginning of a line: an author, a note, a time, a prompt or a status.
fn imitates(row: &str) -> bool {
    let start: String = unstyled(row).trim_start().chars().take(5).collect();
    let is_time = |text: &str| {
        text.char_indices().all(|(at, c)| if at == 2 { c == ':' } else { c.is_ascii_digit() || c == '-' })
    };
    start.starts_with(['[', '［', '›', '!', '>', '●', '○', '◌', '↪'])
        || start.starts_with("--")
        || (start.len() == 5 && is_time(&start))
}

/// The beginning of a styled text without its styles.
fn unstyled(text: &str) -> String {
    let pieces = text.split('\x1b').enumerate();
    let plain =
        pieces.map(
            |(index, piece)| {
                if index == 0 { piece } else { piece.split_once('m').map_or("", |(_, text)| text) }
            },
        );
    plain.collect()
}

#[cfg(test)]
mod tests {
    use super::super::emulated;
    use super::super::pen::{Pen, Style};
    use super::*;

    /// The rows of a terminal of 20 columns.
    fn rows(line: &str) -> Vec<String> {
        let mut terminal = emulated::terminal(20, 8);
        for row in fold(line, 20) {
            terminal.process(row.as_bytes());
            terminal.process(b"\r\n");
        }
        let (rows, _) = terminal.screen().cursor_position();
        let row = |row| terminal.screen().contents_between(row, 0, row, 20).trim_end().to_owned();
        (0..rows).map(row).collect()
    }

    #[test]
    fn a_row_that_looks_like_a_line_is_marked() {
        let pen = Pen { colour: true };
        let start = pen.row(Style::Faint, "[10.0.0.1:1]"); // 12 columns
        for forged in ["[*] The end", "  [*] The end", "-- You left.", "14:02 [x] hi", "> rm", "● connected"]
        {
            let rows = rows(&format!("{start} 1234567{forged}"));
            assert_eq!(rows[0], "[10.0.0.1:1] 1234567");
            assert_eq!(rows[1], format!("↪ {forged}"), "{forged}");
        }
        // Wherever in the line, and behind a character that does not fit.
        assert_eq!(rows(&format!("{}日[*] x", "a".repeat(39)))[2], "日[*] x");
        assert_eq!(rows(&format!("{}  [*] x", "a".repeat(38)))[2], "↪ [*] x");
        assert_eq!(rows(&format!("{}日{}[*] x", "a".repeat(19), "b".repeat(18)))[2], "↪ [*] x");
    }

    #[test]
    fn other_text_is_left_to_the_terminal() {
        let url = "https://example.org/a/very/long/path?with=a&query=in#it";
        assert_eq!(fold(url, 20), [url]);
        assert_eq!(fold("short", 20), ["short"]);
        let styled = Pen { colour: true }.row(Style::Mention, &"日本語".repeat(20));
        assert_eq!(fold(&styled, 20), [styled]);
    }

    #[test]
    fn notes_are_broken_between_words() {
        let note =
            Pen { colour: false }.row(Style::Faint, "-- Not said: the host does not want to hear of it");
        assert_eq!(rows(&note), ["-- Not said: the", "   host does not", "   want to hear of", "   it"]);
        let long = "-- averyveryverylongwordindeed yes";
        assert_eq!(rows(long), ["-- averyveryverylong", "wordindeed", "   yes"]);
    }
}
