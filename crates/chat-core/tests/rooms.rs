//! Several rooms of one server.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::access::{Ban, BanList};
use chat_core::commands::Action;
use chat_core::transport::{Outcome, PendingRoom, Start};
use chat_core::{JoinError, Room, RoomConfig, RoomError, Rooms, RoomsConfig};
use chat_proto::{Hello, LeaveReason};
use support::{Carrier, Time};

fn name(s: &str) -> chat_core::Name {
    s.parse().unwrap()
}

fn rooms(config: RoomsConfig) -> (Rooms, Time) {
    let (_, time) = support::room();
    let clock = time.clone();
    (Rooms::in_worlds(config, move || support::world(&clock)).unwrap(), time)
}

fn two(room: RoomConfig) -> (Rooms, Time) {
    rooms(RoomsConfig::default().with_room(name("lobby")).with_room(name("dev")).with_room_config(room))
}

#[test]
fn each_room_has_its_own_log_names_and_topic() {
    let (rooms, time) = two(RoomConfig::default());
    let (lobby, dev) = (rooms.first(), rooms.get(&name("DEV")).unwrap());
    let (host, other) = (lobby.join("ann").unwrap(), dev.join("ann").unwrap());
    other.set_operator(true);
    host.say("hello").unwrap();
    other.command("topic code").unwrap();
    assert_eq!((lobby.stats().messages, dev.stats().messages), (1, 0));
    assert_eq!((lobby.topic(), dev.topic().map(|topic| topic.to_string())), (None, Some("code".to_owned())));
    let mut tcp = Carrier::new(&lobby, &time);
    let bob = tcp.join("192.0.2.1:5");
    let _said = tcp.try_say(bob, "/rooms").unwrap();
    let told: Vec<String> = tcp.pull().direct.iter().map(|told| told.direct.item.to_string()).collect();
    assert_eq!(told[..2], ["[*] lobby, 1 member", "[*] dev, 0 members: code"]);
}

#[test]
fn a_command_takes_a_member_to_another_room() {
    let (rooms, time) = two(RoomConfig::default());
    let mut tcp = Carrier::new(&rooms.first(), &time);
    let ann = tcp.join("192.0.2.1:5");
    let said = tcp.try_say(ann, "/join dev").unwrap();
    let dev = rooms.get(&name("dev")).unwrap();
    assert_eq!(said.outcome, Outcome::Answered { action: Some(Action::Move(dev.into())) });
    let mut ask = |command: &str| {
        let _ = tcp.pull();
        let _said = tcp.try_say(ann, command).unwrap();
        tcp.pull().direct[0].direct.item.to_string()
    };
    assert_eq!(ask("/join games"), "[*] There is no room games. /rooms lists what there is.");
    assert_eq!(ask("/join lobby"), "[*] You are in lobby");
    assert_eq!(ask("/join"), "[*] Type /join ROOM. /rooms lists them.");
    assert_eq!(ask("/join #"), "[*] '#' cannot be a room: a name begins with a letter, not with '#'");
}

#[test]
fn an_open_room_vanishes_with_its_last_member() {
    let (rooms, time) = rooms(RoomsConfig::default().with_room(name("lobby")).with_open_max(2));
    let games = rooms.open(&name("games")).unwrap();
    let tcp = Carrier::new(&games, &time);
    tcp.join("192.0.2.1:5");
    drop(games);
    assert_eq!(rooms.list().len(), 2);
    assert_eq!(rooms.open(&name("garnes")).unwrap(), rooms.get(&name("GAMES")).unwrap(), "they look alike");
    let again = rooms.open(&name("Games")).unwrap();
    assert_eq!(again.info().members, 1, "it is the same room");
    let music = rooms.open(&name("music")).unwrap();
    assert_eq!(rooms.open(&name("art")), Err(RoomError::TooManyOpen { open_max: 2 }));
    drop((again, tcp));
    assert_eq!(rooms.list().len(), 2, "lobby and music");
    assert!(rooms.open(&name("art")).is_ok(), "the one that is gone makes room");
    drop(music);
}

#[test]
fn one_address_opens_only_some_of_the_rooms() {
    let config = RoomsConfig::default().with_room(name("lobby")).with_open_max(9);
    let (rooms, _) = rooms(config.with_open_per_address_max(2));
    let open = |room: &str, from: &str| {
        let room = support::text(room);
        rooms.named(Some(&room), from.parse::<std::net::SocketAddr>().unwrap())
    };
    let _one = open("one", "[2001:db8::1]:1").unwrap();
    let two = open("two", "[2001:db8::2]:1").unwrap();
    let full = "your address has opened 2 rooms, which is the limit";
    assert_eq!(open("three", "[2001:db8::3]:1").unwrap_err().as_str(), full, "the same network");
    assert!(open("two", "[2001:db8::3]:1").is_ok(), "it is there");
    let _other = open("three", "192.0.2.1:1").unwrap();
    drop(two);
    assert!(open("four", "[2001:db8::3]:1").is_ok(), "the one that is gone makes room");
    let local: Vec<PendingRoom> =
        (0..5).map(|number| open(&format!("local-{number}"), "127.0.0.1:1").unwrap()).collect();
    assert_eq!(local.len(), 5, "loopback is exempt");
}

