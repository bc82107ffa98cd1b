//! A reader slower than the room is told exactly how much it missed, and its framing never breaks.

use chat_core::LagPolicy;

use super::*;

/// Says more than the smallest log can hold. Returns the number of messages.
fn flood(stage: &mut Stage) -> u64 {
    let messages = 3_000;
    for number in 0..messages {
        stage.say(&format!("flood {number}"));
        if number % 100 == 0 {
            stage.pull(); // a turn
        }
    }
    messages
}

fn missed(line: &str) -> Option<u64> {
    line.strip_prefix("[*] You missed ")?.split(' ').next()?.parse().ok()
}

#[test]
fn a_member_that_lags_in_the_middle_of_a_line_gets_the_rest_of_it_before_the_notice() {
    let first = "[192.0.2.99:9] the first line";
    for (line_ending, line_break) in [(&b""[..], "\n"), (b"x\r\n", "\r\n"), (b"x", "\n")] {
        for free in 1..first.len() + line_break.len() {
            let mut stage = Stage::small();
            let mut guest = stage.join();
            if !line_ending.is_empty() {
                stage.hear(&mut guest, line_ending);
            }
            stage.pass(&mut guest, SECOND);
            stage.read(&mut guest);
            stage.say("the first line");
            stage.say("never seen");
            guest.wire.free = free;
            stage.serve(&mut guest);
            let messages = flood(&mut stage);
            guest.wire.free = usize::MAX;
            let got = stage.read(&mut guest);
            let lines: Vec<&str> = got.split(line_break).filter(|line| !line.is_empty()).collect();
            assert_eq!(lines[0], first, "blocked after {free} bytes");
            let missed = missed(lines[1]).expect(lines[1]);
            assert!(missed > 100);
            assert_eq!(
                missed + lines.len() as u64 - 2,
                messages + 1,
                "each message was received or counted as missed"
            );
            assert_eq!(*lines.last().unwrap(), format!("[192.0.2.99:9] flood {}", messages - 1));
        }
    }
}

#[test]
fn a_member_that_lags_in_the_middle_of_a_frame_gets_the_rest_of_it_before_the_notice() {
    let mut free = 0;
    loop {
        free += 1;
        let mut stage = Stage::small();
        let (mut guest, _) = stage.framed_guest();
        stage.say("the first message");
        guest.wire.free = free;
        stage.serve(&mut guest);
        if guest.wire.free > 0 {
            break; // the whole frame was written
        }
        let messages = flood(&mut stage);
        guest.wire.free = usize::MAX;
        let frames = stage.read_frames(&mut guest);
        let [RoomFrame::Entry(_), RoomFrame::Lagged(lagged), ..] = &frames[..] else {
            panic!("blocked after {free} bytes: {:?}", &frames[..2]);
        };
        assert_eq!(lagged.messages + lines(&frames).len() as u64, messages + 1);
        assert_eq!(lagged.next, lagged.messages + 2);
        assert_eq!(lagged.head, messages + 1);
    }
    assert!(free > 20);
}

#[test]
fn a_framed_peer_learns_how_many_of_its_own_messages_were_taken() {
    let mut stage = Stage::small();
    let (mut guest, _) = stage.framed_guest();
    guest.wire.free = 0;
    let say = |number| encoded(&MemberFrame::Say { number, text: "mine".parse().unwrap() });
    stage.hear(&mut guest, &say(1));
    stage.say("blocks");
    stage.serve(&mut guest);
    let messages = flood(&mut stage);
    stage.hear(&mut guest, &say(2));
    guest.wire.free = usize::MAX;
    let frames = stage.read_frames(&mut guest);
    let RoomFrame::Lagged(lagged) = &frames[0] else { panic!("{:?}", frames[0]) };
    assert_eq!((lagged.taken, lagged.head), (2, messages + 3));
    assert_eq!(lagged.messages + lines(&frames).len() as u64, messages + 3, "its own are among them");
}

