//! Commands that a connection itself carries out: it ends, or hides messages of somebody.

use chat_proto::{DirectItem, Notice};

use super::*;
use crate::limits::QUITTING_TIMEOUT;

const OTHER: &str = "192.0.2.99:9";

/// What a guest reads of `stage` besides the answers to its commands.
fn said_to(stage: &mut Stage, guest: &mut Guest) -> Vec<String> {
    let read = stage.read(guest);
    read.lines().filter(|line| !line.starts_with("[*]")).map(str::to_owned).collect()
}

#[test]
fn a_plain_member_that_quits_gets_what_it_is_owed_before_its_connection_ends() {
    for line_break in ["\n", "\r\n"] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(line_break.as_bytes());
        stage.pass(&mut guest, SECOND);
        stage.say("one");
        stage.hear(
            &mut guest,
            ["goodbye", "/quit", "not heard"].map(|line| line.to_owned() + line_break).concat().as_bytes(),
        );
        let expected = format!("[{OTHER}] one{line_break}[*] Closed: you have left{line_break}");
        assert_eq!(stage.read(&mut guest), expected);
        assert!(guest.is_shut);
        let address = &guest.address;
        let heard = [format!("[{OTHER}] one"), format!("[{address}] goodbye")];
        assert_eq!(stage.heard(), [&heard[..], &guest.left(&LeaveReason::Quit)].concat());
        stage.hear_end(&mut guest);
        assert!(guest.connection.is_done());
    }
}

#[test]
fn the_last_words_before_a_half_close_may_be_to_quit() {
    for words in [&b"/quit"[..], b"/quit\n"] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(b"hello\n");
        stage.hear(&mut guest, words);
        stage.hear_end(&mut guest);
        assert!(stage.read(&mut guest).ends_with("[*] Closed: you have left\n"));
        assert_eq!(stage.heard()[1..], guest.left(&LeaveReason::Quit));
        assert!(guest.is_shut && guest.connection.is_done());
    }
}

#[test]
fn a_framed_member_that_quits_has_its_command_confirmed_and_is_told_goodbye() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    stage.hear(&mut guest, &[say_frame("/quit"), say_frame("not heard")].concat());
    let frames = stage.read_frames(&mut guest);
    let [.., RoomFrame::Direct(direct), RoomFrame::Bye(LeaveReason::Quit)] = &frames[..] else {
        panic!("{frames:?}")
    };
    assert!(matches!(direct.item, DirectItem::Done { .. }), "{direct:?}");
    assert!(guest.is_shut);
    assert_eq!(stage.heard(), [format!("({} left: {})", guest.address, LeaveReason::Quit)]);
}

/// `/join` ends a framed member's session in the same way.
#[test]
fn a_framed_member_that_goes_before_it_has_everything_is_told_how_much_it_missed() {
    const MESSAGES: u64 = 20;
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    guest.wire.free = 100;
    for number in 0..MESSAGES {
        stage.say(&format!("message {number}"));
    }
    stage.hear(&mut guest, &say_frame("/quit"));
    let before = stage.read_bytes(&mut guest);
    stage.pass(&mut guest, QUITTING_TIMEOUT - SECOND);
    guest.wire.free = 10; // it reads, but slowly
    let meanwhile = stage.read_bytes(&mut guest);
    stage.pass(&mut guest, SECOND);
    guest.wire.free = usize::MAX;
    let frames = frames(&[before, meanwhile, stage.read_bytes(&mut guest)].concat());
    let got =
        frames.iter().filter(|frame| matches!(frame, RoomFrame::Entry(entry) if entry.event.is_message()));
    let got = u64::try_from(got.count()).unwrap();
    assert!(got < MESSAGES, "it was not waited for");
    let [.., RoomFrame::Lagged(lagged), RoomFrame::Bye(LeaveReason::Quit)] = &frames[..] else {
        panic!("{frames:?}")
    };
    assert_eq!(lagged.messages, MESSAGES - got);
}

#[test]
fn a_member_that_quits_and_takes_nothing_has_left_after_a_while() {
    let mut stage = Stage::new();
    let mut guest = stage.listener();
    guest.wire.free = 3;
    stage.say("one");
    stage.hear(&mut guest, b"/quit\n");
    stage.serve(&mut guest);
    stage.heard();
    stage.pass(&mut guest, QUITTING_TIMEOUT - MS);
    assert_eq!(stage.heard(), Vec::<String>::new());
    stage.pass(&mut guest, MS);
    assert_eq!(stage.heard(), guest.left(&LeaveReason::Quit));
    stage.pass(&mut guest, SECOND);
    assert!(guest.connection.is_done());
}

