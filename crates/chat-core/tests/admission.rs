//! Which peers may join, and how fast they may speak.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::{JoinError, RoomConfig};
use chat_proto::LeaveReason;
use support::{Carrier, rate, room_with};

#[test]
fn a_full_room_refuses_until_someone_leaves() {
    let (room, time) = room_with(RoomConfig::default().with_members_max(2));
    let (mut here, there) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let first = here.join("127.0.0.1:1");
    there.join("192.0.2.1:1");
    let full = JoinError::RoomFull { members_max: 2 };
    assert_eq!(here.try_join("127.0.0.1:2"), Err(full.clone()));
    assert_eq!(there.try_join("192.0.2.2:1"), Err(full.clone()));
    assert_eq!(LeaveReason::from(full), LeaveReason::RoomFull);
    assert_eq!(room.stats().refused, 2);
    assert_eq!(here.read().len(), 2, "a refused peer is not announced");
    here.leave(first, LeaveReason::Quit);
    here.join("127.0.0.1:2");
    assert_eq!(room.stats().members, 2);
}

#[test]
fn local_members_do_not_count_as_remote_members() {
    let (room, time) = room_with(RoomConfig::default().with_members_max(1));
    let _bot = support::local(&room, "bot");
    Carrier::new(&room, &time).join("192.0.2.1:1");
}

#[test]
fn an_address_may_have_its_members_and_no_more() {
    let (room, time) = room_with(RoomConfig::default().with_members_per_address_max(2));
    let (tcp, udp) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let full = Err(JoinError::AddressFull { members_per_address_max: 2 });

    let first = tcp.join("192.0.2.1:1");
    udp.join("192.0.2.1:2");
    assert_eq!(tcp.try_join("192.0.2.1:3"), full);
    assert_eq!(udp.try_join("[::ffff:192.0.2.1]:3"), full, "the same address through an IPv6 socket");
    tcp.join("192.0.2.2:1");

    tcp.join("[2001:db8:0:1::1]:1");
    tcp.join("[2001:db8:0:1:ffff::2]:1");
    assert_eq!(tcp.try_join("[2001:db8:0:1::3]:1"), full, "one subscriber has a whole /64");
    tcp.join("[2001:db8:0:2::1]:1");

    tcp.leave(first, LeaveReason::Quit);
    tcp.join("192.0.2.1:3");
    assert_eq!(tcp.try_join("192.0.2.1:4"), full);
}

#[test]
fn loopback_may_have_any_number_of_members() {
    let (room, time) = room_with(RoomConfig::default().with_members_per_address_max(1));
    let carrier = Carrier::new(&room, &time);
    for peer in ["127.0.0.1:1", "127.0.0.1:2", "127.9.9.9:1", "[::1]:1", "[::1]:2", "[::ffff:127.0.0.1]:3"] {
        carrier.join(peer);
    }
    assert_eq!(room.stats().members, 6);
}

#[test]
fn limits_hold_for_loopback_if_they_are_to() {
    let config = RoomConfig::default().with_members_per_address_max(1).with_rate(Some(rate(1, 1)));
    let (room, time) = room_with(config.with_limit_loopback(true));
    let carrier = Carrier::new(&room, &time);
    let member = carrier.join("127.0.0.1:1");
    let full = Err(JoinError::AddressFull { members_per_address_max: 1 });
    assert_eq!(carrier.try_join("127.0.0.1:2"), full);
    carrier.join("[::1]:1");
    assert!(carrier.try_say(member, "one").unwrap().pause_until.is_none());
    assert!(carrier.try_say(member, "two").unwrap().pause_until.is_some(), "it must wait");
}

#[test]
fn every_way_out_frees_a_place() {
    let (room, time) = room_with(RoomConfig::default().with_members_per_address_max(1));
    let carrier = Carrier::new(&room, &time);
    let other = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    carrier.leave(member, LeaveReason::Quit);
    carrier.join("192.0.2.1:2");
    room.kick("192.0.2.1:2".parse().unwrap(), "").unwrap();
    carrier.join("192.0.2.1:3");
    drop(carrier);
    other.join("192.0.2.1:4");
    assert_eq!(room.stats().members, 1);
}

