//! Mutes: what they hold for, and what does not end them.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::transport::{Membership, Outcome};
use chat_core::{LocalMember, Room, RoomConfig, Rooms, RoomsConfig};
use chat_proto::{Hello, LeaveReason, Resume, Welcome};
use support::{Carrier, Time, room_with, text, world};

fn operator(room: &Room) -> LocalMember {
    let local = room.join("host").unwrap();
    local.set_operator(true);
    local
}

/// Runs a command of the operator. Returns the lines of the answer.
fn run(operator: &LocalMember, command: &str) -> Vec<String> {
    operator.command(command).unwrap().lines.iter().map(ToString::to_string).collect()
}

fn is_refused(carrier: &Carrier, member: Membership) -> bool {
    carrier.try_say(member, "hello").unwrap().outcome == Outcome::Refused
}

/// Two rooms of one server.
fn lobby_and_dev() -> (Room, Room, Time) {
    let room = |name: &str| name.parse().unwrap();
    let (_, time) = room_with(RoomConfig::default());
    let config = RoomsConfig::default().with_room(room("lobby")).with_room(room("dev"));
    let clocks = time.clone();
    let rooms = Rooms::in_worlds(config, move || world(&clocks)).unwrap();
    (rooms.first(), rooms.get(&room("dev")).unwrap(), time)
}

#[test]
fn a_muted_members_messages_cost_the_others_nothing() {
    let (room, time) = room_with(RoomConfig::default());
    let host = operator(&room);
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    let _said = tcp.try_say(ann, "/nick ann").unwrap();
    assert_eq!(run(&host, "mute ann"), ["ann is muted"]);
    let entries = room.stats().log_entries;
    assert_eq!(tcp.try_say(ann, "spam").unwrap().outcome, Outcome::Refused);
    assert_eq!(tcp.pull().direct.last().unwrap().direct.item.to_string(), "[*] Not said: You are muted");
    let _said = tcp.try_say(ann, "/msg host spam").unwrap();
    assert_eq!(tcp.pull().direct[0].direct.item.to_string(), "[*] Not delivered: you are muted");
    let _said = tcp.try_say(ann, "/nick read-this").unwrap();
    assert_eq!(tcp.pull().direct[0].direct.item.to_string(), "[*] You are muted");
    assert_eq!(room.stats().log_entries, entries);
    assert_eq!(run(&host, "unmute ann"), ["ann may speak"]);
    assert_eq!(tcp.say(ann, "sorry"), 1);
}

#[test]
fn a_new_session_a_new_room_or_a_new_name_shakes_off_no_mute() {
    let (lobby, dev, time) = lobby_and_dev();
    let (host, here, mut there) = (operator(&lobby), Carrier::new(&lobby, &time), Carrier::new(&dev, &time));
    let named = |carrier: &Carrier, address: &str, name: &str| {
        carrier.welcome(address, &Hello { name: Some(text(name)), ..Hello::default() }).member
    };
    let (ann, bob) = (named(&here, "192.0.2.1:5", "Iris"), named(&here, "192.0.2.1:6", "bob"));
    assert_eq!(run(&host, "mute iris"), ["iris is muted"]);
    assert!(is_refused(&here, ann) && !is_refused(&here, bob), "others behind the address may speak");
    let _said = here.try_say(ann, "/nick eve").unwrap();
    here.leave(ann, LeaveReason::Quit);
    let ann = named(&there, "192.0.2.2:5", "lris");
    assert!(there.pull().direct.is_empty(), "it said nothing that could be refused");
    assert!(is_refused(&there, ann), "in another room, under a name that looks alike");
    there.leave(ann, LeaveReason::Quit);
    let ann = named(&here, "192.0.2.3:5", "eve");
    assert!(!is_refused(&here, ann));
    let _said = here.try_say(ann, "/nick IRIS").unwrap();
    assert!(is_refused(&here, ann), "it has taken a muted name");
    here.leave(ann, LeaveReason::Quit);
    assert_eq!(run(&host, "mute"), ["Iris"]);
    assert_eq!(run(&host, "unmute IRIS"), ["IRIS may speak"], "it need not be here");
    assert_eq!(run(&host, "unmute iris"), ["iris is not muted. /mute lists the mutes."]);
    assert!(!is_refused(&there, named(&there, "192.0.2.2:6", "Iris")));
}

