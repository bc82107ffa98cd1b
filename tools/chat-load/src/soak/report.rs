//! The report on the samples: figures for people, and a plot.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::failure::Result;
use crate::plot::{self, Line, Panel};

/// The share of the run that the slope leaves out. During this time tables and buffers grow to their full size, and
/// the leases of the first ghosts run out.
const WARM_UP: f64 = 0.25;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    pub(super) seconds: f64,
    pub(super) memory_mib: f64,
    pub(super) descriptors: usize,
    pub(super) cpu_percent: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) members: u64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, memory_mib, descriptors, cpu_percent, p50_ms, p99_ms, members } = self;
        write!(
            f,
            "{seconds:6.0} s  {memory_mib:6.2} MiB  {descriptors:4} descriptors  {members:4} members  \
             {cpu_percent:5.1} % CPU  p50 {p50_ms:.2} ms  p99 {p99_ms:.2} ms"
        )
    }
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    minutes: f64,
    messages: u64,
    visits: u64,
    /// Members that checked every message.
    checkers: usize,
    /// Members that did not leave by themselves, by reason.
    kicked: BTreeMap<String, u64>,
    memory_mib_max: f64,
    memory_slope_mib_per_hour: f64,
    descriptors_after_warm_up: f64,
    descriptors_at_the_end: f64,
    cpu_percent: f64,
    p50_ms: f64,
    p99_ms: f64,
    p99_ms_of_the_worst_sample: f64,
}

impl Summary {
    pub(super) fn of(
        samples: &[Sample],
        messages: u64,
        visits: u64,
        checkers: usize,
        kicked: &BTreeMap<String, u64>,
    ) -> Self {
        let minutes = samples.last().map_or(0.0, |last| last.seconds / 60.0);
        let warm: Vec<&Sample> =
            samples.iter().filter(|sample| sample.seconds >= minutes * 60.0 * WARM_UP).collect();
        let tenth = warm.len().div_ceil(10);
        let descriptors = |samples: &[&Sample]| mean(samples.iter().map(|sample| sample.descriptors as f64));
        let points: Vec<(f64, f64)> =
            warm.iter().map(|sample| (sample.seconds / 3600.0, sample.memory_mib)).collect();
        let median = |value: fn(&Sample) -> f64| {
            let mut values: Vec<f64> = warm.iter().map(|sample| value(sample)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        let max = |value: fn(&Sample) -> f64| samples.iter().map(value).fold(0.0, f64::max);
        Self {
            minutes,
            messages,
            visits,
            checkers,
            kicked: kicked.clone(),
            memory_mib_max: max(|sample| sample.memory_mib),
            memory_slope_mib_per_hour: slope(&points),
            descriptors_after_warm_up: descriptors(&warm[..tenth]),
            descriptors_at_the_end: descriptors(&warm[warm.len() - tenth..]),
            cpu_percent: mean(warm.iter().map(|sample| sample.cpu_percent)),
            p50_ms: median(|sample| sample.p50_ms),
            p99_ms: median(|sample| sample.p99_ms),
            p99_ms_of_the_worst_sample: max(|sample| sample.p99_ms),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nafter {:.1} minutes, without the first quarter:", self.minutes)?;
        writeln!(
            f,
            "  messages     {}, each heard once and in order by all {} that checked",
            self.messages, self.checkers
        )?;
        writeln!(f, "  visitors     {}; memberships ended for a reason: {:?}", self.visits, self.kicked)?;
        writeln!(
            f,
            "  memory       {:.1} MiB at most, slope {:+.2} MiB/h",
            self.memory_mib_max, self.memory_slope_mib_per_hour
        )?;
        writeln!(
            f,
            "  descriptors  {:.0} after the warm-up, {:.0} at the end",
            self.descriptors_after_warm_up, self.descriptors_at_the_end
        )?;
        writeln!(f, "  CPU          {:.1} % of a core", self.cpu_percent)?;
        write!(
            f,
            "  latency      p50 {:.2} ms, p99 {:.2} ms (medians of samples), {:.1} ms p99 of the worst sample",
            self.p50_ms, self.p99_ms, self.p99_ms_of_the_worst_sample
        )
    }
}

pub(super) fn plot(samples: &[Sample]) -> Result<String> {
    let line = |label: &str, is_ours, value: fn(&Sample) -> f64| Line {
        label: label.to_owned(),
        is_ours,
        points: samples.iter().map(|sample| (sample.seconds / 60.0, value(sample))).collect(),
    };
    plot::over_time(
        "A server under joins, leaves, talk, drops and slow readers",
        &[
            Panel { title: "memory, MiB", lines: vec![line("", true, |sample| sample.memory_mib)] },
            Panel {
                title: "descriptors and members",
                lines: vec![
                    line("members", false, |sample| sample.members as f64),
                    line("descriptors", true, |sample| sample.descriptors as f64),
                ],
            },
            Panel {
                title: "from send to receive, ms",
                lines: vec![
                    line("p99", false, |sample| sample.p99_ms),
                    line("p50", true, |sample| sample.p50_ms),
                ],
            },
            Panel { title: "CPU, % of a core", lines: vec![line("", true, |sample| sample.cpu_percent)] },
        ],
    )
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    if count > 0.0 { sum / count } else { 0.0 }
}

/// The slope of the straight line that fits best.
fn slope(points: &[(f64, f64)]) -> f64 {
    let x_mean = mean(points.iter().map(|point| point.0));
    let y_mean = mean(points.iter().map(|point| point.1));
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - x_mean) * (y - y_mean);
        below += (x - x_mean) * (x - x_mean);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_a_line_is_found() {
        let points: Vec<(f64, f64)> = (0..10).map(|x| (f64::from(x), 3.0 + 0.5 * f64::from(x))).collect();
        assert!((slope(&points) - 0.5).abs() < 1e-9);
        assert_eq!(slope(&points[..1]), 0.0);
    }
}
