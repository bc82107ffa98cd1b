//! The first bytes of other protocols that look like text.

use memchr::memmem;

/// Methods of HTTP that browsers and scanners begin with (RFC 9110, RFC 4918; `PRI` opens HTTP/2).
const HTTP_METHODS: [&[u8]; 11] = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"CONNECT",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PRI",
    b"PROPFIND",
];

/// Protocols with request lines like those of HTTP.
const REQUEST_VERSIONS: [&[u8]; 3] = [b"HTTP/", b"RTSP/", b"SIP/"];

/// The rest: fixed first bytes.
const BEGINNINGS: [&[u8]; 8] = [
    b"SSH-2.0-",
    b"SSH-1.99-",
    // The DHT of BitTorrent: a query, a response, an error.
    b"d1:ad2:id20:",
    b"d1:rd2:id20:",
    b"d1:eli20",
    b"RFB 00",
    // A proxy that speaks for somebody, version 1 of its protocol.
    b"PROXY TCP",
    b"PROXY UNKNOWN",
];

/// The magic cookie of STUN (RFC 8489, section 5), at offset 4; over TCP behind a length (RFC 4571).
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];

/// Whether the first line, or the whole of a datagram, belongs to another protocol.
pub(crate) fn is_foreign(bytes: &[u8]) -> bool {
    let end = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
    is_request_line(&bytes[..end])
        || is_status_line(&bytes[..end])
        || BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
        || [4, 6].iter().any(|&at| bytes.get(at..at + 4) == Some(&STUN_COOKIE))
        || is_git(bytes)
        || is_padded_request(bytes)
}

/// A request line (RFC 9112, section 3): three words, the last one a version. SSDP has them, too.
fn is_request_line(line: &[u8]) -> bool {
    let mut words = line.split(|&byte| byte == b' ');
    let method = words.next().is_some_and(|word| {
        !word.is_empty() && word.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-')
    });
    let target = words.next().is_some_and(|word| !word.is_empty());
    let is_version = |word: &[u8]| REQUEST_VERSIONS.iter().any(|version| word.starts_with(version));
    method && target && words.next().is_some_and(is_version) && words.next().is_none()
}

/// An answer (RFC 9112, section 4): a version, then a code of three digits.
fn is_status_line(line: &[u8]) -> bool {
    let Some((version, rest)) = line.split_at_checked(b"HTTP/1.1 ".len()) else { return false };
    let is_version = version.starts_with(b"HTTP/") && version.ends_with(b" ");
    is_version
        && rest.iter().take(3).filter(|byte| byte.is_ascii_digit()).count() == 3
        && rest.get(3) == Some(&b' ')
}

pub(crate) fn begins_http_request(bytes: &[u8]) -> bool {
    let mut words = bytes.splitn(2, |&byte| byte == b' ');
    let method = words.next().is_some_and(|word| HTTP_METHODS.contains(&word));
    method && words.next().is_some_and(|target| target.starts_with(b"/"))
}

/// A request of git: four digits of its length, the command, and a host behind a NUL.
fn is_git(bytes: &[u8]) -> bool {
    bytes.len() > 8
        && bytes[..4].iter().all(u8::is_ascii_hexdigit)
        && bytes[4..].starts_with(b"git-")
        && memmem::find(bytes, b"\0host=").is_some()
}

/// Requests of one byte that reads as text, or few, and zeros up to a fixed length.
fn is_padded_request(bytes: &[u8]) -> bool {
    let zero = |range: std::ops::Range<usize>| {
        bytes.get(range).is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
    };
    match bytes.len() {
        // NTP, mode client (RFC 5905, section 7.3).
        48 => bytes[0] & 0b111 == 3 && zero(1..48),
        // List identity of EtherNet/IP.
        24 => bytes[0] == b'c' && zero(1..24),
        // Hard reset of OpenVPN: opcode, 8 random bytes, no acknowledgements, packet 0.
        14 => matches!(bytes[0], 0x38 | 0x50) && zero(9..14),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_line_is_distinguished_from_a_person_who_shouts_get() {
        for line in [
            "GET / HTTP/1.1",
            "PRI * HTTP/2.0",
            "OPTIONS /index.html HTTP/1.0",
            "M-SEARCH * HTTP/1.1",
            "OPTIONS sip:nm SIP/2.0",
            "DESCRIBE rtsp://host/1 RTSP/1.0",
        ] {
            assert!(is_request_line(line.as_bytes()), "{line}");
        }
        for text in [
            "GET me a coffee",
            "GET /",
            "HTTP/1.1",
            "get / HTTP/1.1",
            "",
            " / HTTP/1.1",
            "A b HTTP/1 c",
            "I like HTTP/2 more",
            "I like HTTP2",
        ] {
            assert!(!is_request_line(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn only_methods_that_exist_begin_a_request() {
        for beginning in ["GET /", "POST /a/long/path", "GET / HTT", "PUT /x HTTP/1.1"] {
            assert!(begins_http_request(beginning.as_bytes()), "{beginning}");
        }
        for text in [
            "GET",
            "GET ",
            "GET me a coffee",
            "get /",
            "/who",
            " /",
            "A. /",
            "JOIN /lobby",
            "I /we think so",
            "YES / NO",
            "GETS /",
        ] {
            assert!(!begins_http_request(text.as_bytes()), "{text}");
        }
    }
}