#[test]
fn by_its_address_a_member_is_muted_with_everyone_from_there_but_operators() {
    let (room, time) = room_with(RoomConfig::default());
    let (host, mut tcp) = (operator(&room), Carrier::new(&room, &time));
    let (ann, bob) = (tcp.join("[2001:db8::1]:5"), tcp.join("[2001:db8::2]:6"));
    let helper = tcp.welcome("[2001:db8::3]:7", &Hello::default());
    room.set_operator(helper.welcome.session.member, true);
    let _said = tcp.try_say(ann, "/nick ann").unwrap();
    let muted = "[2001:db8::1]:5 is muted, and so is everyone from 2001:db8::";
    assert_eq!(run(&host, "mute [2001:db8::1]:5"), [muted]);
    assert!(is_refused(&tcp, ann) && is_refused(&tcp, bob) && !is_refused(&tcp, helper.member));
    tcp.leave(ann, LeaveReason::Quit);
    let anew = tcp.join("[2001:db8::9]:5");
    assert!(is_refused(&tcp, anew), "a new connection does not shake it off");
    assert!(room.presence(9).1.iter().any(|one| one.is_muted));
    assert_eq!(run(&host, "mute"), ["ann, and everyone from 2001:db8::"]);
    assert_eq!(
        run(&host, "unmute 2001:db8::7"),
        ["2001:db8::7 may speak", "Lifted as well: the mute of ann, and everyone from 2001:db8::"]
    );
    assert!(!is_refused(&tcp, anew) && !is_refused(&tcp, bob));
    let _told = tcp.pull();
}

#[test]
fn a_mute_on_loopback_holds_for_one_member_and_goes_along_to_another_room() {
    let (lobby, dev, time) = lobby_and_dev();
    let (host, here, there) = (operator(&lobby), Carrier::new(&lobby, &time), Carrier::new(&dev, &time));
    let (ann, bob) = (here.join("127.0.0.1:5"), here.join("127.0.0.1:6"));
    assert_eq!(run(&host, "mute 127.0.0.1:5"), ["127.0.0.1:5 is muted"]);
    assert!(!is_refused(&here, bob));
    let moved = here.attachment.move_to(ann, &there.attachment, 0, time.now()).unwrap().unwrap().joined;
    assert!(is_refused(&there, moved.member));
    assert_eq!(dev.unmute("127.0.0.1:5").len(), 1);
    assert!(!is_refused(&there, moved.member));
}

#[test]
fn a_mute_that_is_lifted_while_its_member_is_away_does_not_come_back_with_the_session() {
    let (room, time) = room_with(RoomConfig::default());
    let (host, tcp) = (operator(&room), Carrier::new(&room, &time));
    let first = tcp.welcome("127.0.0.1:5", &Hello::default());
    room.mute(&first.welcome.you).unwrap();
    tcp.leave(first.member, LeaveReason::Lost);
    assert_eq!(run(&host, "unmute 127.0.0.1:5"), ["127.0.0.1:5 may speak"]);
    let Welcome { epoch, session, .. } = first.welcome;
    let resume = Resume { epoch, session, have: session.since, direct: 0 };
    let again = tcp.welcome("127.0.0.1:6", &Hello { resume: Some(resume), ..Hello::default() });
    assert!(again.welcome.resumed);
    assert!(!is_refused(&tcp, again.member));
}

#[test]
fn a_mute_that_holds_for_a_session_alone_ends_with_it() {
    let (room, time) = room_with(RoomConfig::default());
    let (host, tcp) = (operator(&room), Carrier::new(&room, &time));
    let (ann, bob) = (tcp.join("127.0.0.1:5"), tcp.join("127.0.0.1:6"));
    let framed = tcp.welcome("127.0.0.1:7", &Hello::default());
    for who in ["127.0.0.1:5", "127.0.0.1:6", "127.0.0.1:7"] {
        room.mute(&who.parse().unwrap()).unwrap();
    }
    tcp.leave(ann, LeaveReason::Lost);
    assert_eq!(run(&host, "mute"), ["127.0.0.1:6", "127.0.0.1:7"], "nobody can come back as a plain member");
    let _kicked = run(&host, "kick 127.0.0.1:6");
    assert!(is_refused(&tcp, framed.member) && tcp.try_say(bob, "x").is_err());
    tcp.leave(framed.member, LeaveReason::Lost);
    assert_eq!(run(&host, "mute"), ["127.0.0.1:7"], "it may resume its session");
    let Welcome { epoch, session, .. } = framed.welcome;
    let resume = Resume { epoch, session, have: session.since, direct: 0 };
    let again = tcp.welcome("127.0.0.1:8", &Hello { resume: Some(resume), ..Hello::default() });
    tcp.leave(again.member, LeaveReason::Quit);
    assert_eq!(run(&host, "mute"), ["Nobody is muted"]);
}
