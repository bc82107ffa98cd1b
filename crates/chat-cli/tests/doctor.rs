//! `chat doctor` in situations that people run into.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::thread;

use support::{CHAT, Directory, Server};

/// Runs the doctor. Returns the exit code and its output.
fn doctor(address: &str) -> (Option<i32>, String) {
    let output = Command::new(CHAT).args(["doctor", address]).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

/// What the output says about one protocol.
fn about<'a>(text: &'a str, what: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(what));
    line.unwrap_or_else(|| panic!("nothing about {what}: {text}")).trim_start()
}

/// A program that is not a chat server. It answers the first bytes of each connection with `greeting`.
fn other_program(greeting: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.expect("it is accepted");
            let _ended = socket.read(&mut [0; 512]).and_then(|_| socket.write_all(greeting));
        }
    });
    address
}

/// A certificate that expires when `year` begins, and its key.
fn certificate(directory: &Directory, name: &str, year: i32) -> (String, String) {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("signed").pem();
    (directory.write("cert.pem", &certificate), directory.write("key.pem", &key.serialize_pem()))
}

/// A server with a certificate that expires when `year` begins.
fn secret_server(name: &str, year: i32) -> Server {
    let directory = Directory::new(); // the server reads it once
    let (certificate, key) = certificate(&directory, name, year);
    Server::with(&["--tls", &certificate, &key])
}

#[test]
fn a_server_that_is_well_is_found_well_and_does_not_notice() {
    let server = Server::over(&["tcp", "udp"], &["--tls", "self-signed", "--web", "-v"]);
    let (code, text) = doctor(&server.address.to_string());
    assert_eq!(about(&text, "WebSocket"), "works: the upgrade is accepted", "{text}");
    assert!(about(&text, "TCP").starts_with("works: round trip "), "{text}");
    assert!(about(&text, "UDP").starts_with("works: round trip ") && text.contains("no loss"), "{text}");
    let tls = about(&text, "TLS");
    assert!(
        tls.contains("certificate signed by itself, valid until ") || tls.contains("another name"),
        "{text}"
    );
    server.peer();
    let lines = server.process.stdout.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("Accepted connection")).count(), 1, "{lines:?}");
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn over_tcp_alone_udp_is_off_and_all_is_well() {
    let server = Server::start();
    let (code, text) = doctor(&server.address.to_string());
    assert!(about(&text, "UDP").starts_with("off: nothing listens on that port"), "{text}");
    assert!(about(&text, "TLS").starts_with("off: no TLS there"), "{text}");
    assert!(about(&text, "WebSocket").starts_with("off: "), "{text}");
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn where_nothing_listens_the_port_is_doubted() {
    let (_held, address) = support::refusing_address();
    let (code, text) = doctor(&address.to_string());
    assert!(about(&text, "TCP").starts_with("WRONG: nothing listens there"), "{text}");
    assert_eq!(code, Some(1));
    let (code, text) = doctor("no-such-host.invalid");
    assert!(code == Some(1) && text.contains("cannot find the host no-such-host.invalid"), "{text}");
}

#[test]
fn another_program_is_quoted_and_moves_no_cursor() {
    let (code, text) = doctor(&other_program(b"SSH-2.0-\x1b[2JOther\r\n").to_string());
    assert!(
        about(&text, "TCP").contains("another program listens there; it says: SSH-2.0-\u{241b}[2JOther"),
        "{text}"
    );
    assert_eq!(code, Some(1));
    let (_, text) = doctor(&other_program(b"HTTP/1.1 404 Not Found\r\n\r\n").to_string());
    assert!(
        about(&text, "WebSocket").starts_with("off: HTTP is answered, and the upgrade is not: HTTP/1.1 404"),
        "{text}"
    );
    let (_, text) = doctor(&other_program(b"").to_string());
    assert!(about(&text, "TCP").contains("closes the connection: it is no chat server"), "{text}");
}

#[test]
fn another_version_is_told_with_both_numbers() {
    let (code, text) = doctor(&other_program(b"\xf5chat\x63").to_string());
    assert!(about(&text, "TCP").contains("version 99 of the protocol, and this program version 2"), "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn udp_that_is_dropped_is_told_from_udp_that_is_off() {
    let server = Server::at(&format!("{}:0", support::own_loopback()), &["tcp"], &[]);
    // This socket receives datagrams and never answers, as if a firewall dropped them.
    let _silent = UdpSocket::bind(server.address).expect("nobody else has it");
    let (code, text) = doctor(&server.address.to_string());
    assert_eq!(about(&text, "UDP"), "WRONG: no answer, and TCP works: a firewall drops UDP", "{text}");
    assert_eq!(code, Some(1));
}

#[test]
fn certificates_that_are_wrong_are_told() {
    let expired = secret_server("127.0.0.1", 2020);
    let (code, text) = doctor(&expired.address.to_string());
    assert!(
        about(&text, "TLS").starts_with("WRONG: the certificate expired at 2020-01-01T00:00:00"),
        "{text}"
    );
    assert_eq!(code, Some(1));
    // Its operator is told, too.
    expired.process.stderr.wait_until("a warning", |output| {
        output.lines.iter().any(|line| line.contains("the TLS certificate expired at")).then_some(())
    });
    let other = secret_server("chat.example.org", 2100);
    let (_, text) = doctor(&other.address.to_string());
    assert!(about(&text, "TLS").contains("for another name than 127.0.0.1"), "{text}");
    let good = secret_server("127.0.0.1", 2100);
    let (code, text) = doctor(&good.address.to_string());
    assert!(about(&text, "TLS").contains("valid until 2100-01-01T00:00:00"), "{text}");
    assert_eq!(code, Some(0), "{text}");
}

/// A network of the test's own, in which everything sent to a neighbour vanishes.
#[cfg(target_os = "linux")]
#[test]
fn a_black_hole_is_told_as_a_firewall_or_a_host_that_is_down() {
    // A cable to a machine that receives everything and answers nothing.
    let script = format!(
        "set -e; ip link add hole type veth peer name far; ip address add 192.0.2.1/24 dev hole; \
         ip link set hole up; ip link set far up; \
         ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:01 dev hole; echo READY; exec {CHAT} doctor 192.0.2.2:5555"
    );
    let output = Command::new("unshare").args(["--net", "sh", "-c", &script]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !text.contains("READY") {
        println!("skipped: no network namespace here");
        return;
    }
    assert!(
        about(&text, "TCP").starts_with("WRONG: no answer: a firewall drops what is sent there"),
        "{text}"
    );
}
