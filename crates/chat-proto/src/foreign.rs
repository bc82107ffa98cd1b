//! Tells what people and programs write from what other protocols send.
//!
//! A chat port hears strangers: a web page makes its visitor's browser send STUN there, programs that were
//! given the wrong port send DNS, NTP or QUIC. None of that is anybody's message.

/// Whether bytes are text in some encoding: UTF-8, or an older one such as Latin-1. What is not is another
/// protocol's, and is nobody's message.
///
/// It is made for whole datagrams and for the first bytes of a stream. It never takes text for something
/// else unless the text holds control characters that no keyboard sends: a NUL that is neither padding at the
/// end nor behind a CR (telnet), such a control character at the beginning, or one among bytes that are not UTF-8. Random bytes pass if they
/// happen to hold none: of 16 one in five, of 64 one in 500.
///
/// ```
/// use chat_proto::is_text;
///
/// assert!(is_text(b"hello\r\n"));
/// assert!(is_text(b"J\xf6rg")); // Latin-1
/// assert!(is_text(b"hello\0\0\0")); // a buffer of C, sent whole
/// assert!(!is_text(b"\x00\x01\x00\x08\x21\x12\xa4\x42 STUN"));
/// ```
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    let padded = bytes.len();
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let bytes = &bytes[..end];
    let padding = padded - end;
    if bytes.is_empty() {
        return padding == 0;
    }
    let has_nul = bytes.windows(2).any(|pair| pair[1] == 0 && pair[0] != b'\r');
    if begins_like_no_text(bytes) || is_http(bytes) || is_ntp(bytes, padding) || has_nul {
        return false;
    }
    // Of an older encoding: then there is one NUL at most, which ended a string.
    std::str::from_utf8(bytes).is_ok() || (padding <= 1 && !bytes.iter().any(|&byte| is_odd_control(byte)))
}

fn begins_like_no_text(bytes: &[u8]) -> bool {
    let [first, ..] = bytes else { return false };
    is_odd_control(*first)
        || bytes.starts_with(b"\r\n\r\n\0") // PROXY protocol 2
        || bytes.starts_with(b"\xff\xff\xff\xff") // queries of game servers
        || bytes.starts_with(b"d1:") // BitTorrent's hash table
        || bytes.get(4..8) == Some(b"\x21\x12\xa4\x42") // STUN's magic cookie
}

/// A request or an answer of HTTP, such as SSDP sends in datagrams.
fn is_http(bytes: &[u8]) -> bool {
    let end = memchr::memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
    let line = &bytes[..end];
    line.starts_with(b"HTTP/1.")
        || [&b" HTTP/1.0"[..], b" HTTP/1.1", b" HTTP/2.0"].iter().any(|version| line.ends_with(version))
}

/// The request of a simple time client: 48 bytes, all but the first of them 0.
fn is_ntp(bytes: &[u8], padding: usize) -> bool {
    bytes.len() == 1 && padding == 47
}

/// A control character that is neither white space nor a bell, nor sent by keys, nor by a terminal that answers.
fn is_odd_control(byte: u8) -> bool {
    byte.is_ascii_control() && !matches!(byte, b'\x07'..=b'\r' | b'\x1b' | b'\x7f')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_and_their_programs_send_is_text() {
        for text in [
            &b""[..],
            b"\n",
            b"\t indented",
            b"hello",
            b"hello\r\n",
            b"hello\0",
            b"hello\n\0\0\0\0\0\0\0\0",
            "gr\u{fc}\u{df} \u{4f60}\u{597d} \u{1f600}\n".as_bytes(),
            b"\xef\xbb\xbfhello",
            b"gr\xfc\xdf\n",                                 // Latin-1
            b"\xc4\xd6\xdc",                                 // Latin-1
            b"\x93quoted\x94 for 5\x80",                     // Windows-1252
            b"\xef\xf0\xe8\xe2\xe5\xf2",                     // Windows-1251
            b"\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd\r\n", // Shift JIS
            b"J\xf6rg\0",
            b"\x1b[31mred\x1b[0m",
            b"one\r\0two\r\0",
            b"a\x07b",
            b"GET up, HTTP/1.1 is old",
            b"[*] hello",
        ] {
            assert!(is_text(text), "{text:?}");
        }
    }

    #[test]
    fn what_other_protocols_send_is_not() {
        let quic = [&b"\xc3\0\0\0\x01\x08"[..], &[0x9d, 0x05, 0xfe, 0x1a, 0xb4, 0x77].repeat(199)].concat();
        let stun = b"\0\x01\0\x1c\x21\x12\xa4\x42abcdefghijkl\0\x06\0\x12Visit+evil/example\0\0";
        for (protocol, bytes) in [
            ("STUN", &stun[..]),
            ("STUN, framed for TCP", &[&b"\0\x30"[..], stun].concat()),
            ("QUIC initial", &quic),
            ("DTLS hello", b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x33\x01\0\0\x27"),
            ("DNS", b"\x61\x62\x01\0\0\x01\0\0\0\0\0\0\x07example\x03org\0\0\x01\0\x01"),
            ("NTP 3", &[&b"\x1b"[..], &[0; 47]].concat()),
            ("NTP 4", &[&b"\x23"[..], &[0; 47]].concat()),
            (
                "NTP 4, unsynchronised",
                &[&b"\xe3\0\x06\xec"[..], &[0; 36], b"\xe6\x1f\x4a\x9c\x11\x22\x33\x44"].concat(),
            ),
            ("SSDP", b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\r\n"),
            ("SSDP answer", b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n"),
            ("SNMP", b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x04\x71\xb4\xb5\x68\x02\x01\0"),
            ("TFTP", b"\0\x01file\0octet\0"),
            ("DHCP", b"\x01\x01\x06\0\x39\x03\xf3\x26"),
            ("RADIUS", b"\x01\x05\0\x38\x0f\x40\x3f\x94"),
            ("RTP", b"\x80\x60\0\x01\0\0\x03\xe8\xde\xad\xbe\xef"),
            ("WireGuard", b"\x01\0\0\0\x9f\x33\x22\x11"),
            ("OpenVPN", b"\x38\xa1\xb2\xc3\xd4\xe5\xf6\xa7\xb8\0\0\0\0\0"),
            ("IKE", b"\xa1\xb2\xc3\xd4\xe5\xf6\xa7\xb8\0\0\0\0\0\0\0\0\x21\x20\x22\x08"),
            ("Source engine", b"\xff\xff\xff\xffTSource Engine Query\0"),
            ("BitTorrent", b"d1:ad2:id20:abcdefghijABCDEFGHIJe1:q4:ping1:t2:aa1:y1:qe"),
            ("CoAP", b"\x40\x01\x12\x34\xbb.well-known\x04core"),
            ("memcached over UDP", b"\0\0\0\0\0\x01\0\0stats\r\n"),
            ("NULs", b"\0\0\0\0"),
        ] {
            assert!(!is_text(bytes), "{protocol}");
        }
    }

    #[test]
    fn random_bytes_are_rarely_text() {
        // A generator good enough for this (xorshift64).
        let mut state = 7_u64;
        let mut byte = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        };
        let mut passed = 0;
        for _ in 0..10_000 {
            let datagram: Vec<u8> = (0..64).map(|_| byte()).collect();
            passed += u32::from(is_text(&datagram));
        }
        assert!(passed <= 40, "{passed} of 10,000");
    }
}
