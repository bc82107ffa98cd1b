//! The input: keys in, lines out.

mod key_bindings;

use crossterm::event::KeyEvent;

use chat_proto::Text;

use super::editor::{Editor, TooLong};
use super::history::History;
use super::pen::{Pen, Style};
use super::question::{Answer, Question};
use super::window::{Seen, Window, width};

/// The most lines that are taken from one paste. For more there is the pipe.
pub(crate) const PASTED_LINES_MAX: usize = 10_000;

/// The notice that a paste was not taken.
pub(crate) const PASTE_TOO_LONG: &str = "That is too much to paste. Pipe it: chat client ... < FILE";

/// Into how many messages a line may be cut without a question.
const MESSAGES_UNASKED: usize = 3;

/// A wish of the user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// This line was entered.
    Enter(String),
    /// These lines were pasted, and are meant to be said as they are.
    Say(Vec<String>),
    /// Ctrl-C on an empty line.
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Clear,
    /// Tab: [`Prompt::complete`] is to be called.
    Complete,
    /// Page Up: older messages are to be shown.
    PageUp,
}

/// The line being typed, the lines typed before, and a question that waits for an answer.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    editor: Editor,
    history: History,
    window: Window,
    question: Option<Question>,
    completion: Option<Completion>,
    /// What the user must be told.
    notice: Option<String>,
}

/// A word that was completed, and may be so otherwise.
#[derive(Debug)]
struct Completion {
    /// Where the word begins.
    start: usize,
    choices: Vec<String>,
    next: usize,
}

impl Prompt {
    /// What the user must be told about the last key or paste.
    pub(crate) fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// Takes pasted text. One line goes into the line being typed; several wait for an answer.
    pub(crate) fn paste(&mut self, text: &str) {
        self.completion = None;
        // Terminals send line breaks as carriage returns, as if they were typed.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim_end_matches('\n');
        if !text.contains('\n') {
            let result = self.editor.insert(text);
            return self.told(result);
        }
        let (before, after) = self.editor.around_cursor();
        let lines: Vec<String> = format!("{before}{text}{after}").lines().map(str::to_owned).collect();
        if lines.len() > PASTED_LINES_MAX {
            let count = lines.len();
            self.notice = Some(format!(
                "{count} lines are too many to paste (at most {PASTED_LINES_MAX}). Pipe them: chat client ... < FILE"
            ));
            return;
        }
        self.question = Some(Question::Lines(lines));
    }

    fn told(&mut self, result: Result<(), TooLong>) {
        if let Err(error) = result {
            self.notice = Some(error.to_string());
        }
    }

    /// Completes the word before the cursor to one of `choices`; called again, to the next of them.
    pub(crate) fn complete(&mut self, choices: impl FnOnce(&str) -> Vec<String>) {
        if self.completion.is_none() {
            let (before, _) = self.editor.around_cursor();
            let start = before.rfind(' ').map_or(0, |at| at + 1);
            // Without a word before the cursor there is nothing to complete.
            let choices = if start == before.len() { Vec::new() } else { choices(before) };
            self.completion = Some(Completion { start, choices, next: 0 });
        }
        let Some(Completion { start, choices, next }) = &mut self.completion else { return };
        if let Some(choice) = choices.get(*next) {
            let result = self.editor.replace_before_cursor(*start, choice);
            *next = (*next + 1) % choices.len();
            self.told(result);
        }
    }

    /// The prompt and the input, in `columns` columns, with the cursor between the two parts.
    pub(crate) fn row(&mut self, pen: Pen, columns: usize) -> ((String, usize), Seen) {
        let Some(question) = &self.question else {
            let prompt = if columns > 8 { "> " } else { "" };
            let (before, after) = self.editor.around_cursor();
            let seen = self.window.see(before, after, columns - prompt.len());
            return ((pen.row(Style::Good, prompt), prompt.len()), seen);
        };
        let question = question.text(columns);
        ((pen.row(Style::Warning, &question), width(&question)), Seen::default())
    }

    /// What the question is about that waits for an answer, in at most `rows_max` rows.
    pub(crate) fn preview(&self, columns: usize, rows_max: usize) -> Vec<String> {
        self.question.as_ref().map_or_else(Vec::new, |question| question.preview(columns, rows_max))
    }

    fn answer(&mut self, key: KeyEvent, question: Question) -> Option<Act> {
        match (question.answer(key), question) {
            (Answer::Yes, Question::Lines(lines)) => {
                self.editor.take();
                Some(Act::Say(lines))
            }
            (Answer::Yes, Question::Long { .. }) => Some(self.enter_unasked()),
            (Answer::Join, Question::Lines(lines)) => {
                let words = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
                let joined = words.collect::<Vec<_>>().join(" ");
                let typed = self.editor.take();
                if let Err(error) = self.editor.insert(&joined) {
                    self.editor.set(typed);
                    self.notice = Some(error.to_string());
                    self.question = Some(Question::Lines(lines));
                }
                None
            }
            (Answer::No, _) => None,
            (_, question) => {
                self.question = Some(question);
                None
            }
        }
    }

    fn insert(&mut self, c: char) {
        let result = self.editor.insert(c.encode_utf8(&mut [0; 4]));
        self.told(result);
    }

    fn enter(&mut self) -> Option<Act> {
        let messages = Text::split(self.editor.text().as_bytes()).count();
        if messages > MESSAGES_UNASKED {
            self.question = Some(Question::Long { messages });
            return None;
        }
        Some(self.enter_unasked())
    }

    fn enter_unasked(&mut self) -> Act {
        let line = self.editor.take();
        self.history.add(&line);
        Act::Enter(line)
    }

    fn up(&mut self) {
        if let Some(line) = self.history.up(self.editor.text()) {
            self.editor.set(line);
        }
    }

    fn down(&mut self) {
        if let Some(line) = self.history.down() {
            self.editor.set(line);
        }
    }
}

/// The completions of a word: those of `choices` that begin with it.
pub(crate) fn beginning_with<'a>(word: &str, choices: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let fits = choices.into_iter().filter(|choice| choice.starts_with(word) && *choice != word);
    fits.map(|choice| format!("{choice} ")).collect()
}

/// A terminal's keys for tests, here and elsewhere.
#[cfg(test)]
pub(crate) fn type_in(prompt: &mut Prompt, keys: &str) -> Vec<Act> {
    use crossterm::event::{KeyCode, KeyModifiers};
    let key = |c: char| match c {
        '\n' => KeyEvent::from(KeyCode::Enter),
        '\t' => KeyEvent::from(KeyCode::Tab),
        '\x1b' => KeyEvent::from(KeyCode::Esc),
        '↑' => KeyEvent::from(KeyCode::Up),
        '↓' => KeyEvent::from(KeyCode::Down),
        '←' => KeyEvent::from(KeyCode::Left),
        '\x01'..='\x1a' => KeyEvent::new(KeyCode::Char(char::from(c as u8 + b'`')), KeyModifiers::CONTROL),
        c => KeyEvent::from(KeyCode::Char(c)),
    };
    keys.chars().filter_map(|c| prompt.key(key(c))).collect()
}

#[cfg(test)]
mod tests;
