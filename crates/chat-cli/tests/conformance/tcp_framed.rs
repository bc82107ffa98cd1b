//! Section 6: framed TCP.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use chat_proto::limits::{FRAME_BYTES_MAX, PRESENCE_MEMBERS_MAX, PRESENT_AUTHORS_MAX};
use chat_proto::{
    Author, DirectItem, Entry, Event, Hello, LeaveReason, LookBack, MemberFrame, MemberId, Origin, PREFACE,
    Resume, RoomFrame, Session, Text, Welcome,
};

use crate::frames::{Framed, encoded, opening, say, text};
use crate::support::{Peer, Process, Server, client_command};

#[test]
fn clause_6_1_the_preface_is_answered_with_the_same_six_bytes() {
    let server = Server::start();
    let mut peer = Framed::connect(&server);
    peer.send_bytes(&PREFACE);
    let mut answer = [0; 6];
    peer.socket.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\xf5chat\x02");
}

#[test]
fn clause_6_1_another_version_is_told_ours_and_goodbye() {
    let server = Server::start();
    for version in [0, 1, 255] {
        let mut peer = Framed::connect(&server);
        peer.send_bytes(&[b"\xf5chat", &[version][..]].concat());
        assert_eq!(peer.bye(), LeaveReason::version());
    }
}

#[test]
fn clause_6_2_a_frame_of_a_wrong_length_or_whose_fields_make_no_sense_ends_the_connection() {
    let server = Server::start();
    let (mut reader, _) = Framed::join(&server);
    let too_long = u16::try_from(FRAME_BYTES_MAX + 1).unwrap().to_le_bytes();
    let wrong: [&[u8]; 6] = [
        &[0, 0],
        &too_long,
        &[0xff, 0xff],
        &[1, 0, 2],
        &[5, 0, 2, 251, 200, b'h', b'i'],
        &[6, 0, 2, 251, 255, 255, 1, 0xff],
    ];
    for bytes in wrong {
        let (mut peer, _) = Framed::join(&server);
        peer.say("before");
        peer.send_bytes(&[bytes, &encoded(&say("after"))].concat());
        assert_eq!(peer.bye(), LeaveReason::Protocol, "{bytes:02x?}");
        server.has_closed(&peer.name, Some("broke the protocol"));
    }
    reader.say("that is all");
    let texts = reader.texts_until("that is all");
    assert_eq!(texts[..texts.len() - 1], ["before"; 6], "nothing after the fault");
}

#[test]
fn clause_6_2_unknown_kinds_and_what_follows_the_known_fields_are_skipped() {
    let server = Server::start();
    let (mut peer, _) = Framed::join(&server);
    peer.send_bytes(&[4, 0, 0x4d, 1, 2, 3]);
    let mut said = encoded(&say("hello"));
    said[0] += 3;
    said.extend([7, 8, 9]);
    peer.send_bytes(&said);
    assert_eq!(peer.texts_until("hello"), ["hello"]);
}

#[test]
fn clause_6_2_a_session_is_the_same_whole_byte_by_byte_and_coalesced() {
    let texts: Vec<String> = crate::corpus::corpus().into_iter().flat_map(|(_, texts)| texts).collect();
    for piece in [usize::MAX, 1, 3] {
        let server = Server::start();
        let mut reader = server.peer();
        let mut peer = Framed::connect(&server);
        let mut bytes = opening(Hello::default());
        texts.iter().for_each(|text| say(text).encode(&mut bytes));
        say("that is all").encode(&mut bytes);
        bytes.chunks(piece).for_each(|piece| peer.send_bytes(piece));
        assert_eq!(peer.welcome().head, 0);
        let confirmed = peer.texts_until("that is all");
        assert_eq!(confirmed[..texts.len()], texts, "in pieces of {piece}");
        let lines = reader.read_up_to(&format!("[{}] that is all", peer.name));
        let prefix = format!("[{}] ", peer.name);
        assert!(lines.iter().zip(&confirmed).all(|(line, text)| line.strip_prefix(&prefix) == Some(text)));
    }
}

