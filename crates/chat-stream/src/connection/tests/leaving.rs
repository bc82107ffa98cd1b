//! How connections end: stalled, kicked, drained, lost.

use super::*;
use crate::limits::{LINGER_TIMEOUT, STALL_TIMEOUT};

#[test]
fn a_peer_that_takes_nothing_for_a_minute_is_too_slow() {
    let mut stage = Stage::new();
    let mut guest = stage.listener();
    guest.wire.free = 5;
    stage.say("hello");
    stage.serve(&mut guest);
    assert!(guest.connection.is_blocked());
    stage.pass(&mut guest, STALL_TIMEOUT - MS);
    assert!(!guest.connection.is_done());
    guest.wire.free = 1; // which is enough
    stage.serve(&mut guest);
    stage.pass(&mut guest, STALL_TIMEOUT - MS);
    assert!(!guest.connection.is_done());
    stage.texts();
    stage.pass(&mut guest, MS);
    assert!(guest.connection.is_done());
    assert_eq!(stage.heard(), guest.left(&LeaveReason::TooSlow));
}

#[test]
fn a_peer_without_pending_output_may_be_idle_for_ever() {
    let mut stage = Stage::new();
    let mut guests = [stage.listener(), stage.guest_who_said(b"hi\n"), stage.framed_guest().0];
    for guest in &mut guests {
        stage.serve(guest);
        assert_eq!(guest.connection.deadline(), None);
        stage.pass(guest, 86_400 * SECOND);
        stage.serve(guest);
        assert!(!guest.connection.is_done() && !guest.is_shut);
    }
}

#[test]
fn a_kicked_member_is_told_why_after_the_rest_of_its_pending_output() {
    let mut stage = Stage::new();
    let mut guest = stage.listener();
    stage.say("hello");
    guest.wire.free = 3;
    stage.serve(&mut guest);
    stage.room.kick(guest.address.parse().unwrap(), "spam").unwrap();
    guest.wire.free = usize::MAX;
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] hello\n[*] Closed: kicked: spam\n");
    assert!(guest.is_shut);
    stage.with_context(|cx| guest.connection.receive(b"but I\n", cx));
    assert!(stage.heard().iter().all(|line| !line.contains("but I")));
}

#[test]
fn a_peer_that_does_not_shut_down_its_side_is_cut_off_after_a_moment() {
    let mut stage = Stage::new();
    let mut guest = stage.listener();
    stage.room.kick(guest.address.parse().unwrap(), "").unwrap();
    stage.serve(&mut guest);
    assert!(guest.is_shut && !guest.connection.is_done());
    assert!(guest.connection.wants_bytes(), "unread input would turn the end into a reset");
    stage.pass(&mut guest, LINGER_TIMEOUT - MS);
    assert!(!guest.connection.is_done());
    stage.pass(&mut guest, MS);
    assert!(guest.connection.is_done());
}

#[test]
fn a_peer_that_does_not_read_its_goodbye_is_cut_off_as_well() {
    let mut stage = Stage::new();
    let mut guest = stage.listener();
    guest.wire.free = 0;
    stage.room.kick(guest.address.parse().unwrap(), "").unwrap();
    stage.serve(&mut guest);
    stage.pass(&mut guest, LINGER_TIMEOUT);
    assert!(guest.connection.is_done());
}

#[test]
fn when_the_room_closes_everyone_gets_every_message_then_the_farewell_then_the_end() {
    let mut stage = Stage::new();
    let mut guests = [
        stage.listener(),
        stage.guest_who_said(b"lf\n"),
        stage.guest_who_said(b"crlf\r\n"),
        stage.framed_guest().0,
    ];
    let endings = ["\n", "\n", "\r\n"];
    for guest in &mut guests {
        stage.read_bytes(guest);
        guest.wire.free = 3;
    }
    stage.say("the last message");
    guests.iter_mut().for_each(|guest| stage.serve(guest));
    stage.room.close("Good night", SECOND);
    stage.pull();
    for guest in &mut guests {
        stage.with_context(|cx| guest.connection.drain(cx));
        stage.serve(guest);
        assert!(!guest.is_shut, "there is pending output");
        assert!(guest.connection.wants_bytes(), "unread input would turn the end into a reset");
        stage.with_context(|cx| guest.connection.receive(b"wait!\n", cx));
        guest.wire.free = usize::MAX;
    }
    for (guest, line_break) in guests.iter_mut().zip(endings) {
        let expected = format!("[192.0.2.99:9] the last message{line_break}[*] Good night{line_break}");
        assert_eq!(stage.read(guest), expected);
        assert!(guest.is_shut);
    }
    let framed = &mut guests[3];
    let frames = stage.read_frames(framed);
    assert_eq!(lines(&frames), ["[192.0.2.99:9] the last message", "[*] Good night"]);
    assert_eq!(frames.last(), Some(&RoomFrame::Bye(LeaveReason::Stopping)));
    assert!(framed.is_shut);
    assert!(stage.heard().iter().all(|line| !line.contains("wait!")));
}

