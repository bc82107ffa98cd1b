//! Whether bytes are text that a person or a program says, or belong to another protocol.
//!
//! Browsers, scanners and programs with a wrong port number send to every port, and a web page can make its visitor's
//! browser do so. None of that must reach the room. The bytes are enough to tell: other protocols hold controls
//! and zeros, and the few without them begin in a way that nobody writes to other people.

use memchr::memchr2;

use crate::{text::clean::is_printable_ascii, text::foreign};

/// The kind of a plain peer's bytes, judged from the bytes alone.
///
/// ```
/// use chat_proto::TextKind;
///
/// assert_eq!(TextKind::of(b"hello"), TextKind::Utf8);
/// assert_eq!(TextKind::of(b"gr\xfc\xdfe"), TextKind::OtherEncoding);
/// assert_eq!(TextKind::of(b"\x10\x0c\0\x04MQTT\x04"), TextKind::NotText);
/// assert_eq!(TextKind::of_first(b"GET / HTTP/1.1\r\n"), TextKind::NotText);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextKind {
    /// Text in UTF-8, perhaps with control characters of a terminal and padded with NULs.
    Utf8,
    /// Text in another encoding: Latin-1, a code page, Shift JIS, … What is not ASCII in it cannot be read.
    OtherEncoding,
    /// Not text. Do not say it.
    NotText,
}

impl TextKind {
    /// Judges a line, or several. They are text if each is.
    ///
    /// A line of text has no NULs but those that end or pad what a program sends, and at most one byte in four is a
    /// control character that neither keys nor terminals send; none, unless it is UTF-8. It does not begin with the
    /// byte FF.
    pub fn of(bytes: &[u8]) -> TextKind {
        if is_printable_ascii(bytes) {
            return TextKind::Utf8;
        }
        // NULs before a line pad the one before it.
        let without_padding = |line: &'_ [u8]| line.iter().position(|&byte| byte != 0).unwrap_or(line.len());
        let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
        let first = lines.next().map_or(TextKind::Utf8, of_line);
        lines.map(|line| of_line(&line[without_padding(line)..])).fold(first, Ord::max)
    }

    /// Judges a peer's first bytes, or a whole datagram, also by how other protocols begin.
    pub fn of_first(bytes: &[u8]) -> TextKind {
        let begins = bytes.iter().find(|byte| !matches!(byte, b'\n' | b'\r'));
        if begins.is_some_and(|&first| !TextKind::may_begin_with(first)) || foreign::is_foreign(bytes) {
            return TextKind::NotText;
        }
        TextKind::of(bytes)
    }

    /// The notice to the peer about such bytes, without the author; say it once about an encoding.
    pub fn remark(self) -> Option<&'static str> {
        match self {
            TextKind::Utf8 => None,
            TextKind::OtherEncoding => Some(
                "Not all of that is UTF-8, and others see \u{FFFD} for the rest. Please send UTF-8: set your terminal to it, \
                 or pipe what you send through iconv -t UTF-8",
            ),
            TextKind::NotText => Some("Not said: that is not text"),
        }
    }

    /// Whether text may begin with this byte. It may with the controls that keys send: tab, line breaks, escape,
    /// backspace and the other editing keys. Over a stream FF may also begin a telnet command; strip those before.
    pub fn may_begin_with(first: u8) -> bool {
        match first {
            b'\t' | b'\n' | b'\r' | 0x08 | 0x15 | 0x17 | 0x1B | 0x7F => true,
            0..0x20 | 0xFF => false,
            _ => true,
        }
    }

    /// Whether these bytes are how an HTTP request begins whose end is still on its way: a web page
    /// may choose a target so long that the network pauses within it.
    pub fn begins_http_request(bytes: &[u8]) -> bool {
        foreign::begins_http_request(bytes)
    }
}

fn of_line(line: &[u8]) -> TextKind {
    if line.first() == Some(&0xFF) {
        return TextKind::NotText;
    }
    let padding = line.iter().rev().take_while(|&&byte| byte == 0).count();
    let content = &line[..line.len() - padding];
    if content.contains(&0) {
        return if is_list_of_strings(line) { TextKind::Utf8 } else { TextKind::NotText };
    }
    let controls = foreign_controls(content);
    match std::str::from_utf8(content) {
        Ok(_) if 4 * controls <= content.len() => TextKind::Utf8,
        // A vertical tab or a form feed beside bytes that are not UTF-8 is more likely a number.
        Err(_) if controls == 0 && memchr2(0x0B, 0x0C, content).is_none() => TextKind::OtherEncoding,
        _ => TextKind::NotText,
    }
}

/// Counts the control characters, without NULs, that neither keys nor terminals use. They do use
/// bell, backspace, tab, line breaks, vertical tab, form feed, escape, delete, Ctrl-U and Ctrl-W.
fn foreign_controls(bytes: &[u8]) -> usize {
    let is_of_keys = |byte: u8| matches!(byte, 0x07..=0x0D | 0x15 | 0x17 | 0x1B);
    bytes.iter().filter(|&&byte| (1..0x20).contains(&byte) && !is_of_keys(byte)).count()
}

/// Whether a line is several strings, each ended by a NUL, a program sends them so when it says several things at once.
/// In UTF-16 each would be one character long.
fn is_list_of_strings(line: &[u8]) -> bool {
    let mut strings = line.split(|&byte| byte == 0);
    strings.next_back().is_some_and(<[u8]>::is_empty)
        && strings.all(|string| {
            string.len() != 1 && foreign_controls(string) == 0 && std::str::from_utf8(string).is_ok()
        })
}
