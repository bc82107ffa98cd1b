//! Framed peers: the session in any pieces, confirmation, history, resuming.

use std::num::NonZeroU32;

use chat_core::Rate;
use chat_proto::limits::FRAME_BYTES_MAX;

use super::*;
use crate::limits::{OUTBOX_BYTES_MAX, UNFINISHED_TIMEOUT};

#[test]
fn a_framed_session_is_the_same_in_whatever_pieces_it_comes() {
    let whole = [opening(None), say_frame("one"), encoded(&MemberFrame::Who), say_frame("two")].concat();
    let run = |pieces: &[&[u8]]| {
        let mut stage = Stage::new();
        let mut guest = stage.join();
        pieces.iter().for_each(|piece| stage.hear(&mut guest, piece));
        (stage.texts(), stage.read_bytes(&mut guest))
    };
    let (heard, got) = run(&[&whole]);
    assert_eq!(heard, ["one", "two"]);
    let frames = frames(&got);
    assert!(matches!(frames[..2], [RoomFrame::Welcome(_), RoomFrame::Present(_)]), "{frames:?}");
    assert_eq!(
        lines(&frames),
        ["[192.0.2.1:1] one", "[192.0.2.1:1] two"],
        "its own messages are its confirmation"
    );
    for at in 1..whole.len() {
        assert_eq!(run(&[&whole[..at], &whole[at..]]), (heard.clone(), got.clone()), "split at {at}");
    }
    assert_eq!(run(&whole.chunks(1).collect::<Vec<_>>()), (heard, got));
}

#[test]
fn nothing_but_a_hello_may_come_first_and_no_second_one_after_it() {
    let not_first = [say_frame("hi"), encoded(&MemberFrame::Who), encoded(&MemberFrame::Bye)];
    let mut sessions: Vec<Vec<u8>> = not_first.map(|frame| [PREFACE.to_vec(), frame].concat()).into();
    sessions.push([opening(None), encoded(&MemberFrame::Hello(Hello::default()))].concat());
    sessions.push([opening(None), vec![0, 0]].concat());
    sessions
        .push([opening(None), u16::try_from(FRAME_BYTES_MAX + 1).unwrap().to_le_bytes().to_vec()].concat());
    sessions.push([opening(None), vec![1, 0, 2]].concat()); // a message without its fields
    for session in sessions {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(&session);
        let was_member = session.starts_with(&opening(None));
        let left = if was_member { guest.left(&LeaveReason::Protocol) } else { Vec::new() };
        assert_eq!(stage.heard(), left, "{session:?}");
        let frames = stage.read_frames(&mut guest);
        assert_eq!(frames.last(), Some(&RoomFrame::Bye(LeaveReason::Protocol)));
        assert!(guest.is_shut);
    }
}

#[test]
fn a_goodbye_is_answered_and_the_connection_closed_once_both_sides_are_shut() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    stage.hear(&mut guest, &[say_frame("see you"), encoded(&MemberFrame::Bye)].concat());
    let heard = stage.heard();
    assert_eq!(heard[0], "[192.0.2.1:1] see you");
    assert_eq!(heard[1..], guest.left(&LeaveReason::Quit));
    assert_eq!(stage.read_frames(&mut guest).last(), Some(&RoomFrame::Bye(LeaveReason::Quit)));
    assert!(guest.is_shut && !guest.connection.is_done());
    stage.hear_end(&mut guest);
    assert!(guest.connection.is_done());
}

#[test]
fn a_framed_peer_that_ends_without_a_goodbye_is_lost() {
    for begun in [opening(None), [opening(None), vec![9, 0, 1]].concat()] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(&begun);
        stage.hear_end(&mut guest);
        assert!(guest.connection.is_done());
        assert_eq!(stage.heard(), guest.left(&LeaveReason::Lost));
    }
}

