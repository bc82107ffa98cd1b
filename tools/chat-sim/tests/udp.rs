//! A room over UDP on a thousand bad networks.

use std::net::SocketAddr;

use chat_core::{Room, RoomConfig, Waker};
use chat_proto::{Cookie, Hello, MemberDatagram};
use chat_sim::mixed::Udp;
use chat_testkit::VirtualTime;
use chat_udp::{Endpoint, UdpConfig};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// Runs these seeds. A failure prints its seed, and `cargo xtask sim --seed N` replays it.
fn run(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        if let Err(failure) = chat_sim::run::<Udp>(seed) {
            panic!("{failure}");
        }
    }
}

#[test]
fn every_framed_member_gets_every_message_once_and_in_order_over_1000_networks() {
    run(0..1_000);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 77, 500] {
        assert_eq!(chat_sim::run::<Udp>(seed).unwrap(), chat_sim::run::<Udp>(seed).unwrap());
    }
}

#[test]
fn a_hundred_thousand_spoofed_hellos_keep_no_state_and_get_less_than_they_sent() {
    let (time, mut random) = (VirtualTime::default(), StdRng::seed_from_u64(1));
    let room = Room::new(RoomConfig::default());
    let server = SocketAddr::from(([192, 0, 2, 1], 5555));
    let mut endpoint =
        Endpoint::new(&room, Waker::new(|| {}), UdpConfig::default(), server, random.random(), time.now());
    let (mut bytes_in, mut bytes_out) = (0, 0);
    let (mut hello, mut out) = (Vec::new(), Vec::new());
    for _ in 0..100_000 {
        let from = SocketAddr::from((random.random::<[u8; 4]>(), random.random_range(1..=u16::MAX)));
        let cookie = random.random_bool(0.5).then(|| Cookie(random.random()));
        hello.clear();
        MemberDatagram::Hello { nonce: random.next_u64(), cookie, hello: Hello::default() }
            .encode(&mut hello);
        endpoint.receive(from, &hello, time.now());
        bytes_in += hello.len();
        if random.random_bool(0.1) {
            while let Some(to) = endpoint.transmit(&mut out, time.now()).map(|route| route.peer) {
                assert!(out.len() <= hello.len(), "{to}");
                bytes_out += out.len();
            }
        }
    }
    assert_eq!((endpoint.peers(), room.stats().joined), (0, 0));
    assert!(bytes_out > 0 && bytes_out * 30 < bytes_in, "{bytes_out} bytes for {bytes_in}");
}
