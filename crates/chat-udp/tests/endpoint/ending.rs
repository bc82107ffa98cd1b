//! How memberships end and begin again, and what is sent again.

use super::*;

#[test]
fn a_client_notices_within_10_seconds_that_its_server_is_gone() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.say("hello?", now);
    let mut at = now;
    let mut out = Vec::new();
    while ann.session.end().is_none() {
        while ann.session.transmit(&mut out, at) {}
        at = ann.session.deadline().unwrap_or(at);
    }
    assert_eq!(ann.session.end(), Some(&SessionEnd::NoAnswer));
    assert_eq!(at - now, 10 * SECOND);
}

#[test]
fn a_member_that_leaves_and_loses_the_goodbye_is_told_again() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.session.send(MemberFrame::Bye, now);
    let mut byes = 0;
    while ann.session.end().is_none() {
        ann.exchange(&mut server, now, |to_server, _| {
            byes += u32::from(!to_server);
            to_server || byes == 2
        });
        now = now.max(ann.next_deadline(&server));
    }
    assert_eq!((ann.session.end(), byes), (Some(&SessionEnd::Left), 2));
    assert!(server.heard().contains(&"[*] 198.51.100.1:1 left".to_owned()));
}

#[test]
fn a_session_that_is_resumed_elsewhere_ends_with_a_word() {
    let now = begin();
    let mut server = Server::new(now);
    let (old, new) = (address("198.51.100.1:1"), address("198.51.100.1:2"));
    let (_, welcome) = server.join_with(old, 1, Hello::default(), now);
    let resume =
        Some(Resume { epoch: welcome.epoch, session: welcome.session, have: welcome.head, direct: 0 });
    server.room.notice("meanwhile").unwrap();
    server.sends(now);
    let cookie = Some(server.cookie(new, 2, now));
    let hello = MemberDatagram::Hello { nonce: 2, cookie, hello: Hello { resume, ..Hello::default() } };
    let answers = server.answers(new, &encode(&hello), now);
    assert!(self::welcome(&answers, new).is_some());
    let bye = |(to, bytes): &(SocketAddr, Vec<u8>)| {
        *to == old
            && matches!(
                RoomDatagram::decode(bytes),
                Ok(RoomDatagram::Bye { reason: LeaveReason::Replaced, .. })
            )
    };
    assert!(answers.iter().any(bye), "{answers:?}");
}

#[test]
fn a_session_that_is_resumed_gets_what_followed_the_newest_message() {
    let now = begin();
    let mut server = Server::new(now);
    let (old, new) = (address("198.51.100.1:1"), address("198.51.100.1:2"));
    let (_, welcome) = server.join_with(old, 1, Hello::default(), now);
    server.join(address("198.51.100.3:3"), 3, now);
    let resume =
        Some(Resume { epoch: welcome.epoch, session: welcome.session, have: welcome.head, direct: 0 });
    let cookie = Some(server.cookie(new, 2, now));
    let hello = MemberDatagram::Hello { nonce: 2, cookie, hello: Hello { resume, ..Hello::default() } };
    let mut answers = server.answers(new, &encode(&hello), now);
    let (session, _) = self::welcome(&answers, new).expect("it goes on");
    answers.extend(server.answers(new, &traffic(session, 1, &[]), now));
    let entries = answers.iter().filter(|(to, bytes)| *to == new && is_entries(bytes));
    assert!(entries.count() > 0, "it has not read that the other one joined: {answers:?}");
}

#[test]
fn history_and_resumption_begin_where_they_should() {
    let now = begin();
    let mut server = Server::new(now);
    for number in 1..=30 {
        server.room.notice(&number.to_string()).unwrap();
    }
    let mut ann = Client::with("198.51.100.1:1", Hello { history: 3, ..Hello::default() }, now);
    ann.open(&mut server, now);
    assert_eq!(ann.messages(), ["[*] 28", "[*] 29", "[*] 30"]);
    let mut bob = Client::new("198.51.100.2:1", now);
    bob.open(&mut server, now);
    assert_eq!(bob.messages(), <[String; 0]>::default());
}

#[test]
fn a_closing_room_gives_every_member_its_pending_output_and_a_goodbye() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    server.room.close("farewell", 60 * SECOND);
    server.endpoint.drain(now);
    let mut lost = 0;
    while !server.endpoint.is_drained() {
        ann.exchange(&mut server, now, |_, _| {
            lost += 1;
            lost > 2
        });
        now = now.max(ann.next_deadline(&server));
    }
    assert_eq!(ann.messages(), ["[*] farewell", "bye: server is stopping"]);
    assert_eq!(ann.session.end(), Some(&SessionEnd::Dismissed(LeaveReason::Stopping)));
}

#[test]
fn while_a_room_closes_members_that_leave_keep_nobody_from_its_goodbye() {
    let now = begin();
    let mut server = Server::new(now);
    let (ann, bob) = (address("198.51.100.1:1"), address("198.51.100.2:1"));
    let sessions = [(ann, server.join(ann, 1, now)), (bob, server.join(bob, 2, now))];
    server.room.close("farewell", 60 * SECOND);
    server.endpoint.drain(now);
    let sent = server.sends(now);
    for (peer, session) in sessions {
        let acks = sent.iter().filter(|(to, _)| *to == peer).filter_map(|(_, bytes)| {
            match RoomDatagram::decode(bytes).unwrap() {
                RoomDatagram::Entries { slot, entries, .. } => Some(slot + entry_count(entries)),
                _ => None,
            }
        });
        // Bob's acknowledgement was on its way when ann left, so it does not cover that.
        let ack = Ack { next: acks.max().unwrap(), ..Ack::default() };
        let traffic = traffic_of(session, Traffic { ack, first: 1, ..Traffic::default() });
        let answers = server.answers(peer, &encode(&traffic), now);
        let goodbye = encode_bye(session);
        assert!(answers.contains(&(peer, goodbye)), "{peer} gets no goodbye: {answers:?}");
    }
}

