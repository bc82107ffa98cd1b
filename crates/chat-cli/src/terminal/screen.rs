//! The screen as bytes: finished lines above, the footer (input and status) below them.
//!
//! Finished lines are written once and then belong to the terminal: it wraps them, scrolls them into its own
//! scrollback, lets people select, copy and search them, and wraps them anew when its width changes. All we ever
//! rewrite is the footer.
//!
//! ```text
//! 14:02 [127.0.0.1:4000] good morning        finished lines, the terminal's
//! 14:02›[127.0.0.1:4001] hello
//! > what I am ty|ping                         footer: the input, with the cursor in it,
//!  ● tcp 127.0.0.1:5555 · 3 present           and rows below it
//! ```
//!
//! **The cursor always stands in the footer's first row.** So "carriage return, erase below" takes the footer
//! away, whatever has happened to the rows below the cursor: that is how it is repainted, how it is left, and how
//! it survives a resize without anyone knowing where on the screen it is. Where in its row the cursor stands, the
//! terminal finds out by itself (it is saved while the row is drawn), so that no disagreement about the width of a
//! character can misplace it.

// ratatui's inline viewport (0.30, with scrolling regions) was tried for this and does not do: it breaks long lines
// itself, so that copying and resizing leave them broken, and after a resize from 80 to 40 columns and back two old
// footers stand in the scrollback.

use std::fmt::Write as _;

use super::window::{Seen, width};

/// What is repainted: one row with the cursor in it, and rows below it.
#[derive(Debug, Default)]
pub(crate) struct Footer {
    /// What stands before the input, styled; and how many columns it takes.
    pub(crate) prompt: (String, usize),
    pub(crate) input: Seen,
    /// Rows of styled text, none wider than the terminal.
    pub(crate) below: Vec<String>,
}

/// Begin and end of a synchronized update: a terminal that knows it shows everything between at once.
const BEGIN_UPDATE: &str = "\x1b[?2026h\x1b[?25l";
const END_UPDATE: &str = "\x1b[?25h\x1b[?2026l";

/// Takes the footer away. The space is for tmux: if it is told to erase from the very first cell on, it keeps the text in
/// its scrollback.
pub(crate) const ERASE_FOOTER: &str = "\r\x1b[0m \x1b[J\r\x1b[K";

/// Our part of the terminal: what we have drawn there.
#[derive(Debug)]
pub(crate) struct Screen {
    columns: usize,
    rows: usize,
    /// The cursor's column as painted last.
    cursor_column: usize,
    bytes: String,
}

