//! The files that are packed with the program fit it.
#![cfg(unix)]

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{CHAT, Directory, Server};

fn dist(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist").join(name);
    path.to_str().expect("a plain name").to_owned()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(dist(name)).expect(name)
}

#[test]
fn the_configuration_of_the_package_is_one() {
    let config = dist("chat.toml");
    let mut command = Command::new(CHAT);
    let output = command.args(["server", "--config", &config, "--print-config"]).output().expect("it runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("\nhistory = \"/var/lib/chat/chat.db\"\n"), "{printed}");
    // The settings that the file leaves commented out are right, too.
    let with_comments: String = text("chat.toml")
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| rest.starts_with(char::is_alphabetic)).unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let directory = Directory::new();
    let all = directory.write("all.toml", &with_comments);
    let mut command = Command::new(CHAT);
    let output = command.args(["server", "--print-config", "--config"]).arg(&all).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_dashboard_asks_for_numbers_that_are_served() {
    let directory = Directory::new();
    let server = Server::over(&["tcp", "udp"], &["--admin", "0", "--history", &directory.path("chat.db")]);
    let address = server.process.stdout.wait_until("the address of the metrics", |output| {
        let line = output.lines.iter().find_map(|line| line.strip_prefix("[*] Metrics on http://"));
        line?.strip_suffix("/metrics").map(str::to_owned)
    });
    server.peer().send("hello\n");
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("it reads");
    let mut served = String::new();
    socket.read_to_string(&mut served).expect("it answers");
    let served: BTreeSet<&str> = served.lines().filter_map(|line| line.split(['{', ' ']).next()).collect();
    let dashboard: serde_json::Value = serde_json::from_str(&text("grafana.json")).expect("it is JSON");
    let mut asked = BTreeSet::new();
    names(&dashboard, &mut asked);
    assert!(asked.len() > 10, "{asked:?}");
    let missing: Vec<&String> = asked.iter().filter(|name| !served.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Collects the metrics that the expressions of a dashboard name.
fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        serde_json::Value::Object(fields) => fields.iter().for_each(|(key, value)| match value.as_str() {
            Some(expression) if matches!(key.as_str(), "expr" | "query") => {
                let words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
                found.extend(words.filter(|word| word.starts_with("chat_")).map(str::to_owned));
            }
            _ => names(value, found),
        }),
        _ => {}
    }
}

#[test]
fn the_units_are_understood_by_systemd_and_expose_little() {
    let directory = Directory::new();
    // systemd checks that the program exists.
    let unit =
        text("chat.service").replace("/usr/bin/chat", CHAT).replace("Documentation=man:chat-server(1)\n", "");
    let service = directory.write("chat.service", &unit);
    let socket = directory.write("chat.socket", &text("chat.socket"));
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).stdin(Stdio::null()).output().ok()
    };
    let verified = analyze(&["verify", &service, &socket]);
    let Some(verified) = verified else {
        println!("skipped: no systemd-analyze here");
        return;
    };
    let stderr = String::from_utf8_lossy(&verified.stderr);
    let about_ours: Vec<&str> = stderr.lines().filter(|line| line.contains("chat.")).collect();
    assert!(about_ours.is_empty(), "{stderr}");
    let exposed =
        analyze(&["security", "--offline=true", "--threshold=20", &service]).expect("it ran before");
    assert!(exposed.status.success(), "{}", String::from_utf8_lossy(&exposed.stdout));
}
