//! What each key does: those of readline, as far as one line and a history have a use for them.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{Act, Prompt};

impl Prompt {
    /// Takes a key.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Act> {
        if key.kind == KeyEventKind::Release {
            return None; // Windows reports these too
        }
        if let Some(question) = self.question.take() {
            return self.answer(key, question);
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
            KeyCode::Enter => return self.enter(),
            KeyCode::Tab => return Some(Act::Complete),
            KeyCode::PageUp => return Some(Act::PageUp),
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
            'j' | 'm' => return self.enter(),
            'k' => self.editor.cut_to_end(),
            'l' => return Some(Act::Clear),
            'n' => self.down(),
            'p' => self.up(),
            't' => self.editor.transpose(),
            'u' => self.editor.cut_to_start(),
            'w' => self.editor.cut_to_space(),
            'y' => {
                let result = self.editor.paste_cut();
                self.told(result);
            }
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
}
