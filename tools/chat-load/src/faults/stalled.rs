//! A hundred of a thousand members stop reading while others talk.

use std::path::Path;
use std::time::Duration;

use crate::clock;
use crate::crowd::{Carrier, Crowd, TcpCrowd, Wire};
use crate::failure::{Result, ensure};
use crate::latency::Latencies;
use crate::listener::{Kind, Listener};
use crate::server::Server;

const TALKERS: usize = 10;
const READERS: usize = 890;
const STALLED: usize = 100;
const PER_SECOND: f64 = 50.0;
/// Longer than the server waits for a member that takes nothing.
const LENGTH: Duration = Duration::from_secs(100);
/// Longer messages, so that the stalled members stall soon.
const PADDING_BYTES: usize = 600;
/// How much more memory the server may hold than without stalled members. It keeps nothing per member. It
/// keeps only the log, which is there anyway.
const GROWTH_MIB_MAX: f64 = 16.0;
const TOO_SLOW: &str = "too slow to read";

/// The figures of a run.
struct Figures {
    latencies: Latencies,
    memory_mib: f64,
    kicked: u64,
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
    println!("of {STALLED} that read nothing {} were kicked as too slow", with.kicked);
    ensure(with.kicked == STALLED as u64, || "not all of them were kicked".to_owned())?;
    let growth = with.memory_mib - without.memory_mib;
    ensure(growth < GROWTH_MIB_MAX, || format!("{growth:.1} MiB more memory than without"))
}

fn talk(chat: &Path, stalled: usize, length: Duration) -> Result<Figures> {
    let server = Server::start(chat, &[])?;
    let began = clock::now();
    let kinds = [Kind::FramedTcp, Kind::PlainTcp, Kind::FramedUdp];
    let listeners = Listener::join_all(&kinds, server.address, TALKERS, began)?;
    let mut crowd = TcpCrowd::new(Wire::Lines, Carrier::Tcp, server.address, TALKERS)?;
    // The stalled members are in the middle, so they are neither the first nor the last.
    let will_stall = |member| (READERS / 2..READERS / 2 + stalled).contains(&member);
    crowd.join(READERS + stalled, &will_stall)?;
    crowd.stall()?;
    crowd.count_from_here();
    let end = clock::now() + length;
    let said = crowd.talk(PER_SECOND, began, &"x".repeat(PADDING_BYTES), || clock::now() >= end)?;
    listeners.iter().try_for_each(|listener| listener.has_heard(&said))?;
    let messages = said.iter().sum();
    crowd.settle(messages)?;
    println!(
        "{stalled} of {} members read nothing: {messages} messages, each in order at those that check, and all \
         {READERS} readers have everything",
        kinds.len() + TALKERS + READERS + stalled,
    );
    let kicked = server.console().kicked.get(TOO_SLOW).copied().unwrap_or(0);
    Ok(Figures { latencies: Listener::take_latencies(&listeners), memory_mib: server.memory_mib()?, kicked })
}
