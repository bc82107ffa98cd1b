//! A client in another language, written from PROTOCOL.md alone, talks to the built program.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::path::Path;
use std::process::Command;

use support::Server;

/// What the client has seen at the end. `None` if this machine cannot run it.
fn seen(arguments: &[&str]) -> Option<String> {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: python3 is not installed");
        return None;
    }
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/client.py");
    let output = Command::new("python3").arg("-B").arg(client).args(arguments).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let seen = stdout.lines().find_map(|line| line.strip_prefix("seen: "));
    Some(seen.unwrap_or_else(|| panic!("ended with {}: {stderr}", output.status)).to_owned())
}

#[test]
fn every_dump_of_the_document_can_be_read_by_a_client_in_another_language() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../PROTOCOL.md");
    if let Some(seen) = seen(&["document", document.to_str().unwrap()]) {
        assert_eq!(seen, "29 dumps of a room");
    }
}

fn converses_and_resumes(transport: &str) {
    let server = Server::over(&[transport], &[]);
    let (ip, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let Some(seen) = seen(&[transport, &ip, &port]) else { return };
    assert_eq!(seen, "5 messages, 5 said, 5 confirmed, 0 items");
    let long = "x".repeat(960);
    let said = ["one", "zw\u{f6}lf \u{1f600}", "", &long, "five"];
    server.process.stdout.wait_until("each message once, in order", |output| {
        let texts = output.lines.iter().filter(|line| !line.starts_with("[*] "));
        let texts: Vec<_> = texts.filter_map(|line| line.split_once("] ").map(|(_, text)| text)).collect();
        (texts == said).then_some(())
    });
}

#[test]
fn a_client_in_another_language_converses_and_resumes_over_tcp() {
    converses_and_resumes("tcp");
}

#[test]
fn a_client_in_another_language_converses_and_resumes_over_udp_though_a_third_of_the_datagrams_is_lost() {
    converses_and_resumes("udp");
}
