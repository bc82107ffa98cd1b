//! Connections that come and go as fast as they can, with FIN and with RST.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use socket2::SockRef;

use crate::clock;
use crate::crowd::Crowd;
use crate::failure::{Failure, Result, ensure};
use crate::listener::{Kind, Listener};
use crate::server::Server;
use crate::stamp::Stamp;

/// A member says something each time so many have come and gone.
const SAYS_EVERY: u64 = 10;
/// Memory may grow by no more than this after it.
const GROWTH_MIB_MAX: f64 = 4.0;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(chat: &Path, connections: u64) -> Result<()> {
    let server = Server::start(chat, &["--log", "1"])?;
    let began = clock::now();
    let kinds = [Kind::FramedTcp, Kind::FramedUdp, Kind::PlainTcp];
    let listeners = kinds.map(|kind| Listener::join(kind, server.address, 1, began));
    let listeners = listeners.into_iter().collect::<Result<Vec<_>>>()?;
    // Who talks reads, too: else he would be put out as too slow.
    let mut talker = Crowd::new()?;
    talker.join(server.address, 1)?;
    while server.said().accepted < 4 {
        clock::pause(Duration::from_millis(5));
    }
    let base = server.usage()?;
    let mut warm = base;
    let mut said = 0;
    for number in 1..=connections {
        come_and_go(server.address, number)
            .map_err(|failure| Failure::new(format!("visitor {number}: {failure}")))?;
        if number % SAYS_EVERY == 0 {
            said += 1;
            let at = clock::now() - began;
            talker.say(0, &Stamp { talker: 0, number: said, at }.text())?;
            talker.read(Duration::ZERO)?;
        }
        // Until then tables, buffers and the log grow to their size.
        if number == connections / 2 {
            warm = server.usage()?;
        }
        if number % 100_000 == 0 {
            eprintln!("{number} connections, {:.1} MiB", server.usage()?.memory_mib());
        }
    }
    let took = clock::now() - began;
    listeners.iter().try_for_each(|listener| listener.has_heard(&[said]))?;
    let deadline = clock::now() + PATIENCE;
    while server.usage()?.descriptors != base.descriptors && clock::now() < deadline {
        clock::pause(Duration::from_millis(20));
    }
    let end = server.usage()?;
    let per_second = connections as f64 / took.as_secs_f64();
    println!("{connections} connections in {took:.1?}, {per_second:.0} per second, half of them reset");
    println!(
        "{said} messages meanwhile: each heard once and in order over framed TCP, framed UDP and plain TCP"
    );
    println!("descriptors {} before, {} after", base.descriptors, end.descriptors);
    println!(
        "memory {:.1} MiB before, {:.1} MiB warm, {:.1} MiB after",
        base.memory_mib(),
        warm.memory_mib(),
        end.memory_mib()
    );
    ensure(end.descriptors == base.descriptors, || "descriptors are lost".to_owned())?;
    let growth = end.memory_mib() - warm.memory_mib();
    ensure(growth < GROWTH_MIB_MAX, || format!("memory has grown by {growth:.1} MiB"))
}

fn come_and_go(server: SocketAddr, number: u64) -> Result<()> {
    let mut socket = TcpStream::connect(server)?;
    if number % 4 >= 2 {
        socket.write_all(b"hello and goodbye\n")?;
    }
    if number.is_multiple_of(2) {
        SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}
