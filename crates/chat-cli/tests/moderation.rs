//! The flags for names, operators and bans, as members of the built server experience them.
#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{CHAT, Directory, Process, Server, now};

fn wait_for_text(path: &Path, wanted: &str) {
    let deadline = now() + support::PATIENCE;
    while !fs::read_to_string(path).is_ok_and(|text| text.contains(wanted)) {
        assert!(now() < deadline, "no {wanted:?} in {}", path.display());
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_ban_survives_the_death_of_the_server() {
    let directory = Directory::new();
    let password = directory.write("password", "open sesame\n");
    let bans = directory.root().join("bans.toml");
    let flags = ["--operator-password-file", &password, "--bans", bans.to_str().expect("UTF-8")];
    let mut server = Server::with(&flags);
    let (mut ann, mut bob) = (server.peer(), server.peer());
    ann.send("/ban bob\n");
    ann.read_up_to("/ban is for operators");
    ann.send("/oper open sesame\n");
    ann.read_up_to("[*] You are an operator. /help lists what you can do.");
    bob.send("/nick bob\n");
    bob.read_up_to("[*] You are bob");
    ann.send("/kick nobody\n");
    ann.read_up_to("[*] nobody is not here. /who tells who is.");
    ann.send("/ban bob for 2h spam\n");
    ann.read_up_to("[*] bob is banned. 1 member had to leave.");
    assert_eq!(bob.read_to_end().last().map(String::as_str), Some("[*] Closed: banned: spam"));
    wait_for_text(&bans, "who = \"bob\"");
    server.process.kill();
    server.process.exit_code();

    let mut server = Server::with(&flags);
    let (mut ann, mut bob) = (server.peer(), server.peer());
    bob.send("/nick Bob\n");
    bob.read_up_to("[*] This name is banned: spam");
    ann.send("/oper open sesame\n");
    ann.read_up_to("[*] You are an operator. /help lists what you can do.");
    ann.send("/unban bob\n");
    ann.read_up_to("[*] bob may come again");
    // Changes that are not yet in the file are written at the end.
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    assert!(!fs::read_to_string(&bans).expect("it is there").contains("bob"));
}

#[test]
fn a_history_keeps_bans_mutes_the_topic_and_slow_mode_over_kill_9() {
    let directory = Directory::new();
    // As some editors on Windows save it.
    let password = directory.write("password", "\u{feff}open sesame\r\n");
    let history = directory.root().join("chat.db");
    let flags = ["--operator-password-file", &password, "--history", history.to_str().expect("UTF-8")];
    let mut server = Server::with(&flags);
    let mut ann = server.peer();
    ann.send("/oper open sesame\n");
    ann.read_up_to("[*] You are an operator. /help lists what you can do.");
    let mut eve = server.peer();
    eve.send("/nick Eve\n");
    eve.read_up_to("[*] You are Eve");
    ann.send("/mute eve\n");
    ann.read_up_to("[*] eve is muted");
    eve.send("/quit\n"); // otherwise the name would be reserved
    eve.read_to_end();
    ann.send("/ban bob for 2h spam\n/slow 10m\n/topic tea\n");
    // The topic is committed after the changes that were handed to the history before it.
    ann.read_up_to("set the topic: tea");
    server.process.kill();
    server.process.exit_code();

    let server = Server::with(&flags);
    let mut bob = server.peer();
    bob.send("/nick Bob\n");
    bob.read_up_to("[*] This name is banned: spam");
    bob.send("/topic\n");
    bob.read_up_to("tea");
    bob.send("/oper open sesame\n/slow\n/mute\n");
    bob.read_up_to("Each member may speak every 10 min");
    bob.read_up_to("[*] Eve");
    let mut eve = server.peer();
    eve.send("/nick EVE\nhello\n");
    eve.read_up_to("[*] Not said: You are muted");
    bob.send("/unmute eve\n");
    bob.read_up_to("[*] eve may speak");
    eve.send("sorry\n");
    bob.read_up_to("[EVE] sorry");
}

#[test]
fn after_sighup_the_bans_are_those_of_the_file() {
    if !Process::heeds("HUP") {
        return;
    }
    let directory = Directory::new();
    let bans = directory.write("bans.toml", "# mine\n[[ban]]\nwho = \"eve\"\n");
    let server = Server::with(&["--bans", &bans]);
    let mut bob = server.peer();
    bob.send("/nick eve\n");
    bob.read_up_to("[*] This name is banned");
    bob.send("/nick bob\n");
    bob.read_up_to("[*] You are bob");
    // A damaged file changes nothing and is left as it is.
    fs::write(&bans, "[[ban]\n").expect("it can be written");
    server.process.signal("HUP");
    server.process.stderr.wait_until("a warning", |output| {
        output.lines.iter().any(|line| line.contains("cannot understand")).then_some(())
    });
    assert_eq!(fs::read_to_string(&bans).expect("it is there"), "[[ban]\n");
    fs::write(&bans, "[[ban]]\nwho = \"bob\"\nwhy = \"spam\"\n").expect("it can be written");
    server.process.signal("HUP");
    assert_eq!(bob.read_to_end().last().map(String::as_str), Some("[*] Closed: banned: spam"));
    let mut eve = server.peer();
    eve.send("/nick eve\n");
    eve.read_up_to("[*] You are eve");
}

#[test]
fn an_address_has_three_attempts_at_the_password_which_is_never_said() {
    let directory = Directory::new();
    let password = directory.write("password", "open sesame\n");
    let server = Server::with(&["--operator-password-file", &password]);
    let (mut ann, mut bob) = (server.peer(), server.peer());
    for _ in 0..3 {
        ann.send("/oper open says me\n");
        ann.read_up_to("[*] That is not the password");
    }
    ann.send("/oper open sesame\n");
    ann.read_up_to("[*] Too many attempts. Wait a minute.");
    ann.send("done\n");
    assert_eq!(bob.read_up_to("] done"), [ann.line("done")]);
    assert!(!server.process.stdout.lines().concat().contains("open"));
}

#[test]
fn names_may_be_required_and_addresses_hidden() {
    let server = Server::with(&["--names", "required", "--hide-addresses"]);
    let (mut ann, mut bob) = (server.peer(), server.peer());
    ann.send("hello\n");
    ann.read_up_to("[*] Not said: Choose a name first: type /nick NAME");
    bob.send("/nick bob\n");
    bob.read_up_to("[*] You are bob");
    ann.send("/nick bob\n");
    ann.read_up_to("[*] The name bob is taken. bob-2 is free.");
    ann.send("/msg bob hello\n");
    ann.read_up_to("[*] Not delivered: choose a name first: type /nick NAME");
    ann.send("/nick ann\n/wo\n//wo\n");
    ann.read_up_to("[*] There is no /wo. Did you mean /who?");
    let heard = bob.read_up_to("[ann] /wo");
    assert!(!heard.concat().contains("hello"), "{heard:?}");
    bob.send("/w\n/wo\n");
    let list = bob.read_up_to("[*] There is no /wo. Did you mean /who?").concat();
    assert!(list.contains("ann (") && list.contains("bob (") && !list.contains("127.0.0.1"), "{list}");
    for command in ["/msg ADDRESS hi", "/ignore ADDRESS"] {
        let address = &ann.name;
        bob.send(format!("{}\n", command.replace("ADDRESS", address)));
        bob.read_up_to(&format!("[*] {address} is not here. /who tells who is."));
    }
}

#[test]
fn what_cannot_be_used_is_said_at_once() {
    let directory = Directory::new();
    let missing = directory.root().join("missing").to_str().expect("UTF-8").to_owned();
    let damaged = directory.write("damaged.toml", "[[ban]]\nwho = \"300.1.1.1\"\n");
    let short = directory.write("short", "1234567\n");
    for (flag, file, says) in [
        ("--bans", &damaged, "line 2"),
        ("--operator-password-file", &missing, "cannot open the operator password file"),
        ("--operator-password-file", &short, "8 to 200 bytes"),
        ("--bans", &"/nowhere/bans.toml".to_owned(), "its directory does not exist"),
    ] {
        let mut command = Command::new(CHAT);
        command.args(["server", "tcp", "--bind", "127.0.0.1:0", flag, file]);
        let mut server = Process::start(&mut command);
        assert_eq!(server.exit_code(), Some(1), "{flag}");
        let stderr = server.stderr.all().join("\n");
        assert!(stderr.contains(says), "{stderr}");
    }
    assert_eq!(fs::read_to_string(&damaged).expect("it is there"), "[[ban]]\nwho = \"300.1.1.1\"\n");
}
