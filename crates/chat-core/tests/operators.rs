//! The commands that operators type, and what they do.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::access::{BanList, OperatorPassword};
use chat_core::transport::Outcome;
use chat_core::{JoinError, LocalMember, Room, RoomConfig};

use chat_proto::{Hello, LeaveReason, Resume, Welcome};
use support::{Carrier, hear, room_with, text};

fn operator(room: &Room) -> LocalMember {
    let local = room.join("host").unwrap();
    local.set_operator(true);
    local
}

/// Runs a command of the operator. Returns the lines of the answer.
fn run(operator: &LocalMember, command: &str) -> Vec<String> {
    operator.command(command).unwrap().lines.iter().map(ToString::to_string).collect()
}

#[test]
fn a_banned_peer_never_joins_and_learns_why() {
    let (room, time) = room_with(RoomConfig::default());
    let host = operator(&room);
    let mut tcp = Carrier::new(&room, &time);
    let (ann, _bob) = (tcp.join("192.0.2.1:5"), tcp.join("198.51.100.2:5"));
    let _said = tcp.try_say(ann, "/nick ann").unwrap();
    assert_eq!(
        run(&host, "ban 192.0.2.0/24 for 2h spam"),
        ["192.0.2.0/24 is banned. 1 member had to leave."]
    );
    let _ = hear(&host);
    let update = tcp.pull();
    assert_eq!(update.dismissed[0].reason.to_string(), "banned: spam");
    assert_eq!(tcp.try_join("192.0.2.77:1"), Err(JoinError::Refused { why: text("spam") }));
    assert!(hear(&host).is_empty(), "nobody else hears of it");
    assert_eq!(run(&host, "bans"), ["192.0.2.0/24 for 2 h: spam"]);
    time.pass(Duration::from_secs(2 * 60 * 60));
    assert!(tcp.try_join("192.0.2.77:1").is_ok(), "it has run out");
    assert_eq!(run(&host, "bans"), ["Nobody is banned"]);
}

#[test]
fn a_banned_name_is_nobodys() {
    let (room, time) = room_with(RoomConfig::default());
    let host = operator(&room);
    let mut tcp = Carrier::new(&room, &time);
    let bob = tcp.join("198.51.100.2:5");
    assert_eq!(run(&host, "ban Iris"), ["Iris is banned"]);
    for name in ["iris", "lris"] {
        let _said = tcp.try_say(bob, &format!("/nick {name}")).unwrap();
        let told = tcp.pull().direct[0].direct.item.to_string();
        assert_eq!(told, "[*] This name is banned", "{name}");
    }
    assert_eq!(run(&host, "unban irma"), ["irma is not banned. /bans lists the bans."]);
    assert_eq!(run(&host, "unban iris"), ["iris may come again"]);
    let _said = tcp.try_say(bob, "/nick Iris").unwrap();
    assert_eq!(tcp.pull().direct[0].direct.item.to_string(), "[*] You are Iris");
    assert_eq!(run(&host, "ban *"), ["'*' cannot be banned: a name begins with a letter, not with '*'"]);
}

#[test]
fn a_command_that_is_not_whole_is_answered_with_its_form_and_does_nothing() {
    let password = OperatorPassword::new("open sesame").unwrap();
    let (room, time) = room_with(RoomConfig::default().with_operator_password(password));
    let (host, mut tcp) = (operator(&room), Carrier::new(&room, &time));
    let no_time = |word: &str| format!("'{word}' is not a time. Write 30s, 10m, 2h or 7d.");
    let before = "Type a number after 'before', as in the last line of a long answer: /history before 123";
    for (command, answer) in [
        ("unban", "Type /unban NAME|ADDRESS|NETWORK"),
        (
            "unban 300.1.1.1",
            "'300.1.1.1' cannot be banned: expected a name, an address without port, or a network such as 10.0.0.0/8",
        ),
        ("ban eve for", "Type a time after 'for': 30s, 10m, 2h or 7d"),
        (
            "mute eve for 10m",
            "'eve for 10m' is not here. Write one name, and nothing after it. /who tells who is here.",
        ),
        ("history 20 before", before),
        ("history before x", before),
        ("history 20 before the.7", before),
        ("history 20 30", "Type /history [N] [NAME] [before N]"),
        ("ban eve for spam", &no_time("spam")),
        ("ban eve 2h", "Write 'for 2h' for a time."),
        ("ban eve for 99999999999999999999d", &no_time("99999999999999999999d")),
        ("history 0", "Type /history [N] [NAME] [before N]"),
        ("history -1", "Type /history [N] [NAME] [before N]"),
        ("history ann bob", "Type /history [N] [NAME] [before N]"),
        ("search \u{1f44b}", "Type /search WORDS. Words have letters or digits."),
    ] {
        assert_eq!(run(&host, command), [answer], "{command}");
    }
    assert_eq!(run(&host, "bans"), ["Nobody is banned"]);
    let ann = tcp.join("192.0.2.1:5");
    let told = |tcp: &mut Carrier, line: &str| {
        let _said = tcp.try_say(ann, line).unwrap();
        tcp.pull().direct[0].direct.item.to_string()
    };
    for _ in 0..5 {
        assert_eq!(told(&mut tcp, "/oper"), "[*] Type /oper PASSWORD");
    }
    let is_operator = "[*] You are an operator. /help lists what you can do.";
    assert_eq!(told(&mut tcp, "/oper open sesame"), is_operator, "the others were no attempts");
}

