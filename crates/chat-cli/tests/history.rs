//! The history of a server survives the server, however it ends, and can be read with and without a server.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use chat_store::Archive;
use support::{
    CHAT, Directory, Peer, Process, Server, Written, client_command, client_command_over, free_address,
};

fn server(address: SocketAddr, file: &Path, flags: &[&str]) -> Server {
    let history = ["--history", file.to_str().unwrap()];
    Server::at(&address.to_string(), &["tcp"], &[&history, flags].concat())
}

fn history(arguments: &[&str]) -> Output {
    Command::new(CHAT).arg("history").args(arguments).output().unwrap()
}

/// What `chat history` prints, without the dates.
fn printed(arguments: &[&str]) -> Vec<String> {
    let output = history(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

/// A named member that has joined.
fn member(server: &Server, name: &str) -> Peer {
    let mut peer = server.peer();
    peer.send(format!("/nick {name}\n"));
    peer.read_up_to(&format!("[*] You are {name}"));
    peer
}

#[test]
fn what_was_said_survives_kill_9_and_its_members_come_back() {
    let (address, directory) = (free_address(), Directory::new());
    let file = directory.root().join("chat.db");
    let mut before = server(address, &file, &[]);
    let flags = ["--stay", "--reconnect", "--name", "ann"];
    let mut client = Process::start(&mut client_command(address, &flags));
    let mut bob = before.peer();
    client.hears(&mut bob);
    client.type_line("from ann, before");
    bob.read_up_to("[ann] from ann, before");
    before.process.kill();
    drop(before);
    let after = server(address, &file, &[]);
    client.type_line("from ann, after");
    after.process.stdout.wait_for_line("[ann] from ann, after");
    let mut zoe = member(&after, "zoe");
    zoe.send("/search before\n");
    zoe.read_up_to(" [ann] from ann, before");
}

#[test]
fn history_on_join_is_as_long_as_the_client_asks_also_after_kill_9() {
    for transport in ["tcp", "udp"] {
        long_history(transport);
    }
}

fn long_history(transport: &str) {
    const MESSAGES: usize = 20_000;
    const ASKED: usize = 15_000;
    let (address, directory) = (free_address(), Directory::new());
    let file = directory.root().join("chat.db");
    let lines: String = (1..=MESSAGES).map(|number| format!("line {number}\n")).collect();
    let log = file.with_file_name("many.log");
    fs::write(&log, lines).unwrap();
    assert!(history(&["import", file.to_str().unwrap(), log.to_str().unwrap()]).status.success());
    for _life in 0..2 {
        // The log in memory holds a third of the messages that are asked for.
        let flags = ["--log", "1", "--history", file.to_str().unwrap()];
        let mut server = Server::at(&address.to_string(), &[transport], &flags);
        let asked = ASKED.to_string();
        let flags = ["--stay", "--history", &asked];
        let client = Process::start(&mut client_command_over(transport, address, &flags));
        client.stdout.wait_for_line(&format!("[*] line {MESSAGES}"));
        let lines = client.stdout.lines();
        let expected: Vec<String> =
            (MESSAGES - ASKED + 1..=MESSAGES).map(|number| format!("[*] line {number}")).collect();
        assert!(lines == expected, "{} lines from {:?}", lines.len(), lines.first());
        server.process.kill();
        server.process.exit_code();
    }
}

#[test]
fn a_history_is_read_while_the_server_runs_and_without_it() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    let path = file.to_str().unwrap();
    let mut server = server(free_address(), &file, &[]);
    let mut ann = member(&server, "ann");
    ann.send("hello\nthe deploy failed\n");
    server.process.stdout.wait_for_line("[ann] the deploy failed");
    for is_running in [true, false] {
        assert_eq!(printed(&[path]), ["[ann] hello", "[ann] the deploy failed"], "running: {is_running}");
        assert_eq!(printed(&[path, "--search", "FAILED deploy"]), ["[ann] the deploy failed"]);
        assert_eq!(printed(&[path, "--author", "bob"]), [""; 0]);
        assert_eq!(printed(&[path, "--since", "1h"]).len(), 2);
        let json = String::from_utf8(history(&[path, "--json"]).stdout).unwrap();
        assert!(json.starts_with(r#"{"type":"message","seq":1,"time":"20"#), "{json}");
        if is_running {
            server.process.kill();
            server.process.exit_code();
        }
    }
}

#[test]
fn a_server_that_is_stopped_leaves_one_file_that_is_the_whole_history() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    let mut server = server(free_address(), &file, &["--history-sync", "disk", "--keep", "30d"]);
    let mut ann = member(&server, "ann");
    ann.send("hello\n");
    server.process.stdout.wait_for_line("[ann] hello");
    if !Process::heeds("TERM") {
        return;
    }
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    let copy = file.with_file_name("copy.db");
    fs::copy(&file, &copy).unwrap();
    assert_eq!(printed(&[copy.to_str().unwrap()]), ["[ann] hello", "[*] The server is stopping"]);
}

#[test]
fn two_servers_cannot_share_a_history() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    let _first = server(free_address(), &file, &[]);
    let second = Command::new(CHAT)
        .args(["server", "tcp", "--bind", "127.0.0.1:0", "--history", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let stderr = String::from_utf8(second.stderr).unwrap();
    assert!(stderr.contains("another program has it open"), "{stderr}");
    assert!(history(&["redact", file.to_str().unwrap(), "--author", "ann"]).status.code() == Some(1));
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    fs::write(&file, "dear diary\n".repeat(100)).unwrap();
    let output =
        Command::new(CHAT).args(["server", "tcp", "--history", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is not a history of a chat"), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "dear diary\n".repeat(100));
}

#[test]
fn a_log_is_imported_and_one_person_is_redacted() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    let (path, log) = (file.to_str().unwrap(), file.with_file_name("old.log"));
    // Some programs on Windows begin with a byte order mark.
    fs::write(&log, "\u{feff}[ann] hello\n[bob] my password is hunter2\nno author\n").unwrap();
    let output = history(&["import", path, log.to_str().unwrap()]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "3 messages added\n");
    let output = history(&["redact", path, "--author", "Bob"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1 message replaced\n");
    assert_eq!(printed(&[path]), ["[ann] hello", "[*] (removed)", "[*] no author"]);
    assert!(!fs::read(&file).unwrap().windows(7).any(|window| window == b"hunter2"));
    // What is printed can be brought in elsewhere, times and all; JSON cannot, and that is said.
    let (again, copy) = (file.with_file_name("again.db"), file.with_file_name("copy.log"));
    let (again, copy) = (again.to_str().unwrap(), copy.to_str().unwrap());
    let exported = history(&[path]).stdout;
    fs::write(copy, &exported).unwrap();
    assert!(history(&["import", again, copy]).status.success());
    assert_eq!(history(&[again]).stdout, exported);
    fs::write(copy, history(&[path, "--json"]).stdout).unwrap();
    let refused = history(&["import", again, copy]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("print it without --json"));
    let mut server = server(free_address(), &file, &[]);
    let mut ann = member(&server, "ann");
    ann.send("/history 1 before 2\n");
    ann.read_up_to(" [ann] hello");
    server.process.kill();
}

#[test]
fn a_log_is_not_imported_into_no_room_of_a_history_whose_rooms_have_names() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    let (path, log) = (file.to_str().unwrap(), file.with_file_name("old.log"));
    fs::write(&log, "[ann] hello\n").unwrap();
    let log = log.to_str().unwrap();
    assert!(history(&["import", path, log, "--room", "lobby"]).status.success());
    let refused = history(&["import", path, log]);
    assert_eq!(refused.status.code(), Some(1));
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(why.contains("choose one with --room") && why.contains("the rooms are lobby"), "{why}");
    assert!(history(&["import", path, log, "--room", "LOBBY"]).status.success());
    assert_eq!(printed(&[path]).len(), 2);
    // A server without --room has gone on with it.
    assert!(Archive::import(&file, "", 0, ["[ann] hello"]).is_ok());
    let which = history(&["redact", path, "--seq", "1"]);
    assert!(String::from_utf8_lossy(&which.stderr).contains("LOBBY, ''"), "{which:?}");
    assert_eq!(printed(&[path]).iter().filter(|line| line.starts_with("'' [ann]")).count(), 1);
    assert_eq!(printed(&[path, "--room", ""]).len(), 1);
}

#[test]
fn nobody_needs_to_read_how_many_messages_were_changed() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    let log = file.with_file_name("old.log");
    fs::write(&log, "[ann] hello\n").unwrap();
    let (path, log) = (file.to_str().unwrap(), log.to_str().unwrap());
    for arguments in [["import", path, log].as_slice(), &["redact", path, "--author", "ann"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(CHAT);
        let output = command.arg("history").args(arguments).stdout(writer).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    assert_eq!(printed(&[path]), ["[*] (removed)"]);
}

#[test]
fn a_program_pages_back_over_tcp_and_udp() {
    const MESSAGES: usize = 120;
    for transport in ["tcp", "udp"] {
        let (address, directory) = (free_address(), Directory::new());
        let file = directory.root().join("chat.db");
        let lines: String = (1..=MESSAGES).map(|number| format!("[ann] line {number}\n")).collect();
        let log = file.with_file_name("old.log");
        fs::write(&log, lines).unwrap();
        assert!(history(&["import", file.to_str().unwrap(), log.to_str().unwrap()]).status.success());
        let flags = ["--history", file.to_str().unwrap()];
        let _server = Server::at(&address.to_string(), &[transport], &flags);
        let mut client = Process::start(&mut client_command_over(transport, address, &["--json", "--stay"]));
        let (mut before, mut texts, mut pages) = (u64::MAX, Vec::new(), 0);
        loop {
            client.type_line(&format!(r#"{{"type":"history","before":{before},"messages":50}}"#));
            pages += 1;
            let answer = client.stdout.wait_until("a page", |output| {
                let mut answers = output.lines.iter().filter(|line| line.starts_with(r#"{"type":"history""#));
                answers.nth(pages - 1).cloned()
            });
            let page: serde_json::Value = serde_json::from_str(&answer).unwrap();
            let messages = page["messages"].as_array().unwrap().clone();
            texts.splice(0..0, messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()));
            before = messages[0]["seq"].as_u64().unwrap();
            if page["more"] == false {
                break;
            }
        }
        let expected: Vec<String> = (1..=MESSAGES).map(|number| format!("line {number}")).collect();
        assert_eq!((texts, pages), (expected, 3), "{transport}");
        client.type_line(r#"{"type":"history","author":"ANN","words":"77 line"}"#);
        let ends_with = |end: &'static str| {
            move |output: &Written| output.lines.iter().any(|line| line.ends_with(end)).then_some(())
        };
        client.stdout.wait_until("line 77", ends_with(r#""text":"line 77"}],"more":false}"#));
        client.type_line(r#"{"type":"history","author":"no name at all"}"#);
        client.stdout.wait_until("a refusal", ends_with(r#""error":"no name at all is not an author"}"#));
    }
}

#[cfg(unix)]
#[test]
fn a_history_whose_file_is_removed_is_told_of() {
    let directory = Directory::new();
    let file = directory.root().join("chat.db");
    let server = server(free_address(), &file, &[]);
    let mut ann = member(&server, "ann");
    ann.send("one\n");
    server.process.stdout.wait_for_line("[ann] one");
    fs::remove_file(&file).unwrap();
    ann.send("two\n");
    server.process.stderr.wait_until("a warning", |output| {
        output.lines.iter().any(|line| line.contains("the file of the history was removed")).then_some(())
    });
}