#[test]
fn a_frame_must_be_finished_within_half_a_minute_even_if_it_drips() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    stage.pass(&mut guest, 600 * SECOND); // a member may be silent without a limit
    let frame = say_frame("a rather slow message");
    for byte in &frame[..frame.len() - 1] {
        assert!(guest.connection.wants_bytes());
        stage.hear(&mut guest, &[*byte]);
        stage.pass(&mut guest, SECOND);
    }
    assert!(!guest.connection.is_done(), "{} seconds are not too long", frame.len());
    stage.pass(&mut guest, UNFINISHED_TIMEOUT);
    assert_eq!(stage.heard(), guest.left(&LeaveReason::Unfinished));
    assert_eq!(stage.read_frames(&mut guest), [RoomFrame::Bye(LeaveReason::Unfinished)]);
}

#[test]
fn a_finished_frame_gives_the_next_one_its_own_half_minute() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    let frames: Vec<u8> = (0..11).flat_map(|_| say_frame("slow")).collect();
    let (mut sent, bytes) = (3, frames.len() / 11);
    stage.hear(&mut guest, &frames[..sent]);
    for _ in 0..10 {
        stage.pass(&mut guest, UNFINISHED_TIMEOUT - SECOND);
        stage.hear(&mut guest, &frames[sent..sent + bytes]);
        sent += bytes;
    }
    stage.hear(&mut guest, &frames[sent..]);
    assert_eq!(stage.texts(), ["slow"; 11]);
    assert_eq!(guest.connection.deadline(), None);
}

#[test]
fn only_a_member_that_asks_for_history_gets_it() {
    for (asked, given) in [(0, 0), (1, 1), (3, 3), (20, 5)] {
        let mut stage = Stage::new();
        (1..=5).for_each(|number| stage.say(&format!("message {number}")));
        let mut guest = stage.guest_who_said(&opening_with(Hello { history: asked, ..Hello::default() }));
        stage.say("now");
        let frames = stage.read_frames(&mut guest);
        assert!(matches!(&frames[0], RoomFrame::Welcome(welcome) if welcome.head == 5));
        let mut expected: Vec<_> =
            (6 - given..=5).map(|number| format!("[192.0.2.99:9] message {number}")).collect();
        expected.push("[192.0.2.99:9] now".to_owned());
        assert_eq!(lines(&frames), expected, "asked for {asked}");
    }
}

#[test]
fn a_resumed_session_gets_exactly_the_unseen_messages_and_its_old_connection_is_told() {
    let mut stage = Stage::new();
    let (mut old, welcome) = stage.framed_guest();
    stage.say("seen");
    stage.hear(&mut old, &say_frame("mine, unconfirmed"));
    stage.say("unseen");

    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have: 1, direct: 0 };
    let mut new = stage.guest_who_said(&opening(Some(resume)));
    let frames = stage.read_frames(&mut new);
    assert!(
        matches!(&frames[0], RoomFrame::Welcome(again) if again.epoch == welcome.epoch && again.head == 3)
    );
    assert_eq!(lines(&frames), ["[192.0.2.1:1] mine, unconfirmed", "[192.0.2.99:9] unseen"]);

    assert_eq!(stage.read_frames(&mut old).last(), Some(&RoomFrame::Bye(LeaveReason::Replaced)));
    assert!(old.is_shut);
    assert_eq!(stage.heard().len(), 3, "to the others nothing has happened");
    stage.say("goes on");
    assert_eq!(lines(&stage.read_frames(&mut new)), ["[192.0.2.99:9] goes on"]);
}

#[test]
fn a_resumed_session_gets_what_followed_the_newest_message_and_a_new_one_does_not() {
    let mut stage = Stage::new();
    let (_old, welcome) = stage.framed_guest();
    stage.say("seen");
    let _another = stage.listener();
    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have: 1, direct: 0 };
    let joins = |frames: &[RoomFrame]| -> Vec<u64> {
        let entries = frames.iter().filter_map(|frame| match frame {
            RoomFrame::Entry(entry) if matches!(entry.event, Event::Joined { .. }) => Some(entry.seq),
            _ => None,
        });
        entries.collect()
    };
    let mut new = stage.guest_who_said(&opening(Some(resume)));
    assert_eq!(joins(&stage.read_frames(&mut new)), [1], "that of the other one");
    let mut newcomer = stage.guest_who_said(&opening(None));
    assert_eq!(joins(&stage.read_frames(&mut newcomer)), [0; 0]);
}

