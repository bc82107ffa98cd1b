//! Tests: an emulated terminal.

use std::num::NonZeroU16;

/// An emulated terminal, to process bytes and to be looked at.
pub(crate) fn terminal(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(size(rows), size(columns), 10_000)
}

/// Gives it another size; it cuts rows, and does not wrap them anew.
pub(crate) fn resize(terminal: &mut vt100::Parser, columns: u16, rows: u16) {
    terminal.screen_mut().set_size(size(rows), size(columns));
}

/// The part of styled `text` that a terminal shows on one row.
pub(crate) fn shown(text: &str) -> String {
    let mut terminal = terminal(1_000, 2);
    terminal.process(text.as_bytes());
    assert_eq!(terminal.screen().cursor_position().0, 0, "{text:?} is one row");
    terminal.screen().contents().trim_end_matches('\n').to_owned()
}

fn size(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a terminal has rows and columns")
}
