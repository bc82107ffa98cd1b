//! A server with 64 descriptors, and 200 connections that want to join.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::clock;
use crate::failure::{Failure, Result, ensure};
use crate::server::Server;

const DESCRIPTORS: u32 = 64;
const CONNECTS: usize = 200;
const LOOKED_AT_FOR: Duration = Duration::from_secs(10);
const CPU_PERCENT_MAX: f64 = 5.0;
const FAILED_ACCEPTS_MAX: u64 = 1_000;
const RECOVERS_WITHIN: Duration = Duration::from_secs(1);

pub(super) fn run(chat: &Path) -> Result<()> {
    let server = Server::start_with_descriptors(chat, DESCRIPTORS)?;
    let mut peers =
        (0..CONNECTS).map(|_| Ok(TcpStream::connect(server.address)?)).collect::<Result<Vec<_>>>()?;
    while server.console().accepted < 50 {
        clock::pause(Duration::from_millis(20));
    }
    clock::pause(Duration::from_secs(1));
    let inside = usize::try_from(server.console().accepted).unwrap_or(CONNECTS);
    let waiting = peers.split_off(inside);
    println!("{inside} members inside, {} wait", waiting.len());

    // Members talk with each other, one message each tenth of a second.
    let mut reader = BufReader::new(peers[1].try_clone()?);
    let accepts = thread::spawn({
        let pid = server.pid();
        move || failed_accepts(pid, LOOKED_AT_FOR)
    });
    let (before, since) = (server.cpu()?, clock::now());
    let mut slowest = Duration::ZERO;
    while since.elapsed() < LOOKED_AT_FOR {
        let said_at = clock::now();
        peers[0].write_all(b"hello\n")?;
        reader.read_line(&mut String::new())?;
        slowest = slowest.max(said_at.elapsed());
        clock::wait_until(said_at + Duration::from_millis(100));
    }
    let cpu = (server.cpu()? - before).as_secs_f64() / since.elapsed().as_secs_f64() * 100.0;
    println!("CPU {cpu:.2} % of a core, slowest message among the members {slowest:.1?}");
    ensure(cpu < CPU_PERCENT_MAX, || format!("{cpu:.1} % of a core for waiting"))?;
    let failed = accepts.join().map_err(|_| Failure::new("the thread of strace has panicked"))?;
    if let Some(failed) = failed {
        println!("{failed} failed accepts in {LOOKED_AT_FOR:?}");
        ensure(failed < FAILED_ACCEPTS_MAX, || format!("{failed} failed accepts"))?;
    }

    let accepted = server.console().accepted;
    let freed = clock::now();
    drop(peers.pop());
    while server.console().accepted == accepted {
        ensure(freed.elapsed() < RECOVERS_WITHIN * 10, || "nobody was let in".to_owned())?;
        clock::pause(Duration::from_millis(1));
    }
    let took = freed.elapsed();
    println!("the next one is in {took:.1?} after a descriptor is free");
    ensure(took < RECOVERS_WITHIN, || format!("recovered only after {took:.1?}"))?;
    newcomers_are_let_in(server.address, peers, waiting)?;
    println!("warnings on stderr: {}", server.console().warnings.len());
    Ok(())
}

/// How often `accept` fails in this time; `None` where strace is missing or not allowed to trace.
fn failed_accepts(pid: u32, time: Duration) -> Option<u64> {
    let seconds = time.as_secs();
    let line = format!("-s INT {seconds} strace -f -e trace=accept4,accept -p {pid}");
    let output = Command::new("timeout").args(line.split(' ')).stdin(Stdio::null()).output().ok()?;
    let traced = String::from_utf8_lossy(&output.stderr);
    if !traced.contains("attached") {
        println!("accepts are not counted: {}", traced.lines().next().unwrap_or("strace is not installed"));
        return None;
    }
    Some(traced.lines().filter(|line| line.contains("EMFILE")).count() as u64)
}

/// Once the others have left, everyone that waited is let in.
fn newcomers_are_let_in(
    server: SocketAddr,
    inside: Vec<TcpStream>,
    mut waiting: Vec<TcpStream>,
) -> Result<()> {
    drop(inside);
    let mut last = waiting.split_off(waiting.len().saturating_sub(30));
    drop(waiting);
    for socket in &mut last {
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        socket.write_all(b"/who\n")?;
        let count = socket.read(&mut [0; 64])?;
        ensure(count > 0, || format!("a newcomer to {server} was not let in"))?;
    }
    println!("{} that had waited are in", last.len());
    Ok(())
}
