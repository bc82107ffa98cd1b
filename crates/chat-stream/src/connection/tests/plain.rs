//! Plain peers: what they say, and how they want their lines.

use std::num::NonZeroU32;

use chat_core::Rate;
use chat_proto::limits::{PLAIN_LINE_BYTES_MAX, QUIET, TEXT_BYTES_MAX};

use super::*;
use crate::limits::{HALF_CLOSED_TIMEOUT, UNFINISHED_TIMEOUT};

/// What the room hears and what the peer gets of a session that comes in these pieces.
fn session(pieces: &[&[u8]]) -> (Vec<String>, String) {
    let mut stage = Stage::new();
    let mut guest = stage.join();
    for piece in pieces {
        stage.hear(&mut guest, piece);
    }
    let heard = stage.texts();
    stage.say("answer one");
    stage.say("answer two");
    (heard, stage.read(&mut guest))
}

fn split_everywhere(whole: &[u8], mut check: impl FnMut((Vec<String>, String), String)) {
    check(session(&[whole]), "at once".to_owned());
    check(session(&whole.chunks(1).collect::<Vec<_>>()), "byte by byte".to_owned());
    for at in 1..whole.len() {
        let (front, back) = whole.split_at(at);
        check(session(&[front, back]), format!("split at {at}"));
    }
}

#[test]
fn a_line_peer_is_the_same_peer_in_whatever_pieces_its_bytes_come() {
    let sessions: [(&[u8], &str); 4] = [
        (b"hello\nhow are you?\n\nfine\n", "\n"),
        (b"hello\r\nhow are you?\r\n\r\nfine\r\n", "\r\n"),
        (b"hello\r\0how are you?\r\0\r\0fine\r\0", "\r\n"),
        (b"hello\rhow are you?\r\rfine\r", "\r\n"),
    ];
    for (whole, line_break) in sessions {
        let lines = format!("[192.0.2.99:9] answer one{line_break}[192.0.2.99:9] answer two{line_break}");
        split_everywhere(whole, |(heard, got), how| {
            assert_eq!(heard, ["hello", "how are you?", "fine"], "{whole:?} {how}");
            assert_eq!(got, lines, "{whole:?} {how}");
        });
    }
}

#[test]
fn telnet_commands_are_refused_and_heard_by_nobody_in_whatever_pieces_they_come() {
    let whole = b"\xff\xfb\x1f\xff\xfd\x18hel\xff\xf1lo\r\n\xff\xfa\x18\x00xterm\xff\xf0bye\r\n";
    let refusals = b"\xff\xfe\x1f\xff\xfc\x18";
    let run = |pieces: &[&[u8]]| {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        let mut got = Vec::new();
        for piece in pieces {
            stage.hear(&mut guest, piece);
            got.extend(stage.read_bytes(&mut guest));
        }
        assert_eq!(stage.texts(), ["hello", "bye"], "{pieces:?}");
        assert_eq!(got, refusals, "{pieces:?}");
    };
    run(&[whole]);
    run(&whole.chunks(1).collect::<Vec<_>>());
    (1..whole.len()).for_each(|at| run(&[&whole[..at], &whole[at..]]));
}

#[test]
fn bytes_without_a_break_are_a_message_once_the_peer_is_quiet() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"hel");
    stage.pass(&mut guest, QUIET - MS);
    stage.hear(&mut guest, b"lo");
    stage.pass(&mut guest, QUIET - MS);
    assert_eq!(stage.texts(), [""; 0], "each byte begins the wait anew");
    stage.pass(&mut guest, MS);
    assert_eq!(stage.texts(), ["hello"]);

    // From now on, even when a message holds whole lines.
    stage.hear(&mut guest, b"one\ntwo");
    assert_eq!(stage.texts(), ["one"]);
    stage.pass(&mut guest, QUIET);
    assert_eq!(stage.texts(), ["two"]);
    stage.hear(&mut guest, b"three\n");
    stage.hear(&mut guest, b"four");
    stage.pass(&mut guest, QUIET);
    assert_eq!(stage.texts(), ["three", "four"]);
    assert_eq!(guest.connection.deadline(), None);
}

