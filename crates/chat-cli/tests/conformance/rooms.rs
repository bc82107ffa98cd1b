//! Section 13: several rooms on one server.

use chat_proto::{DirectItem, Hello, LeaveReason, Resume, RoomFrame, Text};

use crate::datagrams::Plain;
use crate::frames::Framed;
use crate::support::{Peer, Server};

/// A server with the rooms lobby and dev. Members may open one more.
fn server(transports: &[&str]) -> Server {
    Server::over(transports, &["--room", "lobby", "--room", "dev", "--open-rooms", "1"])
}

fn to(room: &str) -> Hello {
    Hello { room: Some(Text::lossy(room)), ..Hello::default() }
}

/// A plain member that is alone in a room.
fn in_room(server: &Server, room: &str) -> Peer {
    let mut peer = server.peer();
    peer.is_in();
    peer.send(format!("/join {room}\n"));
    peer.read_up_to(&format!("[*] You are in {room} now: 1 present"));
    peer
}

#[test]
fn clause_13_10_a_hello_names_its_room_and_each_room_has_its_own_members_and_numbers() {
    let server = server(&["tcp"]);
    let mut plain = server.peer();
    plain.is_in();
    plain.send("one\n/me is here\n");
    let (mut lobby, welcome) = Framed::join_with(&server, Hello { history: 9, ..Hello::default() });
    assert_eq!(welcome.room, Some(Text::lossy("lobby")));
    lobby.texts_until("* is here");
    let (mut dev, welcome) = Framed::join_with(&server, Hello { history: 9, ..to("Dev") });
    assert_eq!((welcome.room, welcome.head, welcome.members), (Some(Text::lossy("dev")), 0, 1));
    dev.say("first here");
    assert_eq!(dev.message().seq, 1);
    plain.send("two\n");
    assert_eq!(lobby.texts_until("two"), ["two"], "nothing of the other room");
    let mut resume = Resume { epoch: welcome.epoch, session: welcome.session, have: 1, direct: 0 };
    let (_dev, again) = Framed::join_with(&server, Hello { resume: Some(resume), ..to("dev") });
    assert!(again.resumed);
    resume.session = again.session;
    let (_lobby, other) = Framed::join_with(&server, Hello { resume: Some(resume), ..Hello::default() });
    assert!(!other.resumed, "sessions belong to a room");
}

#[test]
fn clause_13_10_a_room_that_cannot_be_opened_is_refused_and_one_that_everybody_has_left_is_gone() {
    let server = server(&["tcp"]);
    let mut first = in_room(&server, "games");
    let refused = |room: &str| {
        let mut framed = Framed::connect(&server);
        framed.send_bytes(&crate::frames::opening(to(room)));
        framed.bye()
    };
    let LeaveReason::NoRoom { text } = refused("music") else { panic!("a reason of its own") };
    assert!(text.as_str().contains("opened"), "{text}");
    assert!(matches!(refused("no room"), LeaveReason::NoRoom { .. }));
    first.send("/join lobby\n");
    first.read_up_to("[*] You are in lobby now: 1 present");
    let (_music, welcome) = Framed::join_with(&server, to("music"));
    assert_eq!(welcome.room, Some(Text::lossy("music")), "there is a place for it now");
}

#[test]
fn clause_13_11_a_plain_member_moves_over_its_connection_with_its_name() {
    let server = server(&["tcp"]);
    let (mut dev, mut lobby) = (in_room(&server, "dev"), server.peer());
    lobby.is_in();
    let mut mover = server.peer();
    mover.is_in();
    mover.send("/nick ann\nbye lobby\n/join dev\nhello dev\n");
    lobby.read_up_to("[ann] bye lobby");
    assert_eq!(dev.read_up_to("[ann] hello dev"), ["[ann] hello dev"]);
    dev.send("welcome\n");
    let read = mover.read_up_to(&dev.line("welcome"));
    assert!(read.contains(&"[*] You are in dev now: 2 present".to_owned()), "{read:?}");
    lobby.send("is ann gone?\n");
    dev.send("/nick bob\n/msg ann here\n");
    let read = mover.read_up_to("[bob -> you] here");
    assert!(!read.concat().contains("is ann gone"), "{read:?}");
    dev.send("/join lobby\nback\n");
    lobby.read_up_to("[bob] back");
}

#[test]
fn clause_13_11_a_plain_member_over_udp_moves_and_the_rest_of_its_datagram_is_said_there() {
    let server = server(&["tcp", "udp"]);
    let mut dev = in_room(&server, "dev");
    let plain = Plain::new(&server);
    plain.send(b"hello lobby\n/join dev\nhello dev\n");
    dev.read_up_to(&format!("[{}] hello dev", plain.name));
    dev.send("hello you\n");
    let lines = plain.lines_until(&dev.line("hello you"));
    assert!(lines.contains(&"[*] You are in dev now: 2 present".to_owned()), "{lines:?}");
}

#[test]
fn clause_13_12_a_framed_member_is_told_to_come_back_and_nothing_that_it_says_meanwhile_is_taken() {
    let server = server(&["tcp"]);
    let mut reader = server.peer();
    reader.is_in();
    let (mut framed, welcome) = Framed::join_with(&server, Hello::default());
    framed.say("/join dev");
    framed.say("not said here");
    let mut items = Vec::new();
    let bye = loop {
        match framed.next() {
            Some(RoomFrame::Direct(direct)) => items.push(direct.item.clone()),
            Some(RoomFrame::Bye(reason)) => break reason,
            Some(RoomFrame::Entry(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(bye, LeaveReason::Quit);
    let room = Text::lossy("dev");
    assert!(matches!(&items[..], [DirectItem::Move { room: to }, DirectItem::Done { .. }] if *to == room));
    let (_dev, there) = Framed::join_with(&server, to("dev"));
    assert_eq!((there.resumed, there.taken), (false, Some(0)));
    assert_ne!(there.epoch, welcome.epoch);
    let mut other = server.peer();
    other.is_in();
    other.send("next\n");
    assert_eq!(reader.read_up_to(&other.line("next")), [other.line("next")]);
}