#[test]
fn clause_6_3_a_client_ignores_what_comes_before_the_preface() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut bytes = b"[127.0.0.1:1] a line from before\n[127.0.0.1:1] and one more\n".to_vec();
        bytes.extend(PREFACE);
        RoomFrame::Welcome(Box::new(welcome_by_hand())).encode(&mut bytes);
        let author = Author::Peer("127.0.0.1:3".parse().unwrap());
        let event = Event::Said { from: Origin::default(), author, text: "hello".parse().unwrap() };
        RoomFrame::Entry(Entry { seq: 1, at_ms: 0, event }.into()).encode(&mut bytes);
        socket.write_all(&bytes).unwrap();
        let _until_it_leaves = socket.read_to_end(&mut Vec::new());
    });
    let mut client = Process::start(&mut client_command(address, &["--stay"]));
    client.stdout.wait_for_line("[127.0.0.1:3] hello");
    assert_eq!(client.stdout.lines(), ["[127.0.0.1:3] hello"]);
    client.kill();
    server.join().unwrap();
}

/// The welcome with which a server begins.
fn welcome_by_hand() -> Welcome {
    let you = "127.0.0.1:2";
    Welcome {
        version: 2,
        capabilities: 0,
        epoch: 1,
        session: Session { member: MemberId::new(1), since: 0, key: 7 },
        resumed: false,
        taken: Some(0),
        you: you.parse().unwrap(),
        address: you.parse().unwrap(),
        room: None,
        name: None,
        topic: None,
        head: 0,
        began_unix_ms: 0,
        members: 1,
    }
}

#[test]
fn clause_6_4_the_first_frame_is_a_hello_and_there_is_one() {
    let server = Server::start();
    for first in [say("hello"), MemberFrame::Who, MemberFrame::Bye] {
        let mut peer = Framed::connect(&server);
        peer.send_bytes(&[&PREFACE[..], &encoded(&first)].concat());
        assert_eq!(peer.bye(), LeaveReason::Protocol, "{first:?}");
    }
    let (mut peer, _) = Framed::join(&server);
    peer.send(&MemberFrame::Hello(Hello::default()));
    assert_eq!(peer.bye(), LeaveReason::Protocol);
}

#[test]
fn clause_6_7_a_member_is_welcomed_with_the_head_and_as_much_history_as_it_asks_for_and_the_room_gives() {
    let server = Server::start();
    let mut speaker = server.peer();
    speaker.send((1..=30).map(|number| format!("{number}\n")).collect::<String>());
    server.process.stdout.wait_for_line(&speaker.line("30"));
    let mut members = [(0, 31), (5, 26), (u16::MAX, 11)].map(|(history, first)| {
        let (peer, welcome) = Framed::join_with(&server, Hello { history, ..Hello::default() });
        assert_eq!((welcome.head, welcome.you.to_string()), (30, peer.name.clone()));
        (peer, first)
    });
    speaker.send("31\n");
    for (peer, first) in &mut members {
        let texts = peer.texts_until("31");
        assert_eq!(texts, (*first..=31).map(|number: u32| number.to_string()).collect::<Vec<_>>());
    }
}

#[test]
fn clause_6_8_a_members_own_messages_come_back_at_their_place() {
    let server = Server::start();
    let (mut ann, _) = Framed::join(&server);
    let (mut bob, _) = Framed::join(&server);
    for number in 0..50 {
        ann.say(&format!("ann {number}"));
        bob.say(&format!("bob {number}"));
    }
    let read = |peer: &mut Framed| (0..100).map(|_| peer.message()).collect::<Vec<_>>();
    let (of_ann, of_bob) = (read(&mut ann), read(&mut bob));
    assert_eq!(of_ann, of_bob);
    for (number, entry) in of_ann.iter().enumerate() {
        assert_eq!(entry.seq, number as u64 + 1);
    }
    let own = of_ann.iter().map(|entry| text(&entry.event)).filter(|text| text.starts_with("ann"));
    assert_eq!(own.collect::<Vec<_>>(), (0..50).map(|number| format!("ann {number}")).collect::<Vec<_>>());
}

#[test]
fn clause_6_9_a_resumed_member_goes_on_after_what_it_has_and_its_old_connection_is_told() {
    let server = Server::start();
    let mut speaker = server.peer();
    let (mut old, welcome) = Framed::join(&server);
    speaker.send("1\n2\n3\n");
    while old.message().seq < 3 {}
    let resume = Some(Resume { epoch: welcome.epoch, session: welcome.session, have: 1, direct: 0 });
    let (mut new, again) = Framed::join_with(&server, Hello { resume, ..Hello::default() });
    assert_eq!((again.epoch, again.session.since, again.head), (welcome.epoch, 1, 3));
    assert_eq!(
        (again.resumed, again.session.member),
        (true, welcome.session.member),
        "it is the same member"
    );
    assert_eq!(old.bye(), LeaveReason::Replaced);
    speaker.send("4\n");
    assert_eq!(new.texts_until("4"), ["2", "3", "4"]);
}

