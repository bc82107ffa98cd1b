//! Section 13: names that are reserved or required, operators, and bans.

use chat_proto::{DirectItem, Hello, LeaveReason, Resume, RoomFrame, Text};

use crate::datagrams::Plain;
use crate::frames::Framed;
use crate::support::{Directory, Server};

fn named(name: &str) -> Hello {
    Hello { name: Some(Text::lossy(name)), ..Hello::default() }
}

/// A server that reads its operators' password from a file.
fn with_password() -> Server {
    with_password_over(&["tcp"])
}

fn with_password_over(transports: &[&str]) -> Server {
    let directory = Directory::new(); // the server reads it once
    let password = ["--operator-password-file", &directory.write("password", "open sesame\n")];
    let rooms = ["--room", "lobby", "--room", "dev"];
    Server::over(transports, &[&password[..], &rooms].concat())
}

#[test]
fn clause_13_4_a_name_stays_reserved_for_its_session_and_comes_back_with_a_resume() {
    let server = Server::start();
    let (framed, welcome) = Framed::join_with(&server, named("ann"));
    assert_eq!(welcome.you.to_string(), "ann");
    drop(framed);
    let mut plain = server.peer();
    plain.is_in();
    plain.send("/nick Ann\n");
    plain.read_up_to("[*] The name Ann is taken. Ann-2 is free.");
    let resume = Resume { epoch: welcome.epoch, session: welcome.session, have: welcome.head, direct: 0 };
    let (_framed, again) = Framed::join_with(&server, Hello { resume: Some(resume), ..Hello::default() });
    assert_eq!((again.resumed, again.you.to_string().as_str()), (true, "ann"));
}

#[test]
fn clause_13_5_where_names_are_required_a_member_without_one_is_told_how_to_choose_one() {
    let server = Server::with(&["--names", "required"]);
    let (mut reader, mut plain) = (server.peer(), server.peer());
    reader.is_in();
    plain.is_in();
    plain.send("hello\n");
    plain.read_up_to("[*] Not said: Choose a name first: type /nick NAME");
    plain.send("/nick ann\nhello again\n");
    assert_eq!(reader.read_up_to("hello again"), ["[ann] hello again"]);
}

#[test]
fn clause_13_8_an_operator_mutes_slows_down_kicks_and_sets_the_topic() {
    let server = with_password();
    let (mut operator, mut ann) = (server.peer(), server.peer());
    operator.is_in();
    ann.is_in();
    ann.send("/nick ann\n/kick ann\n/oper open sesam\n");
    ann.read_up_to("[*] /kick is for operators");
    ann.read_up_to("[*] That is not the password");
    operator.send("/oper open sesame\n");
    operator.read_up_to("[*] You are an operator. /help lists what you can do.");

    operator.send("/mute ann\n");
    operator.read_up_to("[*] ann is muted");
    ann.send("spam\n");
    ann.read_up_to("[*] Not said: You are muted");
    operator.send("/unmute ann\n/slow 1h\n");
    operator.read_up_to("[*] Each member may speak every 60 min");
    ann.send("one\ntwo\n");
    ann.read_up_to("[*] Not said: Slow mode: you may speak again in 60 min");
    operator.send("/slow off\n/topic Homework\n");
    operator.read_up_to("set the topic: Homework");
    assert!(operator.lines().contains(&"[ann] one".to_owned()), "{:?}", operator.lines());
    ann.read_up_to("set the topic: Homework");
    let (_framed, welcome) = Framed::join(&server);
    assert_eq!(welcome.topic.map(|topic| topic.to_string()).as_deref(), Some("Homework"));

    operator.send("/kick ann enough\n");
    assert_eq!(ann.read_to_end().last().unwrap(), "[*] Closed: kicked: enough");
}

