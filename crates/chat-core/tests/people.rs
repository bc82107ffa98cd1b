//! Names, private messages and who is present, through the commands that members type.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::commands::Action;
use chat_core::transport::Outcome;
use chat_core::{
    Author, DirectItem, Hello, JoinError, LeaveReason, LocalMember, Name, NamePolicy, NickError, RoomConfig,
    Text,
};
use chat_proto::{Resume, Welcome};

use support::{Carrier, hear, room, room_with, text};

/// The lines that the transport of these members has received for them since the last call.
fn told(carrier: &mut Carrier) -> Vec<String> {
    carrier
        .pull()
        .direct
        .iter()
        .map(|told| told.direct.item.to_string())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Runs a command. Returns the lines of the answer.
fn ask(carrier: &mut Carrier, member: chat_core::transport::Membership, command: &str) -> Vec<String> {
    let _ = told(carrier);
    let said = carrier.try_say(member, command).unwrap();
    assert!(matches!(said.outcome, Outcome::Answered { .. }), "{command}: {said:?}");
    told(carrier)
}

/// Asks for a name for a local member. Returns the answer.
fn nick(local: &LocalMember, name: &str) -> String {
    local.command(&format!("nick {name}")).unwrap().lines[0].to_string()
}

fn resume(welcome: &Welcome) -> Hello {
    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have: welcome.head, direct: 0 };
    Hello { resume: Some(resume), ..Hello::default() }
}

#[test]
fn a_member_takes_a_name_and_is_shown_by_it() {
    let (room, time) = room();
    let host = room.join("host").unwrap();
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    tcp.say(ann, "before");
    assert_eq!(ask(&mut tcp, ann, "/nick ann"), ["[*] You are ann"]);
    tcp.say(ann, "after");
    assert_eq!(ask(&mut tcp, ann, "/nick"), ["[*] You are 192.0.2.1:5"]);
    assert_eq!(
        hear(&host),
        [
            "192.0.2.1:5 joined, 1 here",
            "1 [192.0.2.1:5] before",
            "1 [*] 192.0.2.1:5 is now ann",
            "2 [ann] after",
            "2 [*] ann is now 192.0.2.1:5"
        ]
    );
}

#[test]
fn a_name_is_unique_by_case_and_by_skeleton_and_the_answer_suggests_another_one() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let (ann, bob) = (tcp.join("192.0.2.1:5"), tcp.join("192.0.2.2:5"));
    let _host = room.join("Iris").unwrap();
    ask(&mut tcp, ann, "/nick ann");
    assert_eq!(ask(&mut tcp, bob, "/nick ANN"), ["[*] The name ANN is taken. ANN-2 is free."]);
    assert_eq!(ask(&mut tcp, bob, "/nick lris"), ["[*] The name lris is taken. lris-2 is free."]);
    assert_eq!(ask(&mut tcp, bob, "/nick Operator"), ["[*] The name Operator is reserved"]);
    assert_eq!(
        ask(&mut tcp, bob, "/nick 1"),
        ["[*] '1' cannot be your name: a name begins with a letter, not with '1'"]
    );
    assert_eq!(ask(&mut tcp, ann, "/nick Ann"), ["[*] You are Ann"], "it may change the case of its own");
    tcp.leave(ann, LeaveReason::Quit);
    assert_eq!(ask(&mut tcp, bob, "/nick ann"), ["[*] You are ann"], "no session can come back to it");
    let taken = room.join("ann").unwrap_err();
    assert!(matches!(taken, NickError::Taken { suggestion: Some(_), .. }));
}