/// A `Welcome` is lost on its way, and the same key is used again and again.
#[test]
fn clause_6_9_a_session_is_one_member_however_often_it_is_resumed_and_says_everything_once() {
    let server = Server::start();
    let mut witness = server.peer();
    let (_first, welcome) = Framed::join(&server);
    let resume = Some(Resume { epoch: welcome.epoch, session: welcome.session, have: 0, direct: 0 });
    let mut connections = Vec::new();
    for number in 1..=20 {
        let (mut peer, again) = Framed::join_with(&server, Hello { resume, ..Hello::default() });
        assert_eq!((again.session.member, again.taken), (welcome.session.member, Some(number - 1)));
        assert_eq!(again.members, 2, "the witness, and this one");
        // The client says everything again that it said before, as if no welcome had come.
        for number in 1..=number {
            peer.send(&MemberFrame::Say { number, text: number.to_string().parse().unwrap() });
        }
        assert_eq!(peer.texts_until(&number.to_string()).len(), usize::try_from(number).unwrap());
        connections.push(peer);
    }
    let lines = witness.read_up_to("] 20");
    assert_eq!(lines.len(), 20, "{lines:?}");
    connections.pop();
    assert!(connections.into_iter().all(|mut old| old.bye() == LeaveReason::Replaced));
}

#[test]
fn clause_6_9_a_wrong_key_epoch_or_beginning_resumes_nothing_and_replaces_nobody() {
    let server = Server::start();
    let mut speaker = server.peer();
    speaker.send("1\n2\n");
    server.process.stdout.wait_for_line(&speaker.line("2"));
    let (mut victim, welcome) = Framed::join(&server);
    let right = Resume { epoch: welcome.epoch, session: welcome.session, have: 2, direct: 0 };
    let session = Session { key: !welcome.session.key, ..welcome.session };
    let wrong = [
        Resume { session, ..right },
        Resume { epoch: !welcome.epoch, ..right },
        Resume { have: 1, ..right }, // before its membership began
    ];
    for (number, resume) in wrong.into_iter().enumerate() {
        let (mut stranger, welcome) =
            Framed::join_with(&server, Hello { resume: Some(resume), ..Hello::default() });
        let next = number as u64 + 3;
        assert_eq!(welcome.session.since, next - 1, "{resume:?}");
        speaker.send(format!("{next}\n"));
        assert_eq!(stranger.message().seq, next, "{resume:?}");
    }
    victim.say("still here");
    assert_eq!(victim.texts_until("still here"), ["3", "4", "5", "still here"]);
}

#[test]
fn clause_6_10_a_lagged_member_is_told_exactly_what_it_missed_and_which_of_its_messages_were_accepted() {
    const MESSAGES: u64 = 12_000;
    let server = Server::with(&["--log", "1"]);
    let mut speaker = server.peer();
    let mut witness = server.peer();
    let (mut stalled, _) = Framed::join(&server);
    let mine = say("mine");
    let MemberFrame::Say { number, .. } = mine else { panic!("{mine:?}") };
    stalled.send(&mine);
    witness.read_up_to(&format!("[{}] mine", stalled.name));
    let long = "long ".repeat(150);
    for batch in 0..MESSAGES / 100 {
        speaker.send(format!("{batch} {long}\n").repeat(100) + &format!("{batch} is all\n"));
        witness.read_up_to(&speaker.line(&format!("{batch} is all")));
    }
    let head = 1 + MESSAGES + MESSAGES / 100;
    let (mut seq, mut skipped) = (0, 0);
    while seq < head {
        match stalled.next().expect("it stays a member") {
            RoomFrame::Entry(entry) if entry.event.is_message() => {
                assert_eq!(entry.seq, seq + 1);
                seq = entry.seq;
            }
            RoomFrame::Lagged(lagged) => {
                assert_eq!((lagged.messages, lagged.taken), (lagged.next - seq - 1, number));
                assert!(lagged.head >= lagged.next && lagged.head <= head, "{lagged:?}");
                skipped += lagged.messages;
                seq = lagged.next - 1;
            }
            _ => {}
        }
    }
    assert!(skipped > 0, "the sockets have held it all: the test shows nothing");
}

