//! What a member gets whose message the host refuses.

use chat_core::{Moderator, Verdict};
use chat_proto::Event;

use super::*;

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
    assert_eq!(stage.read(&mut guest), "[*] no spam\n", "and what was changed is still his own line");
    assert_eq!(stage.read(&mut other), format!("[{}] meat\n", guest.address));
}

#[test]
fn a_line_of_many_messages_is_refused_with_one_notice() {
    let moderator = Moderator::new(|_| Verdict::Refuse("too long".parse().unwrap()));
    let mut stage = Stage::with(RoomConfig::default().with_moderator(moderator));
    let mut guest = stage.join();
    stage.hear(&mut guest, format!("{}\n", "x".repeat(50_000)).as_bytes());
    assert_eq!(stage.read(&mut guest), "[*] too long\n");
    assert_eq!(stage.texts(), Vec::<String>::new());
}

#[test]
fn a_framed_member_reads_it_in_the_place_of_his_message() {
    let mut stage = moderated();
    let (mut guest, welcome) = stage.framed_guest();
    let said = [say_frame("one"), say_frame("spam"), say_frame("two")].concat();
    stage.hear(&mut guest, &said);
    let entries = stage.read_frames(&mut guest).into_iter().filter_map(|frame| match frame {
        RoomFrame::Entry(entry) => Some(entry.event.clone()),
        _ => None,
    });
    let entries: Vec<_> = entries.filter(|event| !event.is_presence()).collect();
    let peer = welcome.you;
    let why = "no spam".parse().unwrap();
    assert_eq!(entries.len(), 3, "{entries:?}");
    assert_eq!(entries[1], Event::Refused { peer, member: welcome.session.member, said: 2, why });
}
