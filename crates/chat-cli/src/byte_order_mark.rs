//! The byte order mark that some programs on Windows write before UTF-8. It is not part of a text.

use std::io::{self, ErrorKind};

const MARK: char = '\u{feff}';

/// The text behind the mark, if there is one.
pub(crate) fn strip(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// As [`strip`], for bytes that may be no text.
///
/// # Errors
///
/// If it is the mark of UTF-16.
pub(crate) fn strip_bytes(bytes: &[u8]) -> io::Result<&[u8]> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let why = "it is UTF-16, not UTF-8; convert it, for example with: iconv -f UTF-16 -t UTF-8";
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    Ok(bytes.strip_prefix(MARK.to_string().as_bytes()).unwrap_or(bytes))
}
