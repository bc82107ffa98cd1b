//! Terminals that send each key by itself: which reads are keys, and what editing keys do to the line.

/// How the bytes of an unfinished line have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// One key per read: a person types on a terminal that does not collect a line first. Words may be among them,
    /// since a person also pastes.
    Keys,
    /// Several characters per read: a program, or a line that a terminal has sent in parts.
    Words,
}

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7F;
/// Ctrl-U.
const KILL_LINE: u8 = 0x15;
/// Ctrl-W.
const KILL_WORD: u8 = 0x17;
const ESCAPE: u8 = 0x1B;

/// The longest sequence of bytes that one key sends: `ESC [ 2 4 ; 5 ~` and the like.
const KEY_BYTES_MAX: usize = 8;

/// Whether the bytes of a read are those of one key: a character, or an escape sequence.
pub(crate) fn is_one_key(bytes: &[u8]) -> bool {
    match bytes {
        [_] => true,
        [ESCAPE, ..] => bytes.len() <= KEY_BYTES_MAX,
        [first, ..] if first.is_ascii() => false,
        _ => std::str::from_utf8(bytes).is_ok_and(|s| s.chars().count() == 1),
    }
}

/// Whether that is one editing key by itself. A program sends one only among words.
pub(crate) fn is_editing_key(bytes: &[u8]) -> bool {
    matches!(bytes, [BACKSPACE | DELETE | KILL_LINE | KILL_WORD])
}

/// Applies the editing keys in a line, like a terminal driver.
pub(crate) fn edit(line: &mut Vec<u8>) {
    let Some(first) = line.iter().position(|&byte| is_editing_key(&[byte])) else { return };
    let typed = line.split_off(first);
    for byte in typed {
        match byte {
            BACKSPACE | DELETE => erase_character(line),
            KILL_LINE => line.clear(),
            KILL_WORD => {
                while line.pop_if(|last| *last == b' ').is_some() {}
                while line.pop_if(|last| *last != b' ').is_some() {}
            }
            _ => line.push(byte),
        }
    }
}

/// Erases the last character if the line is UTF-8, otherwise the last byte.
fn erase_character(line: &mut Vec<u8>) {
    let is_continuation = |byte: &u8| (0x80..0xC0).contains(byte);
    let continuation = line.iter().rev().take(3).take_while(|byte| is_continuation(byte)).count();
    let begin = line.len().saturating_sub(continuation + 1);
    let is_utf8 = std::str::from_utf8(&line[begin..]).is_ok();
    line.truncate(if is_utf8 { begin } else { line.len() - 1 });
}

#[cfg(test)]
mod tests {
    use super::{edit, is_one_key};

    fn edited(line: &[u8]) -> Vec<u8> {
        let mut line = line.to_vec();
        edit(&mut line);
        line
    }

    #[test]
    fn editing_keys_are_obeyed_as_a_terminal_driver_does() {
        for (typed, expected) in [
            (&b"hello"[..], &b"hello"[..]),
            (b"helpo\x08\x08lo", b"hello"),
            (b"helpo\x7f\x7flo", b"hello"),
            (b"\x08\x7f\x15\x17a", b"a"),
            (b"wrong\x15right", b"right"),
            (b"one two  \x17three", b"one three"),
            (b"one\x17\x17\x17", b""),
            ("gr\u{fc}\x7fu".as_bytes(), b"gru"),
            ("\u{4f60}\u{1f600}\x08".as_bytes(), "\u{4f60}".as_bytes()),
            (b"gr\xfc\x7fu", b"gru"),
            (b"\x80\x80\x7f", b"\x80"),
        ] {
            assert_eq!(edited(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn a_key_is_one_character_or_one_escape_sequence() {
        for key in [
            "h",
            "\u{e9}",
            "\u{4f60}",
            "\u{1f600}",
            "\t",
            "\x7f",
            "\x1b",
            "\x1b[A",
            "\x1bOP",
            "\x1b[1;5D",
            "\x1b[15~",
        ] {
            assert!(is_one_key(key.as_bytes()), "{key:?}");
        }
        assert!(is_one_key(b"\xe9"), "a terminal of Latin-1");
        for words in ["ab", "\u{e9}\u{e9}", "\u{e9}a", "\x1b[200~pasted"] {
            assert!(!is_one_key(words.as_bytes()), "{words:?}");
        }
    }
}