impl Screen {
    pub(crate) fn new((columns, rows): (u16, u16)) -> Self {
        let mut screen = Self { columns: 0, rows: 0, cursor_column: 0, bytes: String::new() };
        screen.set_size((columns, rows));
        screen
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows that the footer may have.
    pub(crate) fn footer_rows_max(&self) -> usize {
        (self.rows * 2 / 3).clamp(1, 8)
    }

    /// The bytes that write `lines` above the footer and paint the footer.
    pub(crate) fn paint(&mut self, lines: &[String], footer: &Footer) -> &str {
        self.bytes.push_str(BEGIN_UPDATE);
        if lines.is_empty() {
            self.bytes.push('\r');
        } else {
            self.bytes.push_str(ERASE_FOOTER);
        }
        for line in lines {
            self.bytes.push_str(line);
            self.bytes.push_str("\r\n");
        }
        self.footer(footer);
        self.bytes.push_str(END_UPDATE);
        &self.bytes
    }

    /// To be called when what [`paint`](Self::paint) or [`resized`](Self::resized) returned is written.
    pub(crate) fn painted(&mut self) {
        self.bytes.clear();
    }

    /// Whether the cursor's column is to be asked for after a resize to `size`.
    pub(crate) fn wants_column(&self, (columns, _): (u16, u16)) -> bool {
        self.cursor_column >= usize::from(columns)
    }

    /// The terminal has another size now; `column` is where its cursor went, if that was asked for. The next
    /// [`paint`](Self::paint) repairs what has become of the footer.
    pub(crate) fn resized(&mut self, size: (u16, u16), column: Option<u16>) {
        let before = self.cursor_column;
        self.set_size(size);
        if before < self.columns {
            return;
        }
        // The input's row was wider than the terminal is now. One that wraps rows anew has moved the cursor
        // into a row of its own, so many below the footer's first; others have cut the row.
        let wraps = column.is_some_and(|column| usize::from(column) == before % self.columns);
        if wraps {
            write!(self.bytes, "\x1b[{}A", before / self.columns).expect("writing to a String does not fail");
        }
        self.cursor_column = 0;
    }

    /// Clears the screen with the next [`paint`](Self::paint); what was on it goes into the scrollback.
    pub(crate) fn clear(&mut self) {
        self.bytes.push_str(ERASE_FOOTER);
        (1..self.rows).for_each(|_| self.bytes.push('\n'));
        self.bytes.push_str("\x1b[H");
    }

    /// Whether the terminal is known to have this size.
    pub(crate) fn has_size(&self, size: (u16, u16)) -> bool {
        (self.columns, self.rows) == actual(size)
    }

    fn set_size(&mut self, size: (u16, u16)) {
        (self.columns, self.rows) = actual(size);
    }

    fn footer(&mut self, footer: &Footer) {
        let Footer { prompt: (prompt, prompt_columns), input, below } = footer;
        let bytes = &mut self.bytes;
        if !below.is_empty() {
            // Makes room: at the bottom of the screen this scrolls, and must not do so later.
            below.iter().for_each(|_| bytes.push('\n'));
            write!(bytes, "\x1b[{}A", below.len()).expect("writing to a String does not fail");
        }
        // Without automatic wrapping a row that the terminal draws wider than we think is cut, not broken.
        bytes.push_str("\x1b[?7l");
        for part in [prompt, &input.before_cursor, "\x1b7", &input.after_cursor, "\x1b[K"] {
            bytes.push_str(part);
        }
        for row in below {
            bytes.push_str("\r\n");
            bytes.push_str(row);
            bytes.push_str("\x1b[K");
        }
        // The footer may have had more rows before.
        bytes.push_str("\x1b[J\x1b8\x1b[?7h");
        self.cursor_column = prompt_columns + width(&input.before_cursor);
    }
}

/// The columns and rows of a terminal that says it has this many. Some say that they have none.
fn actual((columns, rows): (u16, u16)) -> (usize, usize) {
    (if columns == 0 { 80 } else { columns.into() }, if rows == 0 { 24 } else { rows.into() })
}

#[cfg(test)]
mod tests {
    use super::super::emulated;
    use super::*;

    /// A screen on an emulated terminal.
    struct Bench {
        screen: Screen,
        terminal: vt100::Parser,
    }

    impl Bench {
        fn new(columns: u16, rows: u16) -> Self {
            Self { screen: Screen::new((columns, rows)), terminal: emulated::terminal(columns, rows) }
        }

        fn paint(&mut self, lines: &[&str], before: &str, after: &str) {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            let input = Seen { before_cursor: before.to_owned(), after_cursor: after.to_owned() };
            let footer = Footer { prompt: ("> ".to_owned(), 2), input, below: vec![" status".to_owned()] };
            self.terminal.process(self.screen.paint(&lines, &footer).as_bytes());
            self.screen.painted();
        }

        /// The rows with something in them.
        fn rows(&self) -> Vec<String> {
            let rows = self.terminal.screen().contents();
            rows.lines().map(|row| row.trim_end().to_owned()).collect()
        }

        fn cursor(&self) -> (u16, u16) {
            self.terminal.screen().cursor_position()
        }
    }

    #[test]
    fn lines_go_above_the_input_which_keeps_its_cursor() {
        let mut bench = Bench::new(20, 6);
        bench.paint(&[], "hel", "lo");
        assert_eq!(bench.rows(), ["> hello", " status"]);
        bench.paint(&["one", "two"], "hel", "lo");
        assert_eq!(bench.rows(), ["one", "two", "> hello", " status"]);
        assert_eq!(bench.cursor(), (2, 5));
    }

