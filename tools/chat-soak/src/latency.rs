//! How old messages were when they were heard.

use std::time::Duration;

/// Ages of messages, sorted into buckets of a tenth of their size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies {
    counts: Vec<u64>,
}

const BUCKETS_PER_DOUBLING: f64 = 8.0;

impl Latencies {
    pub(crate) fn add(&mut self, age: Duration) {
        let micros = (age.as_nanos() as f64 / 1_000.0).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a logarithm of a number of nanoseconds is small"
        )]
        let bucket = (micros.log2() * BUCKETS_PER_DOUBLING) as usize;
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }

    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The age in milliseconds that this share of the messages did not exceed; 0 of none.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let wanted = (self.count() as f64 * share).ceil();
        let mut seen = 0.0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            seen += count as f64;
            if count > 0 && seen >= wanted {
                // The upper end of the bucket.
                return ((bucket + 1) as f64 / BUCKETS_PER_DOUBLING).exp2() / 1_000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_a_tenth() {
        let mut latencies = Latencies::default();
        (1..=1_000).for_each(|ms| latencies.add(Duration::from_millis(ms)));
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let quantile = latencies.quantile_ms(share);
            assert!((ms..ms * 1.1).contains(&quantile), "{share}: {quantile}");
        }
        assert_eq!(Latencies::default().quantile_ms(0.5), 0.0);
    }
}
