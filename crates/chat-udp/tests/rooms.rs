//! Plain members of a server with several rooms, over both transports.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_core::access::Gate;
use chat_core::{RoomConfig, Rooms, RoomsConfig};
use chat_tcp::{TcpConfig, TcpServer};
use chat_testkit::uninterrupted;
use chat_udp::{UdpConfig, UdpServer};

const PATIENCE: Duration = Duration::from_secs(30);

/// Sends `line` and receives until `answer` has arrived.
fn asks(send: &mut dyn FnMut(&str), receive: &mut dyn FnMut() -> String, line: &str, answer: &str) {
    send(line);
    let mut received = String::new();
    while !received.contains(answer) {
        received.push_str(&receive());
    }
}

#[test]
fn a_member_that_a_gate_keeps_out_of_another_room_stays_where_it_is_and_reads_why() {
    let may_pass = Arc::new(AtomicUsize::new(usize::MAX));
    let passing = Arc::clone(&may_pass);
    let gate = Gate::new(move |_| {
        let passes = passing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        passes.map(drop).map_err(|_| "not now".into())
    });
    let room = RoomConfig::default().with_gate(gate);
    let config = RoomsConfig::default().with_room_config(room).with_open_max(1);
    let rooms = Rooms::new(config).unwrap();
    let opened = Arc::new(AtomicUsize::new(0));
    let opens = Arc::clone(&opened);
    rooms.on_open(move |_| {
        opens.fetch_add(1, Ordering::Relaxed);
    });
    let tcp = TcpServer::bind("127.0.0.1:0", &rooms, &TcpConfig::default()).unwrap();
    let udp = UdpServer::bind("127.0.0.1:0", &rooms, &UdpConfig::default()).unwrap();
    let (tcp_address, udp_address) = (tcp.local_addr(), udp.local_addr());
    let mut running = tcp.spawn().unwrap();
    udp.spawn_into(&mut running).unwrap();

    let stream = TcpStream::connect(tcp_address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(udp_address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut over_tcp = |line: &str| (&stream).write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut over_udp = |line: &str| assert_eq!(socket.send(line.as_bytes()).unwrap(), line.len());
    let mut buffer = [0; 2048];
    let mut from_tcp = || {
        let count = uninterrupted(|| (&stream).read(&mut buffer)).unwrap();
        assert!(count > 0, "it was closed");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    let mut buffer = [0; 2048];
    let mut from_udp = || {
        let count = uninterrupted(|| socket.recv(&mut buffer)).unwrap();
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    asks(&mut over_tcp, &mut from_tcp, "/who", "present");
    asks(&mut over_udp, &mut from_udp, "/who", "present");
    let refusal = "[*] You cannot join dev: banned: not now";
    may_pass.store(0, Ordering::Relaxed);
    asks(&mut over_tcp, &mut from_tcp, "/join dev", refusal);
    asks(&mut over_udp, &mut from_udp, "/join dev", refusal);
    assert_eq!(opened.load(Ordering::Relaxed), 0, "one that is kept out opens no room");
    // The gate changes its mind when they are on their way.
    may_pass.store(1, Ordering::Relaxed);
    asks(&mut over_tcp, &mut from_tcp, "/join dev", refusal);
    may_pass.store(1, Ordering::Relaxed);
    asks(&mut over_udp, &mut from_udp, "/join dev", refusal);
    assert_eq!(rooms.list().len(), 1, "nobody is in it");
    over_tcp("still here");
    asks(&mut over_udp, &mut from_udp, "me too", "still here");

    rooms.close("That was all", Duration::from_secs(1));
    running.join().unwrap();
}
