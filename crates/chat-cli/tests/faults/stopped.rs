//! Processes that are stopped for a while (SIGSTOP) and then continue, as on a machine that swaps or sleeps.
#![cfg(unix)]

use std::io::Read;
use std::time::Duration;

use crate::support::{Peer, Process, Server, client_command_over};

/// Longer than a heartbeat, shorter than any timeout.
const STANDSTILL: Duration = Duration::from_secs(2);

/// Clients over TCP and UDP that stay in the room. Returns them once the server has let them in.
fn clients(server: &Server) -> [Process; 2] {
    ["tcp", "udp"].map(|transport| {
        let before = server.process.stdout.lines().len();
        let client = Process::start(&mut client_command_over(transport, server.address, &["--stay"]));
        server.process.stdout.wait_until("the client", |output| (output.lines.len() > before).then_some(()));
        client
    })
}

#[test]
fn a_server_that_stands_still_for_a_while_loses_nobody_and_nothing() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let mut clients = clients(&server);
    let (mut speaker, mut reader) = (server.peer(), server.peer());
    let say = |speaker: &mut Peer, clients: &mut [Process], when: &str| {
        for number in 0..50 {
            speaker.send(format!("{when} {number}\n"));
            clients.iter_mut().for_each(|client| client.type_line(&format!("{when} {number}")));
        }
    };
    say(&mut speaker, &mut clients, "before");
    server.process.signal("STOP");
    say(&mut speaker, &mut clients, "meanwhile");
    hears_nothing_new_while_stopped(&mut reader);
    server.process.signal("CONT");
    say(&mut speaker, &mut clients, "after");

    // Three speakers: each one's messages are in order, and each message is heard once.
    let heard = server.process.stdout.wait_until("all that was said", |output| {
        let said = output.lines.iter().filter(|line| !line.starts_with("[*] ")).cloned();
        let said: Vec<String> = said.collect();
        (said.len() >= 450).then_some(said)
    });
    let expected: Vec<String> = ["before", "meanwhile", "after"]
        .iter()
        .flat_map(|when| (0..50).map(move |number| format!("{when} {number}")))
        .collect();
    let mut names: Vec<&str> = heard.iter().map(|line| line.split_once("] ").unwrap().0).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 3);
    for name in names {
        let texts: Vec<_> = heard.iter().filter_map(|line| line.strip_prefix(&format!("{name}] "))).collect();
        assert_eq!(texts, expected);
    }
    let lines = reader.read_up_to(heard.last().unwrap());
    assert!(heard.ends_with(&lines), "everyone reads the same");
}

/// Data that the server had sent before it was stopped may still arrive.
fn hears_nothing_new_while_stopped(reader: &mut Peer) {
    reader.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut earlier = [0; 64 * 1024];
    while reader.socket.read(&mut earlier).is_ok() {}
    reader.hears_nothing_for(STANDSTILL);
}

#[test]
fn a_client_that_stands_still_for_a_while_misses_nothing() {
    let server = Server::over(&["tcp", "udp"], &[]);
    let clients = clients(&server);
    let (mut speaker, mut reader) = (server.peer(), server.peer());
    clients.iter().for_each(|client| client.signal("STOP"));
    speaker.send((0..5_000).map(|number| format!("{number}\n")).collect::<String>());
    reader.read_up_to(&speaker.line("4999"));
    reader.hears_nothing_for(STANDSTILL);
    clients.iter().for_each(|client| client.signal("CONT"));
    speaker.send("that is all\n");
    let mut expected: Vec<String> = (0..5_000).map(|number| speaker.line(&number.to_string())).collect();
    expected.push(speaker.line("that is all"));
    for client in &clients {
        client.stdout.wait_for_line(expected.last().unwrap());
        assert_eq!(client.stdout.lines(), expected);
    }
}
