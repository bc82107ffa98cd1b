//! The first bytes of other protocols are not taken for text, and text is not taken for another protocol.

use chat_proto::TextKind;
use chat_testkit::{FOREIGN_PROTOCOLS_TCP, FOREIGN_PROTOCOLS_UDP, ForeignProtocol};

#[test]
fn nothing_that_another_protocol_begins_with_is_text() {
    for ForeignProtocol { protocol, bytes } in FOREIGN_PROTOCOLS_UDP {
        assert_eq!(TextKind::of_first(bytes), TextKind::NotText, "{protocol} over UDP");
    }
    // Bytes 0xff begin telnet commands, which are removed first over TCP.
    for ForeignProtocol { protocol, bytes } in
        FOREIGN_PROTOCOLS_TCP.iter().filter(|stranger| stranger.bytes[0] != 0xff)
    {
        assert_eq!(TextKind::of_first(bytes), TextKind::NotText, "{protocol} over TCP");
    }
    assert!(FOREIGN_PROTOCOLS_TCP.len() >= 40 && FOREIGN_PROTOCOLS_UDP.len() >= 40);
}

#[test]
fn lines_of_people_and_programs_are_text() {
    let zeroed: &[u8] = &[b"hello".as_slice(), &[0; 1019]].concat();
    let texts: &[&[u8]] = &[
        b"",
        b"hello",
        b"hello\r\n",
        b"y",
        b"\n\nhello\n",
        b"\thello",
        "\u{feff}hello".as_bytes(),
        "\u{4f60}\u{597d} \u{1f600}".as_bytes(),
        // Keys: arrows, backspace, and escape sequences with which a terminal answers.
        b"\x1b[Ahello",
        b"\x1b",
        b"\x08\x08ok",
        b"\x1b[?62;22c\x1b[24;80R\x1b]0;gotcha\x07",
        b"a\x06b\x7fc",
        // NULs that end or pad the messages of a program.
        b"hello\0",
        b"y\0",
        zeroed,
        b"hello\n\0\0\0",
        b"hello\0world\0",
        b"hello\n\0\0\0world\n\0\0\0",
        b"hello\r\0y\r\0",
        b"hello\r\0wor",
        b"a nul\0\nsaid\0\r\n",
        // Protocols of lines that people type.
        b"NICK ann\r\nUSER ann 0 * :Ann\r\n",
        b"EHLO mail.example.org\r\n",
        b"GET me a coffee",
        b"JOIN /lobby",
        b"I /we think so",
        b"HTTP/2 is faster",
        b"{\"say\":\"hello\"}",
        b"[127.0.0.1:1] hi",
        b"[*] hello",
        b"GET up, HTTP/1.1 is old",
        b"one\r\0two\r\0",
        b"a\x07b",
        b"c",
        b"#",
    ];
    for text in texts {
        assert_eq!(TextKind::of_first(text), TextKind::Utf8, "{}", text.escape_ascii());
        assert_eq!(TextKind::of(text), TextKind::Utf8, "{}", text.escape_ascii());
    }
}

#[test]
fn text_in_other_encodings_passes_and_is_told_apart() {
    let texts: &[(&str, &[u8])] = &[
        ("Latin-1", b"gr\xfc\xdfe aus K\xf6ln"),
        ("Latin-1, from its first byte", b"\xfcber alles"),
        ("Latin-1, one word", b"\xe9t\xe9"),
        ("Latin-1, in lines with NULs", b"a nul\0\ngr\xfc\xdfe\0\nend\0"),
        ("Latin-1, padded", b"gr\xfc\xdfe\0\0\0\0"),
        ("Windows-1252", b"\x93quoted\x94 \x80 5"),
        ("code page 850", b"Gr\x81\xe1e"),
        ("Shift JIS", b"\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd"),
        ("Windows-1251", b"\xef\xf0\xe8\xe2\xe5\xf2"),
        ("a string of Latin-1 with its NUL", b"J\xf6rg\0"),
        ("EUC-JP", b"\xa4\xb3\xa4\xf3\xa4\xcb\xa4\xc1\xa4\xcf"),
        ("GBK", b"\xc4\xe3\xba\xc3"),
        ("Latin-1, in lines of which one has a control", b"a\x06b\x7fc\ngr\xfc\xdfe\n"),
        ("KOI8-R", b"\xf0\xd2\xc9\xd7\xc5\xd4"),
        ("UTF-8, cut", b"\xe4\xbd\xa0\xe5\xa5"),
        ("Latin-1 with colours", b"\x1b[31mgr\xfcn\x1b[0m"),
    ];
    for (encoding, text) in texts {
        assert_eq!(TextKind::of_first(text), TextKind::OtherEncoding, "{encoding}");
    }
}

#[test]
fn binary_is_not_text_wherever_it_stands() {
    let bytes: &[&[u8]] = &[
        b"a\0b",
        b"\0\0\0\0",
        b"a\0b\0",
        b"\x01\x02\x03",
        b"h\0e\0l\0l\0o\0",
        b"\0h\0e\0l\0l\0o",
        b"\xff\xff\xff\xff",
        b"gr\xfc\x01",
        b"a\x01\x02",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ];
    for bytes in bytes {
        let is_nothing = bytes.iter().all(|&byte| byte == 0);
        assert!(is_nothing || TextKind::of(bytes) == TextKind::NotText, "{}", bytes.escape_ascii());
        assert_eq!(TextKind::of_first(bytes), TextKind::NotText, "{}", bytes.escape_ascii());
    }
    let every_byte: Vec<u8> = (0..=255).collect();
    assert_eq!(TextKind::of(&every_byte), TextKind::NotText);
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
    for (length, passed_max) in [(16, 2_500), (64, 40)] {
        let mut passed = 0;
        for _ in 0..10_000 {
            let datagram: Vec<u8> = (0..length).map(|_| byte()).collect();
            passed += u32::from(TextKind::of_first(&datagram) != TextKind::NotText);
        }
        assert!(passed <= passed_max, "{passed} of 10,000 with {length} bytes");
    }
}
