//! The splitter learns from a plain peer's input how the peer ends its messages, and learns it again when that
//! changes.

use chat_proto::{LineEnding, PlainSplitter};

/// A plain peer as its splitter sees it.
#[derive(Default)]
struct Peer(PlainSplitter);

impl Peer {
    /// One read of these bytes. Returns the lines in it.
    fn sends(&mut self, read: &[u8]) -> Vec<String> {
        let (mut input, mut lines) = (read, Vec::new());
        while let Some(line) = self.0.next(&mut input).expect("short lines") {
            lines.push(String::from_utf8_lossy(line).into_owned());
        }
        lines
    }

    /// Sends each character by itself with a pause after it. Returns the messages.
    fn types(&mut self, keys: &str) -> Vec<String> {
        let mut messages = Vec::new();
        for key in keys.chars() {
            messages.extend(self.sends(key.to_string().as_bytes()));
            messages.extend(self.pauses());
        }
        messages
    }

    fn pauses(&mut self) -> Option<String> {
        let is_message = self.0.ends_when_quiet();
        let message = self.0.quiet();
        assert_eq!(message.is_some(), is_message);
        message.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    fn falls_silent(&mut self) -> Option<String> {
        self.0.lapse().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[track_caller]
    fn ends_with(&self, line_ending: impl Into<Option<LineEnding>>) {
        assert_eq!(self.0.line_ending(), line_ending.into());
    }
}

#[test]
fn words_without_a_break_and_a_pause_make_an_undelimited_peer() {
    let mut peer = Peer::default();
    assert_eq!(peer.pauses(), None);
    peer.ends_with(None);

    assert_eq!(peer.sends(b"one\ntw"), ["one"]);
    peer.ends_with(None);
    assert!(peer.0.is_unfinished());
    assert_eq!(peer.sends(b"o"), [""; 0]);
    assert_eq!(peer.0.unfinished(), b"two");
    assert_eq!(peer.pauses().as_deref(), Some("two"));
    peer.ends_with(LineEnding::Undelimited);
    assert!(!peer.0.is_unfinished());
    assert_eq!(peer.pauses(), None);

    // A message may contain a line break or end with one, and it may be as short as a key.
    assert_eq!(peer.sends(b"three\n"), ["three"]);
    assert_eq!(peer.pauses(), None);
    peer.ends_with(LineEnding::Undelimited);
    assert_eq!(peer.sends(b"y"), [""; 0]);
    assert_eq!(peer.pauses().as_deref(), Some("y"));
    peer.ends_with(LineEnding::Undelimited);
}

#[test]
fn a_peer_of_lines_may_pause_within_one() {
    for (first, line_ending) in
        [(&b"one\n"[..], LineEnding::Lf), (b"one\r\n", LineEnding::CrLf), (b"one\r", LineEnding::CrLf)]
    {
        let mut peer = Peer::default();
        assert_eq!(peer.sends(first), ["one"]);
        peer.ends_with(line_ending);
        assert_eq!(peer.sends(b"tw"), [""; 0]);
        assert_eq!(peer.pauses(), None);
        assert_eq!(peer.sends(b"o\n"), ["two"]);
        assert!(!peer.0.is_unfinished(), "it was returned");
        peer.ends_with(LineEnding::Lf);
    }
}

#[test]
fn a_terminal_that_sends_each_key_says_lines() {
    for (enter, line_ending) in [
        ("\n", LineEnding::Lf),
        ("\r", LineEnding::CrLf),
        ("\r\n", LineEnding::CrLf),
        ("\r\0", LineEnding::CrLf),
    ] {
        let mut peer = Peer::default();
        assert_eq!(peer.types("hello"), [""; 0], "not yet");
        peer.ends_with(None);
        assert_eq!(peer.types(enter), ["hello"]);
        peer.ends_with(line_ending);
        assert_eq!(peer.types(&format!("gr\u{fc}\u{df}e \u{1f600}{enter}")), ["gr\u{fc}\u{df}e \u{1f600}"]);
        peer.ends_with(line_ending);
    }
}

#[test]
fn backspace_delete_and_their_like_are_obeyed_where_each_key_comes_by_itself() {
    let mut peer = Peer::default();
    assert_eq!(peer.types("helpo\x08\x08lo\n"), ["hello"]);
    assert_eq!(peer.types("gr\u{fc}n\x7f\x7fau\n"), ["grau"]);
    assert_eq!(peer.types("wrong\x15one two\x17three\n"), ["one three"]);
    assert_eq!(peer.types("\x7f\x08a\x7f\n"), [""]);
    // The last keys may arrive together with Enter, and words may be pasted between keys.
    assert_eq!(peer.types("helo\x7f"), [""; 0]);
    assert_eq!(peer.sends(b"lo wor"), [""; 0]);
    assert_eq!(peer.types("d\x7f"), [""; 0]);
    assert_eq!(peer.sends(b"ld\r\n"), ["hello world"]);
    // In input that arrives at once the editing keys are ordinary characters.
    assert_eq!(peer.sends(b"a\x08b\x7f\n"), ["a\x08b\x7f"]);
    // Keys typed after a line do not edit the line before.
    assert_eq!(peer.types("\x08\x08ok\n"), ["ok"]);
}

#[test]
fn the_first_guess_is_never_for_good() {
    // Two keys arrived together, so they looked like words.
    let mut peer = Peer::default();
    assert_eq!(peer.sends(b"ab"), [""; 0]);
    assert_eq!(peer.pauses().as_deref(), Some("ab"));
    peer.ends_with(LineEnding::Undelimited);
    assert_eq!(peer.types("y\r"), ["y", ""]);
    peer.ends_with(LineEnding::CrLf);
    assert_eq!(peer.types("hello\r"), ["hello"]);

    // The first message happened to end in a line break.
    let mut peer = Peer::default();
    assert_eq!(peer.sends(b"JOIN /lobby\n"), ["JOIN /lobby"]);
    peer.ends_with(LineEnding::Lf);
    assert_eq!(peer.sends(b"hello"), [""; 0]);
    assert_eq!(peer.pauses(), None);
    assert_eq!(peer.falls_silent().as_deref(), Some("hello"));
    peer.ends_with(LineEnding::Undelimited);
    assert_eq!(peer.sends(b"world"), [""; 0]);
    assert_eq!(peer.pauses().as_deref(), Some("world"));

    // Another program uses the same connection, or a line was pasted.
    let mut peer = Peer::default();
    for (read, line_ending) in [
        ("a\n", LineEnding::Lf),
        ("a\r\n", LineEnding::CrLf),
        ("a\nb\r", LineEnding::CrLf),
        ("a\n", LineEnding::Lf),
    ] {
        peer.sends(read.as_bytes());
        peer.ends_with(line_ending);
    }
}

#[test]
fn a_line_that_is_never_finished_is_a_message_at_last() {
    // One key: of a program with messages that short, or of a person who has gone away.
    let mut peer = Peer::default();
    assert_eq!(peer.types("y"), [""; 0]);
    assert_eq!(peer.falls_silent().as_deref(), Some("y"));
    peer.ends_with(None);
    assert_eq!(peer.falls_silent(), None);
    // Typed text is edited, and all of it may be erased.
    assert_eq!(peer.types("ab\x7f"), [""; 0]);
    assert_eq!(peer.falls_silent().as_deref(), Some("a"));
    assert_eq!(peer.types("a\x7f"), [""; 0]);
    assert_eq!(peer.falls_silent(), None);
    assert!(!peer.0.is_unfinished());
}

#[test]
fn zeros_around_what_is_sent_say_nothing_about_line_endings() {
    let zeroed = |text: &str| {
        let mut buffer = vec![0; 64];
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        buffer
    };
    let mut peer = Peer::default();
    assert_eq!(peer.sends(&zeroed("hello\n")), ["hello"]);
    assert!(!peer.0.is_unfinished());
    assert_eq!(peer.pauses(), None);
    peer.ends_with(LineEnding::Lf);
    assert_eq!(peer.sends(&zeroed("world\n")), ["world"]);

    let mut peer = Peer::default();
    peer.sends(&zeroed("hello"));
    assert_eq!(
        peer.pauses().map(|message| message.trim_end_matches('\0').to_owned()).as_deref(),
        Some("hello")
    );
    peer.ends_with(LineEnding::Undelimited);
}

#[test]
fn a_telnet_option_means_lines_that_end_in_cr_lf() {
    for negotiation in
        [&b"\xff\xfb\x1f"[..], b"\xff\xfd\x03", b"\xff\xfa\x1f\0\x50\0\x18\xff\xf0", b"\xff\xfc\x01"]
    {
        let mut peer = Peer::default();
        assert_eq!(peer.sends(negotiation), [""; 0]);
        peer.ends_with(LineEnding::CrLf);
        assert_eq!(peer.sends(b"hello"), [""; 0]);
        assert_eq!(peer.pauses(), None, "the line has not ended");
        assert_eq!(peer.sends(b"\n"), ["hello"]);
        peer.ends_with(LineEnding::CrLf);
    }
}

#[test]
fn an_unfinished_telnet_command_tells_nothing_and_waits() {
    let mut peer = Peer::default();
    peer.sends(b"\xff\xf1\xff");
    assert!(peer.0.is_unfinished());
    assert_eq!(peer.pauses(), None);
    assert_eq!(peer.falls_silent(), None);
    peer.ends_with(None);
}
