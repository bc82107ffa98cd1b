//! Clauses 11.1 to 11.3: how datagrams are written.

use chat_proto::limits::DATAGRAM_BYTES_MAX;
use chat_proto::{MemberDatagram, PREFACE, Traffic};

use crate::datagrams::{Member, Plain, encoded, hello};
use crate::support::Server;

#[test]
fn clause_11_1_what_a_server_sends_begins_with_the_preface_and_a_kind_whose_highest_bit_is_set() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let peer = Plain::new(&server);
    peer.send_datagram(&hello(7, None));
    let retry = peer.recv();
    assert_eq!((&retry[..6], retry[6]), (&PREFACE[..], 0x81));
    peer.send_datagram(&hello(7, Some(peer.cookie(7))));
    let welcome = peer.recv();
    assert_eq!((&welcome[..6], welcome[6]), (&PREFACE[..], 0x82));
}

#[test]
fn clause_11_1_no_datagram_is_longer_than_1200_bytes() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut speaker = server.peer();
    let mut member = Member::join(&server);
    speaker.send((0..500).map(|number| format!("{}\n", "x".repeat(number))).collect::<String>());
    // The peers' `recv` fails on a longer datagram.
    speaker.send("that is all\n");
    let texts = member.texts_until("that is all");
    assert_eq!(texts.len(), 500, "an empty line is none (5.1)");
}

#[test]
fn clause_11_2_a_datagram_holds_at_most_64_messages() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut reader = server.peer();
    let mut member = Member::join(&server);
    let session = member.session;
    let says: Vec<_> = (1..=64).map(|number| number.to_string().parse().unwrap()).collect();
    let right =
        MemberDatagram::Traffic { session, traffic: Traffic { first: 1, says, ..Traffic::default() } };
    let bytes = encoded(&right);
    // A datagram with one message more makes no sense. The server neither takes nor answers it.
    member.peer.send(&[&bytes[..], &[1, b'x']].concat());
    member.peer.send(&bytes);
    let last = format!("[{}] 64", member.name());
    assert_eq!(reader.read_up_to(&last).len(), 64);
    assert_eq!(member.texts_until("64").len(), 64);
    assert!(bytes.len() <= DATAGRAM_BYTES_MAX);
}