#[test]
fn an_author_is_the_address_it_joined_from() {
    let now = begin();
    let mut server = Server::new(now);
    let ann = address("[2001:db8::1]:9");
    let session = server.join(ann, 1, now);
    server.answers(ann, &traffic(session, 1, &["hi"]), now);
    let entry = std::iter::from_fn(|| server.local.try_recv().ok()).find_map(|heard| match heard {
        chat_core::Heard::Entry(entry) => Some(entry).filter(|entry| entry.event.is_message()),
        _ => None,
    });
    assert!(
        matches!(&entry.unwrap().event, Event::Said { author: Author::Peer(peer), .. } if *peer == ann.into())
    );
}

#[test]
fn only_what_a_member_lacks_is_sent_again() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.messages();
    // The messages are so large that each has its own datagram.
    let large = |number: u32| format!("{number} {}", "x".repeat(900));
    (0..8).for_each(|number| server.room.notice(&large(number)).unwrap());
    let mut sent = Vec::new();
    while ann.heard.len() < 8 {
        ann.exchange(&mut server, now, |_, bytes| {
            let Ok(RoomDatagram::Entries { slot, entries, .. }) = RoomDatagram::decode(bytes) else {
                return true;
            };
            if entries.is_empty() {
                return true;
            }
            sent.push(slot);
            // The third and the fifth are lost at first.
            !(sent.len() == 3 || sent.len() == 5)
        });
        now = now.max(ann.next_deadline(&server));
    }
    let first = sent[0];
    let offsets: Vec<u64> = sent.iter().map(|slot| slot - first).collect();
    assert_eq!(offsets, [0, 1, 2, 3, 4, 5, 6, 7, 2, 4]);
    assert_eq!(ann.messages(), (0..8).map(|number| format!("[*] {}", large(number))).collect::<Vec<_>>());
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_moves_nothing() {
    let (now, ann) = (begin(), address("198.51.100.1:1"));
    let mut server = Server::new(now);
    let session = server.join(ann, 1, now);
    let mut beyond = chat_proto::SlotSet::default();
    beyond.insert(1);
    for ack in [Ack { next: 50, ..Ack::default() }, Ack { next: 0, beyond }, Ack { next: u64::MAX, beyond }] {
        let lie = traffic_of(session, Traffic { ping: true, ack, first: 1, ..Traffic::default() });
        server.answers(ann, &encode(&lie), now);
    }
    server.room.notice("hello").unwrap();
    let sent = server.sends(now);
    assert!(sent.iter().any(|(to, bytes)| *to == ann && is_entries(bytes)), "{sent:?}");
}

#[test]
fn a_kicked_member_that_does_not_acknowledge_it_is_told_again_up_to_three_times() {
    for heard in 1..=3 {
        let mut now = begin();
        let mut server = Server::new(now);
        let mut ann = Client::new("198.51.100.1:1", now);
        ann.open(&mut server, now);
        server.room.kick(ann.address.into(), "enough").unwrap();
        let mut byes = 0;
        while ann.session.end().is_none() {
            ann.exchange(&mut server, now, |to_server, bytes| {
                byes += u32::from(matches!(RoomDatagram::decode(bytes), Ok(RoomDatagram::Bye { .. })));
                to_server || byes == heard
            });
            now = now.max(server.endpoint.deadline().unwrap());
        }
        assert_eq!(ann.session.end(), Some(&SessionEnd::Dismissed(LeaveReason::kicked("enough").unwrap())));
        assert_eq!(byes, heard, "and no more once the peer has received it");
        assert!(now < begin() + 10 * SECOND);
    }
}

#[test]
fn a_silent_path_is_sent_less_and_less() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    let began = now;
    (0..100).for_each(|number| server.room.notice(&format!("{number} {}", "x".repeat(900))).unwrap());
    let mut datagrams = 0;
    loop {
        datagrams += server.sends(now).len();
        if server.room.stats().members == 0 {
            break;
        }
        now = now.max(server.endpoint.deadline().unwrap());
    }
    assert_eq!(now - began, 60 * SECOND);
    // The first window has ten datagrams. Then two are sent each time, every 2 s once the timeout has doubled.
    assert!((20..=80).contains(&datagrams), "{datagrams}");
}

#[test]
fn a_framed_member_that_quits_leaves_once_it_has_the_confirmation() {
    let mut now = begin();
    let mut server = Server::new(now);
    let peer = address("192.0.2.7:4000");
    let session = server.join(peer, 1, now);
    server.heard();
    let answers = server.answers(peer, &traffic(session, 1, &["/quit", "not said"]), now);
    let done = answers
        .iter()
        .any(|(_, bytes)| matches!(RoomDatagram::decode(bytes), Ok(RoomDatagram::Direct { .. })));
    assert!(done, "{answers:?}");
    assert_eq!(server.heard(), Vec::<String>::new(), "it may not know that its command was taken");
    // The confirmation is lost and sent again.
    now += 3 * SECOND;
    assert!(!server.sends(now).is_empty());
    let got = Traffic { direct: 1, first: 3, ..Traffic::default() };
    let answers = server.answers(peer, &encode(&traffic_of(session, got)), now);
    let [.., (_, bye)] = &answers[..] else { panic!("nothing is sent") };
    assert_eq!(RoomDatagram::decode(bye).unwrap(), RoomDatagram::Bye { session, reason: LeaveReason::Quit });
    assert_eq!(server.heard(), [format!("[*] {peer} left")]);
}
