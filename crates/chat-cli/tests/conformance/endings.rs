//! Sections 7 and 8: why memberships end, and how a room ends.

use chat_proto::LeaveReason;
use socket2::SockRef;

use crate::datagrams::{Member, Plain};
use crate::frames::Framed;
use crate::support::Server;

// The other reasons have their tests with their own clauses: 4.1, 4.2, 4.4, 5.5, 6.1, 6.2, 6.4, 6.9, 6.13.
#[test]
fn clause_7_a_reset_is_a_lost_connection() {
    let server = Server::start();
    let peer = server.peer();
    let name = peer.name.clone();
    SockRef::from(&peer.socket).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(peer);
    server.has_closed(&name, Some("connection lost"));
}

#[test]
fn clause_8_1_a_room_that_closes_sends_each_member_what_it_is_owed_a_farewell_and_a_goodbye() {
    let mut server = Server::over(&["tcp", "udp"], &[]);
    let (mut line_peer, mut speaker) = (server.peer(), server.peer());
    let (mut framed, _) = Framed::join(&server);
    let mut over_udp = Member::join(&server);
    speaker.send((0..1_000).map(|number| format!("{number}\n")).collect::<String>());
    server.process.stdout.wait_for_line(&speaker.line("999"));
    // The system drops datagrams that a plain peer does not read in time, and a thousand lines may be more than it
    // keeps.
    let datagrams = Plain::new(&server);
    datagrams.send(b"hello");
    server.process.stdout.wait_for_line(&format!("[{}] hello", datagrams.name));
    server.process.terminate();

    let farewell = "[*] The server is stopping".to_owned();
    let lines = line_peer.read_to_end();
    let mut expected: Vec<String> = (0..1_000).map(|number| speaker.line(&number.to_string())).collect();
    expected.extend([format!("[{}] hello", datagrams.name), farewell.clone()]);
    assert_eq!(lines, expected);
    let mut texts = framed.texts_until("The server is stopping");
    assert_eq!((texts.len(), framed.bye()), (1_002, LeaveReason::Stopping));
    assert_eq!(over_udp.texts_until("The server is stopping"), std::mem::take(&mut texts));
    assert_eq!(over_udp.bye(), LeaveReason::Stopping);
    assert_eq!(datagrams.lines_until(&farewell), expected[1_000..]);
    assert_eq!(server.process.exit_code(), Some(0));
}
