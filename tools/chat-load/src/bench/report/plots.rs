//! Which figures are drawn.

use crate::bench::figures::Quantity::{
    self, CpuPerDelivery, DeliveriesPerSecond, LatencyP99, MemoryPerMember,
};
use crate::bench::plan;
use crate::bench::results::Results;
use crate::bench::system::System;
use crate::failure::Result;
use crate::plot::{self, Line};

const MEMBERS: [u32; 6] = [10, 50, 100, 200, 1000, 10_000];

/// File name, title, work, quantity, and the divisor that turns a figure into the unit that people read.
const LINES: [(&str, &str, &str, Quantity, f64); 4] = [
    (
        "bench-throughput.svg",
        "Deliveries per second, millions, as fast as it goes",
        "fanout",
        DeliveriesPerSecond,
        1e6,
    ),
    (
        "bench-cpu.svg",
        "CPU time of the server per delivery, microseconds, as fast as it goes",
        "fanout",
        CpuPerDelivery,
        1.0,
    ),
    (
        "bench-latency.svg",
        "99th percentile from send to receive, ms, 50,000 deliveries per second at most",
        "paced",
        LatencyP99,
        1e3,
    ),
    (
        "bench-udp.svg",
        "UDP: CPU time of the server per delivery, microseconds, as fast as it goes",
        "udp_fanout",
        CpuPerDelivery,
        1.0,
    ),
];

/// File names and drawings of the plots for which the results have figures.
pub(in crate::bench) fn plots(results: &Results, systems: &[System]) -> Result<Vec<(&'static str, String)>> {
    let mut plots = Vec::new();
    for (name, title, work, quantity, unit) in LINES {
        let lines: Vec<Line> = systems
            .iter()
            .filter(|system| plan::is_plotted(system))
            .map(|system| Line {
                label: system.label.clone(),
                is_ours: system.is_ours(),
                points: MEMBERS
                    .iter()
                    .filter_map(|&members| {
                        let value =
                            results.figure(&format!("{work}_64x1x{members}"), &system.key, quantity)?;
                        Some((f64::from(members), value / unit))
                    })
                    .collect(),
            })
            .filter(|line| !line.points.is_empty())
            .collect();
        if lines.iter().any(|line| line.points.len() > 1) {
            plots.push((name, plot::over_members(title, &lines)?));
        }
    }
    let bars: Vec<(String, f64, bool)> = systems
        .iter()
        .filter_map(|system| {
            let work = if system.is_over_udp() { "udp_idle_10000" } else { "idle_10000" };
            let bytes = results.figure(work, &system.key, MemoryPerMember)?;
            Some((system.label.clone(), bytes / 1024.0, system.is_ours()))
        })
        .collect();
    if !bars.is_empty() {
        plots.push(("bench-memory.svg", plot::bars("Memory of the server per idle member, KiB", &bars)?));
    }
    Ok(plots)
}