#[test]
fn rooms_share_a_list_of_bans() {
    let bans = BanList::new();
    let (one, _) = room_with(RoomConfig::default().with_bans(bans.clone()));
    let (two, time) = room_with(RoomConfig::default().with_bans(bans));
    run(&operator(&one), "ban 192.0.2.1");
    assert!(Carrier::new(&two, &time).try_join("192.0.2.1:5").is_err());
}

#[test]
fn a_resume_shakes_off_no_mute_and_keeps_an_operator() {
    let (room, time) = room_with(RoomConfig::default());
    let mut tcp = Carrier::new(&room, &time);
    let come = |tcp: &Carrier, resume: Option<&Welcome>| {
        let resume = resume.map(|welcome| Resume {
            epoch: welcome.epoch,
            session: welcome.session,
            have: welcome.session.since,
            direct: 0,
        });
        tcp.welcome("192.0.2.1:5", &Hello { resume, ..Hello::default() })
    };
    let (first, other) = (come(&tcp, None), come(&tcp, None));
    room.mute(&first.welcome.you).unwrap();
    room.set_operator(other.welcome.session.member, true);
    for joined in [&first, &other] {
        tcp.leave(joined.member, LeaveReason::Lost);
    }
    let again = come(&tcp, Some(&first.welcome));
    assert_eq!(tcp.try_say(again.member, "spam").unwrap().outcome, Outcome::Refused);
    let back = come(&tcp, Some(&other.welcome));
    let _said = tcp.try_say(back.member, "/bans").unwrap();
    assert_eq!(tcp.pull().direct.last().unwrap().direct.item.to_string(), "");
    assert!(room.presence(9).1.iter().any(|one| one.is_operator));
}

#[test]
fn the_addresses_of_one_network_share_their_attempts_at_the_password() {
    let password = OperatorPassword::new("open sesame").unwrap();
    let (room, time) = room_with(RoomConfig::default().with_operator_password(password));
    let mut tcp = Carrier::new(&room, &time);
    let mut told = Vec::new();
    for last in 1..=4 {
        let member = tcp.join(&format!("[2001:db8::{last}]:5"));
        let _said = tcp.try_say(member, "/oper guess").unwrap();
        told.push(tcp.pull().direct[0].direct.item.to_string());
    }
    assert_eq!(told[2..], ["[*] That is not the password", "[*] Too many attempts. Wait a minute."]);
}

#[test]
fn in_slow_mode_each_member_waits_between_two_messages() {
    let (room, time) = room_with(RoomConfig::default());
    let host = operator(&room);
    let mut tcp = Carrier::new(&room, &time);
    let (ann, bob) = (tcp.join("192.0.2.1:5"), tcp.join("198.51.100.2:5"));
    assert_eq!(run(&host, "slow 5s"), ["Each member may speak every 5 s"]);
    assert_eq!(tcp.say(ann, "one"), 1);
    time.pass(Duration::from_millis(1_500));
    assert_eq!(tcp.try_say(ann, "two").unwrap().outcome, Outcome::Refused);
    assert_eq!(
        tcp.pull().direct[0].direct.item.to_string(),
        "[*] Not said: Slow mode: you may speak again in 4 s"
    );
    assert_eq!(tcp.say(bob, "two"), 2);
    host.say("three").unwrap();
    host.say("four").unwrap();
    time.pass(Duration::from_millis(3_500));
    assert_eq!(tcp.say(ann, "five"), 5);
    assert_eq!(run(&host, "slow off"), ["Slow mode is off"]);
    assert_eq!(tcp.say(ann, "six"), 6);
}

#[test]
fn a_member_with_the_password_is_an_operator_after_at_most_three_attempts() {
    let password = OperatorPassword::new("open sesame").unwrap();
    let (room, time) = room_with(RoomConfig::default().with_operator_password(password));
    let mut tcp = Carrier::new(&room, &time);
    let (ann, bob) = (tcp.join("192.0.2.1:5"), tcp.join("198.51.100.2:5"));
    let mut ask = |member, command: &str| {
        let _said = tcp.try_say(member, command).unwrap();
        tcp.pull().direct[0].direct.item.to_string()
    };
    assert_eq!(ask(bob, "/kick ann"), "[*] /kick is for operators");
    for _ in 0..3 {
        assert_eq!(ask(ann, "/oper guess"), "[*] That is not the password");
    }
    assert_eq!(ask(ann, "/oper open sesame"), "[*] Too many attempts. Wait a minute.");
    assert_eq!(ask(bob, "/oper open sesame"), "[*] You are an operator. /help lists what you can do.");
    assert_eq!(ask(bob, "/kick 192.0.2.1:5 enough"), "[*] 192.0.2.1:5 was kicked");
    assert_eq!(room.stats().members, 1);
    assert_eq!(room.stats().messages, 0, "nothing of this was said");
}

