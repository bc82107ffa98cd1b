//! What is measured, and the median of several runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A quantity. Tables have their columns in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Quantity {
    /// CPU of the server process per delivery, microseconds.
    CpuPerDelivery,
    /// Deliveries per second of wall time.
    DeliveriesPerSecond,
    /// Wall time per message that is confirmed, many on their way at once, microseconds.
    TimePerConfirmed,
    /// Deliveries that did not arrive, as a share of all deliveries that were due.
    Lost,
    /// From send to receive, microseconds.
    LatencyP50,
    LatencyP99,
    LatencyP999,
    /// There and back, microseconds.
    RoundTripP50,
    RoundTripP99,
    /// Private memory that a member adds to the server process, bytes.
    MemoryPerMember,
    /// Private memory that a room adds to the server process, its member not counted, bytes.
    MemoryPerRoom,
    /// CPU of the server process while nothing happens, seconds per second.
    CpuIdle,
    /// Joins per second of wall time, until everyone hears the room.
    JoinsPerSecond,
    /// CPU of the server process per join, microseconds.
    CpuPerJoin,
    /// System calls of the server process per delivery.
    CallsPerDelivery,
    /// The 99th percentile of the members that read while others are stalled, divided by the same when nobody is
    /// stalled.
    StalledP99Ratio,
    /// Private memory that the server process took while members were stalled, bytes.
    StalledMemory,
}

/// The figures of one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Figures(pub(super) BTreeMap<Quantity, f64>);

impl Figures {
    pub(super) fn with(mut self, quantity: Quantity, value: f64) -> Self {
        self.0.insert(quantity, value);
        self
    }

    pub(super) fn get(&self, quantity: Quantity) -> Option<f64> {
        self.0.get(&quantity).copied()
    }

    /// Each quantity's median over `runs`.
    pub(super) fn median(runs: &[Self]) -> Self {
        let mut all: BTreeMap<Quantity, Vec<f64>> = BTreeMap::new();
        for (&quantity, &value) in runs.iter().flat_map(|figures| &figures.0) {
            all.entry(quantity).or_default().push(value);
        }
        Self(all.into_iter().map(|(quantity, values)| (quantity, median(values))).collect())
    }
}

/// The middle one, or the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { values[middle - 1].midpoint(values[middle]) } else { values[middle] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_quantity_by_quantity() {
        let run = |value| Figures::default().with(Quantity::CpuPerDelivery, value);
        let runs = [run(3.0), run(1.0), run(2.0).with(Quantity::LatencyP50, 7.0)];
        let median = Figures::median(&runs);
        assert_eq!(median.get(Quantity::CpuPerDelivery), Some(2.0));
        assert_eq!(median.get(Quantity::LatencyP50), Some(7.0));
        assert_eq!(Figures::median(&runs[..2]).get(Quantity::CpuPerDelivery), Some(2.0));
    }
}
