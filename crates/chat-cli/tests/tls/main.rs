//! TLS on the same port as everything else, with real programs at the other end.

#[cfg(target_os = "linux")]
mod memory;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::process::Command;

use support::{Directory, Output, Peer, Process, Server};

/// A server with a certificate that it has made itself.
fn server(flags: &[&str]) -> Server {
    let flags: Vec<&str> = flags.iter().chain(&["--announce", "--tls", "self-signed"]).copied().collect();
    Server::with(&flags)
}

/// The fingerprint that a server prints.
fn fingerprint(output: &Output) -> String {
    output.wait_until("the fingerprint", |output| {
        let line = output.lines.iter().find_map(|line| line.strip_prefix("[*] TLS certificate: SHA-256 "));
        line.map(str::to_owned)
    })
}

fn has(program: &str, version: &str) -> bool {
    let found = Command::new(program).arg(version).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: no {program} here");
    }
    found
}

fn s_client(server: &Server, flags: &[&str]) -> Process {
    let address = server.address.to_string();
    Process::start(Command::new("openssl").args(["s_client", "-quiet", "-connect", &address]).args(flags))
}

impl Directory {
    /// Makes a certificate with openssl. Returns its fingerprint.
    fn certificate(&self) -> String {
        let (certificate, key) = (self.path("cert.pem"), self.path("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args(["-days", "2", "-subj", "/CN=localhost", "-out", &certificate, "-keyout", &key])
            .output();
        assert!(made.expect("openssl is there").status.success());
        let shown = Command::new("openssl")
            .args(["x509", "-in", &certificate, "-noout", "-fingerprint", "-sha256"])
            .output();
        let shown = String::from_utf8(shown.expect("openssl is there").stdout).expect("it is ASCII");
        shown.trim().split_once('=').expect("a name and the fingerprint").1.to_owned()
    }
}

/// Connects a Python peer to the address in its first argument.
const CONNECT: &str = "\
import socket, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
host, port = sys.argv[1].rsplit(':', 1)
peer = context.wrap_socket(socket.create_connection((host, int(port))))
";

#[test]
fn openssl_and_netcat_talk_on_one_port() {
    if !has("openssl", "version") {
        return;
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let server = server(&[]);
        let mut bare = server.peer();
        let mut secret = s_client(&server, &[version]);
        secret.type_line("hello from inside");
        bare.read_up_to("] hello from inside");
        bare.send("hello from outside\n");
        secret.stdout.wait_for_line(&bare.line("hello from outside"));
    }
}

#[test]
fn ncat_talks_inside_tls() {
    if !has("ncat", "--version") {
        return;
    }
    let server = server(&["--tls-only"]);
    let address = server.address;
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let start = || Process::start(Command::new("ncat").args(["--ssl", &ip, &port]));
    let (mut ann, mut bob) = (start(), start());
    ann.type_line("/who");
    bob.type_line("/who");
    bob.stdout.wait_until("the answer", |output| {
        output.lines.iter().any(|line| line.ends_with(" present")).then_some(())
    });
    ann.type_line("hello");
    bob.stdout.wait_until("the message", |output| {
        output.lines.iter().any(|line| line.ends_with("] hello")).then_some(())
    });
}

#[test]
fn a_framed_client_speaks_inside_tls() {
    // The preface and the answer to it: PROTOCOL.md, 6.1.
    let script = format!(
        "{CONNECT}
peer.sendall(bytes.fromhex(sys.argv[2]))
print(peer.recv(1).hex())
"
    );
    if !has("python3", "--version") {
        return;
    }
    let server = server(&[]);
    let preface: String = chat_proto::PREFACE.iter().map(|byte| format!("{byte:02x}")).collect();
    let preface = format!("{preface}{:02x}", chat_proto::VERSION);
    let address = server.address.to_string();
    let python = Command::new("python3").args(["-c", &script, &address, &preface]).output();
    let python = python.expect("python is there");
    let (out, err) = (String::from_utf8_lossy(&python.stdout), String::from_utf8_lossy(&python.stderr));
    assert_eq!(out.trim(), "f5", "{err}");
}

#[test]
fn whoever_is_refused_reads_why_inside_tls() {
    if !has("openssl", "version") {
        return;
    }
    let server = server(&["--max-members", "1"]);
    let _member = server.peer();
    let refused = s_client(&server, &[]);
    refused.stdout.wait_until("the reason", |output| {
        output.lines.iter().any(|line| line.contains("full")).then_some(())
    });
}

#[test]
fn with_tls_only_a_peer_that_speaks_no_tls_is_closed_without_a_byte() {
    let server = server(&["--tls-only"]);
    for first in ["hello\n", "\u{0}", "GET / HTTP/1.1\r\n\r\n"] {
        let mut peer = Peer::connect(server.address);
        peer.send(first);
        assert!(peer.read_to_end().is_empty());
    }
}

#[test]
fn without_a_certificate_a_handshake_is_closed_without_a_byte() {
    let server = Server::start();
    let mut peer = Peer::connect(server.address);
    peer.send([0x16, 3, 1, 0, 200]);
    assert!(peer.read_to_end().is_empty());
}

#[test]
fn handshakes_that_make_no_sense_and_thousands_that_stop_halfway_hurt_nobody() {
    let server = server(&["--max-per-ip", "100000"]);
    let mut ann = server.peer();
    // The server answers a handshake of garbage with an alert (21) and closes.
    let mut wrong = Peer::connect(server.address);
    wrong.send([[0x16_u8, 3, 1, 0, 9, 1, 0, 0, 5].as_slice(), b"chats"].concat());
    let mut answer = Vec::new();
    let _reset = wrong.socket.read_to_end(&mut answer);
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
    // Peers that stop during the handshake take no place from members, and the oldest of them make way for others.
    let halves: Vec<Peer> = (0..2_000)
        .map(|_| {
            let mut half = Peer::connect(server.address);
            let _closed_already = half.socket.write_all(&[0x16, 3, 1, 2]);
            half
        })
        .collect();
    let mut bob = server.peer();
    bob.send("still here\n");
    ann.read_up_to(&bob.line("still here"));
    drop(halves);
}

#[test]
fn a_handshake_that_stalls_ends_after_ten_seconds() {
    let server = server(&[]);
    let begun = support::now();
    let mut half = Peer::connect(server.address);
    half.send([0x16, 3, 1]);
    assert!(half.read_to_end().is_empty());
    let took = begun.elapsed().as_secs();
    assert!((9..20).contains(&took), "{took} s");
}

#[test]
fn an_end_without_close_notify_is_a_lost_connection() {
    let script = format!(
        "{CONNECT}
peer.sendall(b'first\\nlast\\n')
if sys.argv[2] == 'notify':
    peer.unwrap()
peer.close()
"
    );
    if !has("python3", "--version") {
        return;
    }
    for (how, end) in [("notify", "[*] Connection closed by "), ("cut", "(connection lost)")] {
        let server = server(&[]);
        let address = server.address.to_string();
        let done = Command::new("python3").args(["-c", &script, &address, how]).output();
        let done = done.expect("python is there");
        let lost = how == "cut";
        assert!(!lost || done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        server.process.stdout.wait_until(end, |output| {
            let said = output.lines.iter().any(|line| line.ends_with("] last"));
            let ended = output.lines.iter().any(|line| {
                line.starts_with("[*] Connection closed by ") && line.ends_with("(connection lost)") == lost
            });
            (said && ended).then_some(())
        });
    }
}

#[test]
fn renegotiation_is_refused_and_the_room_goes_on() {
    if !has("openssl", "version") {
        return;
    }
    let server = server(&[]);
    let mut ann = server.peer();
    // Without -quiet, a line that begins with R asks for a renegotiation.
    let address = server.address.to_string();
    let mut asks = Process::start(Command::new("openssl").args([
        "s_client",
        "-tls1_2",
        "-legacy_renegotiation",
        "-connect",
        &address,
    ]));
    asks.type_line("hello");
    ann.read_up_to("] hello");
    asks.type_line("R");
    asks.stderr.wait_until("the refusal", |output| {
        output.lines.iter().any(|line| line.contains("no renegotiation")).then_some(())
    });
    ann.is_in();
}

#[test]
fn the_fingerprint_is_the_one_that_openssl_shows() {
    if !has("openssl", "version") {
        return;
    }
    let directory = Directory::new();
    let made = directory.certificate();
    let (certificate, key) = (directory.path("cert.pem"), directory.path("key.pem"));
    let server = Server::with(&["--tls", &certificate, &key]);
    assert_eq!(fingerprint(&server.process.stdout), made);
}

#[cfg(unix)]
#[test]
fn certificates_are_read_again_on_sighup_and_broken_ones_are_not_taken() {
    if !has("openssl", "version") || !Process::heeds("HUP") {
        return;
    }
    let directory = Directory::new();
    directory.certificate();
    let (certificate, key) = (directory.path("cert.pem"), directory.path("key.pem"));
    let server = Server::with(&["--log-format", "json", "--announce", "--tls", &certificate, &key]);
    let mut secret = s_client(&server, &[]);
    secret.type_line("hello");
    server.process.stdout.wait_until("the message", |output| {
        output.lines.iter().any(|line| line.ends_with("] hello")).then_some(())
    });

    let next = directory.certificate();
    server.process.signal("HUP");
    let address = server.address.to_string();
    let deadline = support::now() + support::PATIENCE;
    while shown_by(&address) != next {
        assert!(support::now() < deadline, "it still shows the old one");
    }
    // The connection that was open before goes on.
    secret.type_line("still here");
    server.process.stdout.wait_until("the message", |output| {
        output.lines.iter().any(|line| line.ends_with("] still here")).then_some(())
    });

    std::fs::write(&certificate, "no certificate").expect("it is ours");
    server.process.signal("HUP");
    server.process.stderr.wait_until("the error", |output| {
        output.lines.iter().any(|line| line.contains("stays as it was")).then_some(())
    });
    assert_eq!(shown_by(&address), next);
}

/// The fingerprint of the certificate that a server presents.
fn shown_by(address: &str) -> String {
    let command = format!(
        "openssl s_client -connect {address} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    );
    let shown = Command::new("sh").args(["-c", &command]).output().expect("there is a shell");
    let shown = String::from_utf8(shown.stdout).expect("it is ASCII");
    shown.trim().split_once('=').map(|(_, fingerprint)| fingerprint.to_owned()).unwrap_or_default()
}

#[test]
fn flags_that_make_no_certificate_are_explained() {
    for (flags, said) in [
        (["tcp", "--tls", "/nowhere/cert.pem", "/nowhere/key.pem"].as_slice(), "/nowhere/cert.pem"),
        (["tcp", "--tls", "cert.pem"].as_slice(), "two files"),
        (["udp", "--tls", "self-signed"].as_slice(), "for tcp"),
        (["tcp", "--tls-only"].as_slice(), "--tls"),
    ] {
        let refused = Command::new(support::CHAT).arg("server").args(flags).output().expect("it starts");
        assert!(!refused.status.success());
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(text.contains(said), "{flags:?}: {text}");
    }
}