#[test]
fn a_topic_is_an_entry_and_is_told_to_those_who_join_later() {
    let (room, time) = room_with(RoomConfig::default());
    let host = operator(&room);
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    assert_eq!(run(&host, "topic Rust and sockets"), Vec::<String>::new());
    assert_eq!(hear(&host).last().unwrap(), "0 [*] host set the topic: Rust and sockets");
    let _said = tcp.try_say(ann, "/topic").unwrap();
    let told = tcp.pull().direct[0].direct.item.to_string();
    assert_eq!(told, "[*] The topic is: Rust and sockets");
    let welcomed = tcp.welcome("192.0.2.9:5", &Hello::default());
    assert_eq!(welcomed.welcome.topic, Some(text("Rust and sockets")));
    tcp.join("192.0.2.8:5");
    let told: Vec<String> = tcp.pull().direct.iter().map(|told| told.direct.item.to_string()).collect();
    assert_eq!(told, ["[*] The topic is: Rust and sockets"], "a plain one reads it, too");
    let _said = tcp.try_say(ann, "/topic nonsense").unwrap();
    assert_eq!(tcp.pull().direct[0].direct.item.to_string(), "[*] Only operators set the topic");
    assert_eq!(run(&host, &format!("topic {}", "x".repeat(301))), ["The topic is longer than 300 bytes"]);
    assert_eq!(run(&host, "topic -"), Vec::<String>::new());
    assert_eq!(room.topic(), None);
}

#[test]
fn the_limits_of_addresses_can_be_tried_on_loopback() {
    let config = RoomConfig::default().with_members_per_address_max(1).with_limit_loopback(true);
    let (room, time) = room_with(config);
    let tcp = Carrier::new(&room, &time);
    assert!(tcp.try_join("127.0.0.1:5").is_ok());
    assert_eq!(tcp.try_join("127.0.0.1:6"), Err(JoinError::AddressFull { members_per_address_max: 1 }));
}

/// Resumes the session of this welcome without asking for a name.
fn resuming(welcome: &Welcome) -> Hello {
    let session = welcome.session;
    let resume = Some(Resume { epoch: welcome.epoch, session, have: session.since, direct: 0 });
    Hello { resume, ..Hello::default() }
}

fn named(name: &str) -> Hello {
    Hello { name: Some(text(name)), ..Hello::default() }
}

#[test]
fn a_banned_name_does_not_come_back_with_its_session() {
    let bans = BanList::new();
    let (room, time) = room_with(RoomConfig::default().with_bans(bans.clone()));
    let host = operator(&room);
    let tcp = Carrier::new(&room, &time);
    let try_resume = |welcome| {
        let (peer, now) = ("192.0.2.1:5".parse::<std::net::SocketAddr>().unwrap(), time.now());
        tcp.attachment.welcome(0, peer, &resuming(welcome), now, now)
    };
    let kicked = tcp.welcome("192.0.2.1:5", &named("mallory"));
    let away = tcp.welcome("192.0.2.1:6", &named("ma1lory"));
    tcp.leave(away.member, LeaveReason::Lost);
    run(&host, "ban mallory");
    for welcomed in [&kicked, &away] {
        let again = try_resume(&welcomed.welcome).unwrap();
        assert_eq!(again.welcome.name, None, "the ban has ended the reservation");
        assert!(again.welcome.resumed);
    }
    run(&host, "unban mallory");
    let here = tcp.welcome("192.0.2.1:7", &named("mallory"));
    assert_eq!(here.welcome.name, Some(text("mallory")), "nobody holds the name any more");

    // The list is shared, and another room or the configuration may add to it without a kick here.
    let ban = "mallory".parse().unwrap();
    bans.ban(chat_core::access::Ban { who: ban, why: text("no"), until_unix_ms: None }).unwrap();
    assert_eq!(try_resume(&here.welcome).unwrap_err(), JoinError::Refused { why: text("no") });
    tcp.leave(here.member, LeaveReason::Lost);
    assert_eq!(try_resume(&here.welcome).unwrap_err(), JoinError::Refused { why: text("no") });
}

#[test]
fn a_listener_that_says_hello_is_not_given_a_banned_name() {
    let (room, time) = room_with(RoomConfig::default());
    let host = operator(&room);
    let tcp = Carrier::new(&room, &time);
    run(&host, "ban mallory");
    let _ = hear(&host);
    let silent = tcp.join("192.0.2.1:5");
    let refused = tcp.attachment.upgrade(silent, &named("mallory"), time.now()).unwrap();
    assert_eq!(refused.unwrap_err(), JoinError::Refused { why: text("") });
    assert!(!tcp.attachment.is_member(silent));
    assert_eq!(hear(&host).len(), 2, "it joined and left");
    let other = tcp.join("192.0.2.1:6");
    let welcomed = tcp.attachment.upgrade(other, &named("ann"), time.now()).unwrap().unwrap();
    assert_eq!(welcomed.welcome.name, Some(text("ann")));
}
