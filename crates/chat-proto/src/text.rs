//! The text of one message: one clean line of bounded length.

pub(crate) mod bidi;
pub(crate) mod clean;
pub(crate) mod foreign;
pub(crate) mod invisible;
pub(crate) mod kind;

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use memchr::memchr3;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};
use unicode_segmentation::UnicodeSegmentation;

use crate::limits::TEXT_BYTES_MAX;

/// The text of one message: one clean line of at most [`TEXT_BYTES_MAX`] bytes, perhaps empty.
///
/// Clean means that it holds no line break, no control character, and no invisible character except where a word
/// or an emoji is spelt with it (joiners, variation selectors, the tags of a flag, ...). Cleaning shows a C0 control as
/// its control picture and a misleading character as U+FFFD, and drops the other invisible ones. A clone shares the
/// bytes.
///
/// ```
/// use chat_proto::Text;
///
/// let texts: Vec<Text> = Text::split(b"one\r\n\x1b]0;gotcha\x07\n").collect();
/// assert_eq!(texts[0].as_str(), "one");
/// assert_eq!(texts[1].as_str(), "\u{241b}]0;gotcha\u{2407}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Cleans a string into one text; a line break in it becomes visible like any other control.
    ///
    /// # Errors
    ///
    /// [`TextError::TooLong`] if it exceeds [`TEXT_BYTES_MAX`] when clean. Use [`Text::split`] for
    /// what may be longer.
    pub fn one_line(s: &str) -> Result<Text, TextError> {
        if clean::is_printable_ascii(s.as_bytes()) {
            return Text::checked(s);
        }
        Text::checked(&clean::clean(s))
    }

    /// One line of anything: cleaned as [`one_line`](Self::one_line) does, and cut to [`TEXT_BYTES_MAX`] between
    /// characters as people see them. For text of the program's own, where a cut is better than an error.
    ///
    /// ```
    /// use chat_proto::{Text, limits::TEXT_BYTES_MAX};
    ///
    /// assert_eq!(Text::lossy("no\tspam").as_str(), "no spam");
    /// assert_eq!(Text::lossy(&"x".repeat(5_000)).as_str().len(), TEXT_BYTES_MAX);
    /// ```
    pub fn lossy(s: &str) -> Text {
        let clean = clean::clean(s);
        // A cut may take the neighbour that an invisible character was kept for. No replaced character is shorter than
        // U+FFFD.
        Text(clean::clean(front(&clean, TEXT_BYTES_MAX)).into())
    }

    /// Splits bytes at line breaks and cleans them into as many texts as it takes; nothing is lost.
    ///
    /// LF, CR LF, CR NUL and a bare CR end a line; the last of them does not begin another. So do NULs, however many,
    /// with a line break after them: programs send the NUL that ends their strings, or a whole buffer of which the rest
    /// is zero. No bytes give no text, a line break alone gives an empty one. Each maximal invalid part of UTF-8
    /// becomes one U+FFFD, as with [`String::from_utf8_lossy`]. A line longer than [`TEXT_BYTES_MAX`] when clean is
    /// split where no character that people see is cut; only one that is longer by itself is cut inside. An invisible
    /// character that a cut separates from its neighbours is dropped or becomes U+FFFD.
    ///
    /// Lazy: it holds one cleaned line at a time, at most three times as long as the line, and
    /// nothing of a line of printable ASCII, which costs one copy.
    pub fn split(bytes: &[u8]) -> impl Iterator<Item = Text> {
        Split { bytes, line: Cow::Borrowed(""), has_invisible: false, at: 0 }
    }

    /// A text from a string that is known to be clean.
    fn checked(clean: &str) -> Result<Text, TextError> {
        match clean.len() {
            bytes if bytes > TEXT_BYTES_MAX => Err(TextError::TooLong { bytes, bytes_max: TEXT_BYTES_MAX }),
            _ => Ok(Text(clean.into())),
        }
    }
}

/// Takes a string that is clean already.
impl FromStr for Text {
    type Err = TextError;

    fn from_str(s: &str) -> Result<Text, TextError> {
        let text = Text::checked(s)?;
        match clean::find_unclean(s) {
            Some(at) => Err(TextError::NotClean { at }),
            None => Ok(text),
        }
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Cleans rather than refuses, so that two ends with different versions of Unicode can talk; a
/// text that is too long is an error.
impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        deserialize_str(deserializer, |s| Text::one_line(s).map_err(D::Error::custom))
    }
}

/// Why a string is not a [`Text`]. Its author is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It is longer than its place allows, [`TEXT_BYTES_MAX`] as a rule.
    #[error("a text of {bytes} bytes is too long: the limit is {bytes_max}")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// It holds a character that a text may not hold.
    #[error("a text may not hold the character at byte {at}")]
    NotClean {
        /// Where the first such character begins, in bytes.
        at: usize,
    },
}