#[test]
fn a_line_may_take_long_as_long_as_it_goes_on() {
    for first in [&b"hello\n"[..], b"\xff\xfb\x1f", b"h"] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(first);
        for _ in 0..100 {
            stage.hear(&mut guest, b"thinking ");
            stage.pass(&mut guest, UNFINISHED_TIMEOUT - MS);
        }
        stage.hear(&mut guest, b"\n");
        assert_eq!(stage.texts().last().unwrap().matches("thinking").count(), 100, "{first:?}");
        stage.read_bytes(&mut guest);
        assert_eq!(guest.connection.deadline(), None);
    }
}

#[test]
fn a_line_that_does_not_go_on_for_half_a_minute_is_a_message() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"JOIN /lobby\n");
    stage.hear(&mut guest, b"hello");
    stage.pass(&mut guest, UNFINISHED_TIMEOUT - MS);
    assert_eq!(stage.texts(), ["JOIN /lobby"]);
    stage.pass(&mut guest, MS);
    assert_eq!(stage.texts(), ["hello"]);
    // It was not a peer of lines after all.
    stage.hear(&mut guest, b"world");
    stage.pass(&mut guest, QUIET);
    assert_eq!(stage.texts(), ["world"]);
    stage.say("welcome");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] welcome");
    assert_eq!(guest.connection.deadline(), None);
}

#[test]
fn a_terminal_that_sends_each_key_says_one_line_and_may_erase() {
    for (enter, line_break) in [("\n", "\n"), ("\r\n", "\r\n"), ("\r", "\r\n")] {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        for line in ["helpp\x08\x7flo", "gr\u{fc}\u{df}e"] {
            for key in line.chars() {
                stage.hear(&mut guest, key.to_string().as_bytes());
                stage.pass(&mut guest, SECOND);
            }
            stage.hear(&mut guest, enter.as_bytes());
        }
        assert_eq!(stage.texts(), ["hello", "gr\u{fc}\u{df}e"]);
        stage.say("hi");
        assert_eq!(stage.read(&mut guest), format!("[192.0.2.99:9] hi{line_break}"));
    }
}

#[test]
fn a_program_that_sends_its_nul_or_its_whole_buffer_says_only_the_text_before_it() {
    let mut zeroed = [0; 1024];
    zeroed[..5].copy_from_slice(b"hello");
    let mut line = [0; 1024];
    line[..6].copy_from_slice(b"hello\n");
    for (bytes, reads) in [(&b"hello\0"[..], ""), (&zeroed, ""), (&line, "\n")] {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        for _ in 0..3 {
            stage.hear(&mut guest, bytes);
            stage.pass(&mut guest, QUIET);
            assert_eq!(stage.texts(), ["hello"], "{bytes:?}");
        }
        stage.say("hi");
        assert_eq!(stage.read(&mut guest), format!("[192.0.2.99:9] hi{reads}"));
    }
}

#[test]
fn a_peer_of_telnet_reads_lines_that_end_in_cr_lf_before_it_has_typed() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"\xff\xfb\x1f\xff\xfd\x03");
    assert_eq!(stage.read_bytes(&mut guest), b"\xff\xfe\x1f\xff\xfc\x03");
    stage.pass(&mut guest, SECOND);
    stage.say("hi");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] hi\r\n");
}

#[test]
fn a_peer_that_sends_another_encoding_is_told_once_how_to_send_utf_8() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"gr\xfc\xdfe\n");
    assert_eq!(stage.texts(), ["gr\u{fffd}\u{fffd}e"]);
    let told = stage.read(&mut guest);
    assert!(told.starts_with("[*] Not all of that is UTF-8") && told.lines().count() == 1, "{told}");
    stage.hear(&mut guest, b"gr\xfcn\n");
    stage.hear(&mut guest, "gr\u{fc}n\n".as_bytes());
    assert_eq!(stage.texts(), ["gr\u{fffd}n", "gr\u{fc}n"]);
    assert_eq!(stage.read(&mut guest), "");
}

