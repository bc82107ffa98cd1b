//! What we want the figures to be, and what they are.

use super::table::{number, table};
use crate::figures::Quantity;
use crate::results::Results;
use crate::servers::limit::Sends;
use crate::system::{System, Tcp, Udp};

const PLAIN: System = System::Tcp(Tcp::plain(1));
const PLAIN_2: System = System::Tcp(Tcp::plain(2));
const FRAMED: System = System::Tcp(Tcp::framed(1));
const FRAMED_2: System = System::Tcp(Tcp::framed(2));
const UDP_PLAIN: System = System::Udp(Udp::PLAIN);
const UDP_FRAMED: System = System::Udp(Udp::FRAMED);
const LIMIT_UDP_MESSAGE: System = System::LimitUdp(Sends::Message);
const LIMIT: System = System::LIMIT;
const LIMIT_MESSAGE: System = System::Limit(Sends::Message);

struct Target {
    what: &'static str,
    at_most: f64,
    seen: Option<f64>,
}

/// The table of targets, as far as the results have what it takes.
pub(super) fn targets(results: &Results) -> String {
    let heading = ["target", "at most", "seen", "met"].map(str::to_owned);
    let rows: Vec<Vec<String>> = all(results)
        .into_iter()
        .filter_map(|Target { what, at_most, seen }| {
            let seen = seen?;
            let met = if seen <= at_most { "yes" } else { "no" };
            Some(vec![what.to_owned(), number(at_most), number(seen), met.to_owned()])
        })
        .collect();
    if rows.is_empty() { String::new() } else { table(&heading, &rows) }
}

fn all(results: &Results) -> Vec<Target> {
    use Quantity::{
        CpuPerDelivery, LatencyP99, MemoryPerMember, RoundTripP50, StalledMemory, StalledP99Ratio,
    };
    let ratio = |work, quantity, of, to| results.ratio(work, quantity, of, to);
    let (fast, large, paced) = ("fanout_64x1x1000", "fanout_64x1x10000", "paced_64x1x1000");
    let udp = "udp_fanout_64x1x200";
    let target = |what, at_most, seen| Target { what, at_most, seen };
    vec![
        target(
            "1,000 members, as fast as it goes: CPU x batch limit",
            1.6,
            ratio(fast, CpuPerDelivery, PLAIN, LIMIT),
        ),
        target("... x Redis", 0.4, ratio(fast, CpuPerDelivery, PLAIN, System::Redis)),
        target("10,000 members: CPU x batch limit", 1.5, ratio(large, CpuPerDelivery, PLAIN, LIMIT)),
        target(
            "50 messages/s: CPU x message limit",
            1.08,
            ratio(paced, CpuPerDelivery, PLAIN, LIMIT_MESSAGE),
        ),
        target("... p99 x the limit's, 1 thread", 1.0, ratio(paced, LatencyP99, PLAIN, LIMIT_MESSAGE)),
        target("... p99 x the limit's, 2 threads", 1.0, ratio(paced, LatencyP99, PLAIN_2, LIMIT_MESSAGE)),
        target("framed x plain: CPU", 1.0, ratio(fast, CpuPerDelivery, FRAMED, PLAIN)),
        target(
            "idle member, plain: KiB of memory",
            0.3,
            results.figure("idle_10000", PLAIN, MemoryPerMember).map(|bytes| bytes / 1024.0),
        ),
        target(
            "... framed",
            0.3,
            results.figure("idle_10000", FRAMED, MemoryPerMember).map(|bytes| bytes / 1024.0),
        ),
        target("ping-pong: round trip x limit", 1.15, ratio("ping_pong", RoundTripP50, PLAIN, LIMIT)),
        target(
            "a tenth stalled: p99 x the one without",
            1.1,
            results.figure("stalled_1000", PLAIN, StalledP99Ratio),
        ),
        target("... 2 threads", 1.1, results.figure("stalled_1000", PLAIN_2, StalledP99Ratio)),
        target("... framed", 1.1, results.figure("stalled_1000", FRAMED, StalledP99Ratio)),
        target("... framed, 2 threads", 1.1, results.figure("stalled_1000", FRAMED_2, StalledP99Ratio)),
        target(
            "... MiB of memory (the log has 4)",
            4.0,
            results.figure("stalled_1000", PLAIN, StalledMemory).map(|bytes| bytes / f64::from(1 << 20)),
        ),
        target("growth of CPU from 100 to 10,000 members x limit's", 1.0, growth(results)),
        target(
            "UDP, 200 members, as fast as it goes: CPU x message limit",
            0.4,
            ratio(udp, CpuPerDelivery, UDP_PLAIN, LIMIT_UDP_MESSAGE),
        ),
        target("... framed", 0.4, ratio(udp, CpuPerDelivery, UDP_FRAMED, LIMIT_UDP_MESSAGE)),
        target("... framed x plain", 1.0, ratio(udp, CpuPerDelivery, UDP_FRAMED, UDP_PLAIN)),
        target(
            "... idle member, framed: KiB of memory",
            0.5,
            results.figure("udp_idle_10000", UDP_FRAMED, MemoryPerMember).map(|bytes| bytes / 1024.0),
        ),
    ]
}

/// How much more a delivery costs among 10,000 members than among 100, compared with the limit's own growth.
fn growth(results: &Results) -> Option<f64> {
    let cpu = |members: &str, system| {
        results.figure(&format!("fanout_64x1x{members}"), system, Quantity::CpuPerDelivery)
    };
    let growth = |system| Some(cpu("10000", system)? / cpu("100", system)?);
    Some(growth(PLAIN)? / growth(LIMIT)?)
}
