//! The terminal is closed. The room closes with it unless the server was told to outlive it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::tmux::Tmux;
use super::{CHAT, named, server, signal};

/// A plain member that has joined.
fn member(address: &str) -> TcpStream {
    let mut member = TcpStream::connect(address).expect("the server listens");
    member.set_read_timeout(Some(Duration::from_secs(30))).expect("not zero");
    is_answered(&mut member);
    member
}

/// Asks who is present and reads up to the member's own row, which is the last one.
fn is_answered(member: &mut TcpStream) {
    member.write_all(b"/who\n").expect("it reads");
    read_up_to(member, |line| line.contains(" (tcp, here for "));
}

/// Reads up to the notice that the server is stopping.
fn is_told_the_end(member: &mut TcpStream) {
    read_up_to(member, |line| line.starts_with("[*] The server is stopping"));
}

/// Reads up to a line for which `wanted` is true.
fn read_up_to(member: &mut TcpStream, wanted: impl Fn(&str) -> bool) {
    let mut text = Vec::new();
    let is_there = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.ends_with('\n') && text.lines().any(&wanted)
    };
    while !is_there(&text) {
        let mut byte = [0];
        // Unlike `read`, it goes on after a signal.
        member.read_exact(&mut byte).expect("something comes in time");
        text.extend(byte);
    }
}

#[test]
fn the_room_closes_in_order_with_its_terminal() {
    let Some(tmux) = Tmux::start() else { return };
    let (server, address) = server(&tmux);
    let mut member = member(&address);
    server.closes();
    is_told_the_end(&mut member);
}

#[test]
fn after_nohup_the_room_outlives_its_terminal() {
    let Some(tmux) = Tmux::start() else { return };
    let log = tmux.file("log");
    let server = format!("nohup {CHAT} server tcp --bind 127.0.0.1:0 > {} &", log.display());
    let follow =
        format!("echo $! > {0}; touch {1}; tail -f {1}", tmux.file("server").display(), log.display());
    let shell = tmux.window(&format!("sh -ic '{server} {follow}'"));
    let rows = shell.shows("[*] Listening on ");
    let address = rows.iter().find_map(|row| row.split("[*] Listening on ").nth(1)).expect("it says where");
    let mut member = member(address);
    shell.closes();
    // When the terminal is gone, the server has received its signals, and the room is as it was.
    signal(&tmux, "server", "HUP");
    is_answered(&mut member);
    signal(&tmux, "server", "TERM");
    is_told_the_end(&mut member);
}

#[cfg(target_os = "linux")]
#[test]
fn a_console_that_ignores_the_end_of_its_terminal_leaves_the_room_to_itself() {
    let Some(tmux) = Tmux::start() else { return };
    let command = format!("{CHAT} server tcp --bind 127.0.0.1:0 --no-timestamps");
    let window = tmux.window(&format!("trap \"\" HUP; {}", named(&tmux, "server", &command)));
    let rows = window.shows("open · 0 present");
    let address = rows[0].strip_prefix("[*] Listening on ").expect("it says where").to_owned();
    let mut member = member(&address);
    window.closes();
    let pid = fs::read_to_string(tmux.file("server")).expect("it runs");
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).expect("it runs");
        let after_name = stat.rsplit_once(") ").expect("as proc(5) says").1.to_owned();
        let ticks =
            after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
        ticks.sum::<u64>()
    };
    let before = ticks();
    member.set_read_timeout(Some(Duration::from_secs(1))).expect("not zero");
    assert!(member.read(&mut [0; 1]).is_err(), "a second of nothing");
    let spent = ticks() - before;
    assert!(spent < 30, "{spent} hundredths of a second of processor time without a terminal");
    member.set_read_timeout(Some(Duration::from_secs(30))).expect("not zero");
    is_answered(&mut member);
    signal(&tmux, "server", "TERM");
    is_told_the_end(&mut member);
}
