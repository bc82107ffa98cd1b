//! Members of two chat servers see each other, and tell each other something privately.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::transport::{Attachment, Update};
use chat_core::{DirectItem, Event, Heard, LocalMember, MemberId, Room, RoomConfig, TellError};
use support::{Server, nats, now, until, welcome_as};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The next join, leave or rename, as people read it.
fn next_presence(local: &LocalMember) -> String {
    loop {
        if let Heard::Entry(entry) = local.recv_timeout(PATIENCE).unwrap() {
            match &entry.event {
                Event::Joined { author, members, .. } => return format!("{author} joined, {members}"),
                Event::Left { author, reason, members, .. } => {
                    return format!("{author} left ({reason}), {members}");
                }
                Event::Renamed { from, to, .. } => return format!("{from} is {to}"),
                _ => {}
            }
        }
    }
}

/// What members of this attachment were told privately since the last call, without notices: a NATS server
/// that is slow on a busy machine makes one at any time.
fn told(carrier: &mut Attachment) -> Vec<DirectItem> {
    let mut update = Update::default();
    carrier.pull(&mut update);
    for told in &update.direct {
        carrier.got(told.member, told.direct.number);
    }
    let items = update.direct.iter().map(|told| told.direct.item.clone());
    items.filter(|item| !matches!(item, DirectItem::Notice { .. })).collect()
}

/// The next things that members of this attachment are told privately.
fn next_told(carrier: &mut Attachment, count: usize) -> Vec<DirectItem> {
    let mut all = Vec::new();
    until("it is told", || {
        all.extend(told(carrier));
        all.len() >= count
    });
    all
}

fn knows(server: &Server, who: &str) -> MemberId {
    let mut found = None;
    until("it is heard of", || {
        found = server.room.find(who);
        found.is_some()
    });
    found.unwrap()
}

/// Waits until a server has heard of the other one's members. From then on it hears of each change: it does not report
/// the members that were there before.
fn listens_to(server: &Server, other: &Server) {
    let carrier = other.carrier();
    let first = welcome_as(&carrier, 99, "first");
    knows(server, "first");
    carrier.leave(first.member, chat_core::LeaveReason::Quit, now());
    // Its name may be free before that.
    until("it has left", || server.room.members().iter().all(|author| author.to_string() != "first"));
}