    #[test]
    fn at_the_bottom_lines_scroll_into_the_scrollback() {
        let mut bench = Bench::new(20, 4);
        let lines: Vec<String> = (0..10).map(|n| format!("line {n}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        bench.paint(&lines[..1], "x", "");
        bench.paint(&lines[1..], "x", "");
        assert_eq!(bench.rows(), ["line 8", "line 9", "> x", " status"]);
        bench.terminal.screen_mut().set_scrollback(4);
        assert_eq!(bench.rows(), ["line 4", "line 5", "line 6", "line 7"]);
    }

    #[test]
    fn a_long_line_is_wrapped_by_the_terminal() {
        let mut bench = Bench::new(10, 6);
        bench.paint(&["0123456789abc", "0123456789", "end"], "x", "");
        assert_eq!(bench.cursor(), (4, 3), "the first line takes two rows");
        // The emulator joins rows that were wrapped, as people expect of what they copy.
        assert_eq!(bench.rows(), ["0123456789abc", "0123456789", "end", "> x", " status"]);
    }

    #[test]
    fn a_footer_that_shrinks_leaves_nothing_behind() {
        let mut bench = Bench::new(10, 6);
        let footer = |below: &[&str]| Footer {
            prompt: (">".to_owned(), 1),
            input: Seen::default(),
            below: below.iter().map(|&row| row.to_owned()).collect(),
        };
        for below in [&["a", "b", "c"][..], &["abc"], &[], &["x", "y"]] {
            bench.terminal.process(bench.screen.paint(&[], &footer(below)).as_bytes());
            bench.screen.painted();
            assert_eq!(bench.rows()[1..], *below);
            assert_eq!(bench.cursor(), (0, 1));
        }
    }

    #[test]
    fn on_a_terminal_that_cuts_rows_a_resize_leaves_one_footer() {
        let mut bench = Bench::new(30, 6);
        bench.paint(&["one", "two"], "0123456789012345678", "x");
        emulated::resize(&mut bench.terminal, 10, 6);
        assert!(bench.screen.wants_column((10, 6)));
        bench.screen.resized((10, 6), Some(bench.cursor().1));
        bench.paint(&[], "89", "");
        assert_eq!(bench.rows(), ["one", "two", "> 89", " status"]);
    }

    #[test]
    fn on_a_terminal_that_wraps_rows_anew_the_cursor_goes_back_up() {
        let mut screen = Screen::new((30, 6));
        let input = Seen { before_cursor: "0123456789012345678".to_owned(), after_cursor: String::new() };
        screen.paint(&[], &Footer { prompt: ("> ".to_owned(), 2), input, ..Footer::default() });
        screen.painted();
        // 21 columns are two rows of 10 and one more column.
        screen.resized((10, 6), Some(1));
        assert!(screen.paint(&[], &Footer::default()).starts_with("\x1b[2A"));
    }

    #[test]
    fn whatever_is_below_the_cursor_after_a_resize_is_erased() {
        let mut bench = Bench::new(20, 6);
        bench.paint(&["one"], "x", "");
        bench.terminal.process(b"\x1b7\r\n sta\r\ntus\x1b8");
        bench.screen.resized((4, 6), None);
        bench.paint(&["two"], "x", "");
        assert_eq!(bench.rows(), ["one", "two", "> x", " status"]);
    }

    #[test]
    fn clearing_scrolls_what_is_there_into_the_scrollback() {
        let mut bench = Bench::new(20, 5);
        bench.paint(&["one", "two"], "x", "");
        bench.screen.clear();
        bench.paint(&[], "x", "");
        assert_eq!(bench.rows(), ["> x", " status"]);
        bench.terminal.screen_mut().set_scrollback(2);
        assert_eq!(bench.rows()[..2], ["one", "two"]);
    }

    #[test]
    fn leaving_erases_the_footer() {
        let mut bench = Bench::new(20, 4);
        bench.paint(&["1", "2", "3", "4"], "abc", "");
        bench.terminal.process(ERASE_FOOTER.as_bytes());
        assert_eq!(bench.rows(), ["3", "4"]);
        assert_eq!(bench.cursor(), (2, 0));
    }
}
