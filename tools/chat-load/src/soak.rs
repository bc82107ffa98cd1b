//! Everything at once for a long time, with samples.

mod report;
mod slow;
mod talk;
mod visitors;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::failure::{Failure, Result, ensure};
use crate::listener::{Kind, Listener};
use crate::server::Server;

use report::{Sample, Summary};

/// Where results go, relative to the root of the workspace.
const OUTPUT: &str = "target/soak";

/// Points in a plot.
const SAMPLES: u32 = 240;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// Members that talk
    #[arg(long, value_name = "N", default_value_t = 20)]
    talkers: usize,
    /// Members that only listen, besides those that check what they hear
    #[arg(long, value_name = "N", default_value_t = 80)]
    listeners: usize,
    /// Messages per second, of all talkers together
    #[arg(long, value_name = "N", default_value_t = 200.0)]
    rate: f64,
    /// Joins per second; as many leave, in every way there is
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    joins: f64,
}

pub(crate) fn run(chat: &Path, options: &Options) -> Result<()> {
    // The log is so small that its tail passes slow readers.
    let server = Server::start(chat, &["--log", "1"])?;
    let began = clock::now();
    let kinds = [Kind::FramedTcp, Kind::FramedUdp, Kind::PlainTcp, Kind::FramedTcp, Kind::FramedUdp];
    let listeners = Listener::join_all(&kinds, server.address, options.talkers, began)?;
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    let stop = AtomicBool::new(false);

    let (samples, said, visits) = thread::scope(|scope| {
        let talking = scope.spawn(|| or_stop(&stop, talk::talk(server.address, options, began, &stop)));
        let visiting = scope.spawn(|| or_stop(&stop, visitors::visit(server.address, options.joins, &stop)));
        let lagging = scope.spawn(|| or_stop(&stop, slow::lag(server.address, &stop)));
        let samples = sample(&server, &listeners, began, length, &stop);
        stop.store(true, Ordering::Relaxed);
        Ok::<_, Failure>((samples?, ended(talking)?, ended(visiting)?, ended(lagging)?))
    })
    .map(|(samples, said, visits, ())| (samples, said, visits))?;

    listeners.iter().try_for_each(|listener| listener.has_heard(&said))?;
    let summary = Summary::of(&samples, said.iter().sum(), visits, listeners.len(), &server.console().kicked);
    println!("{summary}");
    write(&samples, &summary)?;
    ensure(server.console().warnings.is_empty(), || {
        format!("the server complains: {:?}", server.console().warnings)
    })
}

/// A thread that fails ends the whole run.
fn or_stop<T>(stop: &AtomicBool, result: Result<T>) -> Result<T> {
    if result.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    result
}

fn ended<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().unwrap_or_else(|_| Err(Failure::new("a thread of the soak has panicked")))
}

/// Samples the server and the age of messages at regular intervals.
fn sample(
    server: &Server,
    listeners: &[Listener],
    began: Instant,
    length: Duration,
    stop: &AtomicBool,
) -> Result<Vec<Sample>> {
    let interval = (length / SAMPLES).max(Duration::from_secs(1));
    let mut samples = Vec::new();
    let mut cpu_before = server.cpu()?;
    let mut last = began;
    while last - began < length && !stop.load(Ordering::Relaxed) {
        clock::wait_until(last + interval);
        let now = clock::now();
        let cpu = server.cpu()?;
        let latencies = Listener::take_latencies(listeners);
        let (accepted, closed) = {
            let console = server.console();
            (console.accepted, console.closed)
        };
        let sample = Sample {
            seconds: (now - began).as_secs_f64(),
            memory_mib: server.memory_mib()?,
            descriptors: server.descriptors()?,
            cpu_percent: (cpu - cpu_before).as_secs_f64() / (now - last).as_secs_f64() * 100.0,
            p50_ms: latencies.quantile_ms(0.5),
            p99_ms: latencies.quantile_ms(0.99),
            members: accepted - closed,
        };
        eprintln!("{sample}");
        samples.push(sample);
        (cpu_before, last) = (cpu, now);
    }
    Ok(samples)
}

fn write(samples: &[Sample], summary: &Summary) -> Result<()> {
    fs::create_dir_all(OUTPUT)?;
    let json = serde_json::json!({ "summary": summary, "samples": samples });
    fs::write(format!("{OUTPUT}/soak.json"), format!("{json:#}\n"))?;
    fs::write(format!("{OUTPUT}/soak.svg"), report::plot(samples)?)?;
    println!("written: {OUTPUT}/soak.json, {OUTPUT}/soak.svg");
    Ok(())
}
