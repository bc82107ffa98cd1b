//! A server that is asked to end ends in order.
#![cfg(unix)]

mod support;

use std::io::Write;
use std::thread;

use chat_core::{ClientConfig, ClientEnd, ClientEvent};
use support::{PATIENCE, Peer, Server};

#[test]
fn asked_to_end_under_load_the_server_gives_everyone_all_it_took_and_a_farewell() {
    let mut server = Server::start();
    let mut readers: Vec<Peer> = (0..5).map(|_| server.peer()).collect();
    let (mut framed, _) = server.client(&["--stay"]);
    framed.end_of_input();
    let mut speaker = server.peer();
    let mut hand = speaker.again();
    let name = speaker.name.clone();
    let speaking = thread::spawn(move || {
        let said = |number| hand.socket.write_all(format!("{number}\n").as_bytes());
        (0_u64..).map(said).find(Result::is_err)
    });
    framed.stdout.wait_for_line(&format!("[{name}] 5000"));
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0), "{:?}", server.process.stderr.lines());
    speaking.join().unwrap();

    let read: Vec<_> = readers.iter_mut().map(Peer::read_to_end).collect();
    let messages = read[0].len() - 1;
    assert!(messages > 5_000);
    for lines in &read {
        assert_eq!(lines, &read[0], "everyone has the same");
    }
    for (number, line) in read[0][..messages].iter().enumerate() {
        assert_eq!(*line, format!("[{name}] {number}"));
    }
    assert_eq!(read[0][messages], "[*] The server is stopping");
    assert_eq!(framed.exit_code(), Some(1));
    assert_eq!(framed.stdout.lines(), read[0]);
    let of_server = server.process.stdout.lines();
    let said: Vec<_> = of_server.iter().filter(|line| line.starts_with(&format!("[{name}] "))).collect();
    assert_eq!(said.len(), messages, "the console is a member like any other");
    assert_eq!(speaker.read_to_end(), ["[*] The server is stopping"]);
}

#[test]
fn what_was_confirmed_before_the_server_ended_has_reached_the_others() {
    let mut server = Server::start();
    let mut reader = server.peer();
    let client = chat_tcp::connect(server.address, &ClientConfig::default()).unwrap();
    let mut confirmed = 0;
    let mut said = 0_u32;
    let end = loop {
        while said < 100_000 && client.try_say(said.to_string().parse().unwrap()).is_ok() {
            said += 1;
        }
        match client.events().recv_timeout(PATIENCE).expect("the end comes in time") {
            ClientEvent::Entry { own: true, .. } => confirmed += 1,
            ClientEvent::Ended(end) => break end,
            _ => {}
        }
        if confirmed == 2_000 {
            server.process.terminate();
        }
    };
    assert!(matches!(end, ClientEnd::Dismissed(_)), "{end:?}");
    assert_eq!(server.process.exit_code(), Some(0));
    let lines = reader.read_to_end();
    assert_eq!(lines.len(), confirmed + 1, "neither less nor more");
    for (number, line) in lines[..confirmed].iter().enumerate() {
        assert!(line.ends_with(&format!("] {number}")), "{line}");
    }
}

#[test]
fn a_reader_who_takes_nothing_delays_the_servers_end_by_seconds_and_not_for_ever() {
    let mut server = Server::start();
    let _stalled = server.peer();
    let mut speaker = server.peer();
    let line = [&[b'x'; 900][..], b"\n"].concat();
    (0..20_000).for_each(|_| speaker.send(&line));
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    assert_eq!(server.process.stderr.lines().len(), 1, "which is said: {:?}", server.process.stderr.lines());
}

#[test]
fn a_server_that_stops_ends_the_client_with_one_and_says_so() {
    let mut server = Server::start();
    let (mut client, _) = server.client(&["--stay"]);
    let mut speaker = server.peer();
    speaker.send("hello\n");
    client.stdout.wait_for_line(&speaker.line("hello"));
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    let farewell = client.stdout.wait_until("the farewell", |output| output.lines.get(1).cloned());
    assert_eq!(farewell, "[*] The server is stopping");
    assert_eq!(client.exit_code(), Some(1));
    assert_eq!(client.stderr.lines(), ["error: the server closed the connection: server is stopping"]);
}
