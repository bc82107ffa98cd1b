//! `--proxy-from`: real addresses behind a proxy, tested with headers of our own and with a real haproxy.

mod support;

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use serde_json::json;
use tungstenite::{Message, WebSocket};

use support::{CHAT, Directory, Peer, Process, Server, free_address};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The header that a proxy sends when it forwards the connection of `from`.
fn header(from: &str) -> Vec<u8> {
    let from: SocketAddr = from.parse().expect("an address");
    let SocketAddr::V4(from) = from else { panic!("an IPv4 address") };
    let to = [127, 0, 0, 1];
    let (port, to_port) = (from.port().to_be_bytes(), 5555_u16.to_be_bytes());
    [SIGNATURE, &[0x21, 0x11, 0, 12], &from.ip().octets(), &to, &port, &to_port].concat()
}

fn hears(server: &Server, line: &str) {
    server
        .process
        .stdout
        .wait_until(line, |output| output.lines.iter().any(|there| there == line).then_some(()));
}

#[test]
fn authors_and_limits_are_those_of_the_real_addresses() {
    let server = Server::with(&["--proxy-from", "127.0.0.0/8", "--max-per-ip", "1"]);
    let mut ann = Peer::connect(server.address);
    ann.send([header("192.0.2.7:8080").as_slice(), b"hello\n"].concat());
    hears(&server, "[192.0.2.7:8080] hello");
    // The header arrives in pieces, and nothing follows it.
    let mut bob = Peer::connect(server.address);
    for byte in header("192.0.2.8:1") {
        bob.send([byte]);
    }
    server.has_accepted("192.0.2.8:1");
    let mut second = Peer::connect(server.address);
    second.send([header("192.0.2.7:8081").as_slice(), b"hello\n"].concat());
    let refused = second.read_to_end().join("\n");
    assert!(refused.contains("address"), "{refused}");
    // Version 1 of the header, as nginx sends it. A peer on the proxy's machine has no exemption from the limits.
    let mut own = Peer::connect(server.address);
    own.send("PROXY TCP4 127.0.0.1 127.0.0.1 4000 5555\r\nhere\n");
    hears(&server, "[127.0.0.1:4000] here");
    let mut another = Peer::connect(server.address);
    another.send("PROXY TCP4 127.0.0.1 127.0.0.1 4001 5555\r\nhere\n");
    assert!(another.read_to_end().join("\n").contains("address"));
}

#[test]
fn a_proxys_own_connection_has_its_own_address() {
    let server = Server::with(&["--proxy-from", "127.0.0.1"]);
    let mut check = Peer::connect(server.address);
    check.send([SIGNATURE, &[0x20, 0, 0, 0], b"alive?\n"].concat());
    hears(&server, &check.line("alive?"));
}

#[test]
fn without_a_header_or_from_elsewhere_nothing_is_believed() {
    let server = Server::with(&["--proxy-from", "127.0.0.1"]);
    for wrong in [b"hello\n".as_slice(), b"PROXY TCP4 nonsense\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"]
    {
        let mut peer = Peer::connect(server.address);
        peer.send(wrong);
        assert!(peer.read_to_end().is_empty());
    }
    let elsewhere = Server::with(&["--proxy-from", "10.0.0.0/8"]);
    for header in [header("192.0.2.7:8080"), b"PROXY TCP4 192.0.2.7 192.0.2.1 8080 5555\r\n".to_vec()] {
        let mut liar = Peer::connect(elsewhere.address);
        liar.send([header.as_slice(), b"hello\n"].concat());
        assert!(liar.read_to_end().is_empty());
    }
    let mut direct = elsewhere.peer();
    direct.send("as ever\n");
    hears(&elsewhere, &direct.line("as ever"));
}

#[test]
fn datagrams_have_no_header() {
    let mut server = Process::start(Command::new(CHAT).args(["server", "udp", "--proxy-from", "127.0.0.1"]));
    assert_eq!(server.exit_code(), Some(2));
    let stderr = server.stderr.all().join("\n");
    assert!(stderr.contains("--proxy-from is for tcp"), "{stderr}");
}

