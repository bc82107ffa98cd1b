//! Members that end abruptly, and a server that is killed.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;

use crate::support::{Process, Server};

#[test]
fn the_last_words_of_a_thousand_that_send_and_close_at_once_are_all_heard() {
    let server = Server::start();
    let (mut listener, _) = server.client_that_hears(&["--stay"]);
    listener.end_of_input();
    let mut expected = BTreeSet::new();
    for number in 0..1_000 {
        let mut socket = TcpStream::connect(server.address).unwrap();
        let line_break = ["\n", "", "\r\n"][number % 3];
        socket.write_all(format!("last words {number}{line_break}").as_bytes()).unwrap();
        expected.insert(format!("[{}] last words {number}", socket.local_addr().unwrap()));
    }
    listener.stdout.wait_until_all("last words", &expected);
}

// Other systems drop the data that was received before a reset.
#[cfg(target_os = "linux")]
#[test]
fn last_words_are_heard_even_if_a_reset_follows_them() {
    let server = Server::start();
    let (mut listener, _) = server.client_that_hears(&["--stay"]);
    listener.end_of_input();
    let mut speaker = server.peer();
    let mut expected = BTreeSet::new();
    for number in 0..500 {
        let mut peer = server.peer_that_says("hello\n");
        speaker.send("hello\n");
        peer.socket.peek(&mut [0]).expect("it is spoken to");
        peer.send(format!("last words {number}\n"));
        expected.insert(peer.line(&format!("last words {number}")));
        // Closing the socket with unread data causes a reset.
    }
    listener.stdout.wait_until_all("last words", &expected);
}

#[test]
fn clients_of_a_server_that_is_killed_learn_of_it() {
    let mut server = Server::start();
    let mut clients: Vec<(Process, String)> = (0..3).map(|_| server.client(&["--stay"])).collect();
    let mut speaker = server.peer();
    clients.iter().for_each(|(client, _)| client.hears(&mut speaker));
    server.process.kill();
    for (client, _) in &mut clients {
        assert_eq!(client.exit_code(), Some(1));
        assert!(client.stderr.all().concat().contains("connection lost"));
    }
}
