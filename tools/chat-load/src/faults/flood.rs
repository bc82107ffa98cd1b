//! One member says as much as it can, while a hundred others talk as people do.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::crowd::{Carrier, Crowd, TcpCrowd, Wire};
use crate::failure::Result;
use crate::listener::{Kind, Listener};
use crate::server::Server;

const TALKERS: usize = 100;
const PER_SECOND: f64 = 100.0;
const LENGTH: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_millis(200);

/// Whether somebody floods, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    None,
    /// From an address that is subject to the rate limit.
    AtTheRate(IpAddr),
    /// From loopback, which is exempt.
    Exempt,
}

pub(super) fn run(chat: &Path) -> Result<()> {
    talk(chat, Flood::None)?;
    match own_address() {
        Some(ip) => talk(chat, Flood::AtTheRate(ip))?,
        None => println!("skipped: this machine has only loopback addresses, which are exempt from the rate"),
    }
    talk(chat, Flood::Exempt)
}

/// Lets the members talk for a while and prints the figures. No message may be lost, except at readers that are
/// slower than a flood without any limit. They are told how much they missed.
fn talk(chat: &Path, kind: Flood) -> Result<()> {
    let ip = if let Flood::AtTheRate(ip) = kind { ip } else { IpAddr::from(Ipv4Addr::LOCALHOST) };
    let server = Server::start_at(chat, ip, &["--max-per-ip", "1000"])?;
    let began = clock::now();
    let kinds = [Kind::FramedTcp, Kind::PlainTcp, Kind::FramedUdp];
    let listeners = Listener::join_all(&kinds, server.address, TALKERS, began)?;
    let mut crowd = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server.address, TALKERS)?;
    crowd.join(1, &|_| false)?;
    let stop = AtomicBool::new(kind == Flood::None);
    let flood = AtomicU64::new(0);
    let said = thread::scope(|scope| {
        scope.spawn(|| pour(server.address, &stop, &flood));
        let end = clock::now() + LENGTH;
        let said = crowd.talk(PER_SECOND, began, "", || clock::now() >= end);
        stop.store(true, Ordering::Relaxed);
        said
    })?;
    let missed: u64 = listeners.iter().map(Listener::missed).sum();
    if kind == Flood::Exempt {
        clock::pause(Duration::from_secs(1));
    } else {
        listeners.iter().try_for_each(|listener| listener.has_heard(&said))?;
    }
    let latencies = Listener::take_latencies(&listeners);
    let of_all = said.iter().sum::<u64>() * kinds.len() as u64;
    println!(
        "{kind:?}: the flooder offers {:.0} messages per second; of {of_all} of the others {} were heard, {missed} of all \
         were told as missed; p50 {:.2} ms, p99 {:.2} ms, worst {:.1} ms",
        flood.load(Ordering::Relaxed) as f64 / LENGTH.as_secs_f64(),
        latencies.count(),
        latencies.quantile_ms(0.5),
        latencies.quantile_ms(0.99),
        latencies.quantile_ms(1.0),
    );
    Ok(())
}

/// Says lines as fast as the server takes them.
fn pour(server: SocketAddr, stop: &AtomicBool, flood: &AtomicU64) {
    let Ok(mut socket) = TcpStream::connect(server) else { return };
    let Ok(()) = socket.set_write_timeout(Some(WRITE_TIMEOUT)) else { return };
    let lines = "flood\n".repeat(1_000);
    while !stop.load(Ordering::Relaxed) {
        // While the peer is throttled, the server takes nothing.
        if let Ok(count) = socket.write(lines.as_bytes()) {
            flood.fetch_add(count as u64 / 6, Ordering::Relaxed);
        }
    }
}

/// An address of this machine that is not loopback. Data sent to it does not leave the machine.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // This asks for the route and sends nothing (RFC 5737: nobody has this address).
    socket.connect("203.0.113.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}