#[test]
fn a_session_resumed_too_late_is_told_how_many_messages_it_missed() {
    let mut stage = Stage::small();
    let (mut old, welcome) = stage.framed_guest();
    stage.say("seen");
    assert_eq!(lines(&stage.read_frames(&mut old)).len(), 1);
    stage.hear_end(&mut old);
    (0..2_000).for_each(|number| stage.say(&format!("message {number}")));
    stage.pull();

    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have: 1, direct: 0 };
    let mut new = stage.guest_who_said(&opening(Some(resume)));
    let frames = stage.read_frames(&mut new);
    let lagged = frames.iter().find_map(|frame| match frame {
        RoomFrame::Lagged(lagged) => Some(*lagged),
        _ => None,
    });
    let lagged = lagged.expect("the log does not reach that far back");
    assert_eq!(lagged.messages + u64::try_from(lines(&frames).len()).unwrap(), 2_000);
    assert_eq!((lagged.next, lagged.head, lagged.taken), (lagged.messages + 2, 2_001, 0));
}

#[test]
fn a_stranger_with_a_wrong_key_resumes_nothing_and_replaces_nobody() {
    let mut stage = Stage::new();
    let (mut victim, welcome) = stage.framed_guest();
    let mut session = welcome.session;
    session.key ^= 1;
    stage.guest_who_said(&opening(Some(Resume { epoch: welcome.epoch, session, have: 0, direct: 0 })));
    stage.say("still here?");
    assert_eq!(lines(&stage.read_frames(&mut victim)), ["[192.0.2.99:9] still here?"]);
    assert!(!victim.is_shut);
}

#[test]
fn a_framed_peer_that_speaks_too_fast_waits_and_loses_nothing() {
    let number = |number| NonZeroU32::new(number).unwrap();
    let rate = Some(Rate { burst: number(2), per_second: number(10) });
    let mut stage = Stage::with(RoomConfig::default().with_rate(rate));
    let said: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    let frames: Vec<u8> = said.iter().flat_map(|text| say_frame(text)).collect();
    let torn = &frames[..frames.len() - 1];
    let mut guest = stage.guest_who_said(&[&opening(None), torn].concat());
    assert!(!guest.connection.wants_bytes());
    stage.pass(&mut guest, 2 * SECOND);
    assert_eq!(stage.texts(), said[..9]);
    stage.hear(&mut guest, &frames[frames.len() - 1..]);
    assert_eq!(stage.texts(), said[9..]);
    assert_eq!(lines(&stage.read_frames(&mut guest)).len(), 10);
}

#[test]
fn requests_without_reading_the_answers_do_not_pile_up() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    guest.wire.free = 0;
    stage.hear(&mut guest, &encoded(&MemberFrame::Who).repeat(20_000));
    assert!(guest.connection.outgoing.outbox_len() <= OUTBOX_BYTES_MAX + FRAME_BYTES_MAX + 2);
    assert!(!guest.connection.wants_bytes());
    guest.wire.free = usize::MAX;
    let mut answers = 0;
    while !guest.connection.wants_bytes() {
        answers += stage.read_frames(&mut guest).len();
    }
    answers += stage.read_frames(&mut guest).len();
    assert_eq!(answers, 20_000);
    stage.hear(&mut guest, &encoded(&MemberFrame::Who));
    assert!(matches!(stage.read_frames(&mut guest)[..], [RoomFrame::Present(_)]));
}

/// A client may repeat a message if it does not know that it was taken: the room recognises the number.
#[test]
fn a_number_that_comes_again_is_not_said_again() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.framed_guest();
    let (one, two) = (say_frame("one"), say_frame("two"));
    stage.hear(&mut guest, &[&one[..], &two, &one, &two].concat());
    assert_eq!(stage.texts(), ["one", "two"]);
}

