//! Questions before much is said at once.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::window::{head, shortened, width};

/// Rows of a paste that are shown with the question.
const PREVIEW_ROWS: usize = 3;

/// A question that waits for an answer.
#[derive(Debug)]
pub(crate) enum Question {
    /// Whether to say these lines, which were pasted.
    Lines(Vec<String>),
    /// Whether to say the line being typed, which becomes this many messages.
    Long { messages: usize },
}

/// The user's answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// As one line, to be looked at before it is said.
    Join,
    No,
    /// The key is not an answer.
    None,
}

impl Question {
    pub(super) fn answer(&self, key: KeyEvent) -> Answer {
        match key.code {
            KeyCode::Enter => Answer::Yes,
            KeyCode::Esc => Answer::No,
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => Answer::No,
            KeyCode::Char('j' | 'J') if matches!(self, Self::Lines(_)) => Answer::Join,
            // It may be text that was typed ahead.
            _ => Answer::None,
        }
    }

    /// The question, in less than `columns` columns if that can be.
    pub(super) fn text(&self, columns: usize) -> String {
        let questions = match self {
            Self::Lines(lines) => {
                let count = lines.len();
                [
                    format!("Say these {count} lines? Enter: yes, J: as one line, Esc: no "),
                    format!("Say {count} lines? Enter/J/Esc "),
                    format!("{count} lines? "),
                ]
            }
            Self::Long { messages } => [
                format!("Say this line as {messages} messages? Enter: yes, Esc: no "),
                format!("Say {messages} messages? Enter/Esc "),
                format!("{messages} messages? "),
            ],
        };
        let fits = |question: &&String| width(question) < columns;
        head(questions.iter().find(fits).unwrap_or(&questions[2]), columns.saturating_sub(1)).to_owned()
    }

    /// The text that the question is about, in at most `rows_max` rows.
    pub(super) fn preview(&self, columns: usize, rows_max: usize) -> Vec<String> {
        let Self::Lines(lines) = self else { return Vec::new() };
        let shown = if lines.len() <= PREVIEW_ROWS.min(rows_max) {
            lines.len()
        } else {
            PREVIEW_ROWS.min(rows_max.saturating_sub(1))
        };
        let row =
            |line: &String| shortened(&format!("  {}", line.replace('\t', " ")), columns.saturating_sub(1));
        let mut rows: Vec<String> = lines.iter().take(shown).map(row).collect();
        let more = lines.len() - shown;
        if more > 0 && rows.len() < rows_max {
            rows.push(shortened(&format!("  … {more} more"), columns.saturating_sub(1)));
        }
        rows
    }
}
