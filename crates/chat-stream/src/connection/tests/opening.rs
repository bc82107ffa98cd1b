//! A peer's protocol is recognised from its first byte, or from its silence.

use chat_core::{JoinError, RoomConfig};

use super::*;
use crate::limits::{JOIN_TIMEOUT, OPENING_GRACE};

/// As a browser, a scanner or a proxy would begin.
const HTTP: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_silent_peer_becomes_a_member_after_the_grace_and_gets_later_messages() {
    let mut stage = Stage::new();
    stage.say("before it came");
    let mut guest = stage.join();
    stage.pass(&mut guest, OPENING_GRACE - MS);
    stage.say("one");
    assert_eq!(stage.read(&mut guest), "");
    assert_eq!(guest.connection.member(), None);
    stage.pass(&mut guest, MS);
    assert!(guest.connection.member().is_some());
    stage.say("two");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] two\n");
    assert_eq!(guest.connection.deadline(), None, "it may be silent for ever");
    stage.say("three");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] three\n");
}

#[test]
fn a_peer_that_sends_telnet_options_only_becomes_a_member_after_the_grace() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"\xff\xfb\x1f");
    stage.pass(&mut guest, OPENING_GRACE - MS);
    assert_eq!(guest.connection.member(), None);
    stage.pass(&mut guest, MS);
    assert!(guest.connection.member().is_some());
}

#[test]
fn a_framed_peer_may_begin_at_any_moment_of_the_grace_and_is_a_member_from_its_hello_on() {
    for waited in [0, 1, 49, 50, 51, 199] {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        stage.say("before the hello");
        stage.pass(&mut guest, waited * MS);
        let whole = opening(None);
        stage.hear(&mut guest, &whole[..whole.len() - 1]);
        assert_eq!(guest.connection.member(), None, "after {waited} ms");
        stage.hear(&mut guest, &whole[whole.len() - 1..]);
        stage.say("after it");
        let bytes = stage.read_bytes(&mut guest);
        assert!(bytes.starts_with(&PREFACE), "after {waited} ms");
        let frames = frames(&bytes);
        assert!(matches!(&frames[0], RoomFrame::Welcome(welcome) if welcome.head == 1));
        assert_eq!(lines(&frames), ["[192.0.2.99:9] after it"]);
    }
}

#[test]
fn a_framed_peer_whose_first_packet_is_late_is_still_welcome() {
    let mut stage = Stage::new();
    let mut guest = stage.join();
    stage.pass(&mut guest, SECOND);
    stage.say("one");
    stage.serve(&mut guest);
    stage.say("two");
    stage.hear(&mut guest, &opening(None));
    stage.say("three");
    let bytes = stage.read_bytes(&mut guest);
    let preface = bytes.windows(PREFACE.len()).position(|bytes| bytes == PREFACE).unwrap();
    assert_eq!(&bytes[..preface], b"[192.0.2.99:9] one\n", "what it was sent as a listener");
    let frames = frames(&bytes[preface..]);
    assert!(matches!(&frames[0], RoomFrame::Welcome(welcome) if welcome.head == 2));
    assert_eq!(lines(&frames), ["[192.0.2.99:9] three"], "what was said since it is welcome");
    assert_eq!(stage.texts(), ["one", "two", "three"], "nothing of its opening reached the room");
}

#[test]
fn a_preface_that_is_begun_and_not_kept_up_is_not_chat() {
    for broken in [&b"\xf5chax"[..], b"\xf5\xf5", b"\xf5hello\n"] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(broken);
        assert_eq!(stage.read_bytes(&mut guest), b"");
        assert!(guest.connection.is_done());
        assert_eq!(stage.heard(), [""; 0], "it was never there");
    }
}

