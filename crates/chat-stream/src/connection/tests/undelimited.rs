//! Programs that print what each `recv` returns: lines joined by breaks, none at the end.

use chat_proto::limits::QUIET;

use super::*;

/// A peer that is known to send undelimited messages.
fn undelimited_guest(stage: &mut Stage) -> Guest {
    let mut guest = stage.guest_who_said(b"hello");
    stage.pass(&mut guest, QUIET);
    assert_eq!(stage.texts(), ["hello"]);
    assert_eq!(stage.read(&mut guest), "");
    guest
}

#[test]
fn lines_are_joined_by_breaks_with_none_at_the_end() {
    let mut stage = Stage::new();
    let mut guest = undelimited_guest(&mut stage);
    for text in ["one", "two", "three"] {
        stage.say(text);
    }
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] one\n[192.0.2.99:9] two\n[192.0.2.99:9] three");
}

#[test]
fn a_line_that_follows_soon_begins_with_the_break_that_is_owed() {
    let mut stage = Stage::new();
    let mut guest = undelimited_guest(&mut stage);
    stage.say("one");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] one");
    stage.pass(&mut guest, QUIET - MS);
    stage.say("two");
    assert_eq!(stage.read(&mut guest), "\n[192.0.2.99:9] two", "one recv may return both");
    stage.pass(&mut guest, QUIET);
    stage.say("three");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] three", "one recv for each");
}

#[test]
fn own_messages_are_left_out_and_do_not_join_the_lines_around_them() {
    let mut stage = Stage::new();
    let mut guest = undelimited_guest(&mut stage);
    stage.say("one");
    stage.hear(&mut guest, b"mine");
    stage.pass(&mut guest, QUIET);
    stage.say("two");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] one\n[192.0.2.99:9] two");
}

#[test]
fn a_notice_stands_apart_from_the_lines_around_it() {
    let mut stage = Stage::new();
    let mut guest = undelimited_guest(&mut stage);
    stage.say("one");
    stage.read(&mut guest);
    stage.hear_end(&mut guest);
    stage.say("two");
    let notice = "[*] You ended your side; you still hear the room";
    assert_eq!(stage.read(&mut guest), format!("\n{notice}\n[192.0.2.99:9] two"));
}

#[test]
fn in_whatever_pieces_the_socket_takes_them_lines_never_run_together() {
    let lines = ["[192.0.2.99:9] one", "[192.0.2.99:9] two", "[192.0.2.99:9] three"];
    let whole = lines.join("\n");
    for free in 0..whole.len() {
        let mut stage = Stage::new();
        let mut guest = undelimited_guest(&mut stage);
        ["one", "two", "three"].iter().for_each(|text| stage.say(text));
        guest.wire.free = free;
        let mut got = stage.read(&mut guest);
        // A peer that has not taken the line so far will take both parts with one recv.
        stage.pass(&mut guest, SECOND);
        guest.wire.free = usize::MAX;
        got += &stage.read(&mut guest);
        stage.say("four");
        got += &stage.read(&mut guest);
        assert_eq!(got, format!("{whole}\n[192.0.2.99:9] four"), "blocked after {free} bytes");
    }
}

#[test]
fn a_line_that_has_waited_for_a_full_socket_does_not_run_into_the_one_before() {
    let mut stage = Stage::new();
    let mut guest = undelimited_guest(&mut stage);
    stage.say("one");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] one");
    guest.wire.free = 0; // so the guest has not read that one
    stage.say("two");
    assert_eq!(stage.read(&mut guest), "");
    stage.pass(&mut guest, SECOND);
    guest.wire.free = usize::MAX;
    assert_eq!(stage.read(&mut guest), "\n[192.0.2.99:9] two");
}
