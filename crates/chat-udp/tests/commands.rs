//! What the server does when a plain member sends a command, over real sockets.
#![allow(clippy::unwrap_used)]

mod support;

use chat_core::Heard;
use chat_proto::{Event, LeaveReason, Notice};

use support::{PATIENCE, Peer, Server};

#[test]
fn a_plain_member_that_quits_has_left() {
    let server = Server::new();
    let local = server.room.join("seat").unwrap();
    let peer = Peer::new(server.address);
    peer.send(b"hello\n/quit\nnot said\n");
    assert_eq!(peer.recv(), "[*] Closed: you have left\n");
    let (mut texts, mut left) = (Vec::new(), None);
    while left.is_none() {
        if let Heard::Entry(entry) = local.recv_timeout(PATIENCE).unwrap() {
            match &entry.event {
                Event::Said { text, .. } => texts.push(text.to_string()),
                Event::Left { reason, .. } => left = Some(reason.clone()),
                _ => {}
            }
        }
    }
    assert_eq!((texts, left), (vec!["hello".to_owned()], Some(LeaveReason::Quit)));
    peer.send(b"I am back");
    assert_eq!(peer.recv(), format!("[{}] I am back", peer.address));
}

#[test]
fn messages_of_an_ignored_member_are_not_sent() {
    let server = Server::new();
    let [ann, bob, zoe] = [(); 3].map(|()| Peer::new(server.address));
    for peer in [&ann, &bob, &zoe] {
        peer.send(b"hello");
        peer.lines_until(&format!("[{}] hello", peer.address));
    }
    ann.lines_until(&format!("[{}] hello", zoe.address));
    ann.send(format!("/ignore {}\n", bob.address).as_bytes());
    ann.lines_until("ends that.");
    // Zoe reads all of them and therefore knows their order.
    for (number, peer) in [&bob, &bob, &zoe, &ann, &bob, &zoe].into_iter().enumerate() {
        peer.send(format!("{number}\n").as_bytes());
        zoe.lines_until(&format!("[{}] {number}", peer.address));
    }
    let expected =
        [(2, &zoe), (3, &ann), (5, &zoe)].map(|(number, peer)| format!("[{}] {number}", peer.address));
    assert_eq!(ann.lines_until(&expected[2]), expected);
    ann.send(format!("/unignore {}\n", bob.address).as_bytes());
    ann.lines_until("says again");
    bob.send(b"6");
    assert_eq!(ann.recv(), format!("[{}] 6\n", bob.address));
}

#[test]
fn the_rest_of_a_command_that_is_too_long_is_not_said_and_the_rest_of_a_long_line_is_not_a_command() {
    let server = Server::new();
    let [ann, bob] = [(); 2].map(|()| Peer::new(server.address));
    for peer in [&ann, &bob] {
        peer.send(b"hello");
        peer.recv();
    }
    ann.recv();
    let secret = "secret ".repeat(300);
    let long = "x".repeat(960);
    ann.send(format!("/msg {} {secret}\n{long}/quit\n", bob.address).as_bytes());
    let lines = ann.lines_until("] /quit");
    assert!(lines.contains(&format!("[*] {}", Notice::CommandCut)), "{lines:?}");
    let said = bob.lines_until("] /quit");
    let said: Vec<_> = said.iter().filter(|line| line.starts_with(&format!("[{}]", ann.address))).collect();
    assert_eq!(said, [&format!("[{}] {long}", ann.address), &format!("[{}] /quit", ann.address)]);
}