#[test]
fn a_plain_peers_own_messages_are_not_missed() {
    let mut stage = Stage::small();
    let mut guest = stage.guest_who_said(b"mine\n");
    stage.read(&mut guest);
    guest.wire.free = 0;
    let mut others = 0;
    for _ in 0..400 {
        stage.hear(&mut guest, b"mine\nand mine\n");
        for _ in 0..10 {
            stage.say("of others");
            others += 1;
        }
        stage.serve(&mut guest);
    }
    guest.wire.free = usize::MAX;
    let got = stage.read(&mut guest);
    let (notices, lines): (Vec<_>, Vec<_>) = got.lines().partition(|line| missed(line).is_some());
    assert!(lines.iter().all(|line| *line == "[192.0.2.99:9] of others"));
    let missed: u64 = notices.into_iter().filter_map(missed).sum();
    assert!(missed > 100);
    assert_eq!(missed + lines.len() as u64, others);
    stage.hear(&mut guest, b"mine again\n");
    stage.say("the last");
    assert_eq!(stage.read(&mut guest), "[192.0.2.99:9] the last\n");
}

#[test]
fn one_message_is_missed_in_the_singular_and_none_without_a_word() {
    let mut stage = Stage::small();
    let mut guest = stage.guest_who_said(b"hello\n");
    stage.read(&mut guest);
    guest.wire.free = 0;
    stage.say("missed");
    stage.serve(&mut guest);
    // The guest lags behind its own messages alone.
    (0..3_000).for_each(|_| stage.hear(&mut guest, b"mine\n"));
    guest.wire.free = usize::MAX;
    assert_eq!(stage.read(&mut guest), "[*] You missed 1 message\n");

    guest.wire.free = 0;
    (0..3_000).for_each(|_| stage.hear(&mut guest, b"mine\n"));
    guest.wire.free = usize::MAX;
    assert_eq!(stage.read(&mut guest), "");
}

#[test]
fn the_counts_of_a_member_that_lags_again_and_again_add_up() {
    for framed in [false, true] {
        let mut stage = Stage::small();
        let mut guest = if framed { stage.framed_guest().0 } else { stage.listener() };
        let (mut said, mut read, mut missed_in_all) = (0, 0, 0);
        for free in [0, 7, 40, 1_000, 3, 0, usize::MAX] {
            said += flood(&mut stage);
            guest.wire.free = free;
            stage.serve(&mut guest);
        }
        stage.serve(&mut guest);
        let got = guest.wire.taken.split_off(guest.told);
        if framed {
            for frame in frames(&got) {
                match frame {
                    RoomFrame::Lagged(lagged) => missed_in_all += lagged.messages,
                    RoomFrame::Entry(entry) if entry.event.is_message() => read += 1,
                    _ => {}
                }
            }
        } else {
            for line in String::from_utf8(got).unwrap().lines() {
                match missed(line) {
                    Some(messages) => missed_in_all += messages,
                    None => read += 1,
                }
            }
        }
        assert_eq!(read + missed_in_all, said);
        assert_eq!(stage.room.stats().missed, missed_in_all);
    }
}

#[test]
fn a_room_may_close_a_member_that_lags() {
    let mut stage = Stage::with(
        RoomConfig::default()
            .with_lag_policy(LagPolicy::Close)
            .with_rate(None)
            .with_log_bytes_max(RoomConfig::LOG_BYTES_MIN),
    );
    let mut guest = stage.listener();
    stage.say("the first");
    guest.wire.free = 10;
    stage.serve(&mut guest);
    flood(&mut stage);
    guest.wire.free = usize::MAX;
    let farewell = format!("[*] Closed: {}\n", LeaveReason::Lagged);
    assert_eq!(stage.read(&mut guest), format!("[192.0.2.99:9] the first\n{farewell}"));
    assert!(guest.is_shut);
}
