//! A room with a journal that is slow, full, fails, or crashes at any point.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::time::{Duration, Instant};

use chat_core::transport::{Attachment, Membership, Outcome, Update, Welcomed};
use chat_core::{
    DirectItem, Event, Heard, Hello, LeaveReason, MemberId, Room, RoomConfig, SayError, Text, Waker,
};
use chat_proto::{LookBack, Resume};
use chat_testkit::ScriptedJournal;

/// A transport without a medium.
struct Carrier {
    room: Room,
    attachment: Attachment,
    now: Instant,
}

impl Carrier {
    #[expect(clippy::disallowed_methods, reason = "there is no other first instant")]
    fn new(journal: &ScriptedJournal) -> Self {
        let config = RoomConfig::default().with_rate(None);
        let room = Room::restore(config, journal).unwrap();
        let attachment = room.attach(Waker::new(|| {}));
        Self { room, attachment, now: Instant::now() }
    }

    fn welcome(&self, resume: Option<Resume>) -> Welcomed {
        let hello = Hello { resume, history: 100, ..Hello::default() };
        self.attachment
            .welcome(0, "192.0.2.1:5".parse::<std::net::SocketAddr>().unwrap(), &hello, self.now, self.now)
            .unwrap()
    }

    fn say(&self, member: Membership, number: u64, what: &str) -> Outcome {
        let text = Text::one_line(what).unwrap();
        self.attachment.say_numbered(member, number, text, self.now).unwrap().outcome
    }

    fn pull(&mut self) -> Update {
        let mut update = Update::default();
        self.attachment.pull(&mut update);
        update
    }

    /// Pulls, and returns the new messages.
    fn read(&mut self) -> Vec<String> {
        let messages = self.pull().entries.into_iter().filter(|entry| entry.event.is_message());
        messages.map(|entry| format!("{} {}", entry.seq, entry.event)).collect()
    }

    /// Pulls, and returns the new items for single members.
    fn told(&mut self) -> Vec<DirectItem> {
        self.pull().direct.iter().map(|told| told.direct.item.clone()).collect()
    }
}

fn resume(welcomed: &Welcomed, have: u64) -> Option<Resume> {
    let (epoch, session) = (welcomed.welcome.epoch, welcomed.welcome.session);
    Some(Resume { epoch, session, have, direct: 0 })
}

#[test]
fn nobody_sees_a_message_before_the_journal_has_it() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let bob = carrier.room.join("bob").unwrap();
    let ann = carrier.welcome(None).member;
    assert_eq!(carrier.say(ann, 1, "hello"), Outcome::Submitted);
    journal.keep(1);
    assert_eq!(carrier.read(), [""; 0], "it is kept, but not committed");
    journal.commit();
    assert_eq!(carrier.read(), ["1 [192.0.2.1:5] hello"]);
    let heard: Vec<Heard> = std::iter::from_fn(|| bob.try_recv().ok()).collect();
    assert!(heard.iter().any(|heard| heard.to_string() == "[192.0.2.1:5] hello"), "{heard:?}");
    assert_eq!(carrier.attachment.taken(ann).number, 1);
}

#[test]
fn a_number_in_flight_is_not_submitted_twice_and_counts_once_it_is_kept() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let first = carrier.welcome(None);
    carrier.say(first.member, 1, "one");
    carrier.say(first.member, 2, "two");
    assert_eq!(carrier.attachment.taken(first.member).number, 0);
    let second = carrier.welcome(resume(&first, 0));
    assert_eq!(second.welcome.taken, Some(0), "the client says them again");
    assert_eq!(carrier.say(second.member, 1, "one"), Outcome::Repeated);
    assert_eq!(carrier.say(second.member, 2, "two"), Outcome::Repeated);
    carrier.say(second.member, 3, "three");
    journal.run();
    assert_eq!(carrier.read(), ["1 [192.0.2.1:5] one", "2 [192.0.2.1:5] two", "3 [192.0.2.1:5] three"]);
    assert_eq!(carrier.attachment.taken(second.member).number, 3);
}