#[test]
fn a_peer_that_is_kept_out_opens_no_room() {
    let bans = BanList::new();
    let room = RoomConfig::default().with_bans(bans.clone()).with_members_max(1);
    let config = RoomsConfig::default().with_room(name("lobby")).with_open_max(9).with_room_config(room);
    let (rooms, time) = rooms(config);
    let asks = |from: &str| {
        let hello = Hello { room: Some(support::text("games")), ..Hello::default() };
        let from = from.parse::<std::net::SocketAddr>().unwrap();
        rooms.for_newcomer(&hello, &from.into(), "tcp").map(drop)
    };
    let who = "192.0.2.1".parse().unwrap();
    bans.ban(Ban { who, why: support::text("spam"), until_unix_ms: None }).unwrap();
    assert_eq!(asks("192.0.2.1:1"), Err(LeaveReason::banned(&support::text("spam"))));
    assert_eq!(asks("192.0.2.2:1"), Ok(()));
    let carrier = Carrier::new(&rooms.first(), &time);
    let _only = carrier.join("192.0.2.3:1");
    assert_eq!(asks("192.0.2.2:1"), Err(LeaveReason::RoomFull));
    assert_eq!(rooms.first().stats().refused, 2);
    assert_eq!(rooms.list().len(), 1);
}

#[test]
fn a_room_that_is_added_stays_without_members() {
    let (rooms, _) = rooms(RoomsConfig::default().with_room(name("lobby")).with_open_max(1));
    drop(rooms.open(&name("games")).unwrap());
    rooms.add(&name("dev")).unwrap();
    rooms.add(&name("Dev")).unwrap();
    rooms.add(&name("lobby")).unwrap();
    assert_eq!(rooms.list().len(), 2, "games is gone, dev is not");
    assert!(rooms.open(&name("games")).is_ok(), "dev takes no place of those that members open");
    let single = Rooms::from(Room::new(RoomConfig::default()));
    assert_eq!(single.add(&name("dev")), Err(RoomError::NotThere { name: name("dev") }));
}

#[test]
fn a_new_configuration_holds_for_members_that_are_there() {
    let (rooms, time) = two(RoomConfig::default().with_rate(None));
    let lobby = Carrier::new(&rooms.first(), &time);
    let ann = lobby.join("192.0.2.1:5");
    let one = std::num::NonZeroU32::new(1).unwrap();
    let limited = RoomConfig::default().with_members_max(2).with_history_max(7);
    rooms.reconfigure(&limited.with_rate(Some(chat_core::Rate { burst: one, per_second: one })));
    let dev = Carrier::new(&rooms.get(&name("dev")).unwrap(), &time);
    let hello = Hello { history: 20, ..Hello::default() };
    assert_eq!(dev.welcome("192.0.2.3:5", &hello).start, Start::History(7));
    assert_eq!(lobby.try_join("192.0.2.2:5"), Err(JoinError::RoomFull { members_max: 2 }));
    for text in ["first", "second"] {
        lobby.say(ann, text);
    }
    assert_eq!(rooms.first().stats().throttled, 1);
}

#[test]
fn the_limits_of_members_hold_for_all_rooms_together() {
    let (rooms, time) = two(RoomConfig::default().with_members_max(3).with_members_per_address_max(2));
    let (lobby, dev) =
        (Carrier::new(&rooms.first(), &time), Carrier::new(&rooms.get(&name("dev")).unwrap(), &time));
    let ann = lobby.join("192.0.2.1:5");
    dev.join("192.0.2.1:6");
    assert_eq!(dev.try_join("192.0.2.1:7"), Err(JoinError::AddressFull { members_per_address_max: 2 }));
    dev.join("192.0.2.2:6");
    assert_eq!(lobby.try_join("192.0.2.3:7"), Err(JoinError::RoomFull { members_max: 3 }));
    lobby.leave(ann, LeaveReason::Quit);
    assert!(dev.try_join("192.0.2.1:7").is_ok());
}

#[test]
fn the_logs_of_all_rooms_have_a_limit_together() {
    let config = RoomsConfig::default().with_room(name("lobby")).with_open_max(99);
    let (many, _) = rooms(config.clone().with_logs_bytes_max(100 * 200 * 1024));
    assert_eq!(many.first().config().log_bytes_max(), 200 * 1024);
    let (few, _) = rooms(RoomsConfig::default());
    assert_eq!(few.first().config().log_bytes_max(), RoomConfig::default().log_bytes_max());
    let too_many = config.with_open_max(1_000);
    assert_eq!(Rooms::new(too_many).unwrap_err(), RoomError::TooMany { rooms: 1_001 });
    let twice = RoomsConfig::default().with_room(name("dev")).with_room(name("Dev"));
    assert_eq!(Rooms::new(twice).unwrap_err(), RoomError::Twice { name: name("Dev") });
}

#[test]
fn a_single_room_is_rooms_of_one() {
    let room = Room::new(RoomConfig::default());
    let rooms = Rooms::from(&room);
    assert_eq!(rooms.first(), room);
    assert_eq!(rooms.open(&name("dev")), Err(RoomError::NotThere { name: name("dev") }));
    assert!(room.rooms().is_none());
    rooms.close("bye", std::time::Duration::ZERO);
    assert!(room.is_closing());
}