/// A haproxy in front of a server. `None` if haproxy is not installed.
fn haproxy(server: &Server, how: &str) -> Option<(Process, SocketAddr)> {
    if !Command::new("haproxy").arg("-v").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no haproxy here");
        return None;
    }
    let (front, back) = (free_address(), server.address);
    let directory = Directory::new();
    let config = format!(
        "defaults\n mode tcp\n timeout connect 30s\n timeout client 1h\n timeout server 1h\n\
         listen chat\n bind {front}\n server room {back} {how}\n"
    );
    let path = directory.write("haproxy.cfg", &config);
    let proxy = Process::start(Command::new("haproxy").args(["-db", "-f", &path]));
    drop(Peer::connect_in_time(front));
    Some((proxy, front))
}

#[test]
fn a_real_haproxy_tells_who_is_there_before_tls_and_without_it() {
    for how in ["send-proxy-v2", "send-proxy"] {
        let server = Server::with(&["--proxy-from", "127.0.0.0/8", "--tls", "self-signed"]);
        let Some((_proxy, front)) = haproxy(&server, how) else { return };
        let mut ann = Peer::connect(front);
        ann.send("hello\n");
        hears(&server, &ann.line("hello"));
        let mut listener = Peer::connect(front);
        server.has_accepted(&listener.name);
        // TLS passes through it.
        let mut client = Process::start(Command::new(CHAT).args([
            "client",
            "tcp",
            &front.to_string(),
            "--tls-fingerprint",
            &fingerprint(&server),
        ]));
        client.type_line("encrypted");
        listener.read_up_to("] encrypted");
        client.end_of_input();
        assert_eq!(client.exit_code(), Some(0));
    }
}

#[test]
fn a_websocket_has_its_real_address_behind_a_header() {
    let server = Server::with(&["--proxy-from", "127.0.0.0/8", "--web", "--max-per-ip", "1"]);
    let browser = |from: &str| {
        let mut peer = Peer::connect(server.address);
        peer.send(header(from));
        tungstenite::client(format!("ws://{}/ws", server.address), peer.socket).expect("it is a WebSocket").0
    };
    let mut ann = browser("192.0.2.7:8080");
    say(&mut ann, "hello");
    hears(&server, "[192.0.2.7:8080] hello");
    // Another address is not in the way of its limit, the same one is.
    say(&mut browser("192.0.2.8:8080"), "hello too");
    hears(&server, "[192.0.2.8:8080] hello too");
    let mut second = browser("192.0.2.7:8081");
    say(&mut second, "refused");
    let ended = std::iter::from_fn(|| second.read().ok()).find(Message::is_text);
    let ended = ended.expect("it is told why").into_text().expect("it is text");
    assert!(ended.contains(r#""type":"ended""#) && ended.contains("address"), "{ended}");
}

#[test]
fn a_websocket_goes_through_a_real_haproxy() {
    let server = Server::with(&["--proxy-from", "127.0.0.0/8", "--web", "--tls", "self-signed"]);
    let Some((_proxy, front)) = haproxy(&server, "send-proxy-v2") else { return };
    let peer = Peer::connect(front);
    let name = peer.name.clone();
    let (mut browser, _) = tungstenite::client(format!("ws://{front}/ws"), peer.socket).expect("it is one");
    say(&mut browser, "hello");
    hears(&server, &format!("[{name}] hello"));
}

fn say(browser: &mut WebSocket<TcpStream>, text: &str) {
    for object in [json!({ "type": "hello" }), json!({ "type": "say", "text": text })] {
        browser.send(Message::text(object.to_string())).expect("it reads");
    }
}

fn fingerprint(server: &Server) -> String {
    server.process.stdout.wait_until("the fingerprint", |output| {
        let line = output.lines.iter().find_map(|line| line.strip_prefix("[*] TLS certificate: SHA-256 "));
        line.map(str::to_owned)
    })
}
