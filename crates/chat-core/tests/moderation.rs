//! The moderator looks at messages of members before the room accepts them.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::access::Gate;
use chat_core::commands::{CommandTable, RoomCommand};
use chat_core::transport::Outcome;
use chat_core::{Moderator, Rate, RoomConfig, SayError, Verdict};
use chat_proto::DirectItem;
use support::{Carrier, hear, local, room_with, text};

fn moderated(decide: impl Fn(&str) -> Verdict + Send + Sync + 'static) -> RoomConfig {
    let moderator = Moderator::new(move |offer| decide(offer.text.as_str()));
    RoomConfig::default().with_moderator(moderator)
}

#[test]
fn a_message_is_accepted_changed_or_refused() {
    let (room, time) = room_with(moderated(|said| match said {
        "fish" => Verdict::Change(text("f***")),
        "spam" => Verdict::Refuse(text("no spam")),
        _ => Verdict::Accept,
    }));
    let mut tcp = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    let ann = tcp.join("192.0.2.1:1");
    tcp.read();
    assert_eq!(tcp.say(ann, "hello"), 1);
    assert_eq!(tcp.try_say(ann, "spam").unwrap().outcome, Outcome::Refused);
    assert_eq!(tcp.say(ann, "fish"), 2);
    assert_eq!(bot.say("spam").unwrap(), Some(3), "the host's own words are not looked at");
    let update = tcp.pull();
    let seen: Vec<_> = update.entries.iter().map(|entry| entry.event.to_string()).collect();
    assert_eq!(seen, ["[192.0.2.1:1] hello", "[192.0.2.1:1] f***", "[bot] spam"]);
    let told: Vec<_> = update.direct.iter().map(|told| (told.member, told.direct.item.clone())).collect();
    assert_eq!(told, [(ann, DirectItem::Refused { number: 2, why: text("no spam") })], "and nobody else is");
    assert_eq!(hear(&bot).len(), 4, "its joining, and those three");
    assert_eq!((room.stats().messages, room.stats().moderated), (3, 1));
    let taken = tcp.attachment.taken(ann);
    assert_eq!((taken.number, taken.head), (3, 3), "a refused message is dealt with, too");
}

#[test]
fn a_refused_message_counts_towards_the_rate() {
    let (room, time) = room_with(moderated(|_| Verdict::Refuse(text("not today"))));
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:1");
    let burst = Rate::default().burst.get();
    for _ in 0..burst {
        assert_eq!(tcp.try_say(ann, "x").unwrap().pause_until, None);
        tcp.pull();
    }
    assert!(tcp.try_say(ann, "x").unwrap().pause_until.is_some());
}

#[test]
fn the_moderator_may_use_the_room() {
    let moderator = Moderator::new(|offer| {
        offer.room.notice(&format!("{} wants to say {}", offer.peer, offer.text)).unwrap();
        offer.room.kick_member(offer.member, "no talking").unwrap();
        Verdict::Accept
    });
    let (room, time) = room_with(RoomConfig::default().with_moderator(moderator));
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:1");
    assert_eq!(
        tcp.try_say(ann, "hello").unwrap_err(),
        SayError::NotMember,
        "it was kicked before it was said"
    );
    let seen = tcp.read();
    assert!(seen.contains(&"1 [*] 192.0.2.1:1 wants to say hello".to_owned()), "{seen:?}");
}

/// A panic whose payload panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "the payload is dropped");
    }
}

#[test]
fn a_moderator_that_panics_refuses_that_one_message() {
    let moderator = Moderator::new(|offer| match offer.text.as_str() {
        "boom" => std::panic::panic_any(Bomb),
        _ => Verdict::Accept,
    });
    let (room, time) = room_with(RoomConfig::default().with_moderator(moderator));
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:1");
    assert_eq!(tcp.try_say(ann, "boom").unwrap().outcome, Outcome::Refused);
    let told = tcp.pull().direct[0].direct.item.to_string();
    assert_eq!(told, "[*] Not said: The server could not look at this message");
    assert_eq!(tcp.say(ann, "hello"), 1);
    assert!(!room.is_closing());
}

#[test]
fn a_command_or_a_gate_that_panics_refuses_that_one_peer() {
    let boom = RoomCommand::new("boom", "", "Panic", |_, _| panic!("boom"));
    let gate = Gate::new(|request| {
        assert_ne!(request.address.ip().to_string(), "192.0.2.2", "boom");
        Ok(())
    });
    let config = RoomConfig::default().with_commands(CommandTable::default().with(boom)).with_gate(gate);
    let (room, time) = room_with(config);
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:1");
    assert!(matches!(tcp.try_say(ann, "/boom").unwrap().outcome, Outcome::Answered { .. }));
    let told = tcp.pull().direct[0].direct.item.to_string();
    assert!(told.contains("The server could not do /boom"), "{told}");
    let refused = tcp.try_join("192.0.2.2:1").unwrap_err();
    assert_eq!(refused.to_string(), "banned: the server could not decide about it");
    assert_eq!(tcp.say(ann, "hello"), 1);
    assert!(!room.is_closing());
}
