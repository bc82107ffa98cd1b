//! A server on a real socket, plain peers, and a path that loses datagrams.
#![allow(dead_code, reason = "every test file is a crate of its own and uses its part of this")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chat_core::{Client, ClientConfig, ClientEvent, Room, RoomConfig, Running};
use chat_proto::Entry;
use chat_testkit::uninterrupted;
use chat_udp::{UdpConfig, UdpServer};
use socket2::SockRef;

/// Longer than anything takes if it works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) room: Room,
    pub(crate) address: SocketAddr,
    running: Option<Running>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(RoomConfig::default(), &UdpConfig::default())
    }

    pub(crate) fn with(room: RoomConfig, config: &UdpConfig) -> Self {
        Self::bind("127.0.0.1:0".parse().unwrap(), room, config)
    }

    pub(crate) fn bind(address: SocketAddr, room: RoomConfig, config: &UdpConfig) -> Self {
        let room = Room::new(room);
        let server = UdpServer::bind(address, &room, config).unwrap();
        let address = server.local_addr();
        let running = Some(server.spawn().unwrap());
        Self { room, address, running }
    }

    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.room.close("bye all", PATIENCE);
            running.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// A loopback address that only this process uses, where the system has several. A port that was free there stays
/// free.
pub(crate) fn own_loopback() -> IpAddr {
    if cfg!(target_os = "linux") {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Ipv4Addr::new(127, 1, high, low).into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    }
}

/// A peer that has only a socket.
pub(crate) struct Peer {
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
}

impl Peer {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // The system drops datagrams that do not fit, and on a slow machine the test may read late.
        SockRef::from(&socket).set_recv_buffer_size(1024 * 1024).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        self.socket.send(bytes).unwrap();
    }

    /// Receives like `recvfrom(1024)`.
    pub(crate) fn recv(&self) -> String {
        let mut buffer = [0; 1024];
        let bytes = uninterrupted(|| self.socket.recv(&mut buffer)).unwrap();
        String::from_utf8(buffer[..bytes].to_vec()).unwrap()
    }

    /// Reads lines, however datagrams hold them, until one ends with `last`.
    pub(crate) fn lines_until(&self, last: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.iter().any(|line| line.ends_with(last)) {
            lines.extend(self.recv().lines().map(str::to_owned));
        }
        lines
    }
}

pub(crate) fn connect(server: SocketAddr) -> Client {
    chat_udp::connect(server, &ClientConfig::default()).unwrap()
}

pub(crate) fn say(client: &Client, text: &str) {
    client.say(text).unwrap();
}

/// The next event for which `pick` returns something.
pub(crate) fn wait_for<T>(client: &Client, mut pick: impl FnMut(ClientEvent) -> Option<T>) -> T {
    let deadline = instant() + PATIENCE;
    loop {
        let event = client.events().recv_deadline(deadline).expect("in time");
        if let Some(picked) = pick(event) {
            return picked;
        }
    }
}

/// The next message.
pub(crate) fn hear(client: &Client) -> Arc<Entry> {
    wait_for(client, |event| match event {
        ClientEvent::Entry { entry, .. } if entry.event.is_message() => Some(entry),
        ClientEvent::Missed(messages) => panic!("missed {messages}"),
        ClientEvent::Ended(end) => panic!("{end}"),
        _ => None,
    })
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}

/// A path to a server for one client. It drops, doubles and reorders a part of the datagrams.
pub(crate) struct LossyPath {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LossyPath {
    pub(crate) fn new(server: SocketAddr, percent: u64) -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        let back = UdpSocket::bind("127.0.0.1:0").unwrap();
        back.connect(server).unwrap();
        let address = front.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        for socket in [&front, &back] {
            socket.set_nonblocking(true).unwrap();
        }
        let thread = std::thread::spawn(move || {
            let poll = Duration::from_millis(1);
            let mut path = Path { front, back, client: None, held: Vec::new(), percent, state: 7 };
            while !stopped.load(Ordering::Relaxed) {
                if !path.carry() {
                    std::thread::park_timeout(poll);
                }
            }
        });
        Self { address, stop, thread: Some(thread) }
    }
}

impl Drop for LossyPath {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ended = self.thread.take().unwrap().join();
    }
}

struct Path {
    front: UdpSocket,
    back: UdpSocket,
    client: Option<SocketAddr>,
    /// Datagrams that are held so that others overtake them. The bool says whether one goes to the server.
    held: Vec<(bool, Vec<u8>)>,
    percent: u64,
    state: u64,
}

impl Path {
    /// Carries a datagram each way. Returns false if there was none.
    fn carry(&mut self) -> bool {
        let mut buffer = [0; 2048];
        let mut carried = false;
        if let Ok((bytes, from)) = self.front.recv_from(&mut buffer) {
            self.client = Some(from);
            self.pass(true, &buffer[..bytes]);
            carried = true;
        }
        if let Ok(bytes) = self.back.recv(&mut buffer) {
            self.pass(false, &buffer[..bytes]);
            carried = true;
        }
        if !carried {
            for (to_server, bytes) in std::mem::take(&mut self.held) {
                self.send(to_server, &bytes);
            }
        }
        carried
    }

    fn pass(&mut self, to_server: bool, bytes: &[u8]) {
        if self.happens() {
            return;
        }
        if self.happens() {
            self.held.push((to_server, bytes.to_vec()));
        } else {
            self.send(to_server, bytes);
        }
        if self.happens() {
            self.send(to_server, bytes);
        }
    }

    /// A simple random generator is good enough here (xorshift64).
    fn happens(&mut self) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % 100 < self.percent
    }

    fn send(&self, to_server: bool, bytes: &[u8]) {
        let _lost = match self.client {
            _ if to_server => self.back.send(bytes),
            Some(client) => self.front.send_to(bytes, client),
            None => Ok(0),
        };
    }
}