#[test]
fn a_message_after_one_in_flight_is_answered_after_it() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    carrier.say(ann, 1, "one");
    assert!(matches!(carrier.say(ann, 2, "/nick ann"), Outcome::Answered { .. }));
    assert_eq!(carrier.told(), [], "else the client would take the first one for dealt with");
    assert_eq!(carrier.attachment.taken(ann).number, 0);
    journal.run();
    assert!(carrier.told().contains(&DirectItem::Done { number: 2 }));
    assert_eq!(carrier.attachment.taken(ann).number, 2);
}

#[test]
fn while_the_journal_fails_speakers_are_told_why_and_nothing_is_seen() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let bob = carrier.room.join("bob").unwrap();
    carrier.room.set_slow(Some(Duration::from_secs(5)));
    let ann = carrier.welcome(None).member;
    carrier.say(ann, 1, "lost");
    assert_eq!(bob.say("lost, too").unwrap(), None, "its place is decided later");
    journal.fail("the disk is full");
    let why = Text::one_line("the disk is full").unwrap();
    assert_eq!(carrier.told(), [DirectItem::Refused { number: 1, why: why.clone() }]);
    let heard: Vec<Heard> = std::iter::from_fn(|| bob.try_recv().ok()).collect();
    assert!(heard.contains(&Heard::Direct(DirectItem::Refused { number: 1, why })), "{heard:?}");
    assert_eq!(carrier.read(), [""; 0]);
    carrier.say(ann, 2, "it works again");
    journal.run();
    assert_eq!(carrier.read(), ["1 [192.0.2.1:5] it works again"]);
    assert_eq!(carrier.room.stats().not_kept, 2);
}

#[test]
fn every_message_that_fails_is_refused_however_many_fail_at_once() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    (1..=300).for_each(|number| assert_eq!(carrier.say(ann, number, "lost"), Outcome::Submitted));
    journal.fail("the disk is full");
    let why = Text::one_line("the disk is full").unwrap();
    let refused = (1..=300).map(|number| DirectItem::Refused { number, why: why.clone() });
    assert!(carrier.told().into_iter().eq(refused));
}

#[test]
fn a_full_journal_refuses_with_the_reason() {
    let journal = ScriptedJournal::default().with_queue_max(1);
    let mut carrier = Carrier::new(&journal);
    let (ann, bob) = (carrier.welcome(None).member, carrier.room.join("bob").unwrap());
    carrier.say(ann, 1, "one");
    assert_eq!(carrier.say(ann, 2, "two"), Outcome::Refused);
    assert_eq!(bob.say("three"), Err(SayError::Behind));
    journal.run();
    assert_eq!(carrier.attachment.taken(ann).number, 2, "both are dealt with, in order");
    assert!(matches!(carrier.told()[..], [DirectItem::Refused { number: 2, .. }]));
}

#[test]
fn speakers_are_paused_while_the_journal_is_behind() {
    let journal = ScriptedJournal::default();
    let carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    let say = |number| {
        let text = Text::one_line("x").unwrap();
        carrier.attachment.say_numbered(ann, number, text, carrier.now).unwrap().pause_until
    };
    let paused = (1..10_000).find(|&number| say(number).is_some()).expect("it is far behind");
    assert_eq!(journal.waiting() as u64, paused, "nothing was dropped");
    journal.run();
    assert_eq!(say(paused + 1), None);
}

#[test]
fn after_a_crash_at_any_point_nothing_is_lost_or_said_twice() {
    for (kept, committed) in (0..=5).flat_map(|kept| [(kept, false), (kept, true)]) {
        let journal = ScriptedJournal::default();
        let before = Carrier::new(&journal);
        let first = before.welcome(None);
        let say_all = |carrier: &Carrier, member, taken: u64| {
            (taken + 1..=5).for_each(|number| {
                carrier.say(member, number, &format!("message {number}"));
            });
        };
        say_all(&before, first.member, 0);
        journal.keep(kept);
        if committed {
            journal.commit();
        }
        drop(before);
        journal.crash();
        let mut after = Carrier::new(&journal);
        let again = after.welcome(resume(&first, 0));
        assert!(again.welcome.resumed, "after {kept}");
        let taken = again.welcome.taken.expect("the journal knows every session");
        assert_eq!(taken, kept as u64);
        say_all(&after, again.member, taken);
        journal.run();
        let expected: Vec<String> = (1..=5).map(|n| format!("{n} [192.0.2.1:5] message {n}")).collect();
        assert_eq!(after.read(), expected, "after {kept}, committed: {committed}");
    }
}