#[test]
fn a_peer_of_another_version_is_told_ours_and_dismissed() {
    for version in [0, 1, 255] {
        let mut stage = Stage::new();
        let mut first = opening(None);
        first[5] = version;
        let mut guest = stage.guest_who_said(&first);
        let bytes = stage.read_bytes(&mut guest);
        assert_eq!(bytes[..PREFACE.len()], PREFACE);
        assert_eq!(frames(&bytes), [RoomFrame::Bye(LeaveReason::version())]);
        assert!(guest.is_shut);
        assert_eq!(stage.heard(), [""; 0], "it was never there");
    }
}

#[test]
fn the_preface_and_the_hello_must_come_within_ten_seconds_even_if_they_drip() {
    let whole = opening(None);
    for sent in 1..whole.len() {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        for byte in &whole[..sent] {
            stage.hear(&mut guest, &[*byte]);
            stage.pass(&mut guest, 10 * MS);
        }
        stage.pass(&mut guest, JOIN_TIMEOUT);
        assert_eq!(stage.heard(), [""; 0], "after {sent} bytes");
        if sent >= PREFACE.len() {
            assert_eq!(stage.read_frames(&mut guest), [RoomFrame::Bye(LeaveReason::Unfinished)]);
        }
        assert!(guest.is_shut || guest.connection.outbox_len() > 0, "after {sent} bytes");
    }
}

#[test]
fn a_first_line_that_drips_makes_a_member_after_ten_seconds_and_is_not_cut() {
    let mut stage = Stage::new();
    let mut guest = stage.join();
    let mut sent = String::new();
    for _ in 0..10 * 25 {
        assert_eq!(guest.connection.member(), None);
        stage.hear(&mut guest, b"x");
        sent.push('x');
        stage.pass(&mut guest, 40 * MS);
    }
    assert!(guest.connection.member().is_some());
    stage.hear(&mut guest, b"\n");
    assert_eq!(stage.texts(), [sent]);
}

#[test]
fn a_peer_that_comes_and_goes_without_a_word_was_never_there() {
    for (said, ended) in [(&b""[..], true), (b"", false), (b"\xff\xfb\x1f", false), (&PREFACE, true)] {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        if !said.is_empty() {
            stage.hear(&mut guest, said);
        }
        if ended {
            stage.hear_end(&mut guest);
            stage.serve(&mut guest);
        }
        stage.with_context(|cx| guest.connection.fail(&ErrorKind::ConnectionReset.into(), cx));
        assert!(guest.connection.is_done());
        assert_eq!(stage.heard(), [""; 0], "{said:?}");
    }
}

#[test]
fn an_http_request_is_closed_without_a_byte_however_it_comes() {
    let line = b"POST /say?x=1 HTTP/1.0";
    let sessions: [&[&[u8]]; 5] = [
        &[HTTP],
        &[b"G", b"ET / HT", b"TP/1.1\r", b"\nHost"],
        &[&line[..], b"\n"],
        &[&line[..], b""],
        &[b"CONNECT example.org:443 HTTP/1.1\r\n\r\n"],
    ];
    for pieces in sessions {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        for piece in pieces {
            if !guest.connection.is_done() {
                stage.hear(&mut guest, piece);
            }
        }
        stage.pass(&mut guest, SECOND); // the line without a break is whole by then
        assert_eq!(stage.read(&mut guest), "", "{pieces:?}");
        assert!(guest.connection.is_done(), "{pieces:?}");
        assert_eq!(stage.heard(), [""; 0], "{pieces:?}");
    }
}

#[test]
fn an_http_request_whose_path_is_so_long_that_it_comes_with_a_pause_says_nothing() {
    let mut stage = Stage::new();
    let mut guest = stage.join();
    stage.hear(&mut guest, b"POST /a-word-to-the-room");
    stage.pass(&mut guest, SECOND);
    assert_eq!(stage.read(&mut guest), "");
    assert!(guest.connection.is_done());
    assert_eq!(stage.heard(), [""; 0]);
}

