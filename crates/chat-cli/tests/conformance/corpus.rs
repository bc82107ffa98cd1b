//! Messages that have broken chat servers, and what our server makes of each.

use chat_proto::limits::TEXT_BYTES_MAX;

/// Each case has the bytes as a plain peer sends them, ending in a line break, and the messages that they are. A
/// comment names the clauses that require it.
pub(crate) fn corpus() -> Vec<(Vec<u8>, Vec<String>)> {
    let mut cases: Vec<(Vec<u8>, Vec<String>)> = LINES
        .iter()
        .map(|(bytes, texts)| (bytes.to_vec(), texts.iter().map(|&text| text.to_owned()).collect()))
        .collect();
    let full = "x".repeat(TEXT_BYTES_MAX);
    // 2.1, 2.6: the longest message, one byte more, and a cut that would fall within a character.
    cases.push((format!("{full}\n").into_bytes(), vec![full.clone()]));
    cases.push((format!("{full}y\n").into_bytes(), vec![full, "y".to_owned()]));
    let before = "x".repeat(TEXT_BYTES_MAX - 1);
    cases.push((format!("{before}\u{e9}\n").into_bytes(), vec![before, "\u{e9}".to_owned()]));
    cases
}

const LINES: &[(&[u8], &[&str])] = &[
    (b"hello\n", &["hello"]),
    (b" two  spaces \n", &[" two  spaces "]),
    (
        "gr\u{fc}\u{df} \u{4f60}\u{597d} \u{1f600}\n".as_bytes(),
        &["gr\u{fc}\u{df} \u{4f60}\u{597d} \u{1f600}"],
    ),
    // 2.3
    (b"one\ntwo\n", &["one", "two"]),
    (b"one\r\ntwo\r\n", &["one", "two"]),
    (b"one\r\0two\r\0", &["one", "two"]),
    (b"one\rtwo\r\n", &["one", "two"]),
    (b"one\n\rtwo\n", &["one", "two"]),
    (b"one\0two\0\0\0\n", &["one", "two"]),
    (b"\0\0one\n", &["one"]),
    // 2.4
    (b"a\tb\n", &["a b"]),
    (b"\x1b[31mred\x07\n", &["\u{241b}[31mred\u{2407}"]),
    (b"a\x06b\x7fc\n", &["a\u{2406}b\u{2421}c"]),
    (b"a\x0bb\x0cc\n", &["a\u{240b}b\u{240c}c"]),
    // 2.5
    ("a\u{85}b\u{9b}c\n".as_bytes(), &["a\u{fffd}b\u{fffd}c"]),
    ("a\u{2028}b\u{2029}c\n".as_bytes(), &["a\u{fffd}b\u{fffd}c"]),
    ("a\u{202e}b\u{200b}c\u{feff}d\u{ad}e\n".as_bytes(), &["a\u{fffd}bcde"]),
    ("hi\u{e0068}\u{e0069}\n".as_bytes(), &["hi\u{fffd}\u{fffd}"]),
    ("\u{e01}\u{200b}\u{e02} \u{845b}\u{e0100}\n".as_bytes(), &["\u{e01}\u{200b}\u{e02} \u{845b}\u{e0100}"]),
    (
        "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}\n".as_bytes(),
        &["\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}"],
    ),
    (
        "\u{5d4} \u{2066}+49 30\u{2069} \u{2066}+49 30\u{2069}\n".as_bytes(),
        &["\u{5d4} \u{2066}+49 30\u{2069} \u{2066}+49 30\u{2069}"],
    ),
    ("\u{2066}+49 30\u{2069}\n".as_bytes(), &["+49 30"]),
    (b"a\xc3(b\xe2\x82\n", &["a\u{fffd}(b\u{fffd}"]),
    (b"\xf0\x9f\x98\n", &["\u{fffd}"]),
    (b"\xed\xa0\x80\n", &["\u{fffd}\u{fffd}\u{fffd}"]),
    (
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{2764}\u{fe0f}\n".as_bytes(),
        &["\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{2764}\u{fe0f}"],
    ),
    // 5.1
    (b"\n\r\n\na\n\n", &["a"]),
    // 5.7
    (b"a\xff\xf1b\n", &["ab"]),
    (b"a\xff\xfa\x18\0xterm\xff\xf0b\n", &["ab"]),
    (b"a\xff\xffb\n", &["a\u{fffd}b"]),
    // Clause 4.2 applies only to a first line.
    (b"GET / HTTP/1.1\r\n", &["GET / HTTP/1.1"]),
    // 1.3, 3.1: a line that looks like somebody else's is text.
    (b"[*] The server is stopping\n", &["[*] The server is stopping"]),
    (b"[127.0.0.1:1] hi\n", &["[127.0.0.1:1] hi"]),
];
