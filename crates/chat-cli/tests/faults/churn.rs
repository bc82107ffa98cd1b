//! Connections that open and close, with FIN and with RST, faster than anyone could talk.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;

use crate::support::{PATIENCE, Server, now};
use crate::usage::descriptors;

#[test]
fn of_three_thousand_that_connect_and_close_or_reset_nothing_is_left_and_no_message_goes_astray() {
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    let base = descriptors(server.process.id());
    let mut visitors = BTreeMap::new();
    for number in 0..3_000 {
        let mut socket = TcpStream::connect(server.address).unwrap();
        let name = socket.local_addr().unwrap().to_string();
        match number % 3 {
            0 => {}
            1 => SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap(),
            _ => {
                socket.write_all(format!("visitor {number}\n").as_bytes()).unwrap();
                visitors.insert(format!("visitor {number}"), name);
            }
        }
        if number % 10 == 0 {
            speaker.send(format!("{number}\n"));
        }
    }
    let words: BTreeSet<String> = visitors.iter().map(|(text, name)| format!("[{name}] {text}")).collect();
    server.process.stdout.wait_until_all("words of visitors", &words);
    speaker.send("that is all\n");
    let mut own = Vec::new();
    let mut heard = 0;
    for line in reader.read_up_to(&speaker.line("that is all")) {
        let (author, text) = line.strip_prefix('[').and_then(|line| line.split_once("] ")).unwrap();
        match visitors.get(text) {
            Some(name) => assert_eq!(author, name, "{text}"),
            None => assert_eq!(author, speaker.name, "{text}"),
        }
        heard += usize::from(visitors.contains_key(text));
        own.extend(text.parse::<usize>().ok());
    }
    assert_eq!(own, (0..300).map(|number| number * 10).collect::<Vec<_>>());
    assert_eq!(heard, visitors.len());
    let deadline = now() + PATIENCE;
    while descriptors(server.process.id()) != base {
        assert!(now() < deadline, "{} descriptors, {base} before", descriptors(server.process.id()));
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(server.process.stderr.lines(), [""; 0]);
}