#[test]
fn a_name_stays_reserved_for_a_session_that_may_be_resumed() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let bob = tcp.join("192.0.2.2:5");
    let hello = Hello { name: Some(text("ann")), ..Hello::default() };
    let first = tcp.welcome("192.0.2.1:5", &hello);
    assert_eq!(
        (first.welcome.you.to_string().as_str(), first.welcome.name.clone()),
        ("ann", Some(text("ann")))
    );
    tcp.leave(first.member, LeaveReason::Lost);
    assert_eq!(ask(&mut tcp, bob, "/nick ann"), ["[*] The name ann is taken. ann-2 is free."]);
    time.pass(Duration::from_secs(60));
    let again = tcp.welcome("192.0.2.1:6", &resume(&first.welcome));
    assert_eq!(again.welcome.you.to_string(), "ann", "it is the same member");
    let moved = tcp.welcome("192.0.2.1:7", &resume(&again.welcome));
    assert_eq!(moved.welcome.you.to_string(), "ann", "also if the old connection is still there");
    tcp.leave(moved.member, LeaveReason::Lost);
    time.pass(Duration::from_secs(11 * 60));
    assert_eq!(ask(&mut tcp, bob, "/nick ann"), ["[*] You are ann"], "not for ever");
    let late = tcp.welcome("192.0.2.1:8", &resume(&moved.welcome));
    assert_eq!(late.welcome.you.to_string(), "192.0.2.1:8", "its name is another member's now");
    assert!(late.welcome.resumed);
}

#[test]
fn a_hello_with_a_name_that_is_taken_joins_without_one_and_is_told_why() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let _ann = room.join("ann").unwrap();
    let welcomed = tcp.welcome("192.0.2.1:5", &Hello { name: Some(text("ann")), ..Hello::default() });
    assert_eq!((welcomed.welcome.you.to_string().as_str(), welcomed.welcome.name), ("192.0.2.1:5", None));
    assert_eq!(told(&mut tcp), ["[*] The name ann is taken. ann-2 is free."]);
}

#[test]
fn a_resumed_session_keeps_the_name_that_it_took_last() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let hello = Hello { name: Some(text("ann")), ..Hello::default() };
    let first = tcp.welcome("192.0.2.1:5", &hello);
    ask(&mut tcp, first.member, "/nick anna");
    tcp.attachment.got(first.member, u64::MAX);
    tcp.leave(first.member, LeaveReason::Lost);
    let again = tcp.welcome("192.0.2.1:6", &Hello { name: Some(text("ann")), ..resume(&first.welcome) });
    assert_eq!(again.welcome.you.to_string(), "anna");
    assert!(told(&mut tcp).is_empty());
}

#[test]
fn names_of_sessions_that_have_left_cannot_be_piled_up() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let most = chat_core::limits::SESSIONS_REMEMBERED_MAX;
    let mut come_and_go = |number: usize| {
        let hello = Hello { name: Some(text(&format!("n{number}"))), ..Hello::default() };
        let welcomed = tcp.welcome("192.0.2.1:5", &hello);
        assert!(welcomed.welcome.name.is_some());
        tcp.leave(welcomed.member, LeaveReason::Lost);
        if number.is_multiple_of(1_000) {
            let _ = tcp.pull();
        }
    };
    (0..most).for_each(&mut come_and_go);
    let bob = room.join("bob").unwrap();
    assert_eq!(nick(&bob, "n0"), "The name n0 is taken. n0-2 is free.");
    come_and_go(most);
    assert_eq!(nick(&bob, "n0"), "You are n0", "the oldest session is forgotten, and its name is free");
}

#[test]
fn a_member_ignores_at_most_so_many_others_and_those_that_leave_make_room() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    let others: Vec<_> = (0..=chat_core::limits::IGNORED_MAX)
        .map(|number| tcp.join(&format!("192.0.2.2:{}", number + 1)))
        .collect();
    for number in 0..chat_core::limits::IGNORED_MAX {
        assert!(ask(&mut tcp, ann, &format!("/ignore 192.0.2.2:{}", number + 1))[0].contains("no longer"));
        tcp.attachment.got(ann, u64::MAX);
    }
    let last = format!("/ignore 192.0.2.2:{}", others.len());
    assert_eq!(ask(&mut tcp, ann, &last), ["[*] You ignore as many as you can"]);
    tcp.leave(others[0], LeaveReason::Quit);
    assert!(ask(&mut tcp, ann, &last)[0].contains("no longer"));
}

