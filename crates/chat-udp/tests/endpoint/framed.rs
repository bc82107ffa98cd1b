//! What members say and read, and the paths between them and the server.

use super::*;

#[test]
fn a_members_messages_come_back_to_it_in_order() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.say("one", now);
    ann.say("two", now);
    ann.open(&mut server, now);
    assert_eq!(ann.messages(), ["[198.51.100.1:1] one", "[198.51.100.1:1] two"]);
    assert!(ann.session.is_sent());
}

#[test]
fn the_last_datagram_of_all_arrives_even_if_it_is_lost_three_times() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    server.room.notice("the tail").unwrap();
    let mut lost = 0;
    while ann.messages() != ["[*] the tail"] {
        ann.exchange(&mut server, now, |_, bytes| {
            let passes = !is_entries(bytes) || lost == 3;
            lost += u32::from(!passes);
            passes
        });
        now = now.max(ann.next_deadline(&server));
        assert!(lost <= 3);
    }
    assert_eq!(lost, 3);
    assert!(now < begin() + 60 * SECOND);
}

#[test]
fn a_message_whose_acknowledgement_is_lost_is_said_once() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.say("once", now);
    for _ in 0..5 {
        ann.exchange(&mut server, now, |to_server, _| to_server);
        now = now.max(ann.session.deadline().unwrap());
    }
    ann.open(&mut server, now);
    assert_eq!(ann.messages(), ["[198.51.100.1:1] once"]);
    assert_eq!(server.room.stats().messages, 1);
}

#[test]
fn a_lagged_member_learns_exactly_what_it_missed() {
    let mut now = begin();
    let config = RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN);
    let mut server = Server::with(config, "192.0.2.1:5555", now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    ann.messages();
    // No datagram arrives while the log's tail passes the member's cursor.
    for number in 1..=3_000 {
        server.room.notice(&format!("{number}")).unwrap();
        if number % 100 == 0 {
            ann.exchange(&mut server, now, |_, _| false);
        }
    }
    while ann.heard.last().is_none_or(|last| last != "[*] 3000") {
        now = now.max(ann.next_deadline(&server));
        ann.open(&mut server, now);
    }
    let heard = ann.messages();
    let missed: usize = heard[0].strip_prefix("missed ").unwrap().parse().unwrap();
    assert_eq!(heard.len() - 1 + missed, 3_000);
    assert_eq!(heard[1], format!("[*] {}", missed + 1));
    assert_eq!(server.room.stats().missed, missed as u64);
}

#[test]
fn a_member_over_its_rate_limit_waits_and_loses_nothing() {
    let mut now = begin();
    let rate = Rate { burst: 2.try_into().unwrap(), per_second: 10.try_into().unwrap() };
    let config = RoomConfig::default().with_rate(Some(rate));
    let mut server = Server::with(config, "192.0.2.1:5555", now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    (0..12).for_each(|number| ann.say(&number.to_string(), now));
    ann.open(&mut server, now);
    assert_eq!(ann.messages().len(), 3);
    let began = now;
    let mut heard = Vec::new();
    while heard.len() < 9 {
        now = now.max(ann.next_deadline(&server));
        ann.open(&mut server, now);
        heard.extend(ann.messages());
    }
    assert_eq!(heard, (3..12).map(|number| format!("[198.51.100.1:1] {number}")).collect::<Vec<_>>());
    assert_eq!(now - began, 900 * MS, "as fast as the rate allows");
}

#[test]
fn a_new_address_of_a_member_is_followed_only_after_it_is_proved() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    let (old, new) = (ann.address, address("203.0.113.9:9"));

    // The first datagram from the new address is answered there with a challenge and nothing else.
    ann.say("from elsewhere", now);
    let mut out = Vec::new();
    assert!(ann.session.transmit(&mut out, now));
    let answers = server.answers(new, &out, now);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].0 == new && answers[0].1.len() <= out.len());
    assert!(matches!(RoomDatagram::decode(&answers[0].1), Ok(RoomDatagram::Challenge { .. })));
    server.room.notice("to the old address").unwrap();
    let sent = server.sends(now);
    assert!(!sent.is_empty() && sent.iter().all(|(to, _)| *to == old));
    assert_eq!(server.room.stats().messages, 1, "what came from there is not taken yet");

    // A cookie that proves another address, or is invented, moves nothing.
    let RoomDatagram::Challenge { cookie } = RoomDatagram::decode(&answers[0].1).unwrap() else { panic!() };
    let Ok(MemberDatagram::Traffic { session, .. }) = MemberDatagram::decode(&out) else { panic!() };
    let path = |cookie| encode(&MemberDatagram::Path { session, cookie });
    server.answers(address("203.0.113.10:9"), &path(cookie), now);
    server.answers(new, &path(Cookie([0; 12])), now);
    server.room.notice("still to the old one").unwrap();
    assert!(server.sends(now).iter().all(|(to, _)| *to == old));

    // The echo of the right cookie moves the session.
    ann.address = new;
    ann.session.receive(&answers[0].1, now);
    ann.open(&mut server, now);
    let later = now + 3 * SECOND;
    ann.open(&mut server, later);
    let messages = ann.messages();
    assert_eq!(messages.last().map(String::as_str), Some("[198.51.100.1:1] from elsewhere"), "{messages:?}");
    assert_eq!(messages.len(), 3);
    assert_eq!(server.room.stats().joined, 1);
}