#[test]
fn bytes_that_are_not_text_are_not_said_and_a_peer_that_spoke_before_is_told_so() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"hello\n\x01\x02\x03\0\x04\n");
    assert!(guest.connection.is_done(), "it came at once: another protocol with a line break in it");
    assert_eq!(stage.heard(), [""; 0]);

    guest = stage.guest_who_said(b"hello\n");
    stage.hear(&mut guest, b"\x01\x02\x03\nhow are you?\n");
    assert_eq!(stage.texts(), ["hello", "how are you?"]);
    assert_eq!(stage.read(&mut guest), "[*] Not said: that is not text\n");
}

#[test]
fn empty_lines_say_nothing_and_tell_the_line_ending_all_the_same() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"\r\n\r\n");
    stage.pass(&mut guest, SECOND);
    stage.say("hi");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] hi\r\n");
    assert_eq!(stage.texts(), ["hi"]);
}

#[test]
fn a_listener_does_not_get_the_same_lines_again_after_its_first_words() {
    for (first, line_break) in [(&b"me\n"[..], "\n"), (b"me\r\n", "\r\n")] {
        let mut stage = Stage::new();
        let mut guest = stage.listener();
        stage.say("one");
        assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] one\n");
        stage.hear(&mut guest, first);
        stage.say("two");
        assert_eq!(stage.read(&mut guest), format!("[192.0.2.99:9] two{line_break}"));
    }
}

#[test]
fn a_long_line_becomes_several_messages_and_nothing_of_it_is_lost() {
    let mut stage = Stage::new();
    let line = "0123456789abcde ".repeat(PLAIN_LINE_BYTES_MAX / 16);
    let mut guest = stage.guest_who_said(line.as_bytes());
    stage.hear(&mut guest, b"\nafter it\n");
    stage.serve(&mut guest);
    let texts = stage.texts();
    assert_eq!(texts.len(), PLAIN_LINE_BYTES_MAX.div_ceil(TEXT_BYTES_MAX) + 1);
    assert_eq!(texts[..texts.len() - 1].concat(), line);
    assert_eq!(texts.last().unwrap(), "after it");
    assert!(!guest.connection.is_done());
}

#[test]
fn a_line_that_is_too_long_ends_the_connection_with_a_notice() {
    for line_break in ["\n", "\r\n"] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(format!("hello{line_break}").as_bytes());
        stage.hear(&mut guest, &[b'x'; PLAIN_LINE_BYTES_MAX]);
        assert_eq!(stage.read(&mut guest), "");
        stage.hear(&mut guest, b"x");
        assert_eq!(stage.read(&mut guest), format!("[*] Closed: {}{line_break}", LeaveReason::LineTooLong));
        assert!(guest.is_shut);
        let heard = stage.heard();
        assert_eq!(heard[0], "[192.0.2.1:1] hello");
        assert_eq!(heard[1..], guest.left(&LeaveReason::LineTooLong), "nothing of the line was said");
    }
}

#[test]
fn a_member_that_speaks_too_fast_waits_and_all_its_messages_arrive_in_order() {
    let number = |number| NonZeroU32::new(number).unwrap();
    let rate = Some(Rate { burst: number(5), per_second: number(10) });
    let mut stage = Stage::with(RoomConfig::default().with_rate(rate));
    let said: Vec<String> = (0..20).map(|number| format!("message {number}")).collect();
    let mut guest = stage.guest_who_said(format!("{}\nunfinished", said.join("\n")).as_bytes());
    let mut heard = stage.texts();
    assert_eq!(heard, said[..6], "the burst, and the one that shows that it is over");
    stage.say("to it");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] to it\n", "it hears while it waits");
    assert_eq!(stage.texts(), ["to it"]);

    while !guest.connection.wants_bytes() {
        stage.pass(&mut guest, 100 * MS);
        let more = stage.texts();
        assert!(more.len() <= 1, "ten in a second: {more:?}");
        heard.extend(more);
    }
    assert_eq!(heard, said);
    stage.pass(&mut guest, 10 * SECOND);
    assert_eq!(stage.texts(), ["unfinished"], "it turned out to be undelimited");
}

