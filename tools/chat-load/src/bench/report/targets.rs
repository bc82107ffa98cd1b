//! The targets for the figures, and the figures that were measured.

use super::table::{number, table};
use crate::bench::figures::Quantity::{
    CpuIdle, CpuPerDelivery, LatencyP99, MemoryPerMember, MemoryPerRoom, RoundTripP50, StalledMemory,
    StalledP99Ratio, TimePerConfirmed,
};
use crate::bench::results::Results;
use crate::bench::system::{CHAT_ROOMS, LIMIT, LIMIT_ROOMS, LIMIT_TLS, LIMIT_WEB};

/// The table of targets, limited to those for which the results have figures.
pub(super) fn targets(results: &Results) -> String {
    let heading = ["target", "at most", "seen", "met"].map(str::to_owned);
    let seen = |(what, at_most, seen): (&str, f64, Option<f64>)| {
        let seen = seen?;
        let met = if seen <= at_most { "yes" } else { "no" };
        Some(vec![what.to_owned(), number(at_most), number(seen), met.to_owned()])
    };
    let rows: Vec<Vec<String>> = all(results).into_iter().filter_map(seen).collect();
    if rows.is_empty() { String::new() } else { table(&heading, &rows) }
}

/// For each target: its name, the greatest value allowed, and the measured value.
fn all(results: &Results) -> Vec<(&'static str, f64, Option<f64>)> {
    let ratio = |work, quantity, of, to| results.ratio(work, quantity, of, to);
    let kib = |work, of| results.figure(work, of, MemoryPerMember).map(|bytes| bytes / 1024.0);
    let stalled = |of| results.figure("stalled_1000", of, StalledP99Ratio);
    let (plain, framed) = ("tcp-plain-1", "tcp-framed-1");
    let (small, fast, large) = ("fanout_64x1x10", "fanout_64x1x1000", "fanout_64x1x10000");
    let (paced, udp) = ("paced_64x1x1000", "udp_fanout_64x1x200");
    let (limit_message, udp_message) = ("limit-message", "udp-limit-message");
    vec![
        (
            "1,000 members, as fast as it goes: CPU x batch limit",
            1.3,
            ratio(fast, CpuPerDelivery, plain, LIMIT),
        ),
        ("... x Redis", 0.4, ratio(fast, CpuPerDelivery, plain, "redis")),
        ("... framed x plain", 1.0, ratio(fast, CpuPerDelivery, framed, plain)),
        (
            "... with --tls and --web x without",
            1.0,
            ratio(fast, CpuPerDelivery, "tcp-plain-1-tls-web", plain),
        ),
        ("... WebSocket x batch limit of as many bytes", 1.3, ratio(fast, CpuPerDelivery, "ws-1", LIMIT_WEB)),
        ("... x axum", 0.2, ratio(fast, CpuPerDelivery, "ws-1", "ws-axum")),
        ("... x Bun's publish", 0.5, ratio(fast, CpuPerDelivery, "ws-1", "ws-bun")),
        ("... TLS x bare rustls, as many bytes", 1.15, ratio(fast, CpuPerDelivery, "tls-plain-1", LIMIT_TLS)),
        ("10 members: CPU x batch limit", 1.8, ratio(small, CpuPerDelivery, plain, LIMIT)),
        ("10,000 members: CPU x batch limit", 1.25, ratio(large, CpuPerDelivery, plain, LIMIT)),
        ("growth of CPU from 100 to 10,000 members x limit's", 1.0, growth(results, plain)),
        ("50 messages/s: CPU x message limit", 1.05, ratio(paced, CpuPerDelivery, plain, limit_message)),
        ("... p99 x the limit's, 1 thread", 1.0, ratio(paced, LatencyP99, plain, limit_message)),
        ("... p99 x the limit's, 2 threads", 1.0, ratio(paced, LatencyP99, "tcp-plain-2", limit_message)),
        ("idle member, plain: KiB of memory", 0.3, kib("idle_10000", plain)),
        ("... framed", 0.3, kib("idle_10000", framed)),
        ("... TLS", 12.0, kib("idle_10000", "tls-plain-1")),
        (
            "1,000 rooms of 10 members: CPU x batch limit in rooms",
            1.5,
            ratio("rooms_1000x10", CpuPerDelivery, CHAT_ROOMS, LIMIT_ROOMS),
        ),
        (
            "idle room: KiB of memory",
            2.0,
            results.figure("rooms_idle_1000", CHAT_ROOMS, MemoryPerRoom).map(|bytes| bytes / 1024.0),
        ),
        (
            "... CPU of 1,000, % of a core",
            0.1,
            results.figure("rooms_idle_1000", CHAT_ROOMS, CpuIdle).map(|share| share * 100.0),
        ),
        (
            "1,000 members back after a restart, 10,000 messages behind: CPU x that of the live log",
            2.0,
            returning(results),
        ),
        (
            "a message confirmed with a history, one client, us (10 are 100,000/s)",
            10.0,
            results.figure("confirmed", "tcp-framed-1-history", TimePerConfirmed),
        ),
        ("ping-pong: round trip x limit", 1.15, ratio("ping_pong", RoundTripP50, plain, LIMIT)),
        ("a tenth stalled: p99 x the one without", 1.1, stalled(plain)),
        ("... 2 threads", 1.1, stalled("tcp-plain-2")),
        ("... framed", 1.1, stalled(framed)),
        ("... framed, 2 threads", 1.1, stalled("tcp-framed-2")),
        (
            "... MiB of memory (the log has 4)",
            4.0,
            results.figure("stalled_1000", plain, StalledMemory).map(|bytes| bytes / f64::from(1 << 20)),
        ),
        (
            "UDP, 200 members, as fast as it goes: CPU x message limit",
            0.4,
            ratio(udp, CpuPerDelivery, "udp-plain", udp_message),
        ),
        ("... framed", 0.4, ratio(udp, CpuPerDelivery, "udp-framed", udp_message)),
        ("... framed x plain", 1.0, ratio(udp, CpuPerDelivery, "udp-framed", "udp-plain")),
        ("... idle member, framed: KiB of memory", 0.42, kib("udp_idle_10000", "udp-framed")),
    ]
}

/// The cost of a message from the history on disk divided by that of one that is said now.
fn returning(results: &Results) -> Option<f64> {
    let cpu = |work| results.figure(work, "tcp-framed-1-history", CpuPerDelivery);
    Some(cpu("returning_1000")? / cpu("fanout_64x1x1000")?)
}

/// The cost of a delivery among 10,000 members divided by the cost among 100, compared with the same ratio of the
/// limit.
fn growth(results: &Results, of: &str) -> Option<f64> {
    let cpu =
        |members: &str, system| results.figure(&format!("fanout_64x1x{members}"), system, CpuPerDelivery);
    let growth = |system| Some(cpu("10000", system)? / cpu("100", system)?);
    Some(growth(of)? / growth(LIMIT)?)
}
