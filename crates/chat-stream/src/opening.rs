//! What a peer speaks, told from the first thing he sends.

use chat_proto::PREFACE;

/// Told from the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The framed protocol: its first byte begins neither UTF-8 text nor a telnet command.
    Framed,
    /// A TLS record of type handshake (RFC 8446, section 5.1): a client that wants what we do not speak.
    Tls,
    /// Anything else is text.
    Plain,
}

impl Opening {
    pub(crate) fn of(first: u8) -> Self {
        match first {
            first if first == PREFACE[0] => Self::Framed,
            0x16 => Self::Tls,
            _ => Self::Plain,
        }
    }
}

/// Whether a plain peer's first line is the request line of a browser or a scanner (RFC 9112,
/// section 3): three words, the last one `HTTP/…`. A web page may have made a visitor's browser send
/// it, so nothing of it reaches the room.
pub(crate) fn is_http_request(line: &[u8]) -> bool {
    let mut words = line.split(|&byte| byte == b' ');
    let method = words.next().is_some_and(is_method);
    let target = words.next().is_some_and(|word| !word.is_empty());
    method && target && words.next().is_some_and(|word| word.starts_with(b"HTTP/")) && words.next().is_none()
}

/// Whether that is how a browser's request line begins, of which the end is still on its way: a target of
/// a page's choice may be so long that the network pauses within it.
pub(crate) fn begins_http_request(bytes: &[u8]) -> bool {
    let mut words = bytes.splitn(2, |&byte| byte == b' ');
    let method = words.next().is_some_and(is_method);
    method && words.next().is_some_and(|target| target.starts_with(b"/"))
}

fn is_method(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_is_told_from_a_person_who_shouts_get() {
        assert!(is_http_request(b"GET / HTTP/1.1"));
        assert!(is_http_request(b"PRI * HTTP/2.0"));
        assert!(is_http_request(b"OPTIONS /index.html HTTP/1.0"));
        for text in
            ["GET me a coffee", "GET /", "HTTP/1.1", "get / HTTP/1.1", "", " / HTTP/1.1", "A b HTTP/1 c"]
        {
            assert!(!is_http_request(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn the_beginning_of_a_request_line_has_a_method_and_a_path() {
        for beginning in ["GET /", "POST /a/long/path", "GET / HTT", "PUT /x HTTP/1.1"] {
            assert!(begins_http_request(beginning.as_bytes()), "{beginning}");
        }
        for text in ["GET", "GET ", "GET me a coffee", "get /", "/who", " /", "A. /"] {
            assert!(!begins_http_request(text.as_bytes()), "{text}");
        }
    }
}
