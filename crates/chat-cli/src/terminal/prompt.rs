//! The input: keys in, lines out.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::editor::Editor;
use super::history::History;
use super::pen::{Pen, Style};
use super::window::{Seen, Window, head, width};

/// The most lines that are taken from one paste. For more there is the pipe.
pub(crate) const PASTED_LINES_MAX: usize = 10_000;

/// What the user wants.
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
}

/// The line being typed, the lines typed before, and a paste that waits for an answer.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    editor: Editor,
    history: History,
    window: Window,
    pasted: Option<Vec<String>>,
    completion: Option<Completion>,
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
    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Act> {
        if key.kind == KeyEventKind::Release {
            return None; // Windows reports these too
        }
        if let Some(lines) = self.pasted.take() {
            return self.answer(key, lines);
        }
        if key.code != KeyCode::Tab {
            self.completion = None;
        }
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            // AltGr is both.
            KeyCode::Char(c) if ctrl == alt => self.insert(c),
            KeyCode::Char(c) if ctrl => return self.ctrl(c.to_ascii_lowercase()),
            KeyCode::Char(c) => self.alt(c.to_ascii_lowercase()),
            KeyCode::Enter => return Some(self.enter()),
            KeyCode::Tab => return Some(Act::Complete),
            KeyCode::Backspace if ctrl || alt => self.editor.cut_word_left(),
            KeyCode::Backspace => self.editor.delete_left(),
            KeyCode::Delete if ctrl || alt => self.editor.cut_word_right(),
            KeyCode::Delete => self.editor.delete_right(),
            KeyCode::Left if ctrl || alt => self.editor.word_left(),
            KeyCode::Left => self.editor.left(),
            KeyCode::Right if ctrl || alt => self.editor.word_right(),
            KeyCode::Right => self.editor.right(),
            KeyCode::Home => self.editor.home(),
            KeyCode::End => self.editor.end(),
            KeyCode::Up => self.up(),
            KeyCode::Down => self.down(),
            _ => {}
        }
        None
    }

    /// Takes pasted text. One line goes into the line being typed; several wait for an answer.
    pub(crate) fn paste(&mut self, text: &str) -> Result<(), TooManyLines> {
        self.completion = None;
        // Terminals send line breaks as carriage returns, as if they were typed.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text = text.trim_end_matches('\n');
        if !text.contains('\n') {
            self.editor.insert(text);
            return Ok(());
        }
        let (before, after) = self.editor.around_cursor();
        let lines: Vec<String> = format!("{before}{text}{after}").lines().map(str::to_owned).collect();
        if lines.len() > PASTED_LINES_MAX {
            return Err(TooManyLines { lines: lines.len() });
        }
        self.pasted = Some(lines);
        Ok(())
    }

    /// Completes the word before the cursor to one of `choices`; called again, to the next of them.
    pub(crate) fn complete(&mut self, choices: impl FnOnce(&str) -> Vec<String>) {
        if self.completion.is_none() {
            let (before, _) = self.editor.around_cursor();
            let start = before.rfind(' ').map_or(0, |at| at + 1);
            let choices = choices(before);
            self.completion = Some(Completion { start, choices, next: 0 });
        }
        let Some(Completion { start, choices, next }) = &mut self.completion else { return };
        if let Some(choice) = choices.get(*next) {
            self.editor.replace_before_cursor(*start, choice);
            *next = (*next + 1) % choices.len();
        }
    }

    /// The prompt and the input, in `columns` columns, with the cursor between the two parts.
    pub(crate) fn row(&mut self, pen: Pen, columns: usize) -> ((String, usize), Seen) {
        let Some(lines) = &self.pasted else {
            let prompt = if columns > 8 { "> " } else { "" };
            let (before, after) = self.editor.around_cursor();
            let seen = self.window.see(before, after, columns - prompt.len());
            return ((pen.row(Style::Good, prompt), prompt.len()), seen);
        };
        let count = lines.len();
        let questions = [
            format!("Say these {count} lines? Enter: yes, J: as one line, Esc: no "),
            format!("Say {count} lines? Enter/J/Esc "),
            format!("{count} lines? "),
        ];
        let fits = |question: &&String| width(question) < columns;
        let question = head(questions.iter().find(fits).unwrap_or(&questions[2]), columns.saturating_sub(1));
        ((pen.row(Style::Warning, question), width(question)), Seen::default())
    }

    /// The lines of a paste that waits for an answer.
    pub(crate) fn pasted(&self) -> &[String] {
        self.pasted.as_deref().unwrap_or_default()
    }

    fn answer(&mut self, key: KeyEvent, lines: Vec<String>) -> Option<Act> {
        match key.code {
            KeyCode::Enter | KeyCode::Char('y' | 'Y') => {
                self.editor.take();
                Some(Act::Say(lines))
            }
            KeyCode::Char('j' | 'J') => {
                self.editor.take();
                let words = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
                self.editor.insert(&words.collect::<Vec<_>>().join(" "));
                None
            }
            KeyCode::Esc | KeyCode::Char('n' | 'N' | 'c' | 'd') => None,
            _ => {
                self.pasted = Some(lines);
                None
            }
        }
    }

    fn insert(&mut self, c: char) {
        self.editor.insert(c.encode_utf8(&mut [0; 4]));
    }

    fn ctrl(&mut self, c: char) -> Option<Act> {
        match c {
            'a' => self.editor.home(),
            'b' => self.editor.left(),
            'c' if self.editor.is_empty() => return Some(Act::Interrupt),
            'c' => drop(self.editor.take()),
            'd' if self.editor.is_empty() => return Some(Act::EndOfInput),
            'd' => self.editor.delete_right(),
            'e' => self.editor.end(),
            'f' => self.editor.right(),
            'h' => self.editor.delete_left(),
            'j' | 'm' => return Some(self.enter()),
            'k' => self.editor.cut_to_end(),
            'l' => return Some(Act::Clear),
            'n' => self.down(),
            'p' => self.up(),
            't' => self.editor.transpose(),
            'u' => self.editor.cut_to_start(),
            'w' => self.editor.cut_to_space(),
            'y' => self.editor.paste_cut(),
            'z' => return Some(Act::Suspend),
            _ => {}
        }
        None
    }

    fn alt(&mut self, c: char) {
        match c {
            'b' => self.editor.word_left(),
            'd' => self.editor.cut_word_right(),
            'f' => self.editor.word_right(),
            _ => {}
        }
    }

    fn enter(&mut self) -> Act {
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

/// A paste of so many lines is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyLines {
    pub(crate) lines: usize,
}

