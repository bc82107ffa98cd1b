//! Plain members that go to another room.

use std::sync::Arc;

use chat_testkit::ScriptedJournals;

use super::*;

#[test]
fn a_plain_member_that_goes_to_another_room_first_gets_everything_of_the_old_one() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::with_rooms(now);
    server.answers(ann, b"hello", now);
    for number in 0..100 {
        server.room.notice(&format!("{number}{}", "x".repeat(100))).unwrap();
    }
    server.endpoint.receive(ann, b"/join dev\nhi", now);
    server.endpoint.receive(ann, b"there", now);
    let lines: Vec<String> = server
        .sends(now)
        .into_iter()
        .flat_map(|(_, bytes)| {
            String::from_utf8(bytes).unwrap().split('\n').map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let (old, new) = lines.split_at(100);
    assert!(
        old.iter().enumerate().all(|(number, line)| line.starts_with(&format!("[*] {number}x"))),
        "{old:?}"
    );
    assert_eq!(new, ["[*] You are in dev now: 1 present", "[10.0.0.1:1] hi", "[10.0.0.1:1] there"]);
    assert_eq!(server.said(), ["[10.0.0.1:1] hello"]);
}

#[test]
fn a_plain_member_leaves_a_room_in_which_others_go_on_speaking() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let mut server = Server::with_rooms(now);
    server.answers(ann, b"hello", now);
    server.room.notice("before").unwrap();
    server.endpoint.receive(ann, b"/join dev", now);
    let mut lines = Vec::new();
    let mut out = Vec::new();
    for number in 0..20 {
        // Whenever it has everything, there is something new.
        server.room.notice(&format!("after {number}")).unwrap();
        server.endpoint.pull(now);
        while server.endpoint.transmit(&mut out, now).is_some() {
            lines.push(String::from_utf8(out.clone()).unwrap());
            server.room.notice("and more").unwrap();
            server.endpoint.pull(now);
            if lines.len() > 20 {
                break;
            }
        }
    }
    assert!(lines[0].starts_with("[*] before"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("[*] You are in dev now")), "{lines:?}");
}

#[test]
fn a_message_in_the_other_room_does_not_change_the_address_that_answers() {
    let (now, ann, bob) = (begin(), address("10.0.0.1:1"), address("10.0.0.2:2"));
    let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|ip| Some(ip.parse().unwrap()));
    let mut server = Server::with_rooms(now);
    server.endpoint.receive(Route { peer: ann, local: first }, b"/join dev\nhi", now);
    server.endpoint.receive(Route { peer: bob, local: second }, b"hello", now);
    server.endpoint.pull(now);
    let mut out = Vec::new();
    let mut routes = Vec::new();
    while let Some(route) = server.endpoint.transmit(&mut out, now) {
        routes.push((route, String::from_utf8(out.clone()).unwrap()));
    }
    let to_ann = |(route, _): &&(Route, String)| route.peer == ann;
    assert!(routes.iter().filter(to_ann).any(|(_, line)| line.contains("] hi")), "{routes:?}");
    assert!(routes.iter().filter(to_ann).all(|(route, _)| route.local == first), "{routes:?}");
}

#[test]
fn a_plain_member_learns_the_results_of_its_messages_before_it_goes() {
    let (now, ann) = (begin(), address("10.0.0.1:1"));
    let journals = ScriptedJournals::default();
    let config = ["lobby", "dev"]
        .iter()
        .fold(RoomsConfig::default(), |config, name| config.with_room(name.parse().unwrap()));
    let rooms = Rooms::restore(config, Arc::new(journals.clone())).unwrap();
    let trusting = UdpConfig::default().with_trusted("10.0.0.0/8".parse().unwrap());
    let mut server = Server::of(&rooms, trusting, "192.0.2.1:5555", now);
    assert_eq!(server.answers(ann, b"hello\n/join dev", now), []);
    journals.opened()[0].fail("the disk is full");
    let told: Vec<String> =
        server.sends(now).into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    assert!(told[0].contains("the disk is full"), "{told:?}");
    assert!(told.concat().contains("You are in dev now"), "{told:?}");
}
