//! Section 13: commands, names and private messages, as plain members use them.

use chat_proto::{DirectItem, Hello, LeaveReason, RoomFrame};

use crate::datagrams::Plain;
use crate::frames::Framed;
use crate::support::Server;

#[test]
fn clause_13_1_what_begins_with_a_slash_is_never_said_and_two_slashes_say_one() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut reader = server.peer();
    reader.is_in();
    let mut plain = server.peer();
    plain.send("/nikc ann\n/help nick\n//usr/bin\n");
    assert_eq!(reader.read_up_to(&plain.line("/usr/bin")), [plain.line("/usr/bin")]);
    let told = plain.read_up_to("[*] /nick [NAME]: Take a name; without one, give yours up");
    assert_eq!(told[0], "[*] There is no /nikc. Did you mean /nick?");

    let over_udp = Plain::new(&server);
    over_udp.send(b"/nikc ann\n//usr/bin\n");
    let line = format!("[{}] /usr/bin", over_udp.name);
    assert_eq!(over_udp.lines_until(&line), [told[0].clone(), line.clone()]);
    assert_eq!(reader.read_up_to(&line), [line]);

    for blank in [" ", "\t", "\u{a0}", "  \u{3000}"] {
        plain.send(format!("{blank}/oper secret\n{blank}//home\n"));
        let said = plain.line(&format!("{}/home", blank.replace('\t', " ")));
        assert_eq!(reader.read_up_to(&said), [said]);
    }
    plain.send("/oper\u{a0}secret\n");
    let told = plain.read_up_to("[*] This room has no operator password");
    assert!(!told.concat().contains("secret"), "{told:?}");

    let (mut framed, welcome) = Framed::join(&server);
    assert_eq!(welcome.capabilities & 1, 1);
    framed.say("//usr/bin");
    assert!(framed.message().event.to_string().ends_with("] /usr/bin"));
    framed.say(" //home");
    assert!(framed.message().event.to_string().ends_with("]  /home"));
}

#[test]
fn clause_13_2_the_answer_to_a_framed_member_comes_in_the_direct_lane_and_confirms_the_number() {
    let server = Server::start();
    let (mut framed, _) = Framed::join_with(&server, Hello::default());
    framed.say("/who");
    let mut lines = Vec::new();
    let number = loop {
        match framed.next() {
            Some(RoomFrame::Direct(direct)) => match &direct.item {
                DirectItem::Notice { text } => lines.push(text.to_string()),
                DirectItem::Done { number } => break *number,
                other => panic!("{other:?}"),
            },
            Some(RoomFrame::Entry(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(number > 0);
    assert_eq!((lines.len(), lines[0].as_str()), (2, "1 present"), "the server itself is not there");
}

#[test]
fn clause_13_2_a_member_that_quits_has_left_and_gets_what_it_is_owed_first() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let (mut reader, mut plain) = (server.peer(), server.peer());
    reader.is_in();
    plain.is_in();
    plain.send("goodbye\n/quit\nnot said\n");
    reader.read_up_to(&plain.line("goodbye"));
    plain.read_up_to("[*] Closed: you have left");
    assert_eq!(plain.recv(), b"");

    let over_udp = Plain::new(&server);
    over_udp.send(b"goodbye\n/quit\nnot said\n");
    assert_eq!(over_udp.recv_text(), "[*] Closed: you have left\n");

    let (mut framed, _) = Framed::join(&server);
    framed.say("/quit");
    assert_eq!(framed.bye(), LeaveReason::Quit);

    // Only the reader is left.
    reader.send("/who\n");
    reader.read_up_to("[*] 1 present");
    assert!(!reader.text().contains("not said"));
}

#[test]
fn clause_13_3_a_member_with_a_name_is_shown_by_it_and_no_other_gets_one_that_looks_like_it() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let (mut reader, mut ann) = (server.peer(), server.peer());
    reader.is_in();
    ann.send("/nick ann\n");
    ann.read_up_to("[*] You are ann");
    ann.send("hello\n");
    assert_eq!(reader.read_up_to("[ann] hello"), ["[ann] hello"]);

    let bob = Plain::new(&server);
    bob.send(b"/nick ANN");
    let told = bob.recv_text();
    assert!(told.contains("is taken") && told.contains("is free"), "a free one is suggested: {told}");
    bob.send(b"/nick server");
    assert!(bob.recv_text().starts_with("[*] "));
    bob.send(b"/nick bob\nhello");
    let lines = bob.lines_until("[bob] hello");
    assert_eq!(lines.last().unwrap(), "[bob] hello");
    reader.read_up_to("[bob] hello");
}

#[test]
fn clause_13_6_a_private_message_is_read_by_one_member_and_its_sender_is_told_where_it_went() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let (mut reader, mut ann) = (server.peer(), server.peer());
    reader.is_in();
    let bob = Plain::new(&server);
    ann.send("/nick ann\n");
    ann.read_up_to("[*] You are ann");
    bob.send(b"/nick bob\nhello\n");
    bob.lines_until("[bob] hello");
    ann.read_up_to("[bob] hello");
    ann.send("/msg bob between us\n");
    ann.read_up_to("[you -> bob] between us");
    bob.lines_until("[ann -> you] between us");
    bob.send(b"/reply indeed\n");
    ann.read_up_to("[bob -> you] indeed");
    bob.lines_until("[you -> ann] indeed");
    ann.send("/msg zoe hi\n");
    ann.read_up_to("[*] zoe is not here. /who tells who is.");
    ann.send("that is all\n");
    reader.read_up_to("[ann] that is all");
    assert!(!reader.text().contains("between us") && !reader.text().contains("indeed"));
}

#[test]
fn clause_13_7_a_plain_member_is_not_sent_what_a_member_says_that_it_ignores() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let (mut ann, mut bob, mut zoe) = (server.peer(), server.peer(), server.peer());
    zoe.is_in();
    bob.send("/nick bob\n");
    bob.read_up_to("[*] You are bob");
    let over_udp = Plain::new(&server);
    ann.send("/ignore bob\n");
    ann.read_up_to("[*] You no longer see what bob says. /unignore bob ends that.");
    over_udp.send(b"/ignore bob\n");
    over_udp.lines_until("[*] You no longer see what bob says. /unignore bob ends that.");
    for number in 0..10 {
        bob.send(format!("{number}\n"));
        zoe.read_up_to(&format!("[bob] {number}"));
    }
    zoe.send("that is all\n");
    let last = zoe.line("that is all");
    assert_eq!(ann.read_up_to(&last), std::slice::from_ref(&last));
    assert_eq!(over_udp.lines_until(&last), [last]);
}
