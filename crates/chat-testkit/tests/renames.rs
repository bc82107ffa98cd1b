//! In a room with a journal, members take new names while what they said is on its way.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::time::Instant;

use chat_core::transport::{Attachment, Membership, Update};
use chat_core::{Hello, LeaveReason, Room, RoomConfig, Text, Waker};
use chat_testkit::ScriptedJournal;

/// A transport without a medium, and its member.
struct Carrier {
    room: Room,
    attachment: Attachment,
    ann: Membership,
    now: Instant,
}

impl Carrier {
    #[expect(clippy::disallowed_methods, reason = "there is no other first instant")]
    fn new(journal: &ScriptedJournal) -> Self {
        let (now, room) = (Instant::now(), Room::restore(RoomConfig::default(), journal).unwrap());
        let attachment = room.attach(Waker::new(|| {}));
        let address: std::net::SocketAddr = "192.0.2.1:5".parse().unwrap();
        let ann = attachment.welcome(0, address, &Hello::default(), now, now).unwrap().member;
        let mut carrier = Self { room, attachment, ann, now };
        carrier.shown();
        carrier
    }

    fn say(&self, what: &str) {
        let text = Text::one_line(what).unwrap();
        let _said = self.attachment.say(self.ann, text, self.now).unwrap();
    }

    /// The new entries.
    fn shown(&mut self) -> Vec<String> {
        let mut update = Update::default();
        self.attachment.pull(&mut update);
        update.entries.iter().map(|entry| entry.event.to_string()).collect()
    }
}

#[test]
fn a_member_has_its_new_name_after_what_it_said_before() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    for line in ["one", "/nick ann", "two", "/nick Anna"] {
        carrier.say(line);
    }
    assert_eq!(carrier.shown(), [""; 0], "what it said is not in the log yet");
    assert_eq!(carrier.room.members(), ["Anna".parse().unwrap()], "the names are its own at once");
    journal.run(); // commits both at once
    let renamed = ["[*] 192.0.2.1:5 is now ann", "[*] ann is now Anna"];
    assert_eq!(carrier.shown(), ["[192.0.2.1:5] one", renamed[0], "[ann] two", renamed[1]]);
    carrier.say("/nick Ann");
    assert_eq!(carrier.shown(), ["[*] Anna is now Ann"], "nothing is in flight");
}

#[test]
fn of_several_names_behind_one_message_the_others_learn_the_last() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    for line in ["one", "/nick ann", "/nick bob", "/nick eve"] {
        carrier.say(line);
    }
    journal.run();
    assert_eq!(carrier.shown(), ["[192.0.2.1:5] one", "[*] 192.0.2.1:5 is now eve"]);
}

#[test]
fn a_message_that_is_not_kept_does_not_hide_the_new_name() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    carrier.say("lost");
    carrier.say("/nick ann");
    journal.fail("the disk is full");
    assert_eq!(carrier.shown(), ["[*] 192.0.2.1:5 is now ann"]);
}

#[test]
fn a_member_that_leaves_before_its_new_name_is_shown_leaves_under_the_old_one() {
    let journal = ScriptedJournal::default();
    let mut carrier = Carrier::new(&journal);
    carrier.say("one");
    carrier.say("/nick ann");
    carrier.attachment.leave(carrier.ann, LeaveReason::Lost, carrier.now);
    journal.run();
    let shown = carrier.shown();
    assert!(shown[0].starts_with("[*] 192.0.2.1:5 left"), "{shown:?}");
    assert_eq!(shown[1..], ["[192.0.2.1:5] one"]);
}