#[test]
fn members_of_all_servers_are_listed_with_their_server_and_come_and_go() {
    let Some(nats) = nats("presence", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    listens_to(&other, &one);
    let watching = other.room.join("watching").unwrap();
    let first = one.carrier();
    let ann = welcome_as(&first, 5, "ann");
    assert_eq!(next_presence(&watching), "ann joined, 1");
    one.room.rename(ann.welcome.session.member, None).unwrap();
    assert_eq!(next_presence(&watching), "ann is 192.0.2.1:5");
    assert_eq!(other.room.find("192.0.2.1:5"), Some(ann.welcome.session.member));
    let (count, present) = other.room.presence(10);
    let lines: Vec<String> = present.iter().map(|one| one.line(true)).collect();
    assert_eq!((count, lines.len()), (2, 2));
    assert!(lines[1].starts_with("192.0.2.1:5 (tcp at box, here for "), "{lines:?}");
    // A server that starts later learns who was there before, and does not say that they have joined.
    let late = Server::new(&nats);
    let also_watching = late.room.join("also-watching").unwrap();
    knows(&late, "192.0.2.1:5");
    listens_to(&other, &late);
    assert_eq!(next_presence(&also_watching), "first joined, 2");
    assert_eq!(next_presence(&also_watching), "first left (by its own choice), 1");
    let watching = other.room.join("watching-later").unwrap();
    let carrier = late.carrier();
    let _bob = welcome_as(&carrier, 6, "bob");
    assert_eq!(next_presence(&also_watching), "bob joined, 2");
    assert_eq!(next_presence(&watching), "bob joined, 2");
    first.leave(ann.member, chat_core::LeaveReason::Quit, now());
    assert_eq!(next_presence(&watching), "192.0.2.1:5 left (by its own choice), 1");
    // A server that stops takes its members along.
    drop((carrier, also_watching, late));
    assert_eq!(next_presence(&watching), "bob left (connection lost), 0");
    assert_eq!(other.room.present().members, 0);
}

#[test]
fn the_members_of_a_room_that_is_gone_at_one_server_leave_and_it_may_be_opened_there_again() {
    let Some(nats) = nats("vanishes", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    listens_to(&other, &one);
    let watching = other.room.join("watching").unwrap();
    let first = one.carrier();
    let ann = welcome_as(&first, 5, "ann");
    assert_eq!(next_presence(&watching), "ann joined, 1");
    // The room goes with its last member, and the server goes on.
    first.leave(ann.member, chat_core::LeaveReason::Quit, now());
    let Server { cluster, room } = one;
    drop((first, room));
    assert_eq!(next_presence(&watching), "ann left (by its own choice), 0");
    let again = Server { room: Room::restore(RoomConfig::default(), &cluster).unwrap(), cluster };
    let (mut first, mut second) = (again.carrier(), other.carrier());
    let bob = welcome_as(&first, 6, "bob").welcome.session.member;
    assert_eq!(next_presence(&watching), "bob joined, 1");
    let eve = welcome_as(&second, 7, "eve").welcome.session.member;
    assert_eq!(knows(&again, "eve"), eve);
    other.room.tell_private(eve, bob, "hello").unwrap();
    let mut heard = Vec::new();
    until("it is told", || {
        // If NATS is silent for seconds, its sender is told that it was not delivered, and says it again.
        for undelivered in told(&mut second) {
            assert!(matches!(undelivered, DirectItem::Undelivered { .. }), "{undelivered:?}");
            other.room.tell_private(eve, bob, "hello").unwrap();
        }
        heard.extend(told(&mut first));
        !heard.is_empty()
    });
    assert!(matches!(heard[0], DirectItem::Private { .. }), "{heard:?}");
}

#[test]
fn a_private_message_reaches_a_member_of_another_server_in_order_or_its_sender_is_told_why_not() {
    let Some(nats) = nats("private", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (mut first, mut second) = (one.carrier(), other.carrier());
    let ann = welcome_as(&first, 5, "ann");
    let bob = welcome_as(&second, 6, "bob");
    let (ann_id, bob_id) = (ann.welcome.session.member, bob.welcome.session.member);
    assert_eq!((knows(&one, "bob"), knows(&other, "ANN")), (bob_id, ann_id));
    for number in 1..=20 {
        let to = one.room.tell_private(ann_id, bob_id, &number.to_string()).unwrap();
        assert_eq!(to.to_string(), "bob");
    }
    let heard = next_told(&mut second, 20);
    for (number, item) in (1..).zip(&heard) {
        let DirectItem::Private { from, author, text } = item else { panic!("{item:?}") };
        assert_eq!(
            (*from, author.to_string(), text.as_str().to_owned()),
            (ann_id, "ann".to_owned(), number.to_string())
        );
    }
    assert_eq!(heard.len(), 20, "each once");
    assert_eq!(other.room.last_private(bob_id), Some(ann_id), "so it can be answered");
    other.room.tell_private(bob_id, ann_id, "hello").unwrap();
    assert!(matches!(&next_told(&mut first, 1)[..], [DirectItem::Private { .. }]));

    let undelivered = |item: &DirectItem| match item {
        DirectItem::Undelivered { to, why } => format!("{to}: {why}"),
        item => panic!("{item:?}"),
    };
    other.room.ignore(bob_id, ann_id).unwrap();
    one.room.tell_private(ann_id, bob_id, "can you hear me?").unwrap();
    let told = next_told(&mut first, 1);
    assert_eq!(undelivered(&told[0]), format!("bob: {}", TellError::Ignored));
    assert!(other.room.unignore(bob_id, ann_id));
    // A message that its recipient has not acknowledged comes back when the recipient leaves.
    one.room.tell_private(ann_id, bob_id, "are you there?").unwrap();
    let mut update = Update::default();
    until("it is in the lane", || {
        second.pull(&mut update);
        !update.direct.is_empty()
    });
    second.leave(bob.member, chat_core::LeaveReason::Lost, now());
    let told = next_told(&mut first, 1);
    assert_eq!(undelivered(&told[0]), "bob: left (connection lost)");
    until("it is known that it has left", || one.room.find("bob").is_none());
    assert_eq!(one.room.tell_private(ann_id, bob_id, "bob?"), Err(TellError::NotPresent));
}

#[test]
fn an_operator_kicks_a_member_of_another_server() {
    let Some(nats) = nats("kick", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let carrier = other.carrier();
    let eve = welcome_as(&carrier, 6, "eve");
    let id = knows(&one, "eve");
    one.room.kick_member(id, "spam").unwrap();
    until("it was kicked", || !carrier.is_member(eve.member));
    let reason = carrier.leave(eve.member, chat_core::LeaveReason::Lost, now());
    assert_eq!(reason.to_string(), "kicked: spam");
    until("it has left", || one.room.find("eve").is_none());
}

#[test]
fn a_private_message_that_nobody_answers_is_told_to_its_sender() {
    let Some(mut nats) = nats("unreachable", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (mut first, second) = (one.carrier(), other.carrier());
    let ann = welcome_as(&first, 5, "ann").welcome.session.member;
    let bob = welcome_as(&second, 6, "bob").welcome.session.member;
    knows(&one, "bob");
    nats.kill(0);
    one.room.tell_private(ann, bob, "hello?").unwrap();
    let told = next_told(&mut first, 1);
    let why = told.iter().find_map(|item| match item {
        DirectItem::Undelivered { to, why } => Some(format!("{to}: {why}")),
        _ => None,
    });
    let why = why.unwrap_or_else(|| panic!("{told:?}"));
    assert!(why.starts_with("bob: ") && why.contains("server"), "{why}");
}
