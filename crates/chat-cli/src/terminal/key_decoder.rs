//! Bytes of a terminal in, keys and pasted text out.
//!
//! A terminal sends a key that has no character as several bytes, and nothing says whether more of them follow: a
//! lone ESC is a key, and the beginning of others. So a key may be incomplete for a while, and so may a paste.
//! [`KeyDecoder::timeout`] says how long, and [`KeyDecoder::expire`] ends it.

use std::mem;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// How long the bytes of one key may take. A slow connection tears them apart.
const KEY_TIMEOUT: Duration = Duration::from_millis(500);

/// How long a paste may be silent before it ends without its mark.
const PASTE_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest paste, in bytes. A longer one is not taken.
pub(super) const PASTE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The longest sequence of bytes that can be a key.
const SEQUENCE_BYTES_MAX: usize = 32;

/// From how many line breaks on a burst is a paste. Fewer may have been typed while the connection stood still.
const BURST_LINES_MIN: usize = 3;

/// Ends a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

const CTRL_C: u8 = 0x03;
const TAB: u8 = b'\t';
const ESCAPE: u8 = 0x1b;

/// What a terminal has sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Key(KeyEvent),
    Paste(String),
    /// More was pasted than is taken.
    PasteTooLong,
    /// The answer to a request for the cursor's position: its column, from 0.
    Column(u16),
}

/// Turns bytes into keys.
#[derive(Debug, Default)]
pub(super) struct KeyDecoder {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Ground,
    /// The first bytes of a character, and whether ESC stood before it.
    Character {
        bytes: Vec<u8>,
        has_alt: bool,
    },
    Escape,
    /// After `ESC [` (CSI) or `ESC O` (SS3), as ECMA-48 has it.
    Sequence {
        introducer: u8,
        bytes: Vec<u8>,
    },
    /// The pasted bytes so far.
    Paste(Vec<u8>),
}

impl KeyDecoder {
    /// Takes the bytes of one read.
    pub(super) fn feed(&mut self, bytes: &[u8], mut sent: impl FnMut(Sent)) {
        // Ctrl-C comes alone if somebody presses it. In the middle of pasted bytes it is one of them: it must not
        // turn the rest of them into keys.
        if matches!(self.state, State::Paste(_)) && bytes.iter().all(|&byte| byte == CTRL_C) {
            self.expire(&mut sent);
        }
        if self.is_burst(bytes) {
            return sent(pasted(bytes.to_vec()));
        }
        for &byte in bytes {
            self.take(byte, &mut sent);
        }
    }

    /// Whether these bytes are a paste without its marks. The rest of it is to be read before they are fed.
    pub(super) fn is_burst(&self, bytes: &[u8]) -> bool {
        matches!(self.state, State::Ground) && is_burst(bytes)
    }

    /// After how long a silence [`expire`](Self::expire) is to be called; none if nothing is incomplete.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Paste(_) => Some(PASTE_TIMEOUT),
            _ => Some(KEY_TIMEOUT),
        }
    }

    /// Nothing came for as long as [`timeout`](Self::timeout) says: what is incomplete stays so.
    pub(super) fn expire(&mut self, mut sent: impl FnMut(Sent)) {
        match mem::take(&mut self.state) {
            State::Ground | State::Sequence { .. } => {}
            State::Character { .. } => sent(character(char::REPLACEMENT_CHARACTER, false)),
            State::Escape => sent(Sent::Key(KeyCode::Esc.into())),
            State::Paste(bytes) => sent(pasted(bytes)),
        }
    }

    fn take(&mut self, byte: u8, sent: &mut impl FnMut(Sent)) {
        match mem::take(&mut self.state) {
            State::Ground => self.begin(byte, false, sent),
            State::Escape => match byte {
                ESCAPE => self.state = State::Escape,
                b'[' | b'O' => self.state = State::Sequence { introducer: byte, bytes: Vec::new() },
                // No terminal sends Alt with one of these, but somebody may press Escape and Enter in haste.
                0x00..0x20 => {
                    sent(Sent::Key(KeyCode::Esc.into()));
                    self.begin(byte, false, sent);
                }
                _ => self.begin(byte, true, sent),
            },
            State::Character { mut bytes, has_alt } => {
                bytes.push(byte);
                match std::str::from_utf8(&bytes) {
                    Ok(text) => text.chars().for_each(|c| sent(character(c, has_alt))),
                    Err(error) if error.error_len().is_none() => {
                        self.state = State::Character { bytes, has_alt };
                    }
                    Err(_) => {
                        sent(character(char::REPLACEMENT_CHARACTER, has_alt));
                        if bytes.len() > 1 {
                            self.take(byte, sent); // it broke the character off
                        }
                    }
                }
            }
            State::Sequence { introducer, mut bytes } => match byte {
                // The function keys of a Linux console: `ESC [ [ A`.
                b'[' if introducer == b'[' && bytes.is_empty() => {
                    self.state = State::Sequence { introducer, bytes: vec![b'['] };
                }
                0x20..=0x3f if bytes.len() < SEQUENCE_BYTES_MAX => {
                    bytes.push(byte);
                    self.state = State::Sequence { introducer, bytes };
                }
                0x40..=0x7e if introducer == b'[' && byte == b'~' && bytes == b"200" => {
                    self.state = State::Paste(Vec::new());
                }
                0x20..=0x7e => sequence(introducer, &bytes, byte).into_iter().for_each(sent),
                // Not part of any sequence: a new key.
                _ => self.take(byte, sent),
            },
            State::Paste(mut bytes) => {
                if bytes.len() <= PASTE_BYTES_MAX {
                    bytes.push(byte);
                } else {
                    // Of the rest only the end matters.
                    let end = bytes.len() - PASTE_END.len();
                    bytes[end..].rotate_left(1);
                    *bytes.last_mut().expect("it is longer than the mark") = byte;
                }
                if bytes.ends_with(PASTE_END) {
                    if bytes.len() <= PASTE_BYTES_MAX {
                        bytes.truncate(bytes.len() - PASTE_END.len());
                    }
                    sent(pasted(bytes));
                } else {
                    self.state = State::Paste(bytes);
                }
            }
        }
    }

    /// The first byte of a key, with ESC before it or not.
    fn begin(&mut self, byte: u8, has_alt: bool, sent: &mut impl FnMut(Sent)) {
        let alt = if has_alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
        let code = match byte {
            ESCAPE => {
                self.state = State::Escape;
                return;
            }
            b'\r' => KeyCode::Enter,
            TAB => KeyCode::Tab,
            0x7f => KeyCode::Backspace,
            0x01..=0x1a => {
                let key = KeyCode::Char(char::from(byte + b'`'));
                return sent(Sent::Key(KeyEvent::new(key, alt | KeyModifiers::CONTROL)));
            }
            // Ctrl with a character that means nothing here.
            0x00 | 0x1b..=0x1f => return,
            0x20..=0x7e => KeyCode::Char(char::from(byte)),
            0x80.. => {
                self.state = State::Character { bytes: Vec::new(), has_alt };
                return self.take(byte, sent);
            }
        };
        sent(Sent::Key(KeyEvent::new(code, alt)));
    }
}

