//! Each of these checks can fail.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use chat_core::transport::{Attachment, Joined};
use chat_core::{RoomsConfig, Waker};
use chat_proto::{Direct, DirectItem, Hello, Origin, RoomFrame, Welcome};
use chat_testkit::VirtualTime;

use super::*;
use crate::mixed::follower::Follower;
use crate::mixed::lines::{Ending, Lines};
use crate::mixed::talk::Talk;

const ADDRESS: &str = "192.0.2.1:5";

/// A server with two rooms, and a transport in each.
struct Stage {
    truth: Truth,
    attachment: Attachment,
    dev: Attachment,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let config = ["lobby", "dev"]
            .iter()
            .fold(RoomsConfig::default(), |config, name| config.with_room(name.parse().unwrap()));
        let rooms = Rooms::new(config).unwrap();
        let attach = |room: &chat_core::Room| room.attach(Waker::new(|| {}));
        let (attachment, dev) = (attach(&rooms.all()[0]), attach(&rooms.all()[1]));
        Self { truth: Truth::new(&rooms), attachment, dev, now: VirtualTime::default().now() }
    }

    fn join(&self) -> Joined {
        self.join_from(ADDRESS)
    }

    fn join_from(&self, address: &str) -> Joined {
        self.attachment.join(0, address.parse::<SocketAddr>().unwrap(), self.now).unwrap()
    }

    /// The truth of a fresh stage after an entry that no room has made.
    fn fault_of(event: Event) -> Option<String> {
        let mut stage = Self::new();
        let ann = stage.join();
        stage.say(&ann, "/nick m0-1");
        assert_eq!(stage.fault(), None);
        stage.truth.take(0, &Arc::new(Entry { seq: 1, at_ms: 0, event }));
        stage.truth.fault().cloned()
    }

    fn say(&self, joined: &Joined, what: &str) {
        let _no_pause = self.attachment.say(joined.member, what.parse().unwrap(), self.now).unwrap();
    }

    /// The fault that is found once everything is heard.
    fn fault(&mut self) -> Option<String> {
        self.truth.listen();
        self.truth.fault().cloned()
    }
}

#[test]
fn a_message_of_a_member_that_is_muted_is_a_fault() {
    let mut stage = Stage::new();
    let ann = stage.join();
    stage.say(&ann, "m0: 0.");
    assert_eq!(stage.fault(), None);
    let room = stage.attachment.room().clone();
    let mute = room.mute(&Author::from_shown(ADDRESS)).unwrap();
    stage.truth.mute((0, ann.id), &mute, ADDRESS);
    let lifted = room.unmute(ADDRESS); // the fault
    stage.say(&ann, "m0: 1.");
    assert!(stage.fault().unwrap().contains("muted"));
    stage.truth.unmute(&lifted, ADDRESS);
    assert!(stage.truth.muted.is_empty());
}

#[test]
fn a_member_that_is_banned_is_a_fault_and_so_is_its_new_name() {
    let mut stage = Stage::new();
    stage.truth.ban(Banned::Network("192.0.2.0/24".parse().unwrap()));
    let _stays = stage.join();
    assert!(stage.fault().unwrap().contains("is banned"));

    let mut stage = Stage::new();
    stage.truth.ban(Banned::Name("m0-1".parse().unwrap()));
    let ann = stage.join();
    assert_eq!(stage.fault(), None);
    stage.say(&ann, "/nick m0-1");
    assert!(stage.fault().unwrap().contains("takes a banned name"));
}

#[test]
fn a_member_that_is_not_shown_a_rename_before_what_follows_is_a_fault() {
    let mut stage = Stage::new();
    let ann = stage.join();
    stage.say(&ann, "/nick m0-1");
    stage.say(&ann, "m0: 0.");
    assert_eq!(stage.fault(), None);
    let rename = stage.truth.room(0).renames()[0].clone();
    let message = stage.truth.room(0).message(1).unwrap().clone();
    let mut follower = Follower::new(0, 0, None);
    assert_eq!(follower.entry(&rename, &stage.truth), Ok(()));
    assert_eq!(follower.entry(&message, &stage.truth), Ok(()));
    assert!(follower.entry(&rename, &stage.truth).is_err(), "it comes once");
    stage.say(&ann, "/nick m0-2");
    stage.say(&ann, "m0: 1.");
    assert_eq!(stage.fault(), None);
    let message = stage.truth.room(0).message(2).unwrap().clone();
    assert!(follower.entry(&message, &stage.truth).unwrap_err().contains("before it"));
}

