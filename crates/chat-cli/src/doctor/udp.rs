//! UDP: hellos that ask for a cookie and go no further. The server keeps nothing of them.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use chat_proto::{DatagramError, Hello, MemberDatagram, RoomDatagram, VERSION};

use super::{Finding, PATIENCE, clock, shown};

/// How many hellos are sent, and in which distance.
const HELLOS: u64 = 20;
const PERIOD: Duration = Duration::from_millis(25);

/// How long the last answer may take, once any has come.
const LAST: Duration = Duration::from_secs(1);

/// What came back.
#[derive(Default)]
struct Heard {
    /// The nonces that were answered, in the order of `trips`.
    nonces: Vec<u64>,
    trips: Vec<Duration>,
    other_version: Option<u8>,
    /// The system at the other end says that nothing has the port.
    is_refused: bool,
    /// Something else answers.
    is_foreign: bool,
}

/// Says hello a few times. `works` tells whether the server is there over TCP.
pub(super) fn examine(address: SocketAddr, works: bool) -> Finding {
    let heard = match greet(address) {
        Ok(heard) => heard,
        Err(error) => return Finding::wrong(error.to_string()),
    };
    let (count, sum) = (heard.trips.len(), heard.trips.iter().sum::<Duration>());
    if let Some(version) = heard.other_version {
        return Finding::wrong(format!(
            "the server speaks version {version} of the protocol, and this program version {VERSION}: update the older one"
        ));
    }
    match u32::try_from(count) {
        Ok(1..) if count as u64 == HELLOS => {
            Finding::works(format!("round trip {}, no loss", shown(sum / u32::try_from(count).unwrap_or(1))))
        }
        Ok(answered @ 1..) => Finding::works(format!(
            "round trip {}, {answered} of {HELLOS} datagrams answered: the rest is lost",
            shown(sum / answered)
        )),
        _ if heard.is_refused && works => {
            Finding::off("nothing listens on that port: chat server tcp udp would serve both")
        }
        _ if heard.is_refused => Finding::off("nothing listens on that port"),
        _ if heard.is_foreign => Finding::wrong("another program answers there"),
        _ if works => Finding::wrong("no answer, and TCP works: a firewall drops UDP"),
        _ => Finding::off("no answer"),
    }
}

fn greet(address: SocketAddr) -> io::Result<Heard> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    let began = clock();
    let mut heard = Heard::default();
    let mut sent = Vec::new();
    for nonce in 0..HELLOS {
        let mut hello = Vec::new();
        MemberDatagram::Hello { nonce, cookie: None, hello: Hello::default() }.encode(&mut hello);
        sent.push(clock());
        match socket.send(&hello) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => heard.is_refused = true,
            result => drop(result?),
        }
        listen(&socket, &sent, &mut heard, clock() + PERIOD)?;
        if heard.is_refused {
            return Ok(heard);
        }
    }
    let until = if heard.trips.is_empty() { began + PATIENCE } else { clock() + LAST };
    listen(&socket, &sent, &mut heard, until)?;
    Ok(heard)
}

/// Hears answers until then, or until all are there.
fn listen(socket: &UdpSocket, sent: &[Instant], heard: &mut Heard, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(clock());
        if left.is_zero() || heard.trips.len() as u64 == HELLOS {
            return Ok(());
        }
        socket.set_read_timeout(Some(left))?;
        let mut bytes = [0; 2048];
        let count = match socket.recv(&mut bytes) {
            Ok(count) => count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(()),
                ErrorKind::Interrupted => continue,
                ErrorKind::ConnectionRefused => {
                    heard.is_refused = true;
                    return Ok(());
                }
                _ => return Err(error),
            },
        };
        let nonce = match RoomDatagram::decode(&bytes[..count]) {
            Ok(RoomDatagram::Retry { nonce, .. }) => nonce,
            Err(DatagramError::Version { version, .. }) => {
                heard.other_version = Some(version);
                return Ok(());
            }
            _ => {
                heard.is_foreign = true;
                continue;
            }
        };
        let place = usize::try_from(nonce).unwrap_or(usize::MAX);
        if let Some(sent) = sent.get(place).filter(|_| !heard.nonces.contains(&nonce)) {
            heard.nonces.push(nonce);
            heard.trips.push(clock().saturating_duration_since(*sent));
        }
    }
}