#[test]
fn clause_13_11_a_muted_member_stays_so_in_another_room_and_an_operator_one() {
    let server = with_password();
    let (mut operator, mut ann) = (server.peer(), server.peer());
    operator.is_in();
    ann.is_in();
    ann.send("/nick ann\n");
    ann.read_up_to("[*] You are ann");
    operator.send("/oper open sesame\n/mute ann\n/join dev\n");
    operator.read_up_to("[*] You are in dev now: 1 present");
    ann.send("/join dev\nhello\n");
    ann.read_up_to("[*] Not said: You are muted");
    operator.send("/unmute ann\n");
    operator.read_up_to("[*] ann may speak");
    ann.send("hello again\n");
    assert!(!operator.read_up_to("[ann] hello again").concat().contains("] hello["));
}

#[test]
fn clause_13_9_a_banned_peer_is_told_why_in_its_own_format_and_nobody_else_hears_of_it() {
    let server = with_password();
    let (mut operator, mut ann) = (server.peer(), server.peer());
    operator.is_in();
    ann.is_in();
    operator.send("/oper open sesame\n/ban 127.0.0.1 for 2h spam\n");
    operator.read_up_to("[*] 127.0.0.1 is banned. 1 member had to leave.");
    assert_eq!(ann.read_to_end().last().unwrap(), "[*] Closed: banned: spam");

    let mut plain = crate::support::Peer::connect(server.address);
    plain.send("hello\n");
    assert_eq!(plain.read_to_end(), ["[*] Closed: banned: spam"]);
    let mut framed = Framed::connect(&server);
    framed.send_bytes(&crate::frames::opening(Hello::default()));
    let Some(RoomFrame::Bye(reason)) = framed.next() else { panic!("it is not let in") };
    assert_eq!(reason, LeaveReason::banned(&Text::lossy("spam")));

    operator.send("/unban 127.0.0.1\n");
    operator.read_up_to("[*] 127.0.0.1 may come again");
    let heard = operator.lines();
    assert!(!heard.iter().any(|line| line.contains("hello")), "{heard:?}");
    server.peer().is_in();
}

#[test]
fn clause_13_11_a_banned_operator_reads_which_room_it_cannot_join_and_why_and_stays() {
    let server = with_password_over(&["tcp", "udp"]);
    let (mut plain, datagrams) = (server.peer(), Plain::new(&server));
    let (mut framed, _) = Framed::join(&server);
    plain.is_in();
    plain.send("/oper open sesame\n");
    plain.read_up_to("[*] You are an operator. /help lists what you can do.");
    datagrams.send(b"/oper open sesame\n");
    datagrams.lines_until("[*] You are an operator. /help lists what you can do.");
    framed.say("/oper open sesame");
    framed.say("/ban 127.0.0.1 spam");
    while !matches!(framed.next().expect("an answer"), RoomFrame::Direct(direct) if direct.item.to_string().contains("127.0.0.1 is banned"))
    {
    }
    let refusal = "You cannot join dev: banned: spam";

    plain.send("/join dev\nstill here\n");
    plain.read_up_to(&format!("[*] {refusal}"));
    datagrams.send(b"/join dev\nme too\n");
    datagrams.lines_until(&format!("[*] {refusal}"));
    framed.say("/join dev");
    framed.say("so am I");
    let (mut told, mut heard) = (Vec::new(), Vec::new());
    while heard.len() < 3 {
        match framed.next().expect("it stays") {
            RoomFrame::Entry(entry) if entry.event.is_message() => {
                heard.push(crate::frames::text(&entry.event));
            }
            RoomFrame::Direct(direct) => told.push(direct.item.clone()),
            _ => {}
        }
    }
    let notice = DirectItem::Notice { text: Text::lossy(refusal) };
    assert!(
        told.contains(&notice) && !told.iter().any(|item| matches!(item, DirectItem::Move { .. })),
        "{told:?}"
    );
    heard.sort();
    assert_eq!(heard, ["me too", "so am I", "still here"]);
}
