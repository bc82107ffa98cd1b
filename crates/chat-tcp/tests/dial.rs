//! How the client finds its server, and how it gives up.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent, Room, RoomConfig, Running};
use chat_proto::{PREFACE, RoomFrame};
use chat_tcp::{ConnectError, TcpConfig, TcpServer};
use socket2::{Domain, Socket, Type};

/// A generous limit for everything that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

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

fn room() -> (Room, SocketAddr, Running) {
    let room = Room::new(RoomConfig::default());
    let server = TcpServer::bind("127.0.0.1:0", &room, &TcpConfig::default()).unwrap();
    let address = server.local_addr();
    (room, address, server.spawn().unwrap())
}

fn wait_for<T>(client: &Client, mut find: impl FnMut(ClientEvent) -> Option<T>) -> T {
    loop {
        let event = client.events().recv_timeout(PATIENCE).expect("something happens in time");
        if let Some(found) = find(event) {
            return found;
        }
    }
}

fn is_connected(client: &Client) {
    wait_for(client, |event| matches!(event, ClientEvent::Connected { .. }).then_some(()));
}

fn end(client: &Client) -> ClientEnd {
    wait_for(client, |event| if let ClientEvent::Ended(end) = event { Some(end) } else { None })
}

/// A server that does `act` with its first connection.
fn server(act: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || act(listener.accept().unwrap().0));
    address
}

fn welcome() -> Vec<u8> {
    let you = "127.0.0.1:1".parse().unwrap();
    let mut bytes = PREFACE.to_vec();
    RoomFrame::Welcome(Box::new(chat_testkit::welcome(you))).encode(&mut bytes);
    bytes
}

#[test]
fn a_server_that_has_moved_is_found_where_its_name_points_now() {
    let host = Host::default();
    let (first, address, running) = room();
    host.is_at(&[address]);
    let config = ClientConfig::default().with_reconnect(true);
    let client = chat_tcp::connect(host.clone(), &config).unwrap();
    is_connected(&client);
    let (_second, address, _running) = room();
    host.is_at(&[address]);
    first.close("Moving", PATIENCE);
    running.join().unwrap();
    is_connected(&client);
}

#[test]
fn a_name_that_does_not_resolve_for_a_while_is_tried_again() {
    let host = Host::default();
    assert!(matches!(
        chat_tcp::connect(host.clone(), &ClientConfig::default().with_reconnect(true)),
        Err(ConnectError::Resolve(_))
    ));
    let config = ClientConfig::default().with_reconnect(true).with_retry_first(true);
    let client = chat_tcp::connect(host.clone(), &config).unwrap();
    wait_for(&client, |event| matches!(event, ClientEvent::Lost { .. }).then_some(()));
    let (_room, address, _running) = room();
    host.is_at(&[address]);
    is_connected(&client);
}

// Other systems refuse connections where Linux drops them.
#[cfg(target_os = "linux")]
#[test]
fn an_address_that_swallows_everything_does_not_keep_the_next_one_waiting() {
    let hole = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    hole.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    hole.listen(0).unwrap();
    let hole_address = hole.local_addr().unwrap().as_socket().unwrap();
    // The hole's queue is full, so the system drops further connections.
    let fill = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _in_progress = socket.connect(&hole_address.into());
        socket
    };
    let _full: Vec<Socket> = (0..4).map(|_| fill()).collect();
    let (_room, address, _running) = room();
    let host = Host::default();
    host.is_at(&[hole_address, address]);
    let (done, is_done) = crossbeam_channel::bounded(1);
    thread::spawn(move || done.send(chat_tcp::connect(host, &ClientConfig::default())));
    // This is less than one attempt may take.
    let client = is_done.recv_timeout(Duration::from_secs(9)).expect("in time").unwrap();
    is_connected(&client);
}

#[test]
fn an_address_that_refuses_is_passed_over() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_room, address, _running) = room();
    let host = Host::default();
    host.is_at(&[nobody, nobody, address]);
    is_connected(&chat_tcp::connect(host.clone(), &ClientConfig::default()).unwrap());
    host.is_at(&[nobody]);
    match chat_tcp::connect(host, &ClientConfig::default()) {
        Err(ConnectError::Connect { address, source }) => {
            assert_eq!((address, source.kind()), (nobody, ErrorKind::ConnectionRefused));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn leaving_waits_neither_for_a_full_queue_nor_for_a_server_that_reads_nothing() {
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    let address = server(move |mut socket| {
        socket.write_all(&welcome()).unwrap();
        let _never = stopped.recv();
    });
    let client = chat_tcp::connect(address, &ClientConfig::default()).unwrap();
    is_connected(&client);
    let mut said = 0;
    while client.try_say(&"x".repeat(900)).is_ok() {
        said += 1;
    }
    client.leave();
    match end(&client) {
        ClientEnd::Abandoned { unconfirmed } => assert!(unconfirmed > 0 && unconfirmed <= said),
        other => panic!("{other:?}"),
    }
    drop(stop);
}

#[test]
fn leaving_interrupts_the_pause_between_two_attempts() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = ClientConfig::default().with_reconnect(true).with_retry_first(true);
    let client = chat_tcp::connect(nobody, &config).unwrap();
    wait_for(&client, |event| matches!(event, ClientEvent::Lost { .. }).then_some(()));
    client.leave();
    assert!(matches!(end(&client), ClientEnd::Left));
}

#[test]
fn each_way_to_break_the_protocol_has_its_own_name() {
    let client = |bytes: Vec<u8>| {
        let address = server(move |mut socket| {
            socket.read_exact(&mut [0; PREFACE.len()]).unwrap();
            socket.write_all(&bytes).unwrap();
        });
        end(&chat_tcp::connect(address, &ClientConfig::default()).unwrap())
    };
    let mut other_version = PREFACE.to_vec();
    *other_version.last_mut().unwrap() = 99;
    assert!(matches!(client(other_version), ClientEnd::OtherVersion { theirs: 99 }));
    let bad_frame = [&welcome()[..], &[0xff; 4]].concat();
    assert!(matches!(client(bad_frame), ClientEnd::BadFrame { .. }));
    assert!(matches!(client(b"220 mail\r\n".to_vec()), ClientEnd::NotFramed { .. }));
}

#[test]
fn a_reset_is_not_an_answer_in_another_protocol() {
    let address = server(|mut socket| {
        socket.read_exact(&mut [0]).unwrap();
        let socket = Socket::from(socket);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
    let end = end(&chat_tcp::connect(address, &ClientConfig::default()).unwrap());
    assert!(matches!(end, ClientEnd::Lost { .. }), "{end:?}");
}