#[test]
fn a_room_may_have_no_names_or_require_them() {
    let (room, time) = room_with(RoomConfig::default().with_names(NamePolicy::Off));
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    assert_eq!(ask(&mut tcp, ann, "/nick ann"), ["[*] There are no names in this room"]);

    let (room, time) = room_with(RoomConfig::default().with_names(NamePolicy::Required));
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    assert_eq!(tcp.try_say(ann, "hello").unwrap().outcome, Outcome::Refused);
    assert_eq!(told(&mut tcp), ["[*] Not said: Choose a name first: type /nick NAME"]);
    ask(&mut tcp, ann, "/nick ann");
    assert_eq!(tcp.say(ann, "hello"), 1);
    assert_eq!(ask(&mut tcp, ann, "/nick"), ["[*] You need a name in this room"]);
}

#[test]
fn private_messages_reach_one_member_and_their_sender_sees_them_taken() {
    let (room, time) = room();
    let host = room.join("host").unwrap();
    let (mut tcp, mut udp) = (Carrier::new(&room, &time), Carrier::with_tag(&room, &time, "udp"));
    let (ann, bob) = (tcp.join("192.0.2.1:5"), udp.join("192.0.2.2:5"));
    ask(&mut tcp, ann, "/nick ann");
    assert_eq!(ask(&mut tcp, ann, "/msg 192.0.2.2:5 psst"), ["[you -> 192.0.2.2:5] psst"]);
    assert_eq!(told(&mut udp), ["[ann -> you] psst"]);
    assert_eq!(ask(&mut udp, bob, "/r what is it?"), ["[you -> ann] what is it?"]);
    assert_eq!(told(&mut tcp), ["[192.0.2.2:5 -> you] what is it?"]);
    assert_eq!(ask(&mut tcp, ann, "/msg HOST hello"), ["[you -> host] hello"]);
    assert!(hear(&host).contains(&"[ann -> you] hello".to_owned()));
    let reply = host.command("reply hello ann").unwrap();
    assert_eq!(reply.lines, [text("[you -> ann] hello ann")]);
    assert_eq!(told(&mut tcp), ["[host -> you] hello ann"]);
    assert_eq!(ask(&mut tcp, ann, "/msg zoe hi"), ["[*] zoe is not here. /who tells who is."]);
    assert_eq!(room.stats().messages, 0, "nothing of this is in the log");
}

#[test]
fn a_full_lane_and_one_that_ignores_are_told_to_the_sender() {
    let (room, time) = room();
    let (mut tcp, mut udp) = (Carrier::new(&room, &time), Carrier::with_tag(&room, &time, "udp"));
    let (ann, bob) = (tcp.join("192.0.2.1:5"), udp.join("192.0.2.2:5"));
    ask(&mut tcp, ann, "/nick ann");
    ask(&mut udp, bob, "/nick bob");
    udp.attachment.got(bob, u64::MAX);
    for number in 0..64 {
        assert_eq!(ask(&mut tcp, ann, &format!("/msg bob {number}")), [format!("[you -> bob] {number}")]);
        tcp.attachment.got(ann, u64::MAX);
    }
    let full = "[*] Not delivered: the member has not read what it was told before";
    assert_eq!(ask(&mut tcp, ann, "/msg bob 64"), [full]);
    udp.attachment.got(bob, u64::MAX);
    assert_eq!(
        ask(&mut udp, bob, "/ignore ann"),
        ["[*] You no longer see what ann says. /unignore ann ends that."]
    );
    tcp.attachment.got(ann, u64::MAX);
    assert_eq!(ask(&mut tcp, ann, "/msg bob hi"), ["[*] Not delivered: the member ignores you"]);
    assert_eq!(ask(&mut udp, bob, "/ignore"), ["[*] You ignore ann"]);
    assert_eq!(ask(&mut udp, bob, "/unignore ann"), ["[*] You see what ann says again"]);
    assert_eq!(ask(&mut tcp, ann, "/msg bob hi"), ["[you -> bob] hi"]);
}

