//! Three chat servers that share a room over three NATS servers, beside what JetStream itself does:
//! `cargo xtask cluster`.
//!
//! The first table says how long a message takes to every member of every server. It has beside it what the parts cost: JetStream
//! with as many consumers, while the members talk and without them; members that are few; and servers without a cluster, which
//! pass as much on to as many members. The second table says how many messages per second one chat server gets confirmed,
//! beside what a plain client of JetStream reaches.

mod delivery;
mod jetstream;
mod server;

use std::path::Path;
use std::thread;
use std::time::Duration;

use chat_testkit::NatsServers;

use self::delivery::{flooded, said_to_heard};
use self::server::Server;
use crate::failure::{Failure, Result};
use crate::latency::Latencies;

/// The number of chat servers, of NATS servers, and of clients of JetStream.
const SERVERS: u32 = 3;

/// Where the NATS servers keep their streams during the run.
const DIRECTORY: &str = "target/bench/cluster";

/// Members at each server that talk. Each has one message at a time on its way to the stream.
const TALKERS: usize = 30;

/// Members of all servers where members are few: those that talk, and one at each server that listens.
const FEW: usize = SERVERS as usize * (TALKERS + 1);

/// Talkers when one server gets as much as it takes, and publishes of JetStream that are under way at a time then.
const AT_A_TIME: usize = 100;

/// How many publishes a chat server lets wait for an answer, if this many members talk.
const IN_FLIGHT_MAX: usize = 4_096;

/// How long the last deliveries may take after the last message was said.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many messages per second are published to JetStream while members talk.
const PROBES_PER_SECOND: u32 = 99;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// 300 members and five seconds instead of 3,000 and thirty
    #[arg(long)]
    quick: bool,
    /// Messages per second, at all servers together
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rate: u32,
}

pub(crate) fn run(chat: &Path, options: &Options) -> Result<()> {
    let nats = NatsServers::start(SERVERS as usize, &Path::new(DIRECTORY).join("nats"));
    let Some(nats) = nats else { return Err(Failure::new("there is no nats-server to measure with")) };
    let secret = Path::new(DIRECTORY).join("secret");
    std::fs::write(&secret, "a secret that is no secret: it is for a benchmark")?;
    let (urls, secret) = (nats.urls().join(","), secret.display().to_string());
    let shared = ["--nats-replicas", "3", "--nats", &urls, "--cluster-secret-file", &secret];
    let servers = Server::start_all(chat, &shared)?;
    let (members, seconds, flood) = if options.quick { (300, 5, 20_000) } else { (3_000, 30, 100_000) };
    let (rate, time) = (options.rate, Duration::from_secs(seconds));

    println!("| three servers, {rate} messages/s | p50 ms | p99 ms |");
    println!("|---|---|---|");
    let alone = jetstream::publish_to_consume(&nats, "alone", rate, time)?;
    print("JetStream alone: published to consumed, by three clients", &alone);
    let few = said_to_heard(&servers, FEW, rate, time, true)?;
    print(&format!("said to heard, {FEW} members"), &few);
    let (many, beside) = thread::scope(|scope| {
        let probe = scope.spawn(|| jetstream::publish_to_consume(&nats, "beside", PROBES_PER_SECOND, time));
        let many = said_to_heard(&servers, members, rate, time, true);
        let beside = probe.join().map_err(|_| Failure::new("the probe of JetStream has ended"));
        Ok::<_, Failure>((many?, beside??))
    })?;
    print(&format!("said to heard, {members} members"), &many);
    print(&format!("JetStream at that time, {PROBES_PER_SECOND} other messages/s"), &beside);

    println!("\n| one server, as fast as it goes | messages/s |");
    println!("|---|---|");
    let (mut said, mut published) = (Vec::new(), Vec::new());
    for name in ["few-1", "few-2", "few-3"] {
        said.push(flooded(&servers[0], AT_A_TIME, flood)?);
        published.push(jetstream::publish_rate(&nats, name, flood, AT_A_TIME)?);
    }
    println!("| said by {AT_A_TIME} members and heard by all of them, three times | {} |", rates(&said));
    println!("| JetStream, acknowledged, {AT_A_TIME} at a time, in turns with it | {} |", rates(&published));
    let many = jetstream::publish_rate(&nats, "many", flood, IN_FLIGHT_MAX)?;
    println!("| JetStream, acknowledged, {IN_FLIGHT_MAX} at a time | {many:.0} |");
    drop(servers);

    let lone = said_to_heard(&Server::start_all(chat, &[])?, members, rate, time, false)?;
    println!("\n| servers that share nothing, {rate} messages/s at each | p50 ms | p99 ms |");
    println!("|---|---|---|");
    print(&format!("said to heard, {members} members"), &lone);
    Ok(())
}

fn print(what: &str, latencies: &Latencies) {
    let [p50, p99] = [0.5, 0.99].map(|share| latencies.quantile_ms(share));
    println!("| {what} ({} times) | {p50:.2} | {p99:.2} |", latencies.count());
}

fn rates(rates: &[f64]) -> String {
    rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(", ")
}

/// How many messages each of three publishers has in this time.
fn share_of_each(per_second: u32, time: Duration) -> u64 {
    u64::from(per_second) * time.as_secs() / u64::from(SERVERS)
}

/// The pause between two messages of each.
fn pause_of_each(per_second: u32) -> Duration {
    Duration::from_secs(1) * SERVERS / per_second
}
