//! A server that has no descriptor left.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::io::Read;
use std::process::Command;
use std::time::Duration;

use crate::support::{CHAT, Peer, Server};
use crate::usage::cpu_ticks;

#[test]
fn without_descriptors_left_the_room_goes_on_and_newcomers_wait_until_there_are_some() {
    let mut command = Command::new("sh");
    let server_command = format!("ulimit -n 64; exec {CHAT} server tcp --bind 127.0.0.1:0");
    let server = Server::run(command.args(["-c", &server_command]));
    let mut members: Vec<Peer> = (0..200).map(|_| Peer::connect(server.address)).collect();
    server.process.stderr.wait_until("a warning", |output| (!output.lines.is_empty()).then_some(()));
    let accepted = server.process.stdout.wait_until("some members", |output| {
        let names = output.lines.iter().filter_map(|line| line.strip_prefix("[*] Accepted connection from "));
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        (names.len() > 40).then_some(names)
    });
    assert!(accepted.len() < 64);
    let mut waiting = members.split_off(64);
    members.retain(|member| accepted.contains(&member.name));

    // The server goes on and does not waste CPU time on the failed accepts.
    let before = cpu_ticks(server.process.id());
    for round in 0..20 {
        let (speaker, others) = members.split_first_mut().unwrap();
        speaker.send(format!("message {round}\n"));
        let line = speaker.line(&format!("message {round}"));
        others.iter_mut().for_each(|other| drop(other.read_up_to(&line)));
    }
    let last = &mut waiting.last_mut().unwrap().socket;
    last.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let nothing = last.read(&mut [0; 1]);
    assert!(nothing.is_err(), "it waits: {nothing:?}");
    let ticks = cpu_ticks(server.process.id()) - before;
    assert!(ticks < 100, "{ticks} hundredths of a second of processor time in two seconds of waiting");

    // The peers that wait may have spoken already.
    waiting.iter_mut().for_each(|newcomer| newcomer.send("may I come in?\n"));
    members.drain(1..10).for_each(drop);
    members[0].read_up_to("may I come in?");
    // While the server is full, each peer that leaves lets another one in.
    for _ in 0..20 {
        drop(members.pop());
        let (speaker, others) = members.split_first_mut().unwrap();
        speaker.send("goes on\n");
        let line = speaker.line("goes on");
        others.iter_mut().for_each(|other| drop(other.read_up_to(&line)));
    }
    let warnings = server.process.stderr.lines();
    assert!(warnings.len() <= 2, "one warning in a minute: {warnings:?}");
}