#[test]
fn clause_6_11_single_joins_and_leaves_are_not_told_in_a_room_of_more_than_50() {
    let server = Server::start();
    let (mut reader, _) = Framed::join(&server);
    let guests: Vec<Peer> = (0..PRESENCE_MEMBERS_MAX + 9).map(|_| server.peer()).collect();
    reader.say("all are here");
    let mut joined = BTreeSet::new();
    loop {
        match &reader.entry().event {
            Event::Joined { author, .. } => drop(joined.insert(author.to_string())),
            event if event.is_message() => break,
            _ => {}
        }
    }
    let (early, late) = guests.split_at(PRESENCE_MEMBERS_MAX as usize - 1);
    assert!(early.iter().all(|guest| joined.contains(&guest.name)), "{joined:?}");
    assert!(late.iter().all(|guest| !joined.contains(&guest.name)), "{joined:?}");
}

#[test]
fn clause_6_12_who_is_answered_with_the_first_64_addresses() {
    let server = Server::start();
    let (mut few, _) = Framed::join(&server);
    let ask = |peer: &mut Framed| {
        peer.send(&MemberFrame::Who);
        loop {
            if let Some(RoomFrame::Present(present)) = peer.next() {
                return present;
            }
        }
    };
    let alone = ask(&mut few);
    assert_eq!((alone.members, alone.authors, alone.more), (1, vec![few.name.parse().unwrap()], false));
    let _guests: Vec<Peer> = (0..PRESENT_AUTHORS_MAX + 5).map(|_| server.peer()).collect();
    let many = ask(&mut few);
    assert_eq!(
        (many.members as usize, many.authors.len(), many.more),
        (PRESENT_AUTHORS_MAX + 6, PRESENT_AUTHORS_MAX, true)
    );
}

#[test]
fn clause_6_15_old_messages_come_page_by_page_and_a_question_is_answered_once() {
    let server = Server::start();
    let (mut ann, _) = Framed::join(&server);
    for word in ["tea", "coffee", "more tea"] {
        ann.say(word);
    }
    ann.texts_until("more tea");
    let mut page = |number, question: LookBack| {
        ann.send(&MemberFrame::LookBack { number, question });
        let mut messages = Vec::new();
        loop {
            let RoomFrame::Direct(direct) = ann.next().expect("the connection stands") else { continue };
            match &direct.item {
                DirectItem::OldMessage { question, entry } if *question == number => {
                    messages.push((entry.seq, text(&entry.event)));
                }
                DirectItem::OldEnd { question, more, why: None } if *question == number => {
                    return (messages, *more);
                }
                item => panic!("{item:?}"),
            }
        }
    };
    let message = |seq, text: &str| (seq, text.to_owned());
    assert_eq!(page(1, LookBack::newest(2)), (vec![message(2, "coffee"), message(3, "more tea")], true));
    assert_eq!(page(2, LookBack::newest(2).before(2)), (vec![message(1, "tea")], false));
    let words = LookBack::newest(50).with_words(Text::one_line("TEA").unwrap());
    assert_eq!(page(3, words), (vec![message(1, "tea"), message(3, "more tea")], false));
    // A repeated question is not answered.
    ann.send(&MemberFrame::LookBack { number: 3, question: LookBack::newest(1) });
    ann.send(&MemberFrame::LookBack { number: 4, question: LookBack::newest(1).by("zoe".parse().unwrap()) });
    let answer = loop {
        if let RoomFrame::Direct(direct) = ann.next().expect("the connection stands") {
            break direct.item.clone();
        }
    };
    assert_eq!(answer, DirectItem::OldEnd { question: 4, more: false, why: None });
}

#[test]
fn clause_6_13_a_goodbye_leaves_and_an_end_without_it_is_a_lost_connection() {
    let server = Server::start();
    let (mut polite, _) = Framed::join(&server);
    polite.send(&MemberFrame::Bye);
    assert_eq!(polite.bye(), LeaveReason::Quit);
    server.has_closed(&polite.name, None);
    let (lost, _) = Framed::join(&server);
    let name = lost.name.clone();
    drop(lost);
    server.has_closed(&name, Some("connection lost"));
}
