//! The source addresses of answers, and peers that are gone.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use chat_core::{Heard, RoomConfig};
use chat_testkit::uninterrupted;
use chat_udp::UdpConfig;

use support::{PATIENCE, Peer, Server};

/// A server that listens at a wildcard address.
fn wildcard(address: &str) -> Option<Server> {
    if address.starts_with('[') && UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return None;
    }
    let config = UdpConfig::default();
    Some(Server::bind(address.parse().unwrap(), RoomConfig::default(), &config))
}

/// Loopback addresses at which a server with this wildcard address can be reached.
fn addresses(server: &Server) -> Vec<SocketAddr> {
    let port = server.address.port();
    let v4 = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 9, 9, 9)];
    let v6 = server.address.is_ipv6().then(|| SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    v4.map(|ip| SocketAddr::from((ip, port))).into_iter().chain(v6).collect()
}

/// A socket that accepts datagrams only from `server`.
fn connected(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn recv(socket: &UdpSocket) -> String {
    let mut buffer = [0; 1024];
    let bytes =
        uninterrupted(|| socket.recv(&mut buffer)).expect("the answer comes from the address that was asked");
    String::from_utf8(buffer[..bytes].to_vec()).unwrap()
}

#[test]
fn a_plain_peer_is_answered_from_the_address_that_it_asked() {
    for server in ["0.0.0.0:0", "[::]:0"].into_iter().filter_map(wildcard) {
        let peers: Vec<UdpSocket> = addresses(&server).into_iter().map(connected).collect();
        for peer in &peers {
            peer.send(b"").unwrap();
        }
        // All peers are sent to at once, so answers from several addresses share a batch.
        peers[0].send(b"hello").unwrap();
        let line = format!("[{}] hello", peers[0].local_addr().unwrap());
        for peer in &peers {
            assert_eq!(recv(peer), line, "{}", peer.peer_addr().unwrap());
        }
        server.room.kick(peers[1].local_addr().unwrap().into(), "enough").unwrap();
        assert_eq!(recv(&peers[1]), "[*] Closed: kicked: enough");
    }
}

#[test]
fn a_framed_peer_is_answered_from_the_address_that_it_asked() {
    for server in ["0.0.0.0:0", "[::]:0"].into_iter().filter_map(wildcard) {
        let clients: Vec<_> = addresses(&server).into_iter().map(support::connect).collect();
        for client in &clients {
            support::say(client, "hello");
        }
        for client in &clients {
            for _ in 0..clients.len() {
                support::hear(client);
            }
        }
    }
}

#[test]
fn a_plain_peer_that_is_not_there_any_more_has_left_at_the_first_datagram_to_it() {
    for server in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"].into_iter().filter_map(wildcard) {
        let local = server.room.join("local").unwrap();
        let ip =
            if server.address.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        let gone = connected(SocketAddr::new(ip, server.address.port()));
        gone.send(b"hello").unwrap();
        recv(&gone);
        let name = gone.local_addr().unwrap();
        drop(gone); // from now on the system answers with an ICMP message
        server.room.notice("is anybody there?").unwrap();
        let left = format!("[*] {name} left (connection lost)");
        loop {
            let Heard::Entry(entry) = local.recv_timeout(PATIENCE).expect("long before its lease is over")
            else {
                continue;
            };
            if entry.event.to_string() == left {
                break;
            }
        }
        assert_eq!(server.room.stats().members, 0);
    }
}

#[test]
fn icmp_messages_about_some_peers_cost_others_nothing() {
    let server = wildcard("127.0.0.1:0").unwrap();
    let stays = Peer::new(server.address);
    stays.send(b"");
    for round in 0..20 {
        let gone: Vec<Peer> = (0..20).map(|_| Peer::new(server.address)).collect();
        gone.iter().for_each(|peer| peer.send(b""));
        while server.room.stats().members < 21 {
            std::thread::yield_now();
        }
        drop(gone);
        stays.send(format!("round {round}").as_bytes());
        stays.lines_until(&format!("[{}] round {round}", stays.address));
        while server.room.stats().members > 1 {
            std::thread::yield_now();
        }
    }
}