#[test]
fn frames_of_a_later_version_are_skipped_and_counted() {
    let mut stage = Stage::new();
    let unknown = |tail: &[u8]| {
        let length = u16::try_from(1 + tail.len()).unwrap().to_le_bytes();
        [&length[..], &[0x4d], tail].concat()
    };
    let mut hello = Vec::new();
    MemberFrame::Hello(Hello { versions: vec![9, 2, 7], ..Hello::default() }).encode(&mut hello);
    let more = u16::from_le_bytes([hello[0], hello[1]]) + 3;
    hello[..2].copy_from_slice(&more.to_le_bytes());
    hello.extend([1, 2, 3]); // fields of a later version
    let first = [PREFACE.to_vec(), unknown(b""), hello, unknown(b"tail"), say_frame("hello")].concat();
    let mut guest = stage.guest_who_said(&first);
    assert_eq!(stage.texts(), ["hello"]);
    assert!(matches!(stage.read_frames(&mut guest)[..], [RoomFrame::Welcome(_), RoomFrame::Entry(_)]));
    assert_eq!(stage.room.stats().unknown, 2);
}

#[test]
fn another_version_is_told_which_one_is_spoken_here() {
    let other = [&PREFACE[..5], &[9]].concat();
    let hello = opening_with(Hello { versions: vec![9], ..Hello::default() });
    for first in [other, hello] {
        let mut stage = Stage::new();
        let mut guest = stage.guest_who_said(&first);
        assert_eq!(stage.read_frames(&mut guest), [RoomFrame::Bye(LeaveReason::version())]);
        assert_eq!(stage.heard(), <[String; 0]>::default(), "it was never a member");
    }
}

#[test]
fn an_item_of_the_direct_lane_is_kept_until_the_guest_has_it_and_comes_again_if_it_resumes() {
    let mut stage = Stage::new();
    let (mut old, welcome) = stage.framed_guest();
    let to = welcome.session.member;
    ["one", "two"].iter().for_each(|what| stage.room.tell(to, what).unwrap());
    let items = |frames: &[RoomFrame]| -> Vec<String> {
        let items = frames.iter().filter_map(|frame| match frame {
            RoomFrame::Direct(direct) => Some(format!("{} {}", direct.number, direct.item)),
            _ => None,
        });
        items.collect()
    };
    assert_eq!(items(&stage.read_frames(&mut old)), ["1 [*] one", "2 [*] two"]);
    stage.hear(&mut old, &encoded(&MemberFrame::Got { direct: 1 }));

    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have: 0, direct: 0 };
    let mut new = stage.guest_who_said(&opening(Some(resume)));
    assert_eq!(items(&stage.read_frames(&mut new)), ["2 [*] two"]);
    stage.hear(&mut new, &encoded(&MemberFrame::Got { direct: 2 }));
    stage.room.tell(to, "three").unwrap();
    assert_eq!(items(&stage.read_frames(&mut new)), ["3 [*] three"]);
}

#[test]
fn a_listener_that_turns_out_to_be_framed_is_the_same_member_or_the_one_that_it_resumes() {
    let mut stage = Stage::new();
    let (mut first, welcome) = stage.framed_guest();
    stage.hear_end(&mut first);
    stage.heard();
    let mut fresh = stage.listener();
    stage.hear(&mut fresh, &opening(None));
    assert!(matches!(&stage.read_frames(&mut fresh)[..], [RoomFrame::Welcome(again)] if !again.resumed));
    let mut resumed = stage.listener();
    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have: 0, direct: 0 };
    stage.hear(&mut resumed, &opening(Some(resume)));
    let frames = stage.read_frames(&mut resumed);
    let RoomFrame::Welcome(again) = &frames[0] else { panic!("{frames:?}") };
    assert_eq!((again.resumed, again.session.member), (true, welcome.session.member));
    assert_eq!(stage.room.stats().members, 3, "with the one that speaks to them");
}
