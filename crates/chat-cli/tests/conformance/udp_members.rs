//! Clauses 11.8 to 11.12: what a framed member over UDP receives, and what it sends.

use chat_proto::{Ack, Hello, LeaveReason, MemberDatagram, Resume, SlotSet, Traffic};

use crate::datagrams::{Got, Member};
use crate::support::Server;

#[test]
fn clause_11_8_entries_come_in_slots_without_gaps_several_per_datagram() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut speaker = server.peer();
    let mut member = Member::join(&server);
    let expected: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
    speaker.send(expected.join("\n") + "\n");
    let (mut seqs, mut datagrams) = (Vec::new(), 0);
    while seqs.len() < expected.len() {
        let slot_before = member.slot;
        if let Got::Entries { slot, entries, is_next: true, skip: None } = member.next() {
            assert_eq!(slot, slot_before);
            seqs.extend(entries.iter().filter(|entry| entry.event.is_message()).map(|entry| entry.seq));
            datagrams += 1;
            member.acknowledge(false);
        }
    }
    assert_eq!(seqs, (1..=2_000).collect::<Vec<u64>>());
    assert!(datagrams < 500, "{datagrams} datagrams");
}

#[test]
fn clause_11_9_what_is_not_acknowledged_is_sent_again() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut speaker = server.peer();
    let mut member = Member::join(&server);
    speaker.send("hello\n");
    // The member ignores the entry four times.
    let slot = member.slot;
    for _ in 0..4 {
        match member.next() {
            Got::Entries { slot: at, entries, .. } if !entries.is_empty() => assert!(at <= slot),
            other => panic!("{other:?}"),
        }
        member.slot = slot;
    }
    assert_eq!(member.texts_until("hello"), ["hello"]);
}

#[test]
fn clause_11_9_only_what_is_lacking_is_sent_again() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut speaker = server.peer();
    let mut member = Member::join(&server);
    // The messages are so long that each datagram holds one entry.
    let long = "x".repeat(900);
    speaker.send((0..6).map(|number| format!("{number} {long}\n")).collect::<String>());
    let first = member.slot;
    let mut slots = Vec::new();
    while slots.len() < 6 {
        if let Got::Entries { slot, entries, .. } = member.next()
            && !entries.is_empty()
            && entries[0].event.is_message()
            && !slots.contains(&slot)
        {
            assert_eq!(entries.len(), 1);
            slots.push(slot);
        }
    }
    // The member reports that it lacks the third entry.
    let mut beyond = SlotSet::default();
    (1..4).for_each(|offset| assert!(beyond.insert(offset)));
    let lacking = slots[2];
    assert!(lacking >= first);
    let ack = Ack { next: lacking, beyond };
    let traffic = Traffic { ack, first: 1, ..Traffic::default() };
    let traffic = MemberDatagram::Traffic { session: member.session, traffic };
    member.peer.send_datagram(&traffic);
    loop {
        match member.next() {
            Got::Entries { slot, entries, .. } if !entries.is_empty() => break assert_eq!(slot, lacking),
            _ => {}
        }
    }
}

#[test]
fn clause_11_10_a_lagged_member_is_told_exactly_what_it_missed() {
    let server = Server::over(&["tcp", "udp"], &["--log", "1"]);
    let mut member = Member::join(&server);
    let (mut speaker, mut witness) = (server.peer(), server.peer());
    let long = "long ".repeat(150);
    for batch in 0..40 {
        speaker.send(format!("{batch} {long}\n").repeat(100) + &format!("{batch} is all\n"));
        witness.read_up_to(&speaker.line(&format!("{batch} is all")));
    }
    let head = 40 * 101;
    let (mut seq, mut missed) = (0, 0);
    while seq < head {
        let Got::Entries { skip, entries, is_next, .. } = member.next() else { panic!("it stays a member") };
        // Datagrams that repeat earlier entries are skipped.
        if is_next {
            if let Some(skip) = &skip {
                assert!(skip.seq >= seq && skip.head <= head, "{skip:?}");
                missed += skip.seq - seq;
                seq = skip.seq;
            }
            for entry in entries.iter().filter(|entry| entry.event.is_message()) {
                assert_eq!(entry.seq, seq + 1);
                seq = entry.seq;
            }
            member.acknowledge(false);
        }
    }
    assert!(missed > 0, "the sockets have held it all: the test shows nothing");
    speaker.send("that is all\n");
    assert_eq!(member.texts_until("that is all"), ["that is all"]);
}

#[test]
fn clause_11_11_each_message_is_taken_once_and_in_order_however_often_and_in_whatever_order_it_comes() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut reader = server.peer();
    let mut member = Member::join(&server);
    member.send_says(false, 3, &["3", "4"]); // too early
    member.send_says(false, 2, &["2"]);
    member.send_says(false, 1, &["1", "2"]);
    member.send_says(false, 1, &["1", "2", "3", "4"]);
    member.send_says(false, 2, &["2", "3", "4", "5"]);
    member.send_says(false, 5, &["5", "6"]);
    let last = format!("[{}] 6", member.name());
    let expected: Vec<String> = (1..=6).map(|number| format!("[{}] {number}", member.name())).collect();
    assert_eq!(reader.read_up_to(&last), expected);
    assert_eq!(member.texts_until("6"), ["1", "2", "3", "4", "5", "6"]);
    while member.taken < 6 {
        member.acknowledge(true);
        member.next();
    }
}

#[test]
fn clause_11_12_a_ping_is_answered_with_entries_empty_if_need_be() {
    let server = Server::over(&["udp"], &[]);
    let mut member = Member::join(&server);
    for _ in 0..3 {
        member.acknowledge(true);
        loop {
            match member.next() {
                Got::Entries { entries, .. } if entries.is_empty() => break,
                Got::Entries { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn clause_6_9_over_udp_a_session_is_resumed_too() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut speaker = server.peer();
    let mut old = Member::join(&server);
    speaker.send("1\n2\n3\n");
    old.texts_until("3");
    let resume = Some(Resume { epoch: old.welcome.epoch, session: old.welcome.session, have: 1, direct: 0 });
    let mut new = Member::join_with(&server, Hello { resume, ..Hello::default() });
    assert_eq!(old.bye(), LeaveReason::Replaced);
    speaker.send("4\n");
    let mut texts = new.texts_until("4");
    // The texts before it are those that `join_with` has not read already.
    texts.retain(|text| text != "4");
    assert!(["2", "3"].ends_with(&texts.iter().map(String::as_str).collect::<Vec<_>>()), "{texts:?}");
}

#[test]
fn clause_6_12_over_udp_who_is_present_is_told_too() {
    let server = Server::over(&["udp"], &[]);
    let mut member = Member::join(&server);
    member.peer.send_datagram(&MemberDatagram::Who { session: member.session });
    loop {
        if let Got::Present(present) = member.next() {
            assert_eq!(present.authors, [member.name().parse().unwrap()]);
            break;
        }
    }
}