impl std::fmt::Display for TooManyLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines = self.lines;
        write!(
            f,
            "{lines} lines are too many to paste (at most {PASTED_LINES_MAX}). Pipe them: chat client ... < FILE"
        )
    }
}

/// Takes out the last line of what completes a word: those of `choices` that begin with it.
pub(crate) fn beginning_with<'a>(word: &str, choices: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let fits = choices.into_iter().filter(|choice| choice.starts_with(word) && *choice != word);
    fits.map(|choice| format!("{choice} ")).collect()
}

/// A terminal's keys for tests, here and elsewhere.
#[cfg(test)]
pub(crate) fn type_in(prompt: &mut Prompt, keys: &str) -> Vec<Act> {
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
mod tests {
    use super::*;

    const PEN: Pen = Pen { colour: false };

    fn shown(prompt: &mut Prompt) -> String {
        let (_, Seen { before_cursor, after_cursor }) = prompt.row(PEN, 60);
        format!("{before_cursor}|{after_cursor}")
    }

    fn enter(line: &str) -> Act {
        Act::Enter(line.to_owned())
    }

    #[test]
    fn a_line_is_typed_and_entered() {
        let mut prompt = Prompt::default();
        assert_eq!(type_in(&mut prompt, "helo←l\n"), [enter("hello")]);
        assert_eq!(shown(&mut prompt), "|");
    }

    #[test]
    fn ctrl_c_clears_the_line_and_on_an_empty_one_leaves() {
        let mut prompt = Prompt::default();
        assert_eq!(type_in(&mut prompt, "hello\x03"), []);
        assert_eq!(shown(&mut prompt), "|");
        assert_eq!(type_in(&mut prompt, "\x03"), [Act::Interrupt]);
    }

    #[test]
    fn ctrl_d_deletes_and_on_an_empty_line_leaves() {
        let mut prompt = Prompt::default();
        assert_eq!(type_in(&mut prompt, "ab\x01\x04"), []);
        assert_eq!(shown(&mut prompt), "|b");
        assert_eq!(type_in(&mut prompt, "\x04\x04"), [Act::EndOfInput]);
    }

    #[test]
    fn up_brings_back_what_was_entered_and_down_the_draft() {
        let mut prompt = Prompt::default();
        type_in(&mut prompt, "one\ntwo\ndraft↑↑");
        assert_eq!(shown(&mut prompt), "one|");
        type_in(&mut prompt, "↓↓");
        assert_eq!(shown(&mut prompt), "draft|");
    }

    #[test]
    fn one_pasted_line_goes_into_the_line() {
        let mut prompt = Prompt::default();
        type_in(&mut prompt, "<>←");
        prompt.paste("a\x1b[31mb\r").expect("few lines");
        assert_eq!(shown(&mut prompt), "<a[31mb|>");
    }

    #[test]
    fn several_pasted_lines_are_said_only_after_a_yes() {
        let mut prompt = Prompt::default();
        type_in(&mut prompt, "so: ");
        prompt.paste("/one\r\ttwo\r\rthree\r").expect("few lines");
        assert_eq!(prompt.pasted().len(), 4);
        let ((question, _), _) = prompt.row(PEN, 80);
        assert!(question.contains("Say these 4 lines?"), "{question}");
        let lines = ["so: /one", "\ttwo", "", "three"].map(str::to_owned).to_vec();
        assert_eq!(type_in(&mut prompt, "x\n"), [Act::Say(lines)], "x is no answer");
        assert_eq!(shown(&mut prompt), "|");
    }

    #[test]
    fn a_refused_paste_leaves_the_line_as_it_was() {
        let mut prompt = Prompt::default();
        type_in(&mut prompt, "draft");
        for no in ["\x1b", "\x03", "n"] {
            prompt.paste("one\ntwo").expect("few lines");
            assert_eq!(type_in(&mut prompt, no), []);
            assert_eq!(shown(&mut prompt), "draft|");
        }
    }

    #[test]
    fn pasted_lines_can_be_joined() {
        let mut prompt = Prompt::default();
        prompt.paste("one\n  two\n\nthree\n").expect("few lines");
        assert_eq!(type_in(&mut prompt, "j"), []);
        assert_eq!(shown(&mut prompt), "one two three|");
    }

    #[test]
    fn a_paste_has_a_most_of_lines() {
        let error = Prompt::default().paste(&"x\n".repeat(PASTED_LINES_MAX + 1));
        assert_eq!(error, Err(TooManyLines { lines: PASTED_LINES_MAX + 1 }));
    }

    #[test]
    fn tab_goes_through_what_completes_the_word() {
        let mut prompt = Prompt::default();
        let choices = |before: &str| {
            assert_eq!(before, "hi 127");
            vec!["127.0.0.1:1 ".to_owned(), "127.0.0.1:2 ".to_owned()]
        };
        type_in(&mut prompt, "hi 127");
        for shown_then in ["hi 127.0.0.1:1 |", "hi 127.0.0.1:2 |", "hi 127.0.0.1:1 |"] {
            assert_eq!(type_in(&mut prompt, "\t"), [Act::Complete]);
            prompt.complete(choices);
            assert_eq!(shown(&mut prompt), shown_then);
        }
    }

    #[test]
    fn every_width_shows_something_that_fits() {
        let mut prompt = Prompt::default();
        type_in(&mut prompt, "日本語のとても長い行");
        for columns in 1..30 {
            let ((_, before), Seen { before_cursor, after_cursor }) = prompt.row(PEN, columns);
            assert!(before + width(&before_cursor) + width(&after_cursor) <= columns.max(3), "{columns}");
        }
        prompt.paste("one\ntwo").expect("few lines");
        for columns in 1..80 {
            assert!(prompt.row(PEN, columns).0.1 <= columns);
        }
    }
}
