//! A server is killed, and another one takes its place.
#![cfg(unix)]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Output, Peer, Process, Server, client_command_over, own_loopback};

/// For each text that a `chat client --json` said: how often it was reported as confirmed and how often as unsure.
fn fates(output: &Output) -> BTreeMap<String, (usize, usize)> {
    let mut fates: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in output.lines() {
        let object: Value = serde_json::from_str(&line).expect("one object per line");
        match object["type"].as_str() {
            Some("message") if object["own"] == true => {
                fates.entry(object["text"].as_str().unwrap().to_owned()).or_default().0 += 1;
            }
            Some("unsure") => {
                for text in object["texts"].as_array().unwrap() {
                    fates.entry(text.as_str().unwrap().to_owned()).or_default().1 += 1;
                }
            }
            _ => {}
        }
    }
    fates
}

#[test]
fn killed_and_started_again_the_server_listens_at_once_and_of_each_message_its_author_knows_what_became() {
    let first = Server::over(&["tcp", "udp"], &[]);
    let address = first.address;
    let mut clients = ["tcp", "udp"].map(|transport| {
        let flags = ["--json", "--reconnect", "--stay"];
        let client = Process::start(&mut client_command_over(transport, address, &flags));
        client.stdout.wait_until("a welcome", |output| {
            output.lines.iter().any(|line| line.contains(r#""connected""#)).then_some(())
        });
        client
    });
    let mut said = Vec::new();
    let mut say = |clients: &mut [Process], count: usize| {
        for _ in 0..count {
            let text = format!("message {}", said.len());
            clients.iter_mut().for_each(|client| {
                client.type_line(&format!(r#"{{"type":"say","text":"{text}"}}"#));
            });
            said.push(text);
        }
        said.len()
    };
    say(&mut clients, 200);
    // Connections of all kinds are open when the server dies, some with unread data. The port is busy, and the next
    // server still gets it.
    let (_idle, mut reader) = (first.peer(), first.peer());
    reader.send("x");
    drop(first);
    say(&mut clients, 200);
    let second = Server::at(&address.to_string(), &["tcp", "udp"], &[]);
    assert_eq!(second.address, address);
    let mut witness = Peer::connect(address);
    witness.is_in();
    // Messages said after the clients are back are heard as usual.
    for client in &clients {
        client.stdout.wait_until("a second welcome", |output| {
            let welcomes = output.lines.iter().filter(|line| line.contains(r#""connected""#));
            (welcomes.count() == 2).then_some(())
        });
    }
    let count = say(&mut clients, 100);
    clients.iter_mut().for_each(|client| client.type_line(r#"{"type":"say","text":"the end"}"#));
    for client in &clients {
        client.stdout.wait_until("the end", |output| {
            let is_end = |line: &String| line.contains(r#""the end""#) && line.contains(r#""own":true"#);
            output.lines.iter().any(is_end).then_some(())
        });
        let fates = fates(&client.stdout);
        assert_eq!(fates.len(), count + 1, "each has a fate, and nothing else has");
        let (mut confirmed, mut unsure) = (0, 0);
        for (text, fate) in &fates {
            assert!(matches!(fate, (1, 0) | (0, 1)), "{text}: {fate:?}");
            confirmed += fate.0;
            unsure += fate.1;
        }
        println!("{confirmed} confirmed, {unsure} unsure");
        assert!(confirmed >= 101, "what was said to the second server is confirmed");
    }
    // The room of the second server has each confirmed new message once.
    let last = (count - 1).to_string();
    second.process.stdout.wait_until("both last messages", |output| {
        let lasts = output.lines.iter().filter(|line| line.ends_with(&format!("] message {last}")));
        (lasts.count() == 2).then_some(())
    });
}

#[test]
fn a_client_ends_with_zero_if_and_only_if_everything_that_it_said_is_confirmed() {
    for transport in ["tcp", "udp"] {
        let first = Server::at(&format!("{}:0", own_loopback()), &[transport], &[]);
        let address = first.address;
        let mut client = Process::start(&mut client_command_over(transport, address, &["--reconnect"]));
        // The client must know that it has joined. A client that never joined would end and say so.
        client.type_line("I am in");
        first.process.stdout.wait_for_lines(3);
        drop(first);
        let second = Server::at(&address.to_string(), &[transport], &[]);
        // Over UDP the client does not notice the restart until its user says something.
        client.type_line("anyone?");
        second
            .process
            .stdout
            .wait_until("the client again", |output| (output.lines.len() >= 2).then_some(()));
        client.type_line("hello");
        client.end_of_input();
        // Nobody knows what became of a message that the client said to the first server while that was already gone.
        let code = client.exit_code();
        let stderr = client.stderr.all();
        let is_unsure =
            stderr.iter().any(|line| line == "error: it is not known whether the room has 1 message");
        assert_eq!(code, Some(i32::from(is_unsure)), "{transport}: {stderr:?}");
        assert!(!is_unsure || transport == "udp", "over TCP it had noticed: {stderr:?}");
        second.process.stdout.wait_until("its message", |output| {
            output.lines.iter().any(|line| line.ends_with("] hello")).then_some(())
        });
    }
}
