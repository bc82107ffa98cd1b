//! One order for everyone, with joins and leaves.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::journal::Filter;
use chat_core::transport::{Dismissed, Taken};
use chat_core::{KickError, RoomConfig, SayError};
use chat_proto::limits::{PRESENCE_MEMBERS_MAX, PRESENT_AUTHORS_MAX, REASON_BYTES_MAX};
use chat_proto::{Author, Event, LeaveReason, TextError};
use support::{Carrier, hear, local, rate, room, room_with, seqs, small_room, text};

#[test]
fn all_attachments_and_local_members_read_the_same_in_the_same_order() {
    let (room, time) = room();
    let (mut tcp, mut udp) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let (bot, console) = (local(&room, "bot"), local(&room, "console"));
    let a = tcp.join("192.0.2.1:1");
    let b = udp.join("192.0.2.2:2");
    tcp.say(a, "one");
    bot.say("two").unwrap();
    udp.say(b, "three");
    room.notice("four").unwrap();
    tcp.leave(a, LeaveReason::Quit);
    let all = [
        "192.0.2.1:1 joined, 1 here",
        "192.0.2.2:2 joined, 2 here",
        "1 [192.0.2.1:1] one",
        "2 [bot] two",
        "3 [192.0.2.2:2] three",
        "4 [*] four",
        "192.0.2.1:1 left (by its own choice), 1 here",
    ];
    assert_eq!(tcp.read(), all);
    assert_eq!(udp.read(), all);
    assert_eq!(hear(&bot), all);
    assert_eq!(hear(&console), all);
    assert!(tcp.read().is_empty() && hear(&bot).is_empty(), "everything comes once");
}

#[test]
fn messages_of_all_members_are_numbered_without_gaps() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    let member = carrier.join("192.0.2.1:1");
    for round in 0..50 {
        assert_eq!(carrier.say(member, "a"), 4 * round + 1);
        assert_eq!(bot.say("b").unwrap(), Some(4 * round + 2));
        let other = carrier.join("192.0.2.2:2");
        assert_eq!(bot.say("two\nlines").unwrap(), Some(4 * round + 4), "the last line's number");
        carrier.leave(other, LeaveReason::Lost);
    }
    assert_eq!(seqs(&carrier.pull().entries), (1..=200).collect::<Vec<_>>());
    assert_eq!(room.stats().messages, 200);
}

#[test]
fn text_without_bytes_is_not_a_message_and_a_blank_line_is_an_empty_one() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    assert_eq!(bot.say("").unwrap(), None);
    room.notice("").unwrap();
    assert_eq!(bot.say("\n").unwrap(), Some(1));
    assert_eq!(hear(&bot), ["1 [bot] "]);
}

#[test]
fn an_entry_tells_when_it_was_accepted() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    time.pass(Duration::from_millis(1_500));
    carrier.say(member, "a");
    time.pass(Duration::from_millis(500));
    room.notice("b").unwrap();
    let times: Vec<u64> = carrier.pull().entries.iter().map(|entry| entry.at_ms).collect();
    assert_eq!(times, [0, 1_500, 2_000]);
}

#[test]
fn a_member_hears_what_follows_its_join() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    room.notice("before").unwrap();
    let joined = carrier.try_join("192.0.2.1:1").unwrap();
    assert_eq!(joined.seq, 1);
    assert_eq!(carrier.say(joined.member, "after"), 2);
}

#[test]
fn a_leave_is_announced_once_with_its_first_reason() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    carrier.leave(member, LeaveReason::Idle);
    carrier.leave(member, LeaveReason::Lost);
    assert_eq!(
        carrier.read(),
        ["192.0.2.1:1 joined, 1 here", "192.0.2.1:1 left (idle for too long), 0 here"]
    );
    assert_eq!(carrier.try_say(member, "ghost").unwrap_err(), SayError::NotMember);
    assert_eq!((room.stats().joined, room.stats().left, room.stats().members), (1, 1, 0));
}

#[test]
fn a_kicked_member_that_then_leaves_is_announced_once() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    room.kick("192.0.2.1:1".parse().unwrap(), "spam").unwrap();
    carrier.leave(member, LeaveReason::Quit);
    assert_eq!(carrier.read(), ["192.0.2.1:1 joined, 1 here", "192.0.2.1:1 left (kicked: spam), 0 here"]);
}

