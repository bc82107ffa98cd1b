//! `--admin` serves the metrics of the server and its health.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use support::{CHAT, Directory, PATIENCE, Server};

/// The address at which a server serves its metrics.
fn admin(server: &Server) -> SocketAddr {
    server.process.stdout.wait_until("the address of the metrics", |output| {
        let line = output.lines.iter().find_map(|line| line.strip_prefix("[*] Metrics on http://"));
        line?.strip_suffix("/metrics")?.parse().ok()
    })
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("it listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    socket.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers and closes");
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

#[test]
fn metrics_and_health_are_served_on_an_address_of_their_own() {
    let server = Server::with(&["--admin", "0", "--room", "lobby", "--room", "dev"]);
    let admin = admin(&server);
    assert!(admin.ip().is_loopback());
    let port = admin.port().to_string();
    let second =
        Command::new(CHAT).args(["server", "tcp", "--bind", "127.0.0.1:0", "--admin", &port]).output();
    let stderr = String::from_utf8(second.expect("it runs").stderr).expect("text");
    assert!(stderr.contains("choose another one for --admin"), "{stderr}");
    let mut peer = server.peer();
    peer.is_in();
    peer.send("hello\n/who\n");
    peer.is_in();
    let metrics = get(admin, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    for line in [
        "chat_rooms 2",
        "chat_members{room=\"lobby\"} 1",
        "chat_members{room=\"dev\"} 0",
        "chat_messages_total{room=\"lobby\"} 1",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} is missing:\n{metrics}");
    }
    assert!(get(admin, "/healthz").ends_with("\r\n\r\nok\n"));
    assert!(get(admin, "/elsewhere").starts_with("HTTP/1.1 404 "));
    assert!(ask(admin, "POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    // The room's own port serves no metrics.
    let mut web = support::Peer::connect(server.address);
    web.send("GET /metrics HTTP/1.1\r\n\r\n");
    assert!(web.read_to_end().is_empty());
}

#[test]
fn scrapers_that_stall_keep_nobody_waiting() {
    let server = Server::with(&["--admin", "127.0.0.1:0"]);
    let admin = admin(&server);
    let mut silent: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(admin).expect("it listens")).collect();
    for half in silent.iter_mut().step_by(2) {
        let _made_way_already = half.write_all(b"GET /metrics HTTP/1.1\r\n");
    }
    assert!(get(admin, "/healthz").ends_with("ok\n"));
}

#[test]
fn requests_that_are_wrong_are_answered_and_those_in_pieces_are_put_together() {
    let server = Server::with(&["--admin", "0"]);
    let admin = admin(&server);
    assert!(ask(admin, "\u{1}\u{2} nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let long = format!("GET /healthz HTTP/1.1\r\nX: {}", "x".repeat(8 * 1024));
    assert!(ask(admin, &long).starts_with("HTTP/1.1 431 "));
    let head = ask(admin, "HEAD /healthz HTTP/1.1\r\n\r\n");
    assert!(head.contains("Content-Length: 3\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let mut slow = TcpStream::connect(admin).expect("it listens");
    slow.set_read_timeout(Some(PATIENCE)).expect("not zero");
    for byte in b"GET /healthz?now HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        slow.write_all(&[*byte]).expect("it reads");
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).expect("it answers and closes");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[test]
fn connections_that_end_before_they_are_members_are_counted() {
    let server = Server::with(&["--admin", "0", "--tls", "self-signed"]);
    let admin = admin(&server);
    for wrong in
        [b"\x16\x03\x01\x00\x09\x01\x00\x00\x05chats".as_slice(), b"GET / HTTP/1.1\r\n\r\n".as_slice()]
    {
        let mut peer = support::Peer::connect(server.address);
        peer.send(wrong);
        let _end_or_reset = peer.socket.read_to_end(&mut Vec::new());
    }
    let mut member = server.peer();
    member.is_in();
    let metrics = get(admin, "/metrics");
    for line in [
        "chat_transport_handshakes_failed_total{room=\"\",transport=\"tcp\"} 1",
        "chat_transport_openings_failed_total{room=\"\",transport=\"tcp\"} 1",
        "chat_transport_members{room=\"\",transport=\"tcp\"} 1",
        "chat_members_by_lag{room=\"\",transport=\"tcp\",le=\"0\"} 1",
        "chat_members_by_lag{room=\"\",transport=\"tcp\",le=\"+Inf\"} 1",
        "chat_bans 0",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} is missing:\n{metrics}");
    }
}

#[test]
fn prometheus_reads_every_number() {
    const PARSE: &str = "\
import sys
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    sys.exit(3)
for family in text_string_to_metric_families(sys.stdin.read()):
    print(family.type, family.name, len(family.samples), sep=' ')
";
    let directory = Directory::new();
    let history = directory.path("chat.db");
    let server =
        Server::with(&["--admin", "0", "--room", "lobby", "--open-rooms", "5", "--history", &history]);
    let admin = admin(&server);
    let mut peer = server.peer();
    peer.is_in();
    peer.send("hello\n/join den\n");
    peer.read_up_to("[*] You are in den now: 1 present");
    peer.send("/join lobby\n");
    peer.read_up_to("[*] You are in lobby now: 1 present");
    // A room that no longer exists still counts among the others, once its last reader has let go of it.
    let deadline = support::now() + PATIENCE;
    let body = loop {
        let answer = get(admin, "/metrics");
        let body = answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned();
        if body.contains("chat_joined_total{room=\"(other)\"} 1") {
            break body;
        }
        assert!(support::now() < deadline, "{body}");
    };
    let started =
        Command::new("python3").args(["-c", PARSE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = started else {
        println!("skipped: no python3 here");
        return;
    };
    python.stdin.take().expect("it is piped").write_all(body.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    if output.status.code() == Some(3) {
        println!("skipped: Python has no prometheus_client here");
        return;
    }
    let parsed = String::from_utf8(output.stdout).expect("it is ASCII");
    let has = |kind: &str, name: &str| {
        let start = format!("{kind} {name} ");
        let samples = parsed.lines().find_map(|line| line.strip_prefix(&start)?.parse::<u32>().ok());
        assert!(samples.is_some_and(|samples| samples > 0), "{start} is missing:\n{parsed}");
    };
    let kind = |is_counter| if is_counter { "counter" } else { "gauge" };
    for measure in chat_core::Stats::default().measures() {
        has(kind(measure.is_counter), &format!("chat_{}", measure.name));
    }
    for measure in chat_core::TransportStats::default().measures() {
        has(kind(measure.is_counter), &format!("chat_transport_{}", measure.name));
    }
    for name in ["rooms", "bans", "members_by_lag", "history_in_flight", "history_queued", "history_failing"]
    {
        has("gauge", &format!("chat_{name}"));
    }
}