#[test]
fn a_silent_member_is_asked_for_and_lost_after_a_minute() {
    let now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    // With keep-alives the member stays for ever.
    let mut at = now;
    while at < now + 600 * SECOND {
        at = at.max(ann.next_deadline(&server));
        ann.open(&mut server, at);
    }
    assert_eq!(server.room.stats().members, 1);
    // Without keep-alives the member leaves.
    server.sends(at + 61 * SECOND);
    assert_eq!(server.room.stats().members, 0);
    assert!(server.heard().last().is_some_and(|line| line.ends_with("left (idle for too long)")));
}

#[test]
fn a_client_that_is_asked_for_proof_again_and_again_says_a_hello_per_second_and_gives_up() {
    let now = begin();
    let mut session = ClientSession::new(9, Hello::default(), now);
    let (mut at, mut hellos, mut out) = (now, 0, Vec::new());
    while session.end().is_none() {
        while session.transmit(&mut out, at) {
            hellos += 1;
            // Each time another cookie arrives, as from two servers behind one address, and copies of it.
            for copy in 0..3 {
                let mut retry = Vec::new();
                let cookie = Cookie([hellos, copy, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                RoomDatagram::Retry { nonce: 9, cookie }.encode(&mut retry);
                session.receive(&retry, at);
            }
        }
        at = at.max(session.deadline().unwrap_or(at));
    }
    assert_eq!(session.end(), Some(&SessionEnd::NoWelcome));
    assert_eq!(at - now, 10 * SECOND);
    assert!(hellos <= 12, "{hellos} hellos");
}

#[test]
fn while_nothing_is_lost_a_client_acknowledges_every_eighth_datagram_and_after_a_loss_more_often() {
    let mut now = begin();
    let mut server = Server::new(now);
    let mut ann = Client::new("198.51.100.1:1", now);
    ann.open(&mut server, now);
    // Counts datagrams with entries and acknowledgements while this many messages pass.
    let mut pass = |messages: usize, mut is_lost: Box<dyn FnMut(usize) -> bool>| {
        let (mut datagrams, mut acks) = (0, 0);
        ann.messages();
        for number in 0..messages {
            server.room.notice(&format!("{number} {}", "x".repeat(900))).unwrap();
            ann.exchange(&mut server, now, |to_server, bytes| {
                acks += usize::from(to_server);
                datagrams += usize::from(!to_server && is_entries(bytes));
                to_server || !is_lost(datagrams)
            });
            now += MS;
        }
        while ann.heard.len() < messages {
            now = now.max(ann.next_deadline(&server));
            ann.exchange(&mut server, now, |to_server, _| {
                acks += usize::from(to_server);
                true
            });
        }
        assert_eq!(ann.messages().len(), messages);
        (datagrams, acks)
    };
    pass(100, Box::new(|_| false));
    let (datagrams, acks) = pass(400, Box::new(|_| false));
    assert!(datagrams >= 400 && acks * 7 <= datagrams, "{acks} for {datagrams}");
    let (datagrams, acks) = pass(400, Box::new(|datagram| datagram % 20 == 0));
    assert!(acks * 3 >= datagrams, "{acks} for {datagrams}");
}