struct Split<'a> {
    /// The input that was not read yet, from the beginning of a line.
    bytes: &'a [u8],
    /// The clean line that is being handed out in pieces; borrowed, it is printable ASCII.
    line: Cow<'a, str>,
    /// Invisible characters are in it.
    has_invisible: bool,
    /// Where its next piece begins; its length when none is left.
    at: usize,
}

impl Iterator for Split<'_> {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        if self.at < self.line.len() {
            return Some(self.next_piece());
        }
        if self.bytes.is_empty() {
            return None;
        }
        // Usually all of it is one line.
        let (line, is_ascii) = if clean::is_printable_ascii(self.bytes) {
            (std::mem::take(&mut self.bytes), true)
        } else {
            let line = take_line(&mut self.bytes);
            (line, clean::is_printable_ascii(line))
        };
        self.line = match std::str::from_utf8(line) {
            Ok(ascii) if is_ascii => Cow::Borrowed(ascii),
            _ => {
                let cleaned = clean::clean_bytes(line);
                self.has_invisible = cleaned.has_invisible;
                Cow::Owned(cleaned.text)
            }
        };
        self.at = 0;
        Some(self.next_piece())
    }
}

impl Split<'_> {
    fn next_piece(&mut self) -> Text {
        let rest = &self.line[self.at..];
        if let Cow::Borrowed(_) = self.line {
            // No character depends on another one, so any place to cut is good.
            let piece = &rest[..rest.len().min(TEXT_BYTES_MAX)];
            self.at += piece.len();
            return Text(piece.into());
        }
        let piece = front(rest, TEXT_BYTES_MAX);
        self.at += piece.len();
        let is_cut = piece.len() < self.line.len();
        let text = if is_cut && self.has_invisible {
            // The neighbours of an invisible character, or the one that closes it, may be in another piece. Nothing
            // becomes longer: a character that is replaced now is three bytes long, as U+FFFD is.
            Text(clean::clean(piece).into())
        } else {
            Text(piece.into())
        };
        if self.at == self.line.len() {
            self.line = Cow::Borrowed("");
            self.at = 0;
        }
        text
    }
}

/// Takes a line and its break from the front of `bytes`, and returns the line.
fn take_line<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let Some(end) = memchr3(b'\n', b'\r', 0, bytes) else {
        return std::mem::take(bytes);
    };
    let (line, mut rest) = bytes.split_at(end);
    while let [0, after @ ..] = rest {
        rest = after;
    }
    *bytes = match rest {
        [b'\r', b'\n' | b'\0', rest @ ..] | [b'\r' | b'\n', rest @ ..] => rest,
        _ => rest,
    };
    line
}

/// The front of a clean string up to the best place to cut it within `bytes_max`.
pub(crate) fn front(s: &str, bytes_max: usize) -> &str {
    if s.len() <= bytes_max {
        return s;
    }
    // Whether there is a boundary depends on what stands before it and on one character after it.
    let end = (bytes_max + 1..s.len()).find(|&at| s.is_char_boundary(at));
    let window = &s[..end.unwrap_or(s.len())];
    let joined = |at: usize| window[..at].ends_with(invisible::needs_what_follows);
    let torn = |at: usize| joined(at) || window[at..].starts_with(invisible::is_invisible);

    let fits = |at: &usize| (1..=bytes_max).contains(at);
    let graphemes = || window.grapheme_indices(true).rev().map(|(at, _)| at).filter(fits);
    let chars = || window.char_indices().rev().map(|(at, _)| at).filter(fits);
    let cut = graphemes()
        .find(|&at| !torn(at))
        .or_else(|| chars().find(|&at| !torn(at)))
        .or_else(|| chars().find(|&at| joined(at)))
        .or_else(|| chars().next())
        .expect("invariant: a character has four bytes at most, and the maximum is more");
    &s[..cut]
}

/// Reads a string without keeping it, from whatever form the format has it in.
pub(crate) fn deserialize_str<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl Fn(&str) -> Result<T, D::Error>,
) -> Result<T, D::Error> {
    struct Parse<F, E>(F, std::marker::PhantomData<E>);

    impl<'de, T, E, F: Fn(&str) -> Result<T, E>> Visitor<'de> for Parse<F, E> {
        type Value = Result<T, E>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E2: Error>(self, s: &str) -> Result<Self::Value, E2> {
            Ok((self.0)(s))
        }
    }

    deserializer.deserialize_str(Parse(parse, std::marker::PhantomData))?
}
