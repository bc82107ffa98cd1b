//! Visitors join, perhaps say something, and leave in every way there is.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chat_core::{Client, ClientConfig, ClientEvent};
use chat_proto::{Hello, MemberDatagram, PREFACE, RoomDatagram, Text, Traffic};
use socket2::SockRef;

use crate::clock;
use crate::failure::Result;

/// How long anything may take that normally takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way to join and leave.
type Visit = fn(SocketAddr) -> Result<()>;

const VISITS: [Visit; 8] = [
    says_and_closes,
    says_and_resets,
    resets_at_once,
    leaves_in_order,
    breaks_off_within_a_frame,
    leaves_in_order_over_udp,
    vanishes_over_udp,
    says_one_datagram,
];

/// Lets visitors come at this rate. Returns how many there were.
pub(super) fn visit(server: SocketAddr, per_second: f64, stop: &AtomicBool) -> Result<u64> {
    let interval = Duration::from_secs_f64(1.0 / per_second);
    let mut next = clock::now();
    let mut visits = 0;
    for visit in VISITS.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        visit(server)?;
        visits += 1;
        next += interval;
        clock::wait_until(next);
    }
    Ok(visits)
}

fn says_and_closes(server: SocketAddr) -> Result<()> {
    Ok(TcpStream::connect(server)?.write_all(b"hello and goodbye\n")?)
}

fn says_and_resets(server: SocketAddr) -> Result<()> {
    let mut socket = TcpStream::connect(server)?;
    socket.write_all(b"unfinished")?;
    Ok(SockRef::from(&socket).set_linger(Some(Duration::ZERO))?)
}

fn resets_at_once(server: SocketAddr) -> Result<()> {
    let socket = TcpStream::connect(server)?;
    Ok(SockRef::from(&socket).set_linger(Some(Duration::ZERO))?)
}

fn leaves_in_order(server: SocketAddr) -> Result<()> {
    says_and_finishes(&chat_tcp::connect(server, &ClientConfig::default())?)
}

fn leaves_in_order_over_udp(server: SocketAddr) -> Result<()> {
    says_and_finishes(&chat_udp::connect(server, &ClientConfig::default())?)
}

fn says_and_finishes(client: &Client) -> Result<()> {
    client.say("hello from a framed visitor")?;
    client.finish()?;
    while !matches!(client.events().recv_timeout(PATIENCE)?, ClientEvent::Ended(_)) {}
    Ok(())
}

fn breaks_off_within_a_frame(server: SocketAddr) -> Result<()> {
    let mut socket = TcpStream::connect(server)?;
    Ok(socket.write_all(&[&PREFACE[..], &[9, 0, 0]].concat())?)
}

/// Joins over UDP, says something, and is never heard of again. The server has to notice by itself.
fn vanishes_over_udp(server: SocketAddr) -> Result<()> {
    let socket = datagrams(server)?;
    let nonce = fresh_nonce();
    let mut buffer = [0; 2048];
    let mut cookie = None;
    loop {
        send(&socket, &MemberDatagram::Hello { nonce, cookie, hello: Hello::default() })?;
        cookie = loop {
            let count = socket.recv(&mut buffer)?;
            match RoomDatagram::decode(&buffer[..count]) {
                Ok(RoomDatagram::Retry { cookie, .. }) => break Some(cookie),
                Ok(RoomDatagram::Welcome { nonce: echoed, session, .. }) if echoed == nonce => {
                    let says = vec![text("hello from a ghost")];
                    let traffic = Traffic { first: 1, says, ..Traffic::default() };
                    return send(&socket, &MemberDatagram::Traffic { session, traffic });
                }
                // This datagram is for a ghost that had the port before.
                _ => {}
            }
        };
    }
}

/// Does not wait for an answer, because none comes to a port on which the server remembers a framed member.
fn says_one_datagram(server: SocketAddr) -> Result<()> {
    datagrams(server)?.send(b"hello in a datagram")?;
    Ok(())
}

fn fresh_nonce() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

fn datagrams(server: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn send(socket: &UdpSocket, datagram: &MemberDatagram) -> Result<()> {
    let mut bytes = Vec::new();
    datagram.encode(&mut bytes);
    socket.send(&bytes)?;
    Ok(())
}

fn text(clean: &str) -> Text {
    Text::one_line(clean).unwrap_or_default()
}