#[test]
fn a_member_that_is_shown_or_renamed_or_leaves_under_another_name_than_its_own_is_a_fault() {
    // The first remote member, after the two local ones that know the truth about their rooms.
    let member = {
        let stage = Stage::new();
        stage.join().id
    };
    let named = |name: &str| Author::Named(name.parse().unwrap());
    let said = |author| {
        let (from, text) = (Origin { member, number: 1 }, "m0: 0.".parse().unwrap());
        Stage::fault_of(Event::Said { from, author, text })
    };
    let renamed = |from, to| Stage::fault_of(Event::Renamed { member, from, to });
    let left =
        |author| Stage::fault_of(Event::Left { member, author, reason: LeaveReason::Quit, members: 0 });
    assert_eq!(said(named("m0-1")), None);
    assert_eq!(renamed(named("m0-1"), named("m0-2")), None);
    assert_eq!(left(named("m0-1")), None);
    assert!(said(named("m0-2")).unwrap().contains("another name than its author has"));
    assert!(said(ADDRESS.parse().unwrap()).unwrap().contains("another name than its author has"));
    assert!(renamed(named("m0-3"), named("m0-2")).unwrap().contains("renamed from another name"));
    assert!(left(named("m0-2")).unwrap().contains("left under another name"));
}

#[test]
fn a_plain_member_that_goes_to_another_room_before_it_was_shown_everything_is_a_fault() {
    for is_shown in [true, false] {
        let mut stage = Stage::new();
        let (ann, bob) = (stage.join(), stage.join_from("192.0.2.2:6"));
        assert_eq!(stage.fault(), None);
        let mut lines = Lines::new(Ending::Lf, "m0");
        lines.address = Some(ADDRESS.parse().unwrap());
        let mut follower = Follower::plain(lines.stay(&stage.truth).unwrap());
        stage.say(&bob, "m1: 0.");
        stage.truth.listen();
        if is_shown {
            lines.take(b"[192.0.2.2:6] m1: 0.\n", &mut follower, &stage.truth).unwrap();
        }
        let moved = stage.attachment.move_to(ann.member, &stage.dev, 0, stage.now).unwrap();
        assert!(moved.is_ok());
        assert_eq!(stage.fault(), None);
        let arrived = lines.take(b"[*] You are in dev now: 1 present\n", &mut follower, &stage.truth);
        assert_eq!(arrived.is_ok(), is_shown, "{arrived:?}");
        assert!(is_shown || arrived.unwrap_err().contains("m1: 0."), "it names what was not shown");
    }
}

#[test]
fn a_framed_member_that_goes_to_another_room_before_it_has_everything_is_a_fault() {
    for is_shown in [true, false] {
        let mut stage = Stage::new();
        let (address, hello) = (ADDRESS.parse::<SocketAddr>().unwrap(), Hello::default());
        let welcomed = stage.attachment.welcome(0, address, &hello, stage.now, stage.now).unwrap();
        let bob = stage.join_from("192.0.2.2:6");
        let mut talk = Talk::new("m0".to_owned());
        let welcome: Welcome = welcomed.welcome;
        let receive = |talk: &mut Talk, truth: &Truth, frame| talk.receive(frame, truth);
        stage.truth.listen();
        receive(&mut talk, &stage.truth, RoomFrame::Welcome(welcome.into())).unwrap();
        stage.say(&bob, "m1: 0.");
        stage.truth.listen();
        if is_shown {
            let entry = Arc::clone(stage.truth.room(0).message(1).unwrap());
            receive(&mut talk, &stage.truth, RoomFrame::Entry(entry)).unwrap();
        }
        talk.command("/join dev");
        assert!(talk.next_frame(&stage.truth).is_some());
        let items = [DirectItem::Move { room: "dev".parse().unwrap() }, DirectItem::Done { number: 1 }];
        for (number, item) in (1..).zip(items) {
            receive(&mut talk, &stage.truth, RoomFrame::Direct(Arc::new(Direct { number, item }))).unwrap();
        }
        let left = receive(&mut talk, &stage.truth, RoomFrame::Bye(LeaveReason::Quit));
        assert_eq!(left.is_ok(), is_shown, "{left:?}");
        assert!(is_shown || left.unwrap_err().contains("before it had everything up to 1"));
    }
}