#[test]
fn after_a_burst_every_message_waits_for_the_steady_rate() {
    let (room, time) = room_with(RoomConfig::default().with_rate(Some(rate(3, 10))));
    let carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    let step = Duration::from_millis(100);
    time.pass(Duration::from_secs(5));

    for _ in 0..3 {
        assert_eq!(carrier.try_say(member, "burst").unwrap().pause_until, None);
    }
    for _ in 0..5 {
        let said = carrier.try_say(member, "flood").unwrap();
        assert_eq!(said.pause_until, Some(time.now() + step));
        time.pass(step);
    }
    assert_eq!(room.stats().throttled, 5);
    assert_eq!(room.stats().messages, 8, "nothing was dropped");

    time.pass(step);
    assert_eq!(carrier.try_say(member, "slower").unwrap().pause_until, None);
    time.pass(Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(carrier.try_say(member, "rested").unwrap().pause_until, None);
    }
    assert!(carrier.try_say(member, "again").unwrap().pause_until.is_some(), "a long rest earns one burst");
}

#[test]
fn messages_during_the_pause_make_it_longer() {
    let (room, time) = room_with(RoomConfig::default().with_rate(Some(rate(1, 10))));
    let carrier = Carrier::new(&room, &time);
    let member = carrier.join("192.0.2.1:1");
    carrier.say(member, "burst");
    for messages in 1..=20 {
        let said = carrier.try_say(member, "flood").unwrap();
        assert_eq!(said.pause_until, Some(time.now() + Duration::from_millis(100 * messages)));
    }
}

#[test]
fn each_member_has_its_own_rate_limit() {
    let (room, time) = room_with(RoomConfig::default().with_rate(Some(rate(1, 1))));
    let carrier = Carrier::new(&room, &time);
    let (a, b) = (carrier.join("192.0.2.1:1"), carrier.join("192.0.2.1:2"));
    carrier.say(a, "burst");
    assert!(carrier.try_say(a, "flood").unwrap().pause_until.is_some());
    assert_eq!(carrier.try_say(b, "burst").unwrap().pause_until, None);
}

#[test]
fn loopback_and_a_room_without_a_rate_know_no_pause() {
    let (limited, time) = room_with(RoomConfig::default().with_rate(Some(rate(1, 1))));
    let carrier = Carrier::new(&limited, &time);
    let (unlimited, time) = room_with(RoomConfig::default().with_rate(None));
    let other = Carrier::new(&unlimited, &time);
    let (v4, v6, remote) = (carrier.join("127.0.0.1:1"), carrier.join("[::1]:1"), other.join("192.0.2.1:1"));
    for _ in 0..100 {
        assert_eq!(carrier.try_say(v4, "a").unwrap().pause_until, None);
        assert_eq!(carrier.try_say(v6, "b").unwrap().pause_until, None);
        assert_eq!(other.try_say(remote, "c").unwrap().pause_until, None);
    }
}

#[test]
fn in_a_full_room_members_that_have_not_answered_make_way_the_oldest_first() {
    let (room, time) = room_with(RoomConfig::default().with_members_max(3));
    let (mut udp, tcp) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let [first, second, third] = [1, 2, 3].map(|port| {
        time.pass(Duration::from_millis(10));
        let member = udp.join(&format!("192.0.2.1:{port}"));
        udp.attachment.set_unanswered(member, true);
        member
    });
    udp.attachment.set_unanswered(second, false);
    let mut made_way = || {
        let dismissed = udp.pull().dismissed.into_iter();
        dismissed.map(|dismissed| (dismissed.member, dismissed.reason)).collect::<Vec<_>>()
    };
    tcp.join("192.0.2.2:1");
    assert_eq!(made_way(), [(first, LeaveReason::RoomFull)]);
    tcp.join("192.0.2.2:2");
    assert_eq!(made_way(), [(third, LeaveReason::RoomFull)]);
    let full = Err(JoinError::RoomFull { members_max: 3 });
    assert_eq!(tcp.try_join("192.0.2.2:3"), full, "the others have answered");
    assert_eq!((made_way(), room.stats().members), (vec![], 3));
}

#[test]
fn nobody_makes_way_for_a_peer_that_is_refused_for_its_address() {
    let config = RoomConfig::default().with_members_max(2).with_members_per_address_max(1);
    let (room, time) = room_with(config);
    let (mut udp, tcp) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let silent = udp.join("192.0.2.1:1");
    udp.attachment.set_unanswered(silent, true);
    tcp.join("192.0.2.2:1");
    let full = Err(JoinError::AddressFull { members_per_address_max: 1 });
    assert_eq!(tcp.try_join("192.0.2.2:2"), full);
    assert_eq!(udp.pull().dismissed, []);
}
