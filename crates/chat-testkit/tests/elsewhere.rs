//! How a room treats events of the same room at other servers.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::net::SocketAddr;
use std::time::Duration;

use chat_core::other_servers::{Elsewhere, OtherMember};
use chat_core::transport::{Attachment, Welcomed};
use chat_core::{
    Author, Hello, LeaveReason, MemberId, Name, NickError, Room, RoomConfig, Text, Waker, World,
};
use chat_testkit::{ScriptedJournal, VirtualTime};

/// When the room is opened here, by the wall clock: ten days after it began.
const OPENED_MS: u64 = 1_000_000 + 10 * 24 * 60 * 60 * 1000;

struct Server {
    room: Room,
    attachment: Attachment,
    time: VirtualTime,
    journal: ScriptedJournal,
}

impl Server {
    fn new() -> Self {
        let (time, journal) = (VirtualTime::default(), ScriptedJournal::default().with_others());
        time.advance_to(time.now() + Duration::from_millis(OPENED_MS));
        let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] };
        let room = Room::restore_in_world(RoomConfig::default(), world, &journal).unwrap();
        let attachment = room.attach(Waker::new(|| {}));
        Self { room, attachment, time, journal }
    }

    fn welcome(&self, port: u16, name: &str) -> Welcomed {
        let hello = Hello { name: Some(name.parse().unwrap()), ..Hello::default() };
        let (address, now) = (SocketAddr::from(([192, 0, 2, 1], port)), self.time.now());
        self.attachment.welcome(0, address, &hello, now, now).unwrap()
    }

    /// Another server says that a member of its own has this name, or that nobody has it any more.
    fn hears(&self, name: &str, holder: Option<u64>) {
        let skeleton = name.parse::<Name>().unwrap().lookalikes();
        let holder = holder.map(MemberId::new);
        let told = skeleton.into_iter().map(|skeleton| Elsewhere::Name { skeleton, holder });
        self.journal.committer().elsewhere(told.collect());
    }
}

#[test]
fn a_local_member_keeps_its_name_whatever_other_servers_say() {
    let server = Server::new();
    let console = server.room.join("boss").unwrap();
    let ann = server.welcome(1, "ann").welcome.session.member;
    server.hears("boss", Some(7 << 32));
    server.hears("boss", None);
    let asked = server.room.rename(ann, Some("Boss".parse().unwrap()));
    assert!(matches!(asked, Err(NickError::Taken { .. })), "{asked:?}");
    assert_eq!(server.room.find("boss"), Some(console.id()));
    server.journal.run();
    assert_eq!(
        server.journal.name_of(console.id()),
        Some("boss".parse().unwrap()),
        "no other server gives it away"
    );
}

#[test]
fn a_remote_member_loses_its_name_to_one_of_another_server() {
    let server = Server::new();
    let _ann = server.welcome(1, "ann");
    server.hears("ann", Some(7 << 32));
    assert_eq!(server.room.members(), [Author::from_shown("192.0.2.1:1")]);
    server.hears("ann", None);
    let eve = server.welcome(2, "ann").welcome;
    assert_eq!(eve.name.unwrap().as_str(), "ann", "it is free again");
}

#[test]
fn a_member_that_loses_its_new_name_has_the_one_before_again_if_that_is_still_free() {
    for is_free in [true, false] {
        let server = Server::new();
        let ann = server.welcome(1, "ann").welcome.session.member;
        server.room.rename(ann, Some("bob".parse().unwrap())).unwrap();
        if !is_free {
            server.hears("ann", Some(8 << 32));
        }
        server.hears("bob", Some(7 << 32));
        let expected = if is_free { "ann" } else { "192.0.2.1:1" };
        assert_eq!(server.room.members(), [Author::from_shown(expected)]);
        server.journal.run();
        let kept = server.journal.name_of(ann);
        assert_eq!(kept.is_some(), is_free, "other servers know it: {kept:?}");
        server.hears("ann", Some(9 << 32));
        assert_eq!(server.room.members(), [Author::from_shown("192.0.2.1:1")], "there is no other one");
    }
}

#[test]
fn a_name_is_reserved_for_ten_minutes_and_then_given_up_everywhere() {
    let server = Server::new();
    let ann = server.welcome(1, "ann");
    server.attachment.leave(ann.member, LeaveReason::Lost, server.time.now());
    let id = ann.welcome.session.member;
    let has_name_after = |minutes: u64| {
        server.time.advance_to(server.time.now() + Duration::from_secs(minutes * 60));
        server.journal.committer().end_old_reservations();
        server.journal.run();
        server.journal.name_of(id).is_some()
    };
    assert!(has_name_after(9));
    assert!(!has_name_after(1));
}

#[test]
fn a_session_that_goes_on_at_another_server_leaves_its_old_connection_here() {
    let server = Server::new();
    let ann = server.welcome(1, "ann");
    let watching = server.room.join("watching").unwrap();
    let there = |came_unix_ms| Elsewhere::Here {
        member: OtherMember {
            member: ann.welcome.session.member,
            author: Author::Named("ann".parse().unwrap()),
            address: None,
            transport: "tcp".into(),
            came_unix_ms,
            server: Text::lossy("other"),
        },
        is_news: true,
    };
    server.journal.committer().elsewhere(vec![there(OPENED_MS - 1)]);
    assert!(server.attachment.is_member(ann.member), "it was there before it came here");
    server.journal.committer().elsewhere(vec![there(OPENED_MS + 1)]);
    assert!(!server.attachment.is_member(ann.member));
    let reason = server.attachment.leave(ann.member, LeaveReason::Lost, server.time.now());
    assert_eq!(reason, LeaveReason::Replaced);
    let (count, present) = server.room.presence(9);
    assert_eq!((count, present[1].server.as_ref().map(Text::as_str)), (2, Some("other")));
    assert!(watching.try_recv().is_err(), "nobody has left or come");
}
