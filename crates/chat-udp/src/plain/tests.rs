//! Which datagrams are taken for a server's own lines.

use super::*;

#[test]
fn a_servers_own_lines_are_recognised_when_a_peer_sends_them_back() {
    let peer: PeerAddr = "127.0.0.1:7".parse().unwrap();
    for echo in [
        "[127.0.0.1:7] hello",
        "<x> [127.0.0.1:7] hello",
        "[*] You missed 3 messages",
        "a\n[127.0.0.1:7] b",
        "[127.0.0.1:7/udp] hello",
    ] {
        assert!(is_echo(echo.as_bytes(), peer), "{echo}");
    }
    for text in ["hello", "[127.0.0.1:70] hello", "[joke] hello", "127.0.0.1:7", "[127.0.0.1:7]", "a [*] b"] {
        assert!(!is_echo(text.as_bytes(), peer), "{text}");
    }
}

#[test]
fn a_number_is_recognised_with_any_line_ending() {
    for sent in ["482193", "482193\n", "482193\r\n", " 482193 ", "482193\0", "482193\n\0\0\0"] {
        assert_eq!(number(sent.as_bytes()), Some(482_193), "{sent:?}");
    }
    for sent in ["", "48219", "4821930", "+48219", "482193 x", "482193\nhello", "\u{661}82193"] {
        assert_eq!(number(sent.as_bytes()), None, "{sent:?}");
    }
}

#[test]
fn answers_to_a_stranger_are_short_and_end_as_its_datagram_did() {
    assert_eq!(challenge(482_193, b"hello"), b"[*] Say 482193 to join");
    assert_eq!(challenge(482_193, b"hello\n"), b"[*] Say 482193 to join\n");
    assert_eq!(challenge(482_193, b"hello\r\n"), b"[*] Say 482193 to join\r\n");
    assert_eq!(refusal(&LeaveReason::RoomFull, b"x\n\0\0"), b"[*] Closed: room is full\n");
    assert_eq!(line_end(b"\0\0"), None, "it says nothing");
}
