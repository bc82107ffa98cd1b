//! How old messages were when they were heard.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Above an hour the exact age no longer matters.
const NANOS_MAX: u64 = 3_600_000_000_000;

/// Ages of messages, each with three significant digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(
            Histogram::new_with_bounds(1, NANOS_MAX, 3)
                .expect("three digits of an hour are within its limits"),
        )
    }
}

impl Latencies {
    pub(crate) fn add(&mut self, age: Duration) {
        self.0.saturating_record(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The age that this share of the messages did not exceed. Zero if there are not messages.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(share))
    }

    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        self.quantile(share).as_secs_f64() * 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_have_three_digits() {
        let mut latencies = Latencies::default();
        (1..=1_000).for_each(|micros| latencies.add(Duration::from_micros(micros)));
        for (share, ms) in [(0.5, 0.5), (0.99, 0.99), (1.0, 1.0)] {
            let quantile = latencies.quantile_ms(share);
            assert!((ms..ms * 1.001).contains(&quantile), "{share}: {quantile}");
        }
        latencies.add(Duration::from_secs(1_000_000));
        assert!(latencies.quantile(1.0) >= Duration::from_secs(3_600));
        assert_eq!(Latencies::default().quantile_ms(0.5), 0.0);
    }
}