#[test]
fn a_room_goes_on_where_it_stopped() {
    let journal = ScriptedJournal::default();
    let before = Carrier::new(&journal);
    let ann = before.welcome(None);
    before.say(ann.member, 1, "/nick ann");
    before.say(ann.member, 2, "hello");
    let bob = before.room.join("bob").unwrap();
    bob.set_operator(true);
    bob.command("topic the weather").unwrap();
    journal.run();
    drop((bob, before));
    journal.crash();
    let after = Carrier::new(&journal);
    let zoe = after.welcome(None);
    assert!(zoe.welcome.session.member > ann.welcome.session.member, "ids are never given twice");
    assert_eq!(zoe.welcome.topic.unwrap().as_str(), "the weather");
    assert_eq!(zoe.welcome.head, 1);
    after.say(zoe.member, 1, "/nick Ann");
    let again = after.welcome(resume(&ann, 1));
    assert_eq!(again.welcome.you.to_string(), "ann", "the name was reserved for its session");
    assert_eq!((again.welcome.resumed, again.welcome.taken), (true, Some(2)));
}

#[test]
fn a_repeated_batch_changes_nothing() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    carrier.say(ann, 1, "one");
    journal.run();
    carrier.say(ann, 2, "two");
    journal.commit_again();
    journal.run();
    assert_eq!(carrier.read(), ["1 [192.0.2.1:5] one", "2 [192.0.2.1:5] two"]);
}

#[test]
fn a_closing_room_waits_for_the_farewell_but_not_for_ever() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    carrier.say(ann, 1, "last words");
    carrier.room.close("Good night", Duration::from_secs(3600));
    let update = carrier.pull();
    assert_eq!(update.closing, None, "they would leave without the last words");
    assert!(update.pull_by.is_some());
    journal.run();
    let update = carrier.pull();
    let said: Vec<String> = update.entries.iter().map(|entry| entry.event.to_string()).collect();
    assert_eq!(said, ["[192.0.2.1:5] last words", "[*] Good night"]);
    assert!(update.closing.is_some());
    drop(carrier);
    let stuck = ScriptedJournal::default();
    let mut carrier = Carrier::new(&stuck);
    carrier.room.close("Good night", Duration::ZERO);
    assert!(carrier.pull().closing.is_some(), "the journal had its time");
}

#[test]
fn a_message_of_a_member_that_left_counts_for_its_session() {
    let journal = ScriptedJournal::default();
    let carrier = Carrier::new(&journal);
    let first = carrier.welcome(None);
    carrier.say(first.member, 1, "one");
    carrier.attachment.leave(first.member, LeaveReason::Lost, carrier.now);
    journal.run();
    assert_eq!(carrier.welcome(resume(&first, 0)).welcome.taken, Some(1));
}

#[test]
fn members_look_back_page_by_page() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    for number in 1..=30 {
        carrier.room.notice(&format!("message {number}")).unwrap();
    }
    journal.run();
    let ann = carrier.welcome(None).member;
    carrier.say(ann, 1, "/history 2 before 11");
    assert_eq!(journal.answer(1), 1);
    let lines: Vec<String> = carrier.told().iter().map(ToString::to_string).collect();
    assert!(lines[1].ends_with(" [*] message 9") && lines[2].ends_with(" [*] message 10"), "{lines:?}");
    assert_eq!(lines[3], "[*] Older: /history 2 before 9");
    carrier.say(ann, 2, "/search MESSAGE 17");
    journal.answer(1);
    let lines: Vec<String> = carrier.told().iter().map(ToString::to_string).collect();
    assert!(lines[1].ends_with(" [*] message 17"), "{lines:?}");
    assert_eq!(lines.len(), 2);
    carrier.say(ann, 3, "/history 99999999999999999999999");
    journal.answer(1);
    let lines: Vec<String> = carrier.told().iter().map(ToString::to_string).collect();
    assert!(lines[1].ends_with(" [*] message 1") && lines[30].ends_with(" [*] message 30"), "{lines:?}");
}

