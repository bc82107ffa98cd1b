//! Connections that open and close as fast as they can, with FIN and with RST.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use socket2::SockRef;

use crate::clock;
use crate::crowd::{Carrier, Crowd, TcpCrowd, Wire};
use crate::failure::{Failure, Result, ensure};
use crate::listener::{Kind, Listener};
use crate::server::Server;
use crate::stamp::Stamp;

/// A member says something once per this many connections.
const SAYS_EVERY: u64 = 10;
/// How much the memory may grow after the warm-up.
const GROWTH_MIB_MAX: f64 = 4.0;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(chat: &Path, connections: u64) -> Result<()> {
    let server = Server::start(chat, &["--log", "1"])?;
    let began = clock::now();
    let kinds = [Kind::FramedTcp, Kind::FramedUdp, Kind::PlainTcp];
    let listeners = Listener::join_all(&kinds, server.address, 1, began)?;
    let mut talker = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server.address, 1)?;
    talker.join(1, &|_| false)?;
    let descriptors_before = server.descriptors()?;
    let before = server.memory_mib()?;
    let mut warm = before;
    let mut said = 0;
    for number in 1..=connections {
        come_and_go(server.address, number)
            .map_err(|failure| Failure::new(format!("visitor {number}: {failure}")))?;
        if number % SAYS_EVERY == 0 {
            said += 1;
            let at = clock::now() - began;
            talker.say(Stamp { talker: 0, number: said, at })?;
            talker.send()?;
            // A talker that read nothing would be kicked as too slow.
            talker.turn(Duration::ZERO, &mut |_, _| {})?;
        }
        // Up to here tables, buffers and the log grow to their full size.
        if number == connections / 2 {
            warm = server.memory_mib()?;
        }
        if number % 100_000 == 0 {
            eprintln!("{number} connections, {:.1} MiB", server.memory_mib()?);
        }
    }
    let took = clock::now() - began;
    listeners.iter().try_for_each(|listener| listener.has_heard(&[said]))?;
    let deadline = clock::now() + PATIENCE;
    while server.descriptors()? != descriptors_before && clock::now() < deadline {
        clock::pause(Duration::from_millis(20));
    }
    let (descriptors_after, after) = (server.descriptors()?, server.memory_mib()?);
    let per_second = connections as f64 / took.as_secs_f64();
    println!("{connections} connections in {took:.1?}, {per_second:.0} per second, half of them reset");
    println!(
        "{said} messages meanwhile: each heard once and in order over framed TCP, framed UDP and plain TCP"
    );
    println!("descriptors {descriptors_before} before, {descriptors_after} after");
    println!("memory {before:.1} MiB before, {warm:.1} MiB warm, {after:.1} MiB after");
    ensure(descriptors_after == descriptors_before, || "descriptors are lost".to_owned())?;
    let growth = after - warm;
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
