//! The report: a heading that says where the figures come from, the targets, and a table for each piece of work.

use std::fs;
use std::path::Path;

use super::table::{number, table};
use super::targets::targets;
use crate::bench::figures::Quantity;
use crate::bench::plan::Case;
use crate::bench::results::{self, Results, Row};
use crate::bench::system::{LIMIT, LIMIT_ROOMS, LIMIT_UDP};
use crate::failure::{Context, Failure, Result};

const BEGIN: &str = "<!-- measured: `cargo xtask bench --write` replaces what follows -->";
const END: &str = "<!-- /measured -->";

/// Puts `text` into the document between its marks.
pub(in crate::bench) fn put_into(document: &Path, text: &str) -> Result<()> {
    let old = fs::read_to_string(document).when(format!("read {}", document.display()))?;
    let marks = || {
        let (before, rest) = old.split_once(BEGIN)?;
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))
    };
    let new =
        marks().ok_or_else(|| Failure::new(format!("{} has no place for figures", document.display())))?;
    fs::write(document, new).when(format!("write {}", document.display()))
}

/// The whole report, in Markdown that also reads well on a terminal.
pub(in crate::bench) fn markdown(results: &Results, cases: &[Case]) -> String {
    let Results { machine, commit, command, versions, .. } = results;
    let versions: Vec<String> = versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut out = format!("Machine: {machine}. Commit: {commit}. Command: `{command}`.");
    if !versions.is_empty() {
        out.push_str(&format!(" Measured beside: {}.", versions.join(", ")));
    }
    out.push('\n');
    let targets = targets(results);
    if !targets.is_empty() {
        out.push_str(&format!("\n### Targets\n\n{targets}"));
    }
    for case in cases.iter().filter(|case| !case.is_point) {
        let rows: Vec<&Row> = results.rows.iter().filter(|row| row.work == case.name).collect();
        if !rows.is_empty() {
            let rounds = rows.iter().map(|row| row.rounds.len()).max().unwrap_or(0);
            let rounds = if rounds == 1 { "1 round".to_owned() } else { format!("{rounds} rounds") };
            out.push_str(&format!("\n### {}\n\n`{}`, {rounds}\n\n", case.title, case.name));
            out.push_str(&work_table(&rows));
        }
    }
    out
}

fn work_table(rows: &[&Row]) -> String {
    let mut quantities: Vec<Quantity> = rows.iter().flat_map(|row| row.median.0.keys().copied()).collect();
    quantities.sort_unstable();
    quantities.dedup();
    let limit = rows.iter().find(|row| [LIMIT, LIMIT_UDP, LIMIT_ROOMS].contains(&row.system.as_str()));
    let mut heading = vec!["system".to_owned()];
    for &quantity in &quantities {
        heading.push(name(quantity).to_owned());
        if is_compared(quantity) && limit.is_some() {
            heading.push("x limit".to_owned());
        }
    }
    let mut notes = String::new();
    let mut lines = Vec::new();
    for row in rows {
        let mut line = vec![row.label.clone()];
        for &quantity in &quantities {
            line.push(
                row.median.get(quantity).map_or("-".to_owned(), |value| number(value / unit(quantity))),
            );
            if let Some(limit) = limit.filter(|_| is_compared(quantity)) {
                let ratio = results::ratio(row, limit, quantity);
                line.push(ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")));
            }
        }
        lines.push(line);
        if let Some(note) = &row.note {
            notes.push_str(&format!("\n{}: {note}.\n", row.label));
        }
    }
    table(&heading, &lines) + &notes
}

fn is_compared(quantity: Quantity) -> bool {
    matches!(quantity, Quantity::CpuPerDelivery | Quantity::LatencyP99 | Quantity::RoundTripP50)
}

fn name(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::CpuPerDelivery => "CPU us/delivery",
        Quantity::DeliveriesPerSecond => "million/s",
        Quantity::TimePerConfirmed => "us/confirmed message",
        Quantity::Lost => "lost %",
        Quantity::LatencyP50 => "p50 ms",
        Quantity::LatencyP99 => "p99 ms",
        Quantity::LatencyP999 => "p99.9 ms",
        Quantity::RoundTripP50 => "p50 us",
        Quantity::RoundTripP99 => "p99 us",
        Quantity::MemoryPerMember => "KiB/member",
        Quantity::MemoryPerRoom => "KiB/room",
        Quantity::CpuIdle => "CPU %",
        Quantity::JoinsPerSecond => "joins/s",
        Quantity::CpuPerJoin => "CPU us/join",
        Quantity::CallsPerDelivery => "calls/delivery",
        Quantity::StalledP99Ratio => "p99 x none stalled",
        Quantity::StalledMemory => "MiB more",
    }
}

/// The divisor that turns a figure into the unit that people read.
fn unit(quantity: Quantity) -> f64 {
    match quantity {
        Quantity::DeliveriesPerSecond => 1e6,
        Quantity::Lost | Quantity::CpuIdle => 0.01,
        Quantity::LatencyP50 | Quantity::LatencyP99 | Quantity::LatencyP999 => 1e3,
        Quantity::MemoryPerMember | Quantity::MemoryPerRoom => 1024.0,
        Quantity::StalledMemory => 1024.0 * 1024.0,
        _ => 1.0,
    }
}