#[test]
fn ids_are_set_aside_before_they_are_given() {
    let journal = ScriptedJournal::default();
    let mut newest = MemberId::ROOM;
    for _ in 0..3 {
        let carrier = Carrier::new(&journal);
        for _ in 0..3 {
            let id = carrier.welcome(None).welcome.session.member;
            assert!(id > newest);
            newest = id;
        }
        journal.crash(); // not even the record of ids was kept
    }
}

#[test]
fn every_message_has_its_time_after_a_restart() {
    let journal = ScriptedJournal::default();
    let before = Room::restore(RoomConfig::default(), &journal).unwrap();
    before.notice("hello").unwrap();
    journal.run();
    let time = |room: &Room| {
        let local = room.join("reader").unwrap().with_history(1);
        let Ok(Heard::Entry(entry)) = local.try_recv() else { panic!("it was kept") };
        assert!(matches!(entry.event, Event::Said { .. }));
        entry.at_ms
    };
    let at = time(&before);
    drop(before);
    journal.crash();
    assert_eq!(time(&Room::restore(RoomConfig::default(), &journal).unwrap()), at);
}

/// The answers to a member's questions, as lines: `QUESTION SEQ TEXT`, and `QUESTION end` or `QUESTION more`.
fn looked_back(items: Vec<DirectItem>) -> Vec<String> {
    let line = |item: DirectItem| match item {
        DirectItem::OldMessage { question, entry } => format!("{question} {} {}", entry.seq, entry.event),
        DirectItem::OldEnd { question, more, why: None } => {
            format!("{question} {}", if more { "more" } else { "end" })
        }
        item => panic!("{item:?}"),
    };
    items.into_iter().map(line).collect()
}

#[test]
fn a_member_pages_back_through_what_it_asks_for() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    for (number, what) in (1..).zip(["tea", "coffee", "more tea", "milk"]) {
        carrier.say(ann, number, what);
    }
    journal.run();
    carrier.told();
    let ask = |carrier: &mut Carrier, number, question: LookBack| {
        carrier.attachment.look_back(ann, number, question, carrier.now).unwrap();
        journal.answer(1);
        looked_back(carrier.told())
    };
    let newest = ask(&mut carrier, 1, LookBack::newest(2));
    assert_eq!(newest, ["1 3 [192.0.2.1:5] more tea", "1 4 [192.0.2.1:5] milk", "1 more"]);
    let older = ask(&mut carrier, 2, LookBack::newest(2).before(3));
    assert_eq!(older, ["2 1 [192.0.2.1:5] tea", "2 2 [192.0.2.1:5] coffee", "2 end"]);
    let words = LookBack::newest(9).with_words(Text::one_line("TEA more").unwrap());
    assert_eq!(ask(&mut carrier, 3, words), ["3 3 [192.0.2.1:5] more tea", "3 end"]);
    assert_eq!(ask(&mut carrier, 4, LookBack::newest(9).by("ann".parse().unwrap())), ["4 end"]);
    assert_eq!(ask(&mut carrier, 4, LookBack::newest(9)), [""; 0], "a copy of a question");
}

#[test]
fn one_question_of_a_member_is_read_at_a_time_and_the_last_one_waits() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    for number in 1..=100 {
        carrier.attachment.look_back(ann, number, LookBack::newest(9), carrier.now).unwrap();
    }
    assert_eq!(journal.questions(), 1);
    journal.answer(1);
    assert_eq!(looked_back(carrier.told()), ["1 end"]);
    assert_eq!(journal.questions(), 1);
    journal.answer(1);
    assert_eq!(looked_back(carrier.told()), ["100 end"]);
    assert_eq!(journal.questions(), 0);
}

#[test]
fn an_answer_is_as_long_as_half_a_lane() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    let ann = carrier.welcome(None).member;
    for number in 1..=20 {
        carrier.say(ann, number, &"x".repeat(900));
    }
    journal.run();
    carrier.told();
    carrier.attachment.look_back(ann, 1, LookBack::newest(50), carrier.now).unwrap();
    journal.answer(1);
    let answer = carrier.told();
    assert_eq!(answer.len(), 4 + 1, "4 KiB of texts");
    assert!(matches!(answer.last(), Some(DirectItem::OldEnd { more: true, .. })), "{answer:?}");
}
