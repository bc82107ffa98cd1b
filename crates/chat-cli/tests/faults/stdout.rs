//! Nobody has to read what a program prints: the room goes on if the server's stdout is stuck, closed or full.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::support::{CHAT, Peer, Process, Server, free_address};
use crate::usage::cpu_ticks;

/// Two members say more than a pipe holds, and they miss nothing. Afterwards the server is idle.
fn the_room_goes_on(process: &Process, address: SocketAddr) {
    let (mut ann, mut bob) = (Peer::connect_in_time(address), Peer::connect(address));
    ann.is_in();
    bob.is_in();
    let long = "x".repeat(900);
    for round in 0..300 {
        ann.send(format!("{round} {long}\n"));
        bob.send(format!("{round}\n"));
    }
    ann.send("done\n");
    let lines = bob.read_up_to(&ann.line("done"));
    assert_eq!(lines.len(), 301, "it missed nothing");
    assert_eq!(lines[7], ann.line(&format!("7 {long}")));

    let ticks = cpu_ticks(process.id());
    bob.hears_nothing_for(Duration::from_secs(1));
    let ticks = cpu_ticks(process.id()) - ticks;
    assert!(ticks < 20, "{ticks} hundredths of a second of processor time in a second of nothing");
}

/// Checks that the room goes on, that the server ends in order, and that it has printed this many complaints.
fn goes_on_and_ends(mut process: Process, address: SocketAddr, complaints: usize) {
    the_room_goes_on(&process, address);
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
    let stderr = process.stderr.lines();
    assert_eq!(stderr.len(), complaints, "{stderr:?}");
}

/// Runs the server with a stdout that a shell sets up from `redirection`.
fn redirected(redirection: &str, complaints: usize) {
    let address = free_address();
    let line = format!("exec {CHAT} server tcp --bind {address} {redirection}");
    goes_on_and_ends(Process::start(Command::new("sh").args(["-c", &line])), address, complaints);
}

#[test]
fn on_a_full_disk_the_room_goes_on_and_the_server_complains_once() {
    redirected("> /dev/full", 1);
}

#[test]
fn a_help_that_cannot_be_written_is_a_failure() {
    let output = Command::new("sh").args(["-c", &format!("{CHAT} --help > /dev/full")]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && stderr.contains("cannot write to stdout"), "{stderr}");
}

#[test]
fn without_a_stdout_the_room_goes_on() {
    redirected(">&-", 0);
}

#[test]
fn when_the_reader_of_its_stdout_has_ended_the_room_goes_on() {
    let address = free_address();
    let (process, stdout) = Process::start_unread(&mut server_command(address));
    drop(stdout);
    goes_on_and_ends(process, address, 0);
}

#[test]
fn if_nobody_reads_its_stdout_the_room_goes_on() {
    let address = free_address();
    let (process, stdout) = Process::start_unread(&mut server_command(address));
    goes_on_and_ends(process, address, 0);
    drop(stdout);
}

fn server_command(address: SocketAddr) -> Command {
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", &address.to_string()]);
    command
}

#[test]
fn a_client_that_cannot_write_says_so_and_ends_with_one() {
    let server = Server::start();
    let line = format!("exec {CHAT} client tcp {} --stay > /dev/full", server.address);
    let mut client = Process::start(Command::new("sh").args(["-c", &line]));
    server.process.stdout.wait_for_lines(2);
    let mut speaker = server.peer();
    speaker.send("hello\n");
    assert_eq!(client.exit_code(), Some(1));
    let stderr = client.stderr.all().concat();
    assert!(stderr.starts_with("error: cannot write to stdout: "), "{stderr}");
}