#[test]
fn a_read_full_of_short_lines_is_said_in_portions_so_that_no_member_lags() {
    let mut stage = Stage::small();
    let (mut plain, (mut framed, _)) = (stage.listener(), stage.framed_guest());
    let said: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let mut flooder = stage.guest_who_said(said.join("\n").as_bytes());
    let (mut heard, mut got) = (Vec::new(), Vec::new());
    while flooder.connection.has_backlog() {
        assert!(!flooder.connection.wants_bytes(), "first what was read already");
        heard.extend(stage.texts());
        stage.serve(&mut flooder);
        stage.serve(&mut plain);
        got.extend(lines(&stage.read_frames(&mut framed)));
    }
    stage.hear(&mut flooder, b"\n");
    heard.extend(stage.texts());
    assert!(heard == said, "in order, and nothing is lost");
    got.extend(lines(&stage.read_frames(&mut framed)));
    assert_eq!(got.len(), said.len());
    let got = stage.read(&mut plain);
    assert!(got.lines().map(|line| line.rsplit_once(' ').unwrap().1).eq(&said));
}

#[test]
fn a_half_closed_peer_says_its_last_line_and_goes_on_listening() {
    for (first, line_break) in
        [(&b"one\ntwo"[..], "\n"), (b"one\r\ntwo", "\n"), (b"one\r\nand\r\n", "\r\n"), (b"", "\n")]
    {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        if !first.is_empty() {
            stage.hear(&mut guest, first);
        }
        stage.hear_end(&mut guest);
        assert_eq!(stage.texts().concat(), String::from_utf8_lossy(first).replace(['\r', '\n'], ""));
        let notice = format!("[*] You ended your side; you still hear the room{line_break}");
        assert_eq!(stage.read(&mut guest), notice);
        // Somebody says something in time: the peer goes on listening.
        stage.pass(&mut guest, HALF_CLOSED_TIMEOUT - MS);
        stage.say("still here?");
        assert_eq!(stage.read(&mut guest), format!("[192.0.2.99:9] still here?{line_break}"));
        stage.pass(&mut guest, 600 * SECOND);
        stage.say("and now?");
        assert_eq!(stage.read(&mut guest), format!("[192.0.2.99:9] and now?{line_break}"));
        assert!(!guest.connection.is_done() && !guest.is_shut);
        assert_eq!(guest.connection.deadline(), None);
    }
}

#[test]
fn a_half_closed_peer_that_nobody_answers_leaves_and_is_told_so() {
    for first in [&b"hello"[..], b"hello\n", b"/who\n", b"\n"] {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        stage.say("before it spoke");
        stage.pass(&mut guest, SECOND);
        stage.read(&mut guest);
        stage.hear(&mut guest, first);
        stage.hear_end(&mut guest);
        stage.read(&mut guest);
        stage.heard();
        stage.pass(&mut guest, HALF_CLOSED_TIMEOUT - MS);
        assert_eq!(stage.read(&mut guest), "");
        stage.pass(&mut guest, MS);
        let told = "[*] Closed: you ended your side, and nobody has spoken since\n";
        assert_eq!(stage.read(&mut guest), told, "{first:?}");
        assert!(guest.is_shut && guest.connection.is_done());
        assert_eq!(stage.heard(), guest.left(&LeaveReason::Quit));
    }
}

#[test]
fn a_half_closed_peer_that_never_spoke_is_a_listener() {
    let mut stage = Stage::new();
    let mut guest = stage.listener();
    stage.hear_end(&mut guest);
    stage.read(&mut guest);
    assert_eq!(guest.connection.deadline(), None);
    stage.pass(&mut guest, 600 * SECOND);
    stage.say("hi");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] hi\n");
}

#[test]
fn an_end_of_input_that_is_reported_again_changes_nothing() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"hello\n");
    stage.hear_end(&mut guest);
    stage.read(&mut guest);
    for _ in 0..3 {
        stage.hear_end(&mut guest); // each event after it says so
    }
    assert_eq!(stage.read(&mut guest), "");
}
