//! A confirmed message is kept: the server is killed again and again while a client talks, and nothing is lost or doubled.
//!
//! `CHAT_KILLS=200 cargo test -p chat-cli --test durability` kills it 200 times.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;

use support::{CHAT, Process, Server, client_command_over, free_address};

/// Kills unless `CHAT_KILLS` says otherwise.
const KILLS: u32 = 8;

/// The numbers of the lines that are in the history, in order.
fn kept(file: &Path) -> Vec<u64> {
    let output = Command::new(CHAT).args(["history", file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| line.split_once("] line ")?.1.parse().ok()).collect()
}

/// The number of a line that the room has confirmed to the client.
fn confirmed(report: &str) -> Option<u64> {
    let text = report.split_once(r#""text":"line "#)?.1;
    report.contains(r#""own":true"#).then(|| text.split('"').next()?.parse().ok()).flatten()
}

fn server(transport: &str, address: SocketAddr, file: &Path) -> Server {
    Server::at(&address.to_string(), &[transport], &["--history", file.to_str().unwrap()])
}

fn nothing_is_lost_or_doubled(transport: &str) {
    let kills = std::env::var("CHAT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("durability-{transport}"));
    let _not_there = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let (address, file) = (free_address(), directory.join("chat.db"));
    let mut running = server(transport, address, &file);
    let mut client =
        Process::start(&mut client_command_over(transport, address, &["--json", "--stay", "--reconnect"]));
    let mut stdin = client.stdin();
    // It says as much as the room takes, until it is told to stop: then its stdin is closed.
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
    let talking = thread::spawn(move || {
        let mut said = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            said += 1;
            writeln!(stdin, r#"{{"type":"say","text":"line {said}"}}"#).unwrap();
        }
        said
    });
    let newest = |at_least: u64| {
        client.stdout.wait_until("a confirmation", |output| {
            let newest = output.lines.iter().rev().find_map(|line| confirmed(line));
            newest.filter(|&newest| newest >= at_least)
        })
    };
    let mut seen = 0;
    for kill in 0..kills {
        // At another moment each time.
        seen = newest(seen + 1 + u64::from(kill) * 7919 % 2_000);
        running.process.kill();
        running.process.exit_code();
        seen = newest(seen);
        let kept = kept(&file);
        assert!(kept.contains(&seen), "line {seen} was confirmed, and is not there: {:?}", kept.last());
        assert!(kept.iter().copied().eq(1..=kept.len() as u64), "each line once, and in order");
        running = server(transport, address, &file);
    }
    drop(stop);
    let said = talking.join().unwrap();
    newest(said);
    assert!(kept(&file).into_iter().eq(1..=said), "all {said} lines, each once");
    let reports = client.stdout.lines();
    assert!(
        !reports.iter().any(|line| line.contains(r#""type":"unsure""#)),
        "it is always known what was taken"
    );
}

#[test]
fn over_tcp_nothing_confirmed_is_lost_and_nothing_is_said_twice_however_often_the_server_is_killed() {
    nothing_is_lost_or_doubled("tcp");
}

#[test]
fn over_udp_nothing_confirmed_is_lost_and_nothing_is_said_twice_however_often_the_server_is_killed() {
    nothing_is_lost_or_doubled("udp");
}