/// Whether no person types like this: many lines at once, or a tab in the middle of text. A terminal that does not mark
/// what is pasted sends it so.
fn is_burst(bytes: &[u8]) -> bool {
    // A key that has no character, or one with Ctrl: somebody types, or a program does.
    if bytes.iter().any(|&byte| matches!(byte, 0..0x20 | 0x7f) && !matches!(byte, b'\r' | b'\n' | TAB)) {
        return false;
    }
    let lines = bytes.iter().filter(|&&byte| byte == b'\r' || byte == b'\n').count();
    let text_after_tab = bytes.iter().skip_while(|&&byte| byte != TAB).any(|&byte| byte > 0x20);
    lines >= BURST_LINES_MIN || text_after_tab
}

fn pasted(bytes: Vec<u8>) -> Sent {
    if bytes.len() > PASTE_BYTES_MAX {
        return Sent::PasteTooLong;
    }
    Sent::Paste(
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into()),
    )
}

fn character(c: char, has_alt: bool) -> Sent {
    let modifiers = if has_alt { KeyModifiers::ALT } else { KeyModifiers::NONE };
    Sent::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
}

/// The key that a sequence stands for, if it is one that is used here.
fn sequence(introducer: u8, parameters: &[u8], last: u8) -> Option<Sent> {
    let parameters = std::str::from_utf8(parameters).ok()?;
    // A function key of the Linux console, or (ECMA-48, private parameters) no key at all.
    if parameters.starts_with(['[', '<', '=', '>', '?']) {
        return None;
    }
    let mut numbers = parameters.split(';').map(|number| number.parse::<u16>().ok());
    let first = numbers.next().flatten();
    let second = numbers.next().flatten();
    if introducer == b'[' && last == b'R' {
        return Some(Sent::Column(second?.saturating_sub(1)));
    }
    let is_numbered = matches!(last, b'~' | b'^' | b'@');
    // The modifiers are the second number or, where the first says nothing else, the only one: `ESC [ 1 ; 5 C`, `ESC O 5 C`.
    let number = if is_numbered { second } else { second.or(first) };
    let mut modifiers = number.map_or(KeyModifiers::NONE, held);
    let code = match last {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' if introducer == b'O' => KeyCode::Enter,
        b'Z' => KeyCode::BackTab,
        // rxvt: small letters for arrows with Shift (CSI) or Ctrl (SS3).
        b'a'..=b'd' => {
            modifiers |= if introducer == b'O' { KeyModifiers::CONTROL } else { KeyModifiers::SHIFT };
            [KeyCode::Up, KeyCode::Down, KeyCode::Right, KeyCode::Left][usize::from(last - b'a')]
        }
        _ if is_numbered => {
            if last != b'~' {
                modifiers |= KeyModifiers::CONTROL; // rxvt
            }
            match first? {
                1 | 7 => KeyCode::Home,
                3 => KeyCode::Delete,
                4 | 8 => KeyCode::End,
                5 => KeyCode::PageUp,
                6 => KeyCode::PageDown,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Sent::Key(KeyEvent::new(code, modifiers)))
}

/// The modifiers as xterm counts them: one, and 1 for Shift, 2 for Alt, 4 for Ctrl.
fn held(number: u16) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    modifiers.set(KeyModifiers::SHIFT, bits & 1 != 0);
    modifiers.set(KeyModifiers::ALT, bits & 2 != 0);
    modifiers.set(KeyModifiers::CONTROL, bits & 4 != 0);
    modifiers
}

#[cfg(test)]
mod tests;
