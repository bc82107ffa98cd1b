//! The lines typed before.

use std::collections::VecDeque;

use crate::room_commands::is_secret;

/// How many lines are kept.
const LINES_MAX: usize = 500;

/// The lines typed before, and where in them the user is.
#[derive(Debug, Default)]
pub(crate) struct History {
    lines: VecDeque<String>,
    /// Which of them is shown; `None` for the line that is being typed.
    shown: Option<usize>,
    /// That line, while another is shown.
    draft: String,
}

impl History {
    /// Notes a line that was typed, unless it has a password in it.
    pub(crate) fn add(&mut self, line: &str) {
        self.shown = None;
        if line.trim().is_empty() || is_secret(line) || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The line before the one shown, which is now `current`.
    pub(crate) fn up(&mut self, current: &str) -> Option<String> {
        let next = match self.shown {
            None => {
                self.draft = current.to_owned();
                self.lines.len().checked_sub(1)?
            }
            Some(shown) => shown.checked_sub(1)?,
        };
        self.shown = Some(next);
        self.lines.get(next).cloned()
    }

    /// The line after the one shown, at last the one that was being typed.
    pub(crate) fn down(&mut self) -> Option<String> {
        let next = self.shown? + 1;
        self.shown = (next < self.lines.len()).then_some(next);
        Some(self.shown.and_then(|shown| self.lines.get(shown)).unwrap_or(&self.draft).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_and_down_walk_through_the_lines_and_back_to_the_draft() {
        let mut history = History::default();
        ["one", "two", "two", " "].iter().for_each(|line| history.add(line));
        assert_eq!(history.up("draft").as_deref(), Some("two"));
        assert_eq!(history.up("two").as_deref(), Some("one"));
        assert_eq!(history.up("one"), None);
        assert_eq!(history.down().as_deref(), Some("two"));
        assert_eq!(history.down().as_deref(), Some("draft"));
        assert_eq!(history.down(), None);
    }

    #[test]
    fn an_empty_history_changes_nothing() {
        let mut history = History::default();
        assert_eq!(history.up("draft"), None);
        assert_eq!(history.down(), None);
    }

    #[test]
    fn the_oldest_lines_make_room() {
        let mut history = History::default();
        (0..LINES_MAX + 10).for_each(|index| history.add(&index.to_string()));
        assert_eq!(history.lines.len(), LINES_MAX);
        assert_eq!(history.lines.front().map(String::as_str), Some("10"));
    }
}
