//! A hundred of a thousand members stop reading while others talk.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::clock;
use crate::crowd::Crowd;
use crate::failure::{Result, ensure};
use crate::latency::Latencies;
use crate::listener::{Kind, Listener};
use crate::server::Server;
use crate::stamp::Stamp;

const TALKERS: usize = 10;
const READERS: usize = 890;
const STALLED: usize = 100;
const PER_SECOND: f64 = 50.0;
/// Longer than the server waits for a member who takes nothing.
const LENGTH: Duration = Duration::from_secs(100);
/// What the server may hold more than without stalled members: nothing per member but the log, which is there anyway.
const GROWTH_MIB_MAX: f64 = 16.0;

/// What a run shows.
struct Figures {
    latencies: Latencies,
    memory_mib: f64,
    put_out: u64,
}

pub(super) fn run(chat: &Path) -> Result<()> {
    let without = talk(chat, 0, Duration::from_secs(20))?;
    let with = talk(chat, STALLED, LENGTH)?;
    for (what, figures) in [("all read     ", &without), ("100 are stuck", &with)] {
        let Figures { latencies, memory_mib, .. } = figures;
        println!(
            "{what}  p50 {:.2} ms, p99 {:.2} ms, {memory_mib:.1} MiB",
            latencies.quantile_ms(0.5),
            latencies.quantile_ms(0.99)
        );
    }
    println!("of {STALLED} who read nothing {} were put out as too slow", with.put_out);
    ensure(with.put_out == STALLED as u64, || "not all of them were put out".to_owned())?;
    let growth = with.memory_mib - without.memory_mib;
    ensure(growth < GROWTH_MIB_MAX, || format!("{growth:.1} MiB more memory than without"))
}

fn talk(chat: &Path, stalled: usize, length: Duration) -> Result<Figures> {
    let server = Server::start(chat, &[])?;
    let began = clock::now();
    let mut crowd = Crowd::new()?;
    let mut listeners = vec![Listener::join(Kind::FramedTcp, server.address, TALKERS, began)?];
    crowd.join(server.address, TALKERS + READERS / 2)?;
    listeners.push(Listener::join(Kind::PlainTcp, server.address, TALKERS, began)?);
    for _ in 0..stalled {
        crowd.add(connect_with_small_buffers(server.address)?)?;
    }
    let first_after = TALKERS + READERS / 2 + stalled;
    (TALKERS + READERS / 2..first_after).for_each(|member| crowd.stall(member));
    crowd.join(server.address, READERS - READERS / 2)?;
    listeners.push(Listener::join(Kind::FramedUdp, server.address, TALKERS, began)?);
    let members = (3 + TALKERS + READERS + stalled) as u64;
    while server.said().accepted < members {
        crowd.read(Duration::from_millis(10))?;
    }

    let mut said = vec![0; TALKERS];
    let (mut next, end) = (clock::now(), clock::now() + length);
    // Longer messages, so that the stalled ones stall soon.
    let padding = "x".repeat(600);
    for talker in (0..TALKERS).cycle().take_while(|_| clock::now() < end) {
        said[talker] += 1;
        let at = clock::now() - began;
        crowd.say(talker, &(Stamp { talker, number: said[talker], at }.text() + &padding))?;
        next += Duration::from_secs_f64(1.0 / PER_SECOND);
        while clock::now() < next {
            crowd.read(next.saturating_duration_since(clock::now()))?;
        }
    }
    listeners.iter().try_for_each(|listener| listener.has_heard(&said))?;
    let mut heard;
    let deadline = clock::now() + Duration::from_secs(30);
    loop {
        crowd.read(Duration::from_millis(20))?;
        heard = crowd.heard_bytes(TALKERS..TALKERS + READERS / 2);
        heard.extend(crowd.heard_bytes(first_after..first_after + READERS - READERS / 2));
        if heard.iter().all(|bytes| bytes == heard.iter().max().unwrap_or(&None)) {
            break;
        }
        ensure(clock::now() < deadline, || "members have heard different things".to_owned())?;
    }
    println!(
        "{stalled} of {members} members read nothing: {} messages, each in order at those who check, and all \
         {} readers have the same {} bytes",
        said.iter().sum::<u64>(),
        heard.len(),
        heard[0].unwrap_or(0)
    );
    let mut latencies = Latencies::default();
    listeners.iter().for_each(|listener| latencies.merge(&listener.take_latencies()));
    let put_out = server.said().too_slow();
    Ok(Figures { latencies, memory_mib: server.usage()?.memory_mib(), put_out })
}

/// As over a network: with what loopback has, the system would hold megabytes for each.
fn connect_with_small_buffers(server: SocketAddr) -> Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_recv_buffer_size(4 * 1024)?;
    #[cfg(unix)]
    socket.set_tcp_mss(1_400)?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}
