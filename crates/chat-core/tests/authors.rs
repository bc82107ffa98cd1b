//! How members are shown: no two alike, and none under the address of another member.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::{KickError, LocalMember, Room, Rooms};
use chat_proto::{Event, Hello};
use support::{Carrier, Time, hear, local, room};

const ADDRESS: &str = "192.0.2.1:5";

/// A room with two transports and a local member that listens.
fn stage() -> (Room, Time, Carrier, Carrier, LocalMember) {
    let (room, time) = room();
    let (tcp, udp) = (Carrier::new(&room, &time), Carrier::with_tag(&room, &time, "udp"));
    let listener = local(&room, "bot");
    (room, time, tcp, udp, listener)
}

/// PROTOCOL.md, 1.3: two members share an address and a port.
#[test]
fn a_plain_datagram_never_speaks_under_the_address_of_a_tcp_member() {
    let (_room, time, tcp, udp, listener) = stage();
    let ann = tcp.join(ADDRESS);
    let forged = udp.attachment.join_unproven(0, ADDRESS.parse().unwrap(), time.now()).unwrap().member;
    tcp.say(ann, "hello");
    udp.say(forged, "I resign");
    assert_eq!(
        hear(&listener),
        [
            "192.0.2.1:5 joined, 1 here",
            "192.0.2.1:5/udp joined, 2 here",
            "1 [192.0.2.1:5] hello",
            "2 [192.0.2.1:5/udp] I resign"
        ]
    );
}

#[test]
fn a_plain_datagram_that_was_there_first_makes_way() {
    let (_room, time, tcp, udp, listener) = stage();
    let forged = udp.attachment.join_unproven(0, ADDRESS.parse().unwrap(), time.now()).unwrap().member;
    udp.say(forged, "hello");
    let welcome = tcp.welcome(ADDRESS, &Hello::default()).welcome;
    assert_eq!(welcome.you.to_string(), ADDRESS);
    udp.say(forged, "I resign");
    assert_eq!(
        hear(&listener)[1..],
        ["1 [192.0.2.1:5] hello", "192.0.2.1:5 joined, 2 here", "2 [192.0.2.1:5/udp] I resign"]
    );
}

#[test]
fn a_plain_datagram_never_speaks_under_the_address_of_a_connection_that_is_not_a_member_yet() {
    let (room, time, tcp, udp, listener) = stage();
    let forged = udp.attachment.join_unproven(0, ADDRESS.parse().unwrap(), time.now()).unwrap().member;
    udp.say(forged, "nobody else is there");
    let opening = Rooms::from(room).opening(ADDRESS.parse().unwrap());
    udp.say(forged, "I resign");
    udp.leave(forged, chat_proto::LeaveReason::Quit);
    let forged = udp.attachment.join_unproven(1, ADDRESS.parse().unwrap(), time.now()).unwrap().member;
    udp.say(forged, "once more");
    tcp.join(ADDRESS);
    drop(opening);
    udp.say(forged, "and again");
    assert_eq!(
        hear(&listener)[1..],
        [
            "1 [192.0.2.1:5] nobody else is there",
            "2 [192.0.2.1:5/udp] I resign",
            "192.0.2.1:5/udp left (by its own choice), 0 here",
            "192.0.2.1:5/udp joined, 1 here",
            "3 [192.0.2.1:5/udp] once more",
            "192.0.2.1:5 joined, 2 here",
            "4 [192.0.2.1:5/udp] and again",
        ]
    );
}

#[test]
fn a_connection_that_a_proxy_forwards_is_protected_at_its_own_address() {
    let (room, time, _tcp, udp, listener) = stage();
    let forged = udp.attachment.join_unproven(0, ADDRESS.parse().unwrap(), time.now()).unwrap().member;
    let of_proxy = Rooms::from(room).opening("192.0.2.9:9".parse().unwrap());
    let opening = of_proxy.at(ADDRESS.parse().unwrap());
    drop(of_proxy);
    udp.say(forged, "I resign");
    drop(opening);
    udp.say(forged, "nobody else is there");
    assert_eq!(
        hear(&listener)[1..],
        ["1 [192.0.2.1:5/udp] I resign", "2 [192.0.2.1:5] nobody else is there"]
    );
}

#[test]
fn twins_are_told_apart_and_each_keeps_its_tag_when_the_other_leaves() {
    let (room, _time, tcp, udp, listener) = stage();
    let (first, second, third) = (tcp.join(ADDRESS), tcp.join(ADDRESS), udp.join(ADDRESS));
    let mut members: Vec<_> = room.members().iter().map(ToString::to_string).collect();
    members.sort_unstable();
    assert_eq!(members, ["192.0.2.1:5", "192.0.2.1:5/tcp", "192.0.2.1:5/udp"]);
    tcp.leave(first, chat_proto::LeaveReason::Quit);
    tcp.say(second, "two");
    udp.say(third, "three");
    assert_eq!(hear(&listener)[4..], ["1 [192.0.2.1:5/tcp] two", "2 [192.0.2.1:5/udp] three"]);
}

#[test]
fn a_kick_hits_the_member_that_is_shown_by_that_address() {
    let (room, _time, tcp, mut udp, _listener) = stage();
    let (stays, goes) = (tcp.join(ADDRESS), udp.join(ADDRESS));
    room.kick("192.0.2.1:5/udp".parse().unwrap(), "").unwrap();
    assert_eq!(udp.pull().dismissed[0].member, goes);
    tcp.say(stays, "still here");
    let who = "192.0.2.1:5/udp".parse().unwrap();
    assert_eq!(room.kick(who, "").unwrap_err().to_string(), "no such member is here");
    assert!(matches!(room.kick("bot".parse().unwrap(), ""), Err(KickError::NotPresent)));
}

#[test]
fn a_message_belongs_to_its_member_whatever_is_shown() {
    let (room, _time, mut tcp, udp, bot) = stage();
    let (ann, bob) = (tcp.welcome(ADDRESS, &Hello::default()), udp.welcome(ADDRESS, &Hello::default()));
    tcp.say(ann.member, "a");
    udp.say(bob.member, "b");
    tcp.say(ann.member, "c");
    bot.say("d").unwrap();
    room.notice("e").unwrap();
    let from: Vec<_> = tcp
        .pull()
        .entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Said { from, .. } => Some((from.member.as_u64(), from.number)),
            _ => None,
        })
        .collect();
    let id = |welcomed: &chat_core::transport::Welcomed| welcomed.welcome.session.member.as_u64();
    assert_eq!(from, [(id(&ann), 1), (id(&bob), 1), (id(&ann), 2), (bot.id().as_u64(), 1), (0, 1)]);
}

#[test]
fn a_member_of_a_transport_that_ends_leaves_as_it_was_shown() {
    let (_room, _time, tcp, udp, listener) = stage();
    let (_ann, _bob) = (tcp.join(ADDRESS), udp.join(ADDRESS));
    drop(udp);
    assert_eq!(hear(&listener)[2..], ["192.0.2.1:5/udp left (connection lost), 1 here"]);
}
