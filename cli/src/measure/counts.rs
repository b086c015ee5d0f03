//! Samples of many visits in little memory.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::stats;

/// How often each value came, of those that came at all. A histogram has a place for every value, 200 KiB in all: a machine with 128 cores has
/// 8,128 pairs, with four of them each.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<u64, u64>);

impl Counts {
    pub(super) fn add(&mut self, samples: &Histogram<u64>) {
        for value in samples.iter_recorded() {
            *self.0.entry(value.value_iterated_to()).or_default() += value.count_at_value();
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.0.values().sum()
    }

    pub(super) fn histogram(&self) -> Histogram<u64> {
        let mut samples = stats::histogram();
        for (&value, &count) in &self.0 {
            samples.saturating_record_n(value, count);
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_between_histograms_and_counts() {
        let (mut first, mut second) = (stats::histogram(), stats::histogram());
        for i in 0..10_000 {
            first.record(50 + i * i % 7_000).unwrap();
            second.record(1 + i * 999).unwrap();
        }
        let mut counts = Counts::default();
        counts.add(&first);
        counts.add(&second);
        assert!(first.add(&second).is_ok());
        assert_eq!(counts.histogram(), first);
    }
}
