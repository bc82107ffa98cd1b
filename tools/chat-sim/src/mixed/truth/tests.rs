//! Each of these checks can fail.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::net::SocketAddr;
use std::time::Instant;

use chat_core::{Attachment, Joined, RoomsConfig, Waker};
use chat_testkit::VirtualTime;

use super::*;
use crate::mixed::follower::Follower;

const ADDRESS: &str = "192.0.2.1:5";

/// A server with two rooms, and a transport in the first one.
struct Stage {
    truth: Truth,
    attachment: Attachment,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let config = ["lobby", "dev"]
            .iter()
            .fold(RoomsConfig::default(), |config, name| config.with_room(name.parse().unwrap()));
        let rooms = Rooms::new(config).unwrap();
        let attachment = rooms.first().attach(Waker::new(|| {}));
        Self { truth: Truth::new(&rooms), attachment, now: VirtualTime::default().now() }
    }

    fn join(&self) -> Joined {
        self.attachment.join(0, ADDRESS.parse::<SocketAddr>().unwrap(), self.now).unwrap()
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
    stage.truth.mute((0, ann.id), ADDRESS);
    stage.say(&ann, "m0: 1.");
    assert!(stage.fault().unwrap().contains("muted"));
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
