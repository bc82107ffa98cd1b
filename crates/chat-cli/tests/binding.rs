//! The addresses that a server listens on.

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;

use support::{CHAT, Process, Server};

/// Waits for the addresses that the server prints.
fn addresses(server: &Server, count: usize) -> Vec<String> {
    server.process.stdout.wait_until("all addresses", |output| {
        let addresses = output.lines.iter().filter_map(|line| line.strip_prefix("[*] Listening on "));
        let addresses: Vec<String> = addresses.map(str::to_owned).collect();
        (addresses.len() == count).then_some(addresses)
    })
}

fn has_ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        println!("skipped: there is no IPv6 here");
    }
    has
}

#[test]
fn localhost_means_both_families_under_one_port() {
    if !has_ipv6() {
        return;
    }
    let server = Server::at("localhost:0", &["tcp", "udp"], &[]);
    let port = server.address.port();
    let expected =
        ["127.0.0.1", "[::1]"].map(|ip| [format!("{ip}:{port} (tcp)"), format!("{ip}:{port} (udp)")]);
    assert_eq!(addresses(&server, 4), expected.concat());
    let four = support::Peer::connect(SocketAddr::from(([127, 0, 0, 1], port)));
    server.has_accepted(&four.name);
    let mut six = support::Peer::connect(format!("[::1]:{port}").parse().expect("an address"));
    six.send("hello from the other family\n");
    server.process.stdout.wait_for_line(&six.line("hello from the other family"));
}

#[cfg(target_os = "linux")] // Other systems have only one loopback address.
#[test]
fn several_addresses_are_one_room() {
    let server = Server::at("127.0.0.1:0", &["tcp"], &["--bind", "127.0.0.2:0"]);
    let addresses = addresses(&server, 2);
    assert!(addresses[1].starts_with("127.0.0.2:"), "{addresses:?}");
    let mut peers: Vec<_> = addresses
        .iter()
        .map(|address| support::Peer::connect(address.parse().expect("an address")))
        .collect();
    peers[0].send("/who\n");
    peers[0].recv();
    peers[1].send("hello\n");
    let line = peers[1].line("hello");
    peers[0].read_up_to(&line);
}

#[test]
fn the_transport_whose_port_is_taken_is_named() {
    // One port is free for TCP and taken for UDP. The other is free for UDP and taken for TCP.
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = [(udp.local_addr(), "UDP"), (tcp.local_addr(), "TCP")];
    for (address, transport) in taken {
        let address = address.expect("bound").to_string();
        let mut server =
            Process::start(Command::new(CHAT).args(["server", "tcp", "udp", "--bind", &address]));
        assert_eq!(server.exit_code(), Some(1));
        let stderr = server.stderr.all().join("\n");
        assert!(stderr.starts_with(&format!("error: cannot open the room over {transport}: ")), "{stderr}");
        assert!(stderr.contains(&format!("another program has {transport} port")), "{stderr}");
    }
}

#[test]
fn a_port_that_the_system_picks_is_free_for_each_transport() {
    // The system picks at random, so most of these ports are picked for the first time.
    let servers: Vec<_> = (0..8).map(|_| Server::at("localhost:0", &["tcp", "udp"], &[])).collect();
    for server in &servers {
        TcpStream::connect(server.address).expect("it listens");
    }
}
