//! One line of text and a cursor in it, with the keys that shells have taught.
//!
//! The cursor stands between two characters as people see them (grapheme clusters), never inside one.

use unicode_segmentation::UnicodeSegmentation;

/// The longest line that can be typed, in bytes. It becomes several messages.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024;

/// A line would have this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are too long for a line (at most {LINE_BYTES_MAX}). Pipe it: chat client ... < FILE")]
pub(crate) struct TooLong {
    bytes: usize,
}

/// A line being edited.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    text: String,
    /// Where the cursor stands, in bytes.
    cursor: usize,
    /// The text that was cut last.
    cut: String,
}

impl Editor {
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text before the cursor, and the text behind it.
    pub(crate) fn around_cursor(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Takes the line out.
    pub(crate) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Puts `text` in place of the line, with the cursor at its end.
    pub(crate) fn set(&mut self, text: String) {
        self.cursor = text.len();
        self.text = text;
    }

    /// Inserts at the cursor. Control characters are left out.
    ///
    /// # Errors
    ///
    /// If the line would be too long; then it stays as it is.
    pub(crate) fn insert(&mut self, text: &str) -> Result<(), TooLong> {
        let clean = text.chars().map(|c| if c == '\t' { ' ' } else { c }).filter(|c| !c.is_control());
        let clean: String = clean.collect();
        let bytes = self.text.len() + clean.len();
        if bytes > LINE_BYTES_MAX {
            return Err(TooLong { bytes });
        }
        self.text.insert_str(self.cursor, &clean);
        // It may have joined with what follows.
        self.cursor = self.boundary_at_or_after(self.cursor + clean.len());
        Ok(())
    }

    /// Replaces the bytes from `start` to the cursor.
    ///
    /// # Errors
    ///
    /// If the line would be too long; then it stays as it is.
    pub(crate) fn replace_before_cursor(&mut self, start: usize, with: &str) -> Result<(), TooLong> {
        let replaced: String = self.text.drain(start..self.cursor).collect();
        self.cursor = start;
        let result = self.insert(with);
        if result.is_err() {
            self.text.insert_str(start, &replaced);
            self.cursor = start + replaced.len();
        }
        result
    }

    pub(crate) fn left(&mut self) {
        self.cursor = self.before();
    }

    pub(crate) fn right(&mut self) {
        self.cursor = self.after();
    }

    pub(crate) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(crate) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub(crate) fn word_left(&mut self) {
        self.cursor = self.word_start();
    }

    pub(crate) fn word_right(&mut self) {
        self.cursor = self.word_end();
    }

    pub(crate) fn delete_left(&mut self) {
        let start = self.before();
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }

    pub(crate) fn delete_right(&mut self) {
        self.text.drain(self.cursor..self.after());
    }

    pub(crate) fn cut_to_end(&mut self) {
        self.cut_range(self.cursor, self.text.len());
    }

    pub(crate) fn cut_to_start(&mut self) {
        self.cut_range(0, self.cursor);
    }

    /// Cuts the word before the cursor: letters and digits, and what stands between them and the cursor.
    pub(crate) fn cut_word_left(&mut self) {
        self.cut_range(self.word_start(), self.cursor);
    }

    /// Cuts back to the space before the cursor, as Ctrl-W does.
    pub(crate) fn cut_to_space(&mut self) {
        let before = self.text[..self.cursor].trim_end();
        let start = before.char_indices().rev().find(|(_, c)| c.is_whitespace());
        self.cut_range(start.map_or(0, |(at, c)| at + c.len_utf8()), self.cursor);
    }

    pub(crate) fn cut_word_right(&mut self) {
        self.cut_range(self.cursor, self.word_end());
    }

    /// Inserts the text that was cut last.
    ///
    /// # Errors
    ///
    /// If the line would be too long; then it stays as it is.
    pub(crate) fn paste_cut(&mut self) -> Result<(), TooLong> {
        let cut = std::mem::take(&mut self.cut);
        let result = self.insert(&cut);
        self.cut = cut;
        result
    }

    /// Exchanges the two characters around the cursor and steps on; at the end, the last two.
    pub(crate) fn transpose(&mut self) {
        if self.cursor == self.text.len() {
            self.left();
        }
        let (start, end) = (self.before(), self.after());
        if start == self.cursor || end == self.cursor {
            self.cursor = end;
            return;
        }
        let swapped = format!("{}{}", &self.text[self.cursor..end], &self.text[start..self.cursor]);
        self.text.replace_range(start..end, &swapped);
        self.cursor = self.boundary_at_or_after(end);
    }

    fn cut_range(&mut self, start: usize, end: usize) {
        if start < end {
            self.cut = self.text.drain(start..end).collect();
            self.cursor = self.boundary_at_or_after(start);
        }
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.cursor + self.text[self.cursor..].graphemes(true).next().map_or(0, str::len)
    }

    fn word_start(&self) -> usize {
        let is_word = |(_, word): &(usize, &str)| word.chars().any(char::is_alphanumeric);
        self.text[..self.cursor].split_word_bound_indices().rev().find(is_word).map_or(0, |(at, _)| at)
    }

    fn word_end(&self) -> usize {
        let rest = &self.text[self.cursor..];
        let is_word = |(_, word): &(usize, &str)| word.chars().any(char::is_alphanumeric);
        rest.split_word_bound_indices()
            .find(is_word)
            .map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
    }

    fn boundary_at_or_after(&self, at: usize) -> usize {
        let mut starts = self.text.grapheme_indices(true).map(|(start, _)| start);
        starts.find(|&start| start >= at).unwrap_or(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line with a bar where the cursor is.
    fn shown(editor: &Editor) -> String {
        let (before, after) = editor.around_cursor();
        format!("{before}|{after}")
    }

    fn with(before: &str, after: &str) -> Editor {
        let mut editor = Editor::default();
        editor.insert(after).expect("it fits");
        editor.home();
        editor.insert(before).expect("it fits");
        editor
    }

    #[test]
    fn what_people_see_as_one_character_is_one_step_and_one_deletion() {
        for one in ["a", "é", "e\u{301}", "日", "👩‍👩‍👧", "🇯🇵", "นี้", "שׁ"] {
            let mut editor = with(&format!("x{one}"), "y");
            editor.left();
            assert_eq!(shown(&editor), format!("x|{one}y"));
            editor.right();
            assert_eq!(shown(&editor), format!("x{one}|y"));
            editor.delete_left();
            assert_eq!(shown(&editor), "x|y", "{one}");
        }
    }

    #[test]
    fn the_cursor_never_stands_inside_a_character() {
        let mut editor = with("e", "x");
        editor.insert("\u{301}").expect("it fits");
        assert_eq!(shown(&editor), "e\u{301}|x");
        let mut editor = with("", "\u{301}");
        editor.insert("e").expect("it fits");
        assert_eq!(shown(&editor), "e\u{301}|", "the accent has joined the letter before it");
    }

    #[test]
    fn words_are_walked_and_cut_as_in_a_shell() {
        let mut editor = with("one two-three  ", "four");
        editor.word_left();
        assert_eq!(shown(&editor), "one two-|three  four");
        editor.word_right();
        assert_eq!(shown(&editor), "one two-three|  four");
        editor.cut_word_left();
        assert_eq!(shown(&editor), "one two-|  four");
        editor.cut_to_space();
        assert_eq!(shown(&editor), "one |  four");
        editor.cut_word_right();
        assert_eq!(shown(&editor), "one |");
        editor.paste_cut().expect("it fits");
        assert_eq!(shown(&editor), "one   four|");
    }

    #[test]
    fn lines_are_cut_to_both_ends_and_pasted_back() {
        let mut editor = with("left ", "right");
        editor.cut_to_end();
        assert_eq!(shown(&editor), "left |");
        editor.home();
        editor.paste_cut().expect("it fits");
        assert_eq!(shown(&editor), "right|left ");
        editor.cut_to_start();
        assert_eq!(shown(&editor), "|left ");
    }

    #[test]
    fn two_characters_change_places() {
        let mut editor = with("ab", "");
        editor.transpose();
        assert_eq!(shown(&editor), "ba|");
        let mut editor = with("a", "");
        editor.transpose();
        assert_eq!(shown(&editor), "a|");
        let mut editor = with("日", "👩‍👩‍👧!");
        editor.transpose();
        assert_eq!(shown(&editor), "👩‍👩‍👧日|!");
    }

    #[test]
    fn control_characters_do_not_get_in() {
        let mut editor = Editor::default();
        editor.insert("a\x1b\tb\n\u{9b}c").expect("it fits");
        assert_eq!(editor.text(), "a bc");
    }

    #[test]
    fn a_line_has_a_longest_length() {
        let mut editor = Editor::default();
        editor.insert(&"日".repeat(LINE_BYTES_MAX / 3)).expect("it fits");
        assert_eq!(editor.insert("日"), Err(TooLong { bytes: LINE_BYTES_MAX / 3 * 3 + 3 }));
        assert_eq!(editor.text().len(), LINE_BYTES_MAX / 3 * 3);
        editor.home();
        editor.word_right();
        assert!(editor.replace_before_cursor(0, &"x".repeat(LINE_BYTES_MAX + 1)).is_err());
        assert_eq!(editor.text().len(), LINE_BYTES_MAX / 3 * 3, "nothing is lost");
    }

    #[test]
    fn on_an_empty_line_every_key_is_harmless() {
        let mut editor = Editor::default();
        let keys: [fn(&mut Editor); 15] = [
            Editor::left,
            Editor::right,
            Editor::home,
            Editor::end,
            Editor::word_left,
            Editor::word_right,
            Editor::delete_left,
            Editor::delete_right,
            Editor::cut_to_end,
            Editor::cut_to_start,
            Editor::cut_word_left,
            Editor::cut_word_right,
            Editor::cut_to_space,
            |editor: &mut Editor| editor.paste_cut().expect("it fits"),
            Editor::transpose,
        ];
        for key in keys {
            key(&mut editor);
            assert_eq!(shown(&editor), "|");
        }
    }
}
