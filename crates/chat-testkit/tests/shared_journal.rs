//! A room with a journal that other servers use, too.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::time::{Duration, Instant};

use chat_core::crossbeam_channel::bounded;
use chat_core::transport::{Attachment, Membership, Said, Update, Welcomed};
use chat_core::{
    DirectItem, Event, Heard, Hello, JoinError, MemberId, Origin, Room, RoomConfig, SayError, Text, Waker,
};
use chat_proto::Resume;
use chat_testkit::ScriptedJournal;

struct Server {
    room: Room,
    attachment: Attachment,
    now: Instant,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "there is no other first instant")]
    fn new(journal: &ScriptedJournal) -> Self {
        let room = Room::restore(RoomConfig::default().with_rate(None), journal).unwrap();
        let attachment = room.attach(Waker::new(|| {}));
        Self { room, attachment, now: Instant::now() }
    }

    fn welcome(&self, resume: Option<Resume>) -> Result<Welcomed, JoinError> {
        let hello = Hello { resume, ..Hello::default() };
        self.attachment.welcome(
            0,
            "192.0.2.1:5".parse::<std::net::SocketAddr>().unwrap(),
            &hello,
            self.now,
            self.now,
        )
    }

    fn say(&self, member: Membership, number: u64) -> Said {
        self.attachment.say_numbered(member, number, Text::one_line("hello").unwrap(), self.now).unwrap()
    }

    fn pull(&mut self) -> Update {
        let mut update = Update::default();
        self.attachment.pull(&mut update);
        update
    }
}

fn arrive(journal: &ScriptedJournal, seq: u64, member: u64, number: u64) {
    let from = Origin { member: MemberId::new(member), number };
    journal.arrive(seq, from, "ann".parse().unwrap(), Text::one_line(&format!("message {seq}")).unwrap());
    journal.commit();
}

#[test]
fn the_sessions_of_other_servers_are_known_by_what_they_have_said() {
    let journal = ScriptedJournal::default().with_others();
    // All servers make their keys from the same seed.
    let (one, other) = (Server::new(&journal), Server::new(&ScriptedJournal::default().with_others()));
    let session = other.welcome(None).unwrap().welcome;
    let resume = |have| Some(Resume { epoch: session.epoch, session: session.session, have, direct: 0 });
    let id = session.session.member.as_u64();
    assert_eq!(one.welcome(resume(1)).unwrap_err(), JoinError::Behind, "it has read more than is here");
    arrive(&journal, 1, id, 4);
    let welcome = one.welcome(resume(1)).unwrap().welcome;
    assert!(welcome.resumed);
    assert_eq!(welcome.taken, Some(4));
}

#[test]
fn messages_from_elsewhere_do_not_count_as_said_here() {
    let journal = ScriptedJournal::default().with_others();
    let mut server = Server::new(&journal);
    let ann = server.welcome(None).unwrap().member;
    let _submitted = server.say(ann, 1);
    arrive(&journal, 1, 99, 1);
    server.room.close("bye", Duration::from_secs(5));
    assert!(server.pull().closing.is_none(), "nobody leaves before the message has come back");
    journal.run();
    assert!(server.pull().closing.is_some());
}

#[test]
fn messages_of_the_room_at_another_server_do_not_count_as_said_here() {
    let journal = ScriptedJournal::default().with_others();
    let server = Server::new(&journal);
    server.room.notice("on its way").unwrap();
    let in_flight = || server.room.journal_depth().unwrap().in_flight;
    arrive(&journal, 1, MemberId::ROOM.as_u64(), 1 << 40);
    assert_eq!(in_flight(), 1);
    journal.run();
    assert_eq!(in_flight(), 0);
}

#[test]
fn after_a_full_journal_no_number_is_used_twice() {
    let journal = ScriptedJournal::default().with_others().with_queue_max(1);
    let mut server = Server::new(&journal);
    let bob = server.room.join("bob").unwrap();
    journal.run(); // the journal has taken the name
    assert_eq!(bob.say("one\ntwo"), Err(SayError::Behind), "the first line is submitted");
    journal.run();
    bob.say("three").unwrap();
    journal.run();
    let said = server.pull().entries.into_iter().filter_map(|entry| match entry.event {
        Event::Said { from, .. } => Some(from.number),
        _ => None,
    });
    assert_eq!(said.collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_closing_server_says_goodbye_to_its_own_members_only() {
    let journal = ScriptedJournal::default().with_others();
    let mut server = Server::new(&journal);
    let bob = server.room.join("bob").unwrap();
    let _ann = server.welcome(None).unwrap();
    journal.run(); // the journal has taken the name
    server.room.close("The server is stopping", Duration::from_secs(5));
    assert_eq!(journal.waiting(), 0, "members at other servers stay");
    let farewell = DirectItem::Notice { text: Text::one_line("The server is stopping").unwrap() };
    let told: Vec<DirectItem> = server.pull().direct.iter().map(|told| told.direct.item.clone()).collect();
    assert_eq!(told, std::slice::from_ref(&farewell));
    let heard: Vec<Heard> = std::iter::from_fn(|| bob.try_recv().ok()).collect();
    assert!(heard.contains(&Heard::Direct(farewell)), "{heard:?}");
}

#[test]
fn a_transport_without_members_learns_that_the_room_closes() {
    let journal = ScriptedJournal::default().with_others();
    let mut server = Server::new(&journal);
    let (wake, woken) = bounded(1);
    server.attachment = server.room.attach(Waker::new(move || {
        let _there_already = wake.try_send(());
    }));
    server.pull();
    server.room.close("bye", Duration::from_secs(5));
    assert_eq!(woken.try_recv(), Ok(()), "nobody else would wake it");
    assert!(server.pull().closing.is_some());
}

#[test]
fn messages_that_the_journal_has_lost_are_missed_and_counted() {
    let journal = ScriptedJournal::default().with_others();
    let mut server = Server::new(&journal);
    arrive(&journal, 1, 99, 1);
    let bob = server.room.join("bob").unwrap();
    server.pull();
    arrive(&journal, 5, 99, 2);
    let update = server.pull();
    assert_eq!(update.missed_up_to, Some(4));
    assert_eq!(update.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [5]);
    let mut heard: Vec<Heard> = Vec::new();
    loop {
        heard.extend(std::iter::from_fn(|| bob.try_recv().ok()));
        if journal.answer(usize::MAX) == 0 {
            break;
        }
    }
    assert!(
        matches!(heard[..], [Heard::Missed(3), Heard::Entry(_)]),
        "it has looked in the journal: {heard:?}"
    );
}

#[test]
fn speakers_pause_the_longer_the_more_waits() {
    let journal = ScriptedJournal::default().with_others();
    let server = Server::new(&journal);
    let ann = server.welcome(None).unwrap().member;
    let mut pauses: Vec<Duration> = (1..=12_000)
        .filter_map(|number| server.say(ann, number).pause_until)
        .map(|until| until - server.now)
        .collect();
    assert!(pauses.is_sorted(), "it only grows while nothing comes back");
    pauses.dedup();
    assert_eq!(pauses.first(), Some(&Duration::from_millis(1)));
    assert_eq!(pauses.last(), Some(&Duration::from_secs(1)));
    assert_eq!(journal.waiting(), 12_000, "nothing is dropped");
}
