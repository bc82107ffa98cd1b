//! Bytes of terminals, in one piece and torn.

use super::*;

fn all(reads: &[&[u8]]) -> Vec<Sent> {
    let (mut keys, mut all) = (KeyDecoder::default(), Vec::new());
    for read in reads {
        keys.feed(read, |sent| all.push(sent));
    }
    if keys.timeout().is_some() {
        keys.expire(|sent| all.push(sent));
    }
    assert_eq!(keys.timeout(), None);
    all
}

fn key(code: KeyCode) -> Sent {
    Sent::Key(code.into())
}

fn with(code: KeyCode, modifiers: KeyModifiers) -> Sent {
    Sent::Key(KeyEvent::new(code, modifiers))
}

fn paste(text: &str) -> Sent {
    Sent::Paste(text.to_owned())
}

#[test]
fn a_key_may_come_in_pieces() {
    for bytes in ["\x1b[D", "\x1bOD", "\x1b[1D"] {
        assert_eq!(all(&[bytes.as_bytes()]), [key(KeyCode::Left)]);
        let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
        assert_eq!(all(&pieces), [key(KeyCode::Left)], "{bytes:?}");
    }
    let euro = "€".as_bytes();
    assert_eq!(all(&[&euro[..1], &euro[1..]]), [key(KeyCode::Char('€'))]);
}

#[test]
fn keys_are_known_as_common_terminals_send_them() {
    let cases: [(&[u8], Sent); 18] = [
        (b"\r", key(KeyCode::Enter)),
        (b"\n", with(KeyCode::Char('j'), KeyModifiers::CONTROL)),
        (b"\t", key(KeyCode::Tab)),
        (b"\x7f", key(KeyCode::Backspace)),
        (b"\x03", with(KeyCode::Char('c'), KeyModifiers::CONTROL)),
        (b"\x1bb", with(KeyCode::Char('b'), KeyModifiers::ALT)),
        (b"\x1b\x7f", with(KeyCode::Backspace, KeyModifiers::ALT)),
        (b"\x1b[3~", key(KeyCode::Delete)),
        (b"\x1b[3;5~", with(KeyCode::Delete, KeyModifiers::CONTROL)),
        (b"\x1b[3^", with(KeyCode::Delete, KeyModifiers::CONTROL)),
        (b"\x1b[1;5C", with(KeyCode::Right, KeyModifiers::CONTROL)),
        (b"\x1bO5C", with(KeyCode::Right, KeyModifiers::CONTROL)),
        (b"\x1bOc", with(KeyCode::Right, KeyModifiers::CONTROL)),
        (b"\x1b[1;3D", with(KeyCode::Left, KeyModifiers::ALT)),
        (b"\x1b[H", key(KeyCode::Home)),
        (b"\x1b[4~", key(KeyCode::End)),
        (b"\x1b[5~", key(KeyCode::PageUp)),
        (b"\x1b[12;34R", Sent::Column(33)),
    ];
    for (bytes, sent) in cases {
        assert_eq!(all(&[bytes]), [sent], "{bytes:?}");
    }
    // Keys that mean nothing here, and no key at all, leave nothing behind.
    for bytes in ["\x1b[15~", "\x1b[[A", "\x1bOP", "\x1b[?1;2c", "\x1b[201~", "\x1b[I"] {
        assert_eq!(all(&[bytes.as_bytes(), b"x"]), [key(KeyCode::Char('x'))], "{bytes:?}");
    }
}

#[test]
fn an_escape_that_nothing_follows_is_a_key() {
    let mut keys = KeyDecoder::default();
    keys.feed(b"\x1b", |sent| panic!("{sent:?}"));
    assert_eq!(keys.timeout(), Some(KEY_TIMEOUT));
    assert_eq!(all(&[b"\x1b"]), [key(KeyCode::Esc)]);
    assert_eq!(all(&[b"\x1b", b"\r"]), [key(KeyCode::Esc), key(KeyCode::Enter)], "no Alt-Enter");
    assert_eq!(all(&[b"\x1b[1;"]), [], "half a key is none");
}

#[test]
fn a_key_that_breaks_a_sequence_off_is_one() {
    let ctrl_c = || with(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(all(&[b"\x1b[\x03"]), [ctrl_c()]);
    assert_eq!(all(&[b"\x1b[1;5\x1b[D"]), [key(KeyCode::Left)]);
    assert_eq!(all(&[b"\xe2\x82", b"a"]), [key(KeyCode::Char('\u{fffd}')), key(KeyCode::Char('a'))]);
}

#[test]
fn a_marked_paste_is_one_whatever_is_in_it() {
    let text = "one\ttwo\r\x1b[D three \x1b[20";
    let bytes = format!("\x1b[200~{text}\x1b[201~x");
    let expected = [paste(text), key(KeyCode::Char('x'))];
    assert_eq!(all(&[bytes.as_bytes()]), expected);
    let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
    assert_eq!(all(&pieces), expected);
}

#[test]
fn a_paste_without_an_end_ends_in_silence_or_at_ctrl_c() {
    let mut keys = KeyDecoder::default();
    keys.feed(b"\x1b[200~half", |sent| panic!("{sent:?}"));
    assert_eq!(keys.timeout(), Some(PASTE_TIMEOUT));
    assert_eq!(all(&[b"\x1b[200~half"]), [paste("half")]);
    let ctrl_c = with(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(all(&[b"\x1b[200~half", b"\x03", b"x"]), [paste("half"), ctrl_c, key(KeyCode::Char('x'))]);
    // What is pasted cannot end its own paste with it, and press keys.
    assert_eq!(all(&[b"\x1b[200~one\x03two\r\x1b[201~"]), [paste("one\x03two\r")]);
}

#[test]
fn a_paste_is_bounded_and_what_follows_it_is_not_lost() {
    let mut keys = KeyDecoder::default();
    let mut all = Vec::new();
    keys.feed(b"\x1b[200~", |sent| panic!("{sent:?}"));
    for _ in 0..5 {
        keys.feed(&[b'x'; 1024 * 1024], |sent| panic!("{sent:?}"));
    }
    keys.feed(b"\x1b[201~y", |sent| all.push(sent));
    assert_eq!(all, [Sent::PasteTooLong, key(KeyCode::Char('y'))]);
}

#[test]
fn what_nobody_types_is_a_paste_without_its_marks() {
    assert_eq!(all(&[b"\tlet x = 1;\r"]), [paste("\tlet x = 1;\r")]);
    assert_eq!(all(&[b"a\rb\rc\r"]), [paste("a\rb\rc\r")]);
    // These may have been typed ahead.
    let typed = [KeyCode::Char('a'), KeyCode::Enter, KeyCode::Char('b'), KeyCode::Enter].map(key);
    assert_eq!(all(&[b"a\rb\r"]), typed);
    assert_eq!(all(&[b"a\t"]), [key(KeyCode::Char('a')), key(KeyCode::Tab)]);
}

proptest::proptest! {
    #[test]
    fn however_bytes_come_an_end_is_reached(reads: Vec<Vec<u8>>) {
        let reads: Vec<&[u8]> = reads.iter().map(Vec::as_slice).collect();
        all(&reads);
    }
}
