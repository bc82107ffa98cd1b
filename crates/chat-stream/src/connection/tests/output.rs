//! Pending output reaches the peer whole and in order, however much the socket takes at a time.

use chat_proto::limits::QUIET;

use super::*;
use crate::limits::OPENING_GRACE;

const HABITS: [&[u8]; 4] = [b"lf\n", b"crlf\r\n", b"chunk", b""];

/// All the output that a peer gets in a lively conversation if its socket takes `bite` bytes at once, and at most
/// `free` before it blocks for a moment.
fn conversation(first: &[u8], bite: usize, free: usize) -> Vec<u8> {
    let mut stage = Stage::new();
    let mut guest = stage.join();
    guest.wire.bite = bite;
    if !first.is_empty() {
        stage.hear(&mut guest, first);
    }
    stage.pass(&mut guest, QUIET.max(OPENING_GRACE));
    stage.read_bytes(&mut guest);
    let answered = if first.starts_with(&PREFACE) { encoded(&MemberFrame::Who) } else { b"mine\n".to_vec() };
    for round in 0..3 {
        stage.say(&format!("round {round}"));
        stage.hear(&mut guest, &answered);
        stage.say(&"long ".repeat(20 * round));
        guest.wire.free = free;
        stage.serve(&mut guest);
    }
    for _ in 0..10_000 {
        let before = guest.wire.taken.len();
        guest.wire.free = free;
        stage.serve(&mut guest);
        if guest.wire.taken.len() == before {
            break;
        }
    }
    guest.wire.taken.split_off(guest.told)
}

#[test]
fn every_size_of_a_partial_write_gives_the_same_lines() {
    for first in HABITS {
        let read = |bite, free| {
            let mut got = String::from_utf8(conversation(first, bite, free)).unwrap();
            if first == b"chunk" && got.ends_with('\n') {
                got.pop(); // the peer is behind, so one recv returns several lines
            }
            got
        };
        let whole = read(usize::MAX, usize::MAX);
        assert_eq!(whole.matches("[192.0.2.99:9] ").count(), 6);
        for size in 1..=whole.len() {
            assert_eq!(read(size, usize::MAX), whole, "{first:?}, {size} bytes at once");
            assert_eq!(read(usize::MAX, size), whole, "{first:?}, blocked after {size} bytes each time");
        }
    }
}

#[test]
fn every_size_of_a_partial_write_gives_the_same_frames() {
    let read = |bite, free| {
        let bytes = conversation(&opening(None), bite, free);
        let (answers, entries): (Vec<_>, Vec<_>) =
            frames(&bytes).into_iter().partition(|frame| matches!(frame, RoomFrame::Present(_)));
        // An answer may stand before or after the entries of its moment.
        (bytes.len(), answers, lines(&entries))
    };
    let whole = read(usize::MAX, usize::MAX);
    assert_eq!((whole.1.len(), whole.2.len()), (3, 6));
    for size in 1..=whole.0 {
        assert_eq!(read(size, usize::MAX), whole, "{size} bytes at once");
        assert_eq!(read(usize::MAX, size), whole, "blocked after {size} bytes each time");
    }
}

#[test]
fn a_plain_peer_does_not_get_its_own_lines_back_and_the_others_do() {
    let mut stage = Stage::new();
    let (mut framed, _) = stage.framed_guest();
    let mut reader = stage.listener();
    let mut speaker = stage.guest_who_said(b"one\ntwo\n");
    stage.say("between");
    stage.hear(&mut speaker, b"three\n");
    stage.say("after");
    let of_others = ["[192.0.2.99:9] between", "[192.0.2.99:9] after"];
    let of_all =
        ["[192.0.2.1:3] one", "[192.0.2.1:3] two", of_others[0], "[192.0.2.1:3] three", of_others[1]];
    assert_eq!(stage.read(&mut speaker).lines().collect::<Vec<_>>(), of_others);
    assert_eq!(stage.read(&mut reader).lines().collect::<Vec<_>>(), of_all);
    assert_eq!(lines(&stage.read_frames(&mut framed)), of_all);
}

#[test]
fn a_peer_that_cannot_be_written_to_is_heard_to_its_last_line() {
    let mut stage = Stage::new();
    let (mut gone, mut here) = (stage.listener(), stage.listener());
    gone.wire.broken = Some(ErrorKind::ConnectionReset);
    stage.say("hello");
    stage.serve(&mut gone);
    assert!(gone.is_gone && !gone.connection.is_done());
    stage.hear(&mut gone, b"last words\n");
    stage.with_context(|cx| gone.connection.fail(&ErrorKind::ConnectionReset.into(), cx));
    assert!(gone.connection.is_done());
    let lines = ["[192.0.2.99:9] hello", "[192.0.2.1:1] last words"];
    assert_eq!(stage.read(&mut here).lines().collect::<Vec<_>>(), lines);
    assert_eq!(stage.heard()[2..], gone.left(&LeaveReason::Lost));
}
