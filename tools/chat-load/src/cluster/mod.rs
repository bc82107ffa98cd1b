//! Three chat servers that share a room over three NATS servers, beside what JetStream itself does at the same time:
//! `cargo xtask cluster`.
//!
//! There are two figures. The first is how long a message takes to every member of every server, while JetStream is
//! asked to do the same. The second is how many messages per second one chat server gets confirmed, beside what a
//! plain client of JetStream reaches.

mod jetstream;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chat_testkit::NatsServers;

use crate::clock;
use crate::crowd::{Carrier, Crowd, TcpCrowd, Wire};
use crate::failure::{Failure, Result};
use crate::latency::Latencies;
use crate::stamp::{ROLL_CALL, Scanner, Stamp};

/// The number of chat servers, and the number of NATS servers.
const SERVERS: usize = 3;

/// Where the NATS servers keep their streams during the run.
const DIRECTORY: &str = "target/bench/cluster";

/// Talkers at each server. Each talker has one message at a time on its way to the stream.
const TALKERS: usize = 100;

/// How long the last deliveries may take after the last message was said.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many messages per second are published to JetStream, beside the chat.
const PROBES_PER_SECOND: u32 = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// 300 members and five seconds instead of 3,000 and thirty
    #[arg(long)]
    quick: bool,
    /// Messages per second, at all servers together
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u32,
}

/// A chat server, killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

pub(crate) fn run(chat: &Path, options: &Options) -> Result<()> {
    let nats = NatsServers::start(SERVERS, &Path::new(DIRECTORY).join("nats"));
    let Some(nats) = nats else { return Err(Failure::new("there is no nats-server to measure with")) };
    let secret = Path::new(DIRECTORY).join("secret");
    std::fs::write(&secret, "a secret that is no secret: it is for a benchmark")?;
    let servers: Vec<Server> =
        (0..SERVERS).map(|_| Server::start(chat, &nats, &secret)).collect::<Result<_>>()?;
    let (members, seconds, flood) = if options.quick { (300, 5, 5_000) } else { (3_000, 30, 100_000) };

    println!("| {members} members at three servers, {} messages/s | p50 ms | p99 ms |", options.rate);
    println!("|---|---|---|");
    let seconds = Duration::from_secs(seconds);
    let (chat, alone) = delivery(&servers, &nats, members / SERVERS, options.rate, seconds)?;
    for (what, latencies) in
        [("said to heard, at every member", &chat), ("JetStream: publish to consume", &alone)]
    {
        let [p50, p99] = [0.5, 0.99].map(|share| latencies.quantile_ms(share));
        println!("| {what} ({} times) | {p50:.2} | {p99:.2} |", latencies.count());
    }

    println!("\n| one server, as fast as it goes | messages/s |");
    println!("|---|---|");
    println!("| chat: said by {TALKERS} members, heard by one | {:.0} |", flooded(&servers[0], flood)?);
    println!("| JetStream: published and acknowledged | {:.0} |", jetstream::publish_rate(&nats, flood)?);
    Ok(())
}

/// Runs talkers and members at each server, each crowd on a thread of its own. Returns how old the messages are when
/// they are heard.
fn delivery(
    servers: &[Server],
    nats: &NatsServers,
    members: usize,
    rate: u32,
    time: Duration,
) -> Result<(Latencies, Latencies)> {
    let mut crowds = Vec::new();
    for server in servers {
        let mut crowd = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server.address, TALKERS)?;
        crowd.join(members, &|_| false)?;
        crowds.push(crowd);
    }
    let began = clock::now();
    let each = u64::from(rate) * time.as_secs() / SERVERS as u64;
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let probe = scope.spawn(|| jetstream::publish_to_consume(nats, PROBES_PER_SECOND, &is_over));
        let crowds: Vec<_> =
            crowds.iter_mut().map(|crowd| scope.spawn(move || talk(crowd, began, each, rate))).collect();
        let mut heard = Latencies::default();
        let mut failed = Ok(());
        for crowd in crowds {
            match crowd.join().map_err(|_| Failure::new("a crowd has ended"))? {
                Ok(latencies) => heard.merge(&latencies),
                Err(failure) => failed = Err(failure),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        let alone = probe.join().map_err(|_| Failure::new("the probe of JetStream has ended"))??;
        failed.map(|()| (heard, alone))
    })
}

/// Says `count` messages at a third of `rate`, and hears those of all crowds.
fn talk(crowd: &mut TcpCrowd, began: Instant, count: u64, rate: u32) -> Result<Latencies> {
    let mut scanners = vec![Scanner::default(); crowd.peers()];
    let interval = Duration::from_secs(1) * u32::try_from(SERVERS).unwrap_or(1) / rate;
    let expected = count * SERVERS as u64 * crowd.listening().len() as u64;
    let (mut latencies, mut heard, mut said) = (Latencies::default(), 0, 0);
    let mut next = clock::now();
    let mut last = next;
    while heard < expected {
        let now = clock::now();
        if said < count && now >= next {
            let talker = usize::try_from(said).unwrap_or(0) % TALKERS;
            crowd.say(Stamp { talker, number: said, at: now - began })?;
            crowd.send()?;
            said += 1;
            next += interval;
        }
        let timeout = if said < count { next.saturating_duration_since(clock::now()) } else { PATIENCE };
        crowd.turn(timeout, &mut |peer, bytes| {
            if peer < TALKERS {
                return;
            }
            last = clock::now();
            scanners[peer].scan(bytes, |stamp| {
                if stamp.number < ROLL_CALL {
                    heard += 1;
                    latencies.add((last - began).saturating_sub(stamp.at));
                }
            });
        })?;
        if said == count && last.elapsed() >= PATIENCE {
            return Err(Failure::new(format!("{} of {expected} deliveries never came", expected - heard)));
        }
    }
    Ok(latencies)
}

/// How many messages per second one server gets back from the stream when its talkers say everything at once.
fn flooded(server: &Server, count: u64) -> Result<f64> {
    let mut crowd = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server.address, TALKERS)?;
    crowd.join(1, &|_| false)?;
    let began = clock::now();
    for number in 0..count {
        let talker = usize::try_from(number).unwrap_or(0) % TALKERS;
        crowd.say(Stamp { talker, number, at: Duration::ZERO })?;
    }
    crowd.send()?;
    let (mut scanner, mut heard, mut last) = (Scanner::default(), 0, began);
    while heard < count {
        crowd.turn(PATIENCE, &mut |peer, bytes| {
            if peer == TALKERS {
                last = clock::now();
                scanner.scan(bytes, |stamp| heard += u64::from(stamp.number < ROLL_CALL));
            }
        })?;
        if last.elapsed() >= PATIENCE {
            return Err(Failure::new(format!("{} of {count} messages never came", count - heard)));
        }
    }
    Ok(count as f64 / (last - began).as_secs_f64())
}

impl Server {
    fn start(chat: &Path, nats: &NatsServers, secret: &Path) -> Result<Self> {
        let mut command = Command::new(chat);
        command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--rate", "0", "--nats-replicas", "3"]);
        command.args(["--nats", &nats.urls().join(",")]).arg("--cluster-secret-file").arg(secret);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).env_remove("XDG_RUNTIME_DIR");
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new("the server has no stdout"))?;
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let address =
            first.strip_prefix("[*] Listening on ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(drop));
        let Some(address) = address else {
            let _ended_already = child.kill();
            return Err(Failure::new(format!("the server does not listen: {first}")));
        };
        Ok(Self { child, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