#[test]
fn a_kicked_member_is_reported_to_its_own_attachment_and_can_say_nothing_more() {
    let (room, time) = room();
    let (mut own, mut other) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let member = own.join("192.0.2.1:1");
    let stays = own.join("192.0.2.1:2");
    let elsewhere = other.join("192.0.2.9:1");
    own.pull();
    other.pull();
    let wakes = own.wakes();
    room.kick("192.0.2.1:1".parse().unwrap(), "spam").unwrap();
    assert_eq!(own.wakes(), wakes + 1);
    let reason = LeaveReason::kicked("spam").unwrap();
    assert_eq!(own.pull().dismissed, [Dismissed { key: 0, member, reason }]);
    assert_eq!(other.pull().dismissed, []);
    assert_eq!(own.pull().dismissed, [], "told once");
    assert_eq!(own.try_say(member, "but").unwrap_err(), SayError::NotMember);
    own.say(stays, "I am here");
    other.say(elsewhere, "so am I");
}

#[test]
fn an_absent_member_cannot_be_kicked() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    carrier.join("192.0.2.1:1");
    let who: Author = "192.0.2.1:2".parse().unwrap();
    assert_eq!(room.kick(who.clone(), ""), Err(KickError::NotPresent));
    assert_eq!(room.stats().members, 1);
}

#[test]
fn a_reason_that_no_one_could_be_told_kicks_no_one() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    carrier.join("192.0.2.1:1");
    let peer: Author = "192.0.2.1:1".parse().unwrap();
    let bytes = REASON_BYTES_MAX + 1;
    assert_eq!(
        room.kick(peer.clone(), &"a".repeat(bytes)),
        Err(KickError::Why(TextError::TooLong { bytes, bytes_max: REASON_BYTES_MAX }))
    );
    assert_eq!(room.members(), std::slice::from_ref(&peer));
    room.kick(peer.clone(), &"a".repeat(REASON_BYTES_MAX)).unwrap();
    assert!(room.members().is_empty());
}

#[test]
fn a_list_of_present_members_has_as_many_as_fit_a_frame() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let peers: Vec<_> =
        (0..PRESENT_AUTHORS_MAX).map(|attachment| format!("127.0.0.1:{}", 1 + attachment)).collect();
    for peer in &peers {
        carrier.join(peer);
    }
    let present = room.present();
    assert_eq!((present.members as usize, present.more), (PRESENT_AUTHORS_MAX, false));
    assert!(present.authors.iter().map(ToString::to_string).eq(peers));
    carrier.join("192.0.2.1:1");
    let present = room.present();
    assert_eq!((present.members as usize, present.more), (PRESENT_AUTHORS_MAX + 1, true));
    assert_eq!(present.authors.len(), PRESENT_AUTHORS_MAX);
}

#[test]
fn the_members_of_a_dropped_attachment_are_lost() {
    let (room, time) = room();
    let (gone, mut stays) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let lost = gone.join("192.0.2.1:1");
    stays.join("192.0.2.2:1");
    gone.join("192.0.2.3:1");
    stays.pull();
    drop(gone);
    assert_eq!(
        stays.read(),
        ["192.0.2.1:1 left (connection lost), 2 here", "192.0.2.3:1 left (connection lost), 1 here"]
    );
    assert_eq!(room.members(), ["192.0.2.2:1".parse().unwrap()]);
    // The next attachment takes the place of the one that is gone, but has nothing of its past.
    let mut next = Carrier::new(&room, &time);
    assert_eq!(next.try_say(lost, "ghost").unwrap_err(), SayError::NotMember);
    assert_eq!(next.pull().dismissed, []);
    drop(next);
    assert_eq!(stays.read(), [""; 0]);
}

#[test]
fn how_much_of_a_member_was_accepted_is_counted() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let (a, b) = (carrier.join("192.0.2.1:1"), carrier.join("192.0.2.2:1"));
    carrier.say(a, "1");
    carrier.say(b, "2");
    carrier.say(a, "3");
    assert_eq!(carrier.attachment.taken(a), Taken { number: 2, head: 3 });
    assert_eq!(carrier.attachment.taken(b), Taken { number: 1, head: 3 });
    carrier.leave(a, LeaveReason::Quit);
    assert_eq!(carrier.attachment.taken(a), Taken { number: 0, head: 3 }, "no member any more");
}

#[test]
fn the_room_keeps_statistics() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    let (a, b) = (carrier.join("192.0.2.1:1"), carrier.join("192.0.2.2:1"));
    carrier.leave(a, LeaveReason::Quit);
    carrier.say(b, "hello");
    carrier.attachment.count_missed(5);
    let stats = room.stats();
    assert_eq!((stats.members, stats.members_peak, stats.local_members), (1, 2, 1));
    assert_eq!((stats.joined, stats.left, stats.refused), (2, 1, 0));
    assert_eq!((stats.messages, stats.missed, stats.log_entries), (1, 5, 4));
    drop(bot);
    assert_eq!(room.stats().local_members, 0);
}

