//! Flags that the program does not understand, and what it suggests instead.

mod support;

use std::process::{Command, Stdio};

use support::{CHAT, Server};

/// What the program says on stderr when it refuses to start.
fn wrong(arguments: &[&str]) -> String {
    let output = Command::new(CHAT).args(arguments).stdin(Stdio::null()).output().expect("it runs");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn a_number_that_is_none_or_out_of_range_is_told_what_is_expected() {
    let cases = [
        (
            "--log",
            "chat.log",
            "expected MiB of messages that are kept in memory (--log-file names a file), 1 to 1024",
        ),
        ("--log", "0", "1 to 1024"),
        ("--max-members", "0", "expected a number of members, 1 to 1000000"),
        ("--max-members", "many", "expected a number of members, 1 to 1000000"),
        ("--max-per-ip", "0", "expected a number of members, 1 to 1000000"),
        ("--rate", "-5", "expected messages per second, 0 to 1000000"),
        ("--rate", "1.5", "expected messages per second"),
        ("--history-max", "100000", "0 to 65535"),
        ("--threads", "0", "expected a number of threads, 1 to 64"),
    ];
    for (flag, value, expected) in cases {
        let stderr = wrong(&["server", "tcp", flag, value]);
        assert!(stderr.contains(&format!("invalid value '{value}' for '{flag} <")), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
}

#[test]
fn a_flag_of_another_command_is_told_whose_it_is() {
    for (arguments, tip) in [
        (["client", "tcp", "--log-file", "x"], "'--log-file' is for 'chat server'"),
        (["server", "tcp", "--stay", "x"], "'--stay' is for 'chat client'"),
    ] {
        let stderr = wrong(&arguments);
        assert!(stderr.contains(tip) && !stderr.contains("as a value"), "{stderr}");
    }
    let stderr = wrong(&["client", "tcp", "--nonsense"]);
    assert!(stderr.contains("'--nonsense'") && !stderr.contains("tip:"), "{stderr}");
}

#[test]
fn the_limits_hold_for_loopback_if_asked() {
    let server = Server::with(&["--limit-loopback", "--max-per-ip", "1", "--rate", "1"]);
    let mut ann = server.peer();
    let mut second = support::Peer::connect(server.address);
    assert_eq!(second.read_to_end(), ["[*] Closed: too many members from this address"]);
    // The member may say ten messages at once, then one per second.
    (0..14).for_each(|number| ann.send(format!("{number}\n")));
    let began = support::now();
    server.process.stdout.wait_for_line(&ann.line("13"));
    assert!(began.elapsed() > std::time::Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn completions_know_the_commands_that_have_a_page() {
    let output = Command::new(CHAT).args(["completions", "bash"]).output().expect("it runs");
    let script = String::from_utf8(output.stdout).expect("text");
    let man = script.split("chat__man)").nth(1).or_else(|| script.split("chat__subcmd__man)").nth(1));
    let man = man.expect("man has completions").lines().take(4).collect::<String>();
    assert!(man.contains("server client"), "{man}");
}