#[test]
fn when_the_room_closes_a_framed_peer_before_its_hello_is_told_so_in_a_frame() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(&PREFACE);
    stage.room.close("Good night", SECOND);
    stage.pull();
    stage.with_context(|cx| guest.connection.drain(cx));
    assert_eq!(stage.read_frames(&mut guest), [RoomFrame::Bye(LeaveReason::Stopping)]);
}

#[test]
fn when_the_room_closes_a_peer_that_is_not_a_member_yet_is_told_so_if_its_protocol_is_known() {
    for (first, told) in
        [(&b"unfinished"[..], "[*] Closed: server is stopping\n"), (b"", ""), (b"\xf5ch", "")]
    {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        if !first.is_empty() {
            stage.hear(&mut guest, first);
        }
        stage.room.close("Good night", SECOND);
        stage.pull();
        stage.with_context(|cx| guest.connection.drain(cx));
        assert_eq!(stage.read(&mut guest), told);
        assert!(guest.is_shut || guest.connection.is_done());
        assert_eq!(stage.heard(), ["[*] Good night"], "it was never there");
    }
}

#[test]
fn a_half_closed_peer_is_done_as_soon_as_it_has_the_farewell() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"hello\n");
    stage.hear_end(&mut guest);
    stage.read(&mut guest);
    stage.room.close("Good night", SECOND);
    stage.pull();
    stage.with_context(|cx| guest.connection.drain(cx));
    assert_eq!(stage.read(&mut guest), "[*] Good night\n");
    assert!(guest.connection.is_done(), "there is nothing more to wait for");
}

#[test]
fn the_unfinished_last_line_of_a_peer_that_vanishes_is_heard() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"one\ntwo");
    stage.with_context(|cx| guest.connection.fail(&ErrorKind::ConnectionReset.into(), cx));
    let heard = stage.heard();
    assert_eq!(heard[..2], ["[192.0.2.1:1] one", "[192.0.2.1:1] two"]);
    assert_eq!(heard[2..], guest.left(&LeaveReason::Lost));
}

#[test]
fn a_peer_that_vanishes_is_lost_and_one_that_had_ended_its_side_has_quit() {
    for (ended, reason) in [(false, LeaveReason::Lost), (true, LeaveReason::Quit)] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(b"hello\n");
        stage.texts();
        if ended {
            stage.hear_end(&mut guest);
        }
        stage.with_context(|cx| guest.connection.fail(&ErrorKind::ConnectionReset.into(), cx));
        assert!(guest.connection.is_done());
        assert_eq!(stage.heard(), guest.left(&reason));
        stage.with_context(|cx| guest.connection.fail(&ErrorKind::BrokenPipe.into(), cx));
        assert_eq!(stage.heard(), [""; 0], "nobody leaves twice");
    }
}

#[test]
fn a_member_that_says_bye_just_after_it_was_kicked_is_told_that_it_was_kicked() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    stage.room.kick(guest.address.parse().unwrap(), "spam").unwrap();
    // The guest's I/O thread has not learned of it yet.
    stage.with_context(|cx| guest.connection.receive(&encoded(&MemberFrame::Bye), cx));
    let kicked = LeaveReason::kicked("spam").unwrap();
    assert_eq!(stage.read_frames(&mut guest).last(), Some(&RoomFrame::Bye(kicked.clone())));
    assert_eq!(stage.heard(), guest.left(&kicked));
}
