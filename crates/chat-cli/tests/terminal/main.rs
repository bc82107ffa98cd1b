//! The program on a real terminal: what people see while others talk, and when they paste, resize and leave.
//!
//! Each test has a tmux server of its own, types into its windows and reads their screens. If tmux is not installed,
//! the tests say so and do nothing.
#![cfg(unix)]

mod admin;
mod console;
mod hangup;
mod hostile;
mod job_control;
mod keyboard;
mod leaving;
mod limits;
#[path = "../support/mod.rs"]
mod support;
mod talking;
mod tmux;
mod window;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use self::support::CHAT;
use self::tmux::{Tmux, Window};

/// A server on a terminal, and the address it listens on.
fn server(tmux: &Tmux) -> (Window<'_>, String) {
    server_at(tmux, "127.0.0.1:0")
}

/// A server on a terminal at an address that the caller chooses.
fn server_at<'a>(tmux: &'a Tmux, bind: &str) -> (Window<'a>, String) {
    let window =
        tmux.window(&named(tmux, "server", &format!("{CHAT} server tcp --bind {bind} --no-timestamps")));
    let rows = window.shows("open · 0 present");
    let address = rows[0].strip_prefix("[*] Listening on ").expect("it says where");
    let address = address.to_owned();
    (window, address)
}

/// A client on a terminal, and its name in the room.
fn client<'a>(tmux: &'a Tmux, address: &str, flags: &str) -> (Window<'a>, String) {
    let window =
        tmux.window(&format!("{CHAT} client tcp {address} --no-timestamps {flags}; echo ended with $?"));
    let rows = window.shows("-- You are ");
    window.shows("● connected");
    let you = rows.iter().find_map(|row| row.strip_prefix("-- You are ")).expect("it says so");
    let you = you.split(". ").next().expect("the address").to_owned();
    (window, you)
}

/// Pipes `lines` through a client without a terminal.
fn pipe(address: &str, lines: &str) {
    let mut client = Command::new(CHAT);
    client.args(["client", "tcp", address]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut client = client.spawn().expect("it starts");
    client.stdin.take().expect("it is piped").write_all(lines.as_bytes()).expect("it reads");
    assert!(client.wait().expect("it ends").success());
}

/// A command that can be [signalled](signal) by `name`.
fn named(tmux: &Tmux, name: &str, command: &str) -> String {
    format!("sh -c 'echo $$ > {}; exec {command}'", tmux.file(name).display())
}

/// Signals a [named] command.
fn signal(tmux: &Tmux, name: &str, signal: &str) {
    let pid = fs::read_to_string(tmux.file(name)).expect("it runs");
    let kill = format!("kill -{signal} {pid}");
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh runs").success());
}
