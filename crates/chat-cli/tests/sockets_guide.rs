//! The guide in `docs/sockets` says what its commands show. These tests check that they do.

#![cfg(unix)]

use std::path::Path;
use std::process::Command;

/// The last line of a demonstration. `None` if this machine cannot run it.
fn seen(what: &str, server: &str) -> Option<String> {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: python3 is not installed");
        return None;
    }
    let show = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sockets/show.py");
    let mut command = Command::new("python3");
    let output = command.arg(show).args([what, server]).env("CHAT", env!("CARGO_BIN_EXE_chat")).output();
    let output = output.expect("python3 runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if stderr.contains("takes root") {
        println!("skipped: {stderr}");
        return None;
    }
    let seen = stdout.lines().find_map(|line| line.strip_prefix("seen: "));
    Some(seen.unwrap_or_else(|| panic!("{what} {server} ended with {}: {stderr}", output.status)).to_owned())
}

/// What a naive server shows depends on the machine, but it never shows what ours shows.
fn fails_naively(what: &str, ours: &str) {
    if let Some(seen) = seen(what, "naive") {
        assert_ne!(seen, ours, "the naive server is better than it should be");
    }
    if let Some(seen) = seen(what, "ours") {
        assert_eq!(seen, ours);
    }
}

#[test]
fn messages_have_no_boundaries() {
    fails_naively("boundaries", "0 lines without their author, 0 lines broken inside");
}

#[test]
fn a_write_takes_only_half() {
    fails_naively("partial", "0 torn lines, 0 lines lost without a word");
}

#[test]
fn one_reader_stops_them_all() {
    fails_naively("blocked", "the listener got 60000 of 60000 lines");
}

#[test]
fn a_datagram_is_lost() {
    fails_naively("lost", "the listener got 100 of 100, in order");
}

#[test]
fn a_sender_is_forged() {
    fails_naively("spoofed", "0 forged messages in the room");
}

#[test]
fn the_program_is_looked_for_where_cargo_puts_it() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: python3 is not installed");
        return;
    }
    let show = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sockets/show.py");
    let mut command = Command::new("python3");
    command
        .arg(show)
        .args(["boundaries", "ours"])
        .env_remove("CHAT")
        .env("CARGO_TARGET_DIR", "/nowhere/target");
    let output = command.output().expect("python3 runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("/nowhere/target/debug/chat is not there"), "{stderr}");
}
