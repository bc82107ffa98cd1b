//! Members of the room's own process beside a journal that fails.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use chat_core::{DirectItem, Heard, Room, RoomConfig};
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
