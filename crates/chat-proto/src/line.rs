//! The line of text that people read.

use std::{fmt, str::FromStr};

use crate::{Author, AuthorError, Text, TextError};

/// `[author] text`, as plain peers read it.
///
/// `Display` writes no line break and at most
/// [`LINE_PREFIX_BYTES_MAX`](crate::limits::LINE_PREFIX_BYTES_MAX) +
/// [`TEXT_BYTES_MAX`](crate::limits::TEXT_BYTES_MAX) bytes. `FromStr` reads exactly that back: an
/// empty text still has its space after the bracket, and a text that is not clean is an error.
///
/// ```
/// use chat_proto::{Line, Text};
///
/// let line: Line = "[127.0.0.1:57814] hello".parse()?;
/// assert_eq!(line.text.as_str(), "hello");
/// assert_eq!(line.to_string(), "[127.0.0.1:57814] hello");
/// # Ok::<(), chat_proto::LineError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The author.
    pub author: Author,
    /// The text.
    pub text: Text,
}

impl Line {
    /// A line in parts, for code that writes many of them: `author` is what the author's `Display` writes, which a
    /// [`Spelling`](crate::Spelling) remembers.
    ///
    /// ```
    /// # use chat_proto::Line;
    /// assert_eq!(Line::parts("127.0.0.1:57814", "hello").concat(), "[127.0.0.1:57814] hello");
    /// ```
    pub fn parts<'a>(author: &'a str, text: &'a str) -> [&'a str; 4] {
        ["[", author, "] ", text]
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.author, &self.text)
    }
}

pub(crate) fn write_line(f: &mut fmt::Formatter<'_>, author: &Author, text: &Text) -> fmt::Result {
    let author = author.to_string();
    Line::parts(&author, text.as_str()).into_iter().try_for_each(|part| f.write_str(part))
}

impl FromStr for Line {
    type Err = LineError;

    fn from_str(s: &str) -> Result<Line, LineError> {
        // No author has "] " in it: a bracket inside an IPv6 address is followed by its port.
        let (author, text) =
            s.strip_prefix('[').and_then(|rest| rest.split_once("] ")).ok_or(LineError::NoBrackets)?;
        Ok(Line { author: author.parse()?, text: text.parse()? })
    }
}

/// Why a string is not a [`Line`]. Its author is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It does not begin with an author in brackets and a space.
    #[error("a line begins with an author in brackets and a space")]
    NoBrackets,
    /// The string between the brackets is not an author.
    #[error("no author between the brackets")]
    Author(#[from] AuthorError),
    /// The rest is not clean text.
    #[error("no clean text after the brackets")]
    Text(#[from] TextError),
}