#[test]
fn who_lists_names_and_addresses_unless_they_are_hidden() {
    let (room, time) = room();
    let host = room.join("host").unwrap();
    host.set_operator(true);
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    ask(&mut tcp, ann, "/nick ann");
    time.pass(Duration::from_secs(180));
    let all = ["[*] 1 present, 1 local", "[*] @host (local, here for 3 min, idle for 3 min)"];
    assert_eq!(
        ask(&mut tcp, ann, "/who"),
        [&all[..], &["[*] ann 192.0.2.1:5 (tcp, here for 3 min, idle for 3 min)"]].concat()
    );

    let (room, time) = room_with(RoomConfig::default().with_hidden_addresses(true));
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    ask(&mut tcp, ann, "/nick ann");
    assert_eq!(ask(&mut tcp, ann, "/who"), ["[*] 1 present", "[*] ann (tcp, here for 0 s, idle for 0 s)"]);
    let bob = tcp.join("192.0.2.2:5");
    let not_here = ["[*] 192.0.2.1:5 is not here. /who tells who is."];
    assert_eq!(
        ask(&mut tcp, bob, "/msg 192.0.2.1:5 who are you?"),
        not_here,
        "it is hidden who has the address"
    );
    let told = ["[ann -> you] hi", "[you -> 192.0.2.2:5] hi"];
    assert_eq!(ask(&mut tcp, ann, "/msg 192.0.2.2:5 hi"), told, "it is shown like this");
}

#[test]
fn a_mistyped_command_is_never_said() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    assert_eq!(ask(&mut tcp, ann, "/nik ann"), ["[*] There is no /nik. Did you mean /nick?"]);
    assert_eq!(
        ask(&mut tcp, ann, "/foo"),
        ["[*] There is no /foo. /help lists the commands; //foo says /foo."],
        "no command is like it"
    );
    assert_eq!(ask(&mut tcp, ann, "/HELP Who"), ask(&mut tcp, ann, "/help who"));
    assert_eq!(ask(&mut tcp, ann, "/unignore"), ["[*] Type /unignore NAME"]);
    assert_eq!(
        ask(&mut tcp, ann, "/usr/bin"),
        ["[*] There is no /usr/bin. /help lists the commands; //usr/bin says /usr/bin."]
    );
    for slash in ["/", "/ hello"] {
        let why = "[*] Type the command directly after the slash. /help lists the commands.";
        assert_eq!(ask(&mut tcp, ann, slash), [why]);
    }
    assert_eq!(ask(&mut tcp, ann, "/kick bob"), ["[*] /kick is for operators"]);
    assert_eq!(
        ask(&mut tcp, ann, "/help nick"),
        ["[*] /nick [NAME]: Take a name; without one, give yours up"]
    );
    let help = ask(&mut tcp, ann, "/help");
    assert!(help.iter().any(|line| line.contains("/msg NAME TEXT")));
    assert!(!help.iter().any(|line| line.contains("/kick")), "it is not for this member");
    assert_eq!(room.stats().messages, 0);
    let _ = tcp.pull();
    assert_eq!(tcp.say(ann, "//usr/bin"), 1);
    assert_eq!(tcp.say(ann, "/me waves"), 2);
    let said: Vec<String> = tcp.pull().entries.iter().map(|entry| entry.event.to_string()).collect();
    assert_eq!(said, ["[192.0.2.1:5] /usr/bin", "[192.0.2.1:5] * waves"]);
}