#[test]
fn a_large_room_sends_a_presence_summary_once_a_second() {
    let (room, time) = room();
    let (mut carrier, mut other) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let members: Vec<_> =
        (1..=PRESENCE_MEMBERS_MAX + 3).map(|port| carrier.join(&format!("127.0.0.1:{port}"))).collect();
    carrier.leave(members[0], LeaveReason::Quit);
    let due = time.now() + Duration::from_secs(1);
    assert_eq!(carrier.pull().pull_by, Some(due));
    assert_eq!(other.pull().pull_by, Some(due));

    time.pass(Duration::from_millis(999));
    assert_eq!(carrier.read(), [""; 0]);
    time.pass(Duration::from_millis(1));
    let wakes = other.wakes();
    let update = carrier.pull();
    let told = Event::PresenceSummary { joined: 3, left: 1, members: PRESENCE_MEMBERS_MAX + 2 };
    assert_eq!((update.entries.len(), &update.entries[0].event, update.pull_by), (1, &told, None));
    assert_eq!(other.wakes(), wakes + 1);
    assert_eq!(other.pull().entries, update.entries);

    carrier.join("127.0.0.2:1");
    room.close("Good night", Duration::ZERO);
    time.pass(Duration::from_secs(5));
    assert_eq!(carrier.read().last().unwrap(), "1 [*] Good night");
    assert_eq!(carrier.pull().pull_by, None);
}

#[test]
fn a_message_is_stored_as_its_member_said_it() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let member = carrier.join("[2001:db8::1]:7");
    carrier.say(member, "grüß dich 👋");
    let update = carrier.pull();
    let Event::Said { author, text: said, .. } = &update.entries[1].event else { panic!("{update:?}") };
    assert_eq!((author.to_string().as_str(), said), ("[2001:db8::1]:7", &text("grüß dich 👋")));
}

#[test]
fn a_log_is_searched_from_its_newest_message_on() {
    let (room, _) = room();
    let bob = local(&room, "bob");
    for text in ["Green tea", "tea", "black TEA", "coffee"] {
        bob.say(text).unwrap();
    }
    room.notice("more tea").unwrap();
    let search = |author: Option<&str>, words: Option<&str>| {
        let filter = Filter { author: author.map(str::to_owned), words: words.map(str::to_owned) };
        let page = room.search(5, 2, filter).unwrap();
        (page.messages.iter().map(|kept| kept.seq).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(search(Some("BOB"), Some("Tea")), (vec![2, 3], true));
    assert_eq!(search(None, Some("tea green")), (vec![1], false));
    assert_eq!(search(Some("*"), None), (vec![], false), "it is not before the fifth");
    assert_eq!(search(None, Some("gr\u{e9}en")), (vec![1], false), "without the difference of accents");
    assert_eq!(search(None, Some("tea-")), (vec![2, 3], true), "signs do not count");
    for no_word in ["ea", "black-coffee", "tea-black", "\""] {
        assert_eq!(search(None, Some(no_word)), (vec![], false), "{no_word}");
    }
    assert_eq!(search(None, Some("green-tea")), (vec![1], false), "two words that follow each other");
}

#[test]
fn a_local_member_over_its_rate_is_told_to_pause_and_loses_nothing() {
    let (room, time) = room_with(RoomConfig::default().with_rate(rate(3, 10)));
    let bot = local(&room, "bot");
    bot.say("one\ntwo").unwrap();
    bot.say("three").unwrap();
    assert_eq!(bot.pause_until(), None);
    assert_eq!(bot.say("four").unwrap(), Some(4), "it is said all the same");
    assert_eq!(bot.pause_until(), Some(time.now() + Duration::from_millis(100)));
    time.pass(Duration::from_millis(100));
    assert_eq!(bot.pause_until(), None);
}

#[test]
fn a_local_member_is_told_to_pause_while_readers_lag() {
    let (room, time) = small_room();
    let mut carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    assert_eq!(bot.pause_until(), None);
    for number in 0..300 {
        room.notice(&format!("half of the log and more {number}")).unwrap();
    }
    assert!(bot.pause_until().is_some_and(|until| until > time.now()));
    carrier.pull();
    assert_eq!(bot.pause_until(), None);
}
