//! How the client finds its server, and how it gives up.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex};

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent};

use support::{Server, wait_for};

/// A host name whose addresses change.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<Vec<SocketAddr>>>);

impl Host {
    fn is_at(&self, addresses: &[SocketAddr]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

impl ToSocketAddrs for Host {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let addresses = self.0.lock().unwrap().clone();
        if addresses.is_empty() { Err(ErrorKind::NotFound.into()) } else { Ok(addresses.into_iter()) }
    }
}

fn is_connected(client: &Client) {
    wait_for(client, |event| matches!(event, ClientEvent::Connected { .. }).then_some(()));
}

#[test]
fn a_server_that_has_moved_is_found_where_its_name_points_now() {
    let host = Host::default();
    let mut first = Server::new();
    host.is_at(&[first.address]);
    let config = ClientConfig::default().with_reconnect(true);
    let client = chat_udp::connect(host.clone(), &config).unwrap();
    is_connected(&client);
    let second = Server::new();
    host.is_at(&[second.address]);
    first.stop();
    is_connected(&client);
}

#[test]
fn addresses_that_are_silent_or_refuse_are_passed_over() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::new();
    let host = Host::default();
    host.is_at(&[silent.local_addr().unwrap(), nobody, server.address]);
    is_connected(&chat_udp::connect(host, &ClientConfig::default()).unwrap());
}

#[test]
fn a_server_that_is_not_there_yet_is_tried_again() {
    let host = Host::default();
    let config = ClientConfig::default().with_reconnect(true).with_retry_first(true);
    let client = chat_udp::connect(host.clone(), &config).unwrap();
    wait_for(&client, |event| matches!(event, ClientEvent::Lost { .. }).then_some(()));
    let server = Server::new();
    host.is_at(&[server.address]);
    is_connected(&client);
}

#[test]
fn leaving_interrupts_the_search() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let config = ClientConfig::default().with_reconnect(true).with_retry_first(true);
    let client = chat_udp::connect(silent.local_addr().unwrap(), &config).unwrap();
    silent.recv(&mut [0; 1500]).unwrap(); // it searches
    client.leave();
    let end = wait_for(&client, |event| if let ClientEvent::Ended(end) = event { Some(end) } else { None });
    assert!(matches!(end, ClientEnd::Left), "{end:?}");
}

fn plain() -> ClientConfig {
    ClientConfig::default().with_plain(true)
}

#[test]
fn a_plain_client_that_says_nothing_makes_itself_known_and_hears() {
    let server = Server::new();
    let ann = support::connect(server.address);
    is_connected(&ann);
    let client = chat_udp::connect(server.address, &plain()).unwrap();
    wait_for(&ann, |event| match event {
        ClientEvent::Entry { entry, .. } => {
            matches!(entry.event, chat_proto::Event::Joined { .. }).then_some(())
        }
        _ => None,
    });
    support::say(&ann, "hello");
    wait_for(&client, |event| match event {
        ClientEvent::Line(line) => line.as_str().ends_with("] hello").then_some(()),
        _ => None,
    });
    let said = server.room.stats().messages;
    assert_eq!(said, 1, "the datagram that makes the client known is not a message");
}

#[test]
fn a_plain_client_passes_over_an_address_that_refuses() {
    let refusing = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let host = Host::default();
    host.is_at(&[refusing, server.local_addr().unwrap()]);
    let client = chat_udp::connect(host, &plain()).unwrap();
    client.say("one").unwrap();
    client.say("two").unwrap();
    let mut heard = Vec::new();
    while heard.iter().filter(|&&byte| byte != b'\n').count() < 6 {
        let mut buffer = [0; 64];
        let count = server.recv(&mut buffer).unwrap();
        heard.extend_from_slice(&buffer[..count]);
    }
    assert!(
        heard.ends_with(b"one\ntwo\n"),
        "each ends its line, for programs that print what they get: {heard:?}"
    );
}
