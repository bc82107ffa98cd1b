//! Members of the room's own process beside a journal that fails.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use chat_core::{DirectItem, Heard, LocalMember, Room, RoomConfig};
use chat_testkit::ScriptedJournal;

#[test]
fn a_member_of_this_process_that_reads_too_slowly_learns_how_many_refusals_it_was_not_told() {
    const SAID: usize = 100;
    let journal = ScriptedJournal::default();
    let room = Room::restore(RoomConfig::default().with_rate(None), &journal).unwrap();
    let bot = room.join("bot").unwrap();
    (0..SAID).for_each(|_| assert!(bot.say("hello").is_ok()));
    journal.fail("the disk is full");
    let heard: Vec<_> = std::iter::from_fn(|| bot.try_recv().ok()).collect();
    let is_refusal = |heard: &Heard| matches!(heard, Heard::Direct(DirectItem::Refused { .. }));
    let refusals = heard.iter().filter(|heard| is_refusal(heard)).count();
    assert_eq!(refusals, 64, "{heard:?}");
    let told = format!("[*] You were not told what became of {} more of your messages", SAID - refusals);
    assert_eq!(heard.last().unwrap().to_string(), told);
}

#[test]
fn a_member_of_this_process_can_wait_for_what_becomes_of_what_it_asked_for() {
    let journal = ScriptedJournal::default();
    let room = Room::restore(RoomConfig::default(), &journal).unwrap();
    let (console, other) = (room.join("console").unwrap(), room.join("other").unwrap());
    console.set_operator(true);
    type Ask = fn(&LocalMember);
    let asks: [(Ask, &str); 3] = [
        (|console| console.notice("hello").unwrap(), "Not said: the disk is full"),
        (|console| drop(console.command("me waves").unwrap()), "Not said: the disk is full"),
        (|console| drop(console.command("topic ships").unwrap()), "The topic was not set: the disk is full"),
    ];
    for (ask, refused) in asks {
        ask(&console);
        let answer = console.answer();
        assert!(answer.try_recv().is_err(), "it is in flight");
        assert_eq!(other.answer().try_recv(), Ok(Ok(())), "nothing of the other one is");
        journal.fail("the disk is full");
        assert_eq!(answer.try_recv().unwrap().unwrap_err().as_str(), refused);
        let told = std::iter::from_fn(|| console.try_recv().ok()).map(|heard| heard.to_string());
        assert_eq!(told.filter(|heard| heard.contains("the disk is full")).count(), 1);
        ask(&console);
        let answer = console.answer();
        assert!(answer.try_recv().is_err(), "it is in flight");
        journal.run();
        assert_eq!(answer.try_recv(), Ok(Ok(())));
    }
}
