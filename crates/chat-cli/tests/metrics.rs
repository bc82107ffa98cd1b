//! `--admin` serves the numbers of the server, and whether it is well.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use support::{PATIENCE, Server};

/// Where a server has its metrics.
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
    // The room's own port serves none of it.
    let mut web = support::Peer::connect(server.address);
    web.send("GET /metrics HTTP/1.1\r\n\r\n");
    assert!(web.read_to_end().is_empty());
}

#[test]
fn a_scraper_that_says_nothing_keeps_others_waiting_for_two_seconds_at_most() {
    let server = Server::with(&["--admin", "127.0.0.1:0"]);
    let admin = admin(&server);
    let _silent = TcpStream::connect(admin).expect("it listens");
    let begun = support::now();
    assert!(get(admin, "/healthz").ends_with("ok\n"));
    assert!(begun.elapsed().as_secs() < 10);
}