#[test]
fn a_command_is_confirmed_once_whatever_its_number() {
    let (room, time) = room();
    let mut tcp = Carrier::new(&room, &time);
    let welcomed = tcp.welcome("192.0.2.1:5", &Hello::default());
    assert_ne!(welcomed.welcome.capabilities & chat_proto::COMMANDS, 0);
    let member = welcomed.member;
    let said = tcp.attachment.say_numbered(member, 7, text("/quit"), time.now()).unwrap();
    assert_eq!(said.outcome, Outcome::Answered { action: Some(Action::Leave) });
    let again = tcp.attachment.say_numbered(member, 7, text("/nick ann"), time.now()).unwrap();
    assert_eq!(again.outcome, Outcome::Repeated);
    let items: Vec<DirectItem> = tcp.pull().direct.iter().map(|told| told.direct.item.clone()).collect();
    assert_eq!(items, [DirectItem::Done { number: 7 }]);
}

#[test]
fn among_ten_thousand_members_a_rename_is_one_entry() {
    let (room, time) = room_with(RoomConfig::default().with_members_per_address_max(20_000));
    let mut tcp = Carrier::new(&room, &time);
    let members: Vec<_> = (0..10_000).map(|number| tcp.join(&format!("192.0.2.1:{}", number + 1))).collect();
    let _ = tcp.pull();
    let before = room.stats().log_entries;
    for (number, &member) in members.iter().enumerate().take(100) {
        let _said = tcp.try_say(member, &format!("/nick member-{number}")).unwrap();
        tcp.attachment.got(member, u64::MAX);
    }
    let renamed = room.find("member-99").map(|_| room.stats().log_entries - before);
    assert!(renamed.is_some_and(|entries| entries == 100), "{renamed:?}");
    let name: Name = "member-0".parse().unwrap();
    assert!(tcp.pull().entries.iter().any(|entry| entry.event.to_string().ends_with("is now member-99")));
    tcp.leave(members[0], LeaveReason::Quit);
    assert_eq!(room.find(name.as_str()), None);
}

#[test]
fn an_entry_is_dated_by_the_wall_clock_which_never_goes_backwards() {
    let (room, time) = room();
    room.notice("one").unwrap();
    time.set_wall(Duration::from_secs(1_000));
    room.notice("two").unwrap();
    time.set_wall(Duration::ZERO);
    room.notice("three").unwrap();
    let mut tcp = Carrier::new(&room, &time);
    let times: Vec<u64> = tcp.pull().entries.iter().map(|entry| entry.at_ms).collect();
    assert_eq!(times, [0, 1_000_000, 1_000_000]);
}

#[test]
fn a_peer_that_the_gate_refuses_never_joins() {
    let gate = chat_core::access::Gate::new(|request| match (request.transport, request.name) {
        ("udp", _) => Err("no datagrams".into()),
        (_, Some(name)) if name.as_str() == "mallory" => Err("not you".into()),
        _ => Ok(()),
    });
    let (room, time) = room_with(RoomConfig::default().with_gate(gate));
    let host = room.join("host").unwrap();
    let (mut tcp, udp) = (Carrier::new(&room, &time), Carrier::with_tag(&room, &time, "udp"));
    assert_eq!(udp.try_join("192.0.2.1:5"), Err(JoinError::Refused { why: text("no datagrams") }));
    assert_eq!(
        LeaveReason::from(JoinError::Refused { why: text("no datagrams") }).to_string(),
        "banned: no datagrams"
    );
    assert_eq!((hear(&host).len(), room.stats().refused), (0, 1));
    let ann = tcp.join("192.0.2.1:5");
    assert_eq!(ask(&mut tcp, ann, "/nick mallory"), ["[*] This name is banned: not you"]);
    assert_eq!(host.author(), Author::Named("host".parse().unwrap()));
    assert_eq!(Text::default().as_str(), "");
}