#[test]
fn an_http_request_whose_path_is_longer_than_a_line_is_closed_without_a_byte() {
    let path = [b"GET /", &[b'x'; 70_000][..]].concat();
    for pieces in [vec![&path[..]], path.chunks(16_384).collect(), path.chunks(3).take(30_000).collect()] {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        for piece in &pieces {
            if !guest.connection.is_done() {
                stage.hear(&mut guest, piece);
            }
        }
        assert_eq!(stage.read(&mut guest), "");
        assert!(guest.connection.is_done());
        assert_eq!(stage.heard(), [""; 0], "{} pieces", pieces.len());
    }
}

#[test]
fn a_line_that_only_looks_like_a_request_is_a_message() {
    for text in ["JOIN /lobby", "I /we think so", "GET me a coffee", "HTTP/2 is fast"] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(text.as_bytes());
        stage.pass(&mut guest, SECOND);
        assert_eq!(stage.texts(), [text]);
    }
}

#[test]
fn bytes_that_cannot_begin_text_close_the_connection_at_once_anywhere() {
    for first in [&b"\0"[..], b"\x01", b"\n\r\n\0\r\nQUIT\n", b"\xff\xfb\x1f\x04", b"\xff\xff"] {
        for piece in [usize::MAX, 1] {
            let mut stage = Stage::new();
            let mut guest = stage.join();
            for piece in first.chunks(piece.min(first.len())) {
                if !guest.connection.is_done() {
                    stage.hear(&mut guest, piece);
                }
            }
            assert!(guest.connection.is_done(), "{first:?}");
            assert_eq!(stage.heard(), [""; 0], "{first:?}: it was never a member");
        }
    }
}

#[test]
fn an_http_request_that_ends_with_the_input_says_nothing() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"GET / HTTP/1.0");
    stage.hear_end(&mut guest);
    assert_eq!(stage.read(&mut guest), "");
    assert_eq!(stage.heard(), [""; 0]);
}

#[test]
fn a_request_line_later_in_the_conversation_is_a_message() {
    let mut stage = Stage::new();
    let guest = stage.guest_who_said(b"try this:\nGET / HTTP/1.1\n");
    assert_eq!(stage.texts(), ["try this:", "GET / HTTP/1.1"]);
    assert!(!guest.connection.is_done());
}

#[test]
fn a_tls_hello_is_closed_without_a_byte_early_or_late() {
    for waited in [0, 1_000] {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        stage.pass(&mut guest, waited * MS);
        stage.hear(&mut guest, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
        assert_eq!(stage.read_bytes(&mut guest), b"");
        let left = if waited == 0 { Vec::new() } else { guest.left(&LeaveReason::NotChat) };
        assert_eq!(stage.heard(), left);
    }
}

#[test]
fn a_peer_that_may_not_join_is_told_why_in_its_own_format_and_its_words_are_not_heard() {
    let why = LeaveReason::from(JoinError::RoomFull { members_max: 1 });
    for (first, silent) in [(&b"let me in\n"[..], false), (b"let me in", true), (b"", true)] {
        let mut stage = Stage::with(RoomConfig::default().with_members_max(1));
        let mut guest = stage.join();
        if !first.is_empty() {
            stage.hear(&mut guest, first);
        }
        if silent {
            stage.pass(&mut guest, OPENING_GRACE);
        }
        assert_eq!(stage.read(&mut guest), format!("[*] Closed: {why}\n"), "{first:?}");
        assert!(guest.is_shut && !guest.connection.is_done(), "it may still be reading");
        assert_eq!(stage.heard(), [""; 0]);
        stage.hear_end(&mut guest);
        assert!(guest.connection.is_done());
    }
    let mut stage = Stage::with(RoomConfig::default().with_members_max(1));
    let mut guest = stage.guest_who_said(&opening(None));
    assert_eq!(stage.read_frames(&mut guest), [RoomFrame::Bye(why)]);
    assert!(guest.is_shut);
    assert_eq!(stage.heard(), [""; 0]);
}
