//! The part of a long line that fits the terminal.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::pen::printable;

/// Stands where more of the line is than fits.
const MORE: &str = "…";

/// Which part of the line is seen. It moves only when the cursor would leave it.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// The first byte of the line that is seen.
    first: usize,
}

/// The visible part of a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) before_cursor: String,
    pub(crate) after_cursor: String,
}

impl Window {
    /// The part that fits into `columns` columns of a line with the cursor between `before` and `after`.
    pub(crate) fn see(&mut self, before: &str, after: &str, columns: usize) -> Seen {
        if self.first > before.len() || !before.is_char_boundary(self.first) {
            self.first = 0;
        }
        // The marks for left-out text on the left and on the right, and the cursor itself.
        let inner = columns.saturating_sub(3);
        if width(before) + width(after) <= columns.saturating_sub(1) {
            self.first = 0;
        } else if self.first == before.len() && self.first > 0 || width(&before[self.first..]) > inner {
            // At the end as much as fits, elsewhere some context on both sides.
            let left = if after.is_empty() { inner } else { inner * 2 / 3 };
            self.first = before.len() - tail(before, left).len();
        }
        let mut seen = Seen::default();
        if self.first > 0 {
            seen.before_cursor.push_str(MORE);
        }
        seen.before_cursor.push_str(&printable(&before[self.first..]));
        let left = columns.saturating_sub(1).saturating_sub(width(&seen.before_cursor));
        if width(after) <= left {
            seen.after_cursor = printable(after).into_owned();
        } else {
            seen.after_cursor = printable(head(after, left.saturating_sub(1))).into_owned();
            seen.after_cursor.push_str(MORE);
        }
        seen
    }
}

/// How many columns `text` takes.
pub(crate) fn width(text: &str) -> usize {
    printable(text).width()
}

/// The front of `text` that fits `columns`.
pub(crate) fn head(text: &str, columns: usize) -> &str {
    let mut left = columns;
    let end = text.grapheme_indices(true).find(|(_, one)| {
        let wide = width(one);
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        !fits
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// The end of `text` that fits `columns`.
fn tail(text: &str, columns: usize) -> &str {
    let mut left = columns;
    let mut start = text.len();
    for (at, one) in text.grapheme_indices(true).rev() {
        let wide = width(one);
        if wide > left {
            break;
        }
        left -= wide;
        start = at;
    }
    &text[start..]
}

/// `text`, shortened to `columns` with a mark where something is left out.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    format!("{}{MORE}", head(text, columns.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(window: &mut Window, before: &str, after: &str, columns: usize) -> String {
        let Seen { before_cursor, after_cursor } = window.see(before, after, columns);
        let shown = format!("{before_cursor}|{after_cursor}");
        assert!(width(&shown) <= columns.max(3), "{shown:?} in {columns} columns");
        shown
    }

    #[test]
    fn a_line_that_fits_is_seen_whole() {
        assert_eq!(see(&mut Window::default(), "hello", " you", 10), "hello| you");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_cursor_is_seen() {
        let mut window = Window::default();
        assert_eq!(see(&mut window, "", "0123456789abcdef", 10), "|01234567…");
        assert_eq!(see(&mut window, "0123456", "789abcdef", 10), "0123456|7…");
        assert_eq!(see(&mut window, "012345678", "9abcdef", 10), "…5678|9ab…");
        assert_eq!(see(&mut window, "0123456789abcdef", "", 10), "…9abcdef|");
    }

    #[test]
    fn the_window_stays_while_the_cursor_is_inside() {
        let mut window = Window::default();
        let line = "0123456789abcdefghij";
        see(&mut window, line, "", 12);
        let first = window.first;
        for back in 1..=4 {
            let (before, after) = line.split_at(line.len() - back);
            see(&mut window, before, after, 12);
            assert_eq!(window.first, first);
        }
    }

    #[test]
    fn wide_characters_and_emoji_never_overflow() {
        let line = "日本語のとても長い行👩‍👩‍👧と🇯🇵e\u{301}مرحبا".repeat(3);
        for columns in 4..40 {
            let mut window = Window::default();
            for (at, _) in line.grapheme_indices(true) {
                let (before, after) = line.split_at(at);
                see(&mut window, before, after, columns);
            }
        }
    }

    #[test]
    fn after_the_line_was_replaced_the_window_is_valid_again() {
        let mut window = Window::default();
        see(&mut window, &"x".repeat(100), "", 10);
        assert_eq!(see(&mut window, "日", "", 10), "日|");
    }

    #[test]
    fn what_is_too_long_is_shortened_with_a_mark() {
        assert_eq!(shortened("hello", 5), "hello");
        assert_eq!(shortened("hello!", 5), "hell…");
        assert_eq!(shortened("日本語", 5), "日本…");
    }
}