#[test]
fn a_member_that_quits_and_whose_connection_fails_has_left_of_its_own_accord() {
    let mut stage = Stage::new();
    let mut guest = stage.listener();
    stage.hear(&mut guest, b"/quit\n");
    stage.with_context(|cx| guest.connection.fail(&ErrorKind::ConnectionReset.into(), cx));
    assert_eq!(stage.heard(), guest.left(&LeaveReason::Quit));
}

#[test]
fn messages_of_an_ignored_member_are_not_sent_until_it_is_no_longer_ignored() {
    let mut stage = Stage::new();
    let (mut guest, mut third) = (stage.guest_who_said(b"hello\n"), stage.guest_who_said(b"hi\n"));
    stage.read(&mut guest);
    stage.hear(&mut guest, format!("/ignore {OTHER}\n").as_bytes());
    stage.say("one");
    stage.hear(&mut third, b"two\n");
    stage.hear(&mut guest, b"mine\n");
    stage.say("three");
    stage.say("four");
    stage.hear(&mut third, b"five\n");
    let (from_third, line) = (third.address.clone(), |text: &str| format!("[{}] {text}", third.address));
    assert_eq!(said_to(&mut stage, &mut guest), [line("two"), line("five")]);
    stage.say("six");
    assert_eq!(said_to(&mut stage, &mut guest), Vec::<String>::new());
    stage.hear(&mut guest, format!("/unignore {OTHER}\n").as_bytes());
    stage.say("seven");
    assert_eq!(said_to(&mut stage, &mut guest), [format!("[{OTHER}] seven")]);
    let mut unaffected = stage.listener();
    stage.say("eight");
    assert_eq!(stage.read(&mut unaffected), format!("[{OTHER}] eight\n"));
    assert_eq!(from_third, third.address);
}

#[test]
fn messages_of_an_ignored_member_do_not_count_as_missed() {
    let mut stage = Stage::small();
    let mut guest = stage.guest_who_said(b"hello\n");
    let mut third = stage.guest_who_said(b"hi\n");
    stage.read(&mut guest);
    stage.hear(&mut guest, format!("/ignore {OTHER}\n").as_bytes());
    stage.read(&mut guest);
    guest.wire.free = 0;
    stage.hear(&mut third, b"one\ntwo\n");
    for number in 0..3_000 {
        stage.say(&format!("flood {number}"));
        if number % 100 == 0 {
            stage.pull(); // a turn
        }
    }
    stage.hear(&mut third, b"three\n");
    guest.wire.free = usize::MAX;
    let read = stage.read(&mut guest);
    let lines: Vec<&str> = read.lines().collect();
    let missed = lines.iter().find_map(|line| Notice::of_line(line));
    assert_eq!(missed, Some(Notice::Missed(2)), "{lines:?}");
    assert_eq!(lines.last(), Some(&format!("[{}] three", third.address).as_str()));
    assert!(lines.iter().all(|line| !line.contains("flood")), "{lines:?}");
}

#[test]
fn the_rest_of_a_command_that_is_too_long_is_not_said() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"hello\n");
    stage.read(&mut guest);
    stage.texts();
    let secret = "secret ".repeat(300);
    stage.hear(&mut guest, format!("/msg {OTHER} {secret}\nafter\n").as_bytes());
    assert_eq!(stage.texts(), ["after"]);
    assert!(stage.read(&mut guest).contains(&format!("[*] {}\n", Notice::CommandCut)));
}

#[test]
fn the_rest_of_a_long_line_is_not_a_command() {
    let mut stage = Stage::new();
    let mut guest = stage.guest_who_said(b"hello\n");
    stage.read(&mut guest);
    stage.texts();
    for rest in ["/quit", "//usr/bin"] {
        let long = "x".repeat(960);
        stage.hear(&mut guest, format!("{long}{rest}\n").as_bytes());
        assert_eq!(stage.texts(), [long, rest.to_owned()]);
    }
    stage.read(&mut guest);
    assert!(!guest.is_shut);
}
