//! The answer to a member whose message the moderator refuses.

use chat_core::{Moderator, Verdict};
use chat_proto::limits::QUIET;
use chat_proto::{Direct, DirectItem};

use super::*;
use crate::limits::OUTBOX_BYTES_MAX;

fn moderated() -> Stage {
    let moderator = Moderator::new(|offer| match offer.text.as_str() {
        "spam" => Verdict::Refuse("no spam".parse().unwrap()),
        "fish" => Verdict::Change("meat".parse().unwrap()),
        _ => Verdict::Accept,
    });
    Stage::with(RoomConfig::default().with_moderator(moderator))
}

#[test]
fn a_plain_member_is_told_why_and_others_see_nothing() {
    let mut stage = moderated();
    let (mut guest, mut other) = (stage.guest_who_said(b"hello\n"), stage.listener());
    stage.read(&mut guest);
    stage.hear(&mut guest, b"spam\nfish\n");
    assert_eq!(
        stage.read(&mut guest),
        "[*] Not said: no spam\n",
        "and what was changed is still its own line"
    );
    assert_eq!(stage.read(&mut other), format!("[{}] meat\n", guest.address));
}

#[test]
fn messages_that_are_refused_for_one_reason_are_told_with_one_notice() {
    let moderator = Moderator::new(|_| Verdict::Refuse("too long".parse().unwrap()));
    let mut stage = Stage::with(RoomConfig::default().with_moderator(moderator));
    let mut guest = stage.join();
    stage.hear(&mut guest, format!("{}\n", "x".repeat(50_000)).as_bytes());
    assert_eq!(stage.read(&mut guest), "[*] Not said: too long (53 messages)\n");
    assert_eq!(stage.texts(), Vec::<String>::new());
}

#[test]
fn refusals_that_wait_are_told_with_their_number_as_long_as_the_reason_is_the_same() {
    let moderator = Moderator::new(|offer| Verdict::Refuse(offer.text.clone()));
    let mut stage = Stage::with(RoomConfig::default().with_moderator(moderator));
    let mut guest = stage.join();
    stage.hear(&mut guest, b"no\r\nno\r\nno\r\nnot so\r\nso\r\nso\r\nno\r\n");
    let told = "[*] Not said: no (3 messages)\r\n[*] Not said: not so\r\n[*] Not said: so (2 messages)\r\n[*] Not said: no\r\n";
    assert_eq!(stage.read(&mut guest), told);

    guest.wire.free = 5;
    stage.hear(&mut guest, b"no\r\n");
    stage.serve(&mut guest);
    stage.hear(&mut guest, b"no\r\nno\r\n");
    guest.wire.free = usize::MAX;
    let told = stage.read(&mut guest);
    assert_eq!(told, "[*] Not said: no\r\n[*] Not said: no (2 messages)\r\n", "the first was on its way");
}

#[test]
fn refusals_to_an_undelimited_member_are_one_line_as_long_as_one_recv_may_return_them() {
    let mut stage = Stage::with(
        RoomConfig::default().with_moderator(Moderator::new(|_| Verdict::Refuse("no".parse().unwrap()))),
    );
    let mut guest = stage.guest_who_said(b"spam");
    stage.pass(&mut guest, QUIET);
    assert_eq!(stage.read(&mut guest), "[*] Not said: no");
    stage.pass(&mut guest, QUIET);
    stage.hear(&mut guest, "x".repeat(2_000).as_bytes());
    stage.pass(&mut guest, QUIET);
    assert_eq!(stage.read(&mut guest), "[*] Not said: no (3 messages)");
    stage.hear(&mut guest, b"spam\n");
    assert_eq!(stage.read(&mut guest), "\n[*] Not said: no");
}

#[test]
fn a_framed_member_is_told_which_message_was_refused_and_others_see_nothing() {
    let mut stage = moderated();
    let (mut guest, welcome) = stage.framed_guest();
    let (mut other, _) = stage.framed_guest();
    stage.read_frames(&mut guest);
    let said = [say_frame("one"), say_frame("spam"), say_frame("two")];
    let number = match FrameDecoder::new().next(&mut &said[1][..]) {
        Ok(Some(MemberFrame::Say { number, .. })) => number,
        other => panic!("{other:?}"),
    };
    stage.hear(&mut guest, &said.concat());
    let frames = stage.read_frames(&mut guest);
    let why = "no spam".parse().unwrap();
    let refused = Direct { number: 1, item: DirectItem::Refused { number, why } };
    assert!(frames.contains(&RoomFrame::Direct(refused.into())), "{frames:?}");
    assert_eq!(lines(&frames).len(), 2);
    let seen = stage.read_frames(&mut other);
    assert_eq!((lines(&seen).len(), seen.len()), (2, 2), "{seen:?}");
    assert_eq!(welcome.taken, Some(0));
}

#[test]
fn much_that_is_refused_is_all_told_and_never_piles_up() {
    let moderator = Moderator::new(|offer| Verdict::Refuse(offer.text.clone()));
    let mut stage = Stage::with(RoomConfig::default().with_rate(None).with_moderator(moderator));
    let (mut guest, _) = stage.framed_guest();
    let said: Vec<u8> = (0..1_000).flat_map(|number| say_frame(&number.to_string())).collect();
    let mut told = Vec::new();
    for piece in said.chunks(1_000) {
        while !guest.connection.wants_bytes() {
            told.extend(stage.read_frames(&mut guest));
            stage.pass(&mut guest, MS);
        }
        stage.hear(&mut guest, piece);
        assert!(guest.connection.outbox_len() <= 4 * OUTBOX_BYTES_MAX);
    }
    for _ in 0..100 {
        told.extend(stage.read_frames(&mut guest));
        stage.pass(&mut guest, MS);
    }
    let why = told.iter().filter_map(|frame| match frame {
        RoomFrame::Direct(direct) => Some(direct.item.to_string()),
        _ => None,
    });
    let expected: Vec<_> = (0..1_000).map(|number| format!("[*] Not said: {number}")).collect();
    assert_eq!(why.collect::<Vec<_>>(), expected);
}
