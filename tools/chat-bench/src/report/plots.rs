//! Which figures are drawn.

use super::chart::{Bars, Line, Lines};
use crate::figures::Quantity;
use crate::plan;
use crate::results::Results;
use crate::system::System;

const MEMBERS: [u32; 6] = [10, 50, 100, 200, 1000, 10_000];

/// File names and drawings, of those plots that the results have figures for.
pub(crate) fn plots(results: &Results, systems: &[System]) -> Vec<(&'static str, String)> {
    let throughput = Lines {
        title: "Deliveries per second, millions, as fast as it goes",
        x_title: "members",
        lines: lines(results, systems, "fanout", Quantity::DeliveriesPerSecond, 1e6),
    };
    let cost = Lines {
        title: "CPU time of the server per delivery, microseconds, as fast as it goes",
        x_title: "members",
        lines: lines(results, systems, "fanout", Quantity::CpuPerDelivery, 1.0),
    };
    let latency = Lines {
        title: "99th percentile from send to receive, milliseconds, 50,000 deliveries per second at most",
        x_title: "members",
        lines: lines(results, systems, "paced", Quantity::LatencyP99, 1e3),
    };
    let udp = Lines {
        title: "UDP: CPU time of the server per delivery, microseconds, as fast as it goes",
        x_title: "members",
        lines: lines(results, systems, "udp_fanout", Quantity::CpuPerDelivery, 1.0),
    };
    let memory = Bars {
        title: "Memory of the server per idle member, KiB",
        bars: systems
            .iter()
            .filter_map(|&system| {
                let work = if system.is_over_udp() { "udp_idle_10000" } else { "idle_10000" };
                let bytes = results.figure(work, system, Quantity::MemoryPerMember)?;
                Some((system.label(), bytes / 1024.0, is_ours(system)))
            })
            .collect(),
    };
    let mut plots = Vec::new();
    for (name, lines) in [
        ("bench-throughput.svg", throughput),
        ("bench-cpu.svg", cost),
        ("bench-latency.svg", latency),
        ("bench-udp.svg", udp),
    ] {
        if lines.lines.iter().any(|line| line.points.len() > 1) {
            plots.push((name, lines.draw()));
        }
    }
    if !memory.bars.is_empty() {
        plots.push(("bench-memory.svg", memory.draw()));
    }
    plots
}

fn lines(results: &Results, systems: &[System], work: &str, quantity: Quantity, unit: f64) -> Vec<Line> {
    let plotted = systems.iter().filter(|&&system| plan::is_plotted(system));
    let lines = plotted.map(|&system| Line {
        label: short(&system.label()),
        is_ours: is_ours(system),
        is_limit: system == System::LIMIT || system == System::LIMIT_UDP,
        points: MEMBERS
            .iter()
            .filter_map(|&members| {
                let value = results.figure(&format!("{work}_64x1x{members}"), system, quantity)?;
                Some((f64::from(members), value / unit))
            })
            .collect(),
    });
    lines.filter(|line| !line.points.is_empty()).collect()
}

/// As much of a label as there is room for beside a plot.
fn short(label: &str) -> String {
    label
        .trim_end_matches(", 1 thread")
        .trim_end_matches(": a send per read batch")
        .replace(": a datagram per read batch", ", per read batch")
        .replace(": a datagram per message", ", per message")
}

fn is_ours(system: System) -> bool {
    matches!(system, System::Tcp(_) | System::Udp(_))
}
